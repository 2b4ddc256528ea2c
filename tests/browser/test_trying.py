"""The box to try a model in a real browser: the answer piece by piece, stopped half-way, hostile, broken off, and whole without JavaScript."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.house import HOSTILE, House, serving

from whytune.records.served import Announced
from whytune.workspace import releasing
from whytune.workspace.workspace import Workspace

pytestmark = pytest.mark.slow
SAID = [*(f"{each} " for each in HOSTILE), "and no more"]


class Slow:
    """An endpoint that says one piece at a time, when it is let; what it says is hostile. gone: set when whoever asked has left."""

    def __init__(self) -> None:
        self.go, self.gone, self.breaks = threading.Semaphore(0), threading.Event(), False
        slow = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert asked["stream"]
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                try:
                    for text in SAID:
                        while not slow.go.acquire(timeout=0.2):
                            self.tell(": still here\n\n")  # writing is how one learns that the other side has left
                        self.event({"choices": [{"delta": {"content": text}, "finish_reason": None}]})
                    if slow.breaks:
                        return
                    beside = {"response": "resp_1", "release": "release:1", "approval": "approved", "kept": False, "citations": [{"title": HOSTILE[0], "page": 3}]}
                    self.event({"choices": [{"delta": {}, "finish_reason": "stop"}], "whytune": beside})
                    self.event({"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 7}})
                    self.tell("data: [DONE]\n\n")
                except OSError:
                    slow.gone.set()

            def event(self, body: dict[str, Any]) -> None:
                self.tell(f"data: {json.dumps(body)}\n\n")

            def tell(self, text: str) -> None:
                self.wfile.write(text.encode())
                self.wfile.flush()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def slow(house: House) -> Iterator[Slow]:
    with slowly(house) as made:
        yield made


@contextmanager
def slowly(house: House) -> Iterator[Slow]:
    made, room = Slow(), Workspace.open(house.folder)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    told = Announced(
        id=f"slow{made.server.server_port}", address=made.address, machine=socket.gethostname(), pid=os.getpid(), person="operator", asks_key=True, aliases=("champion",),
        served={"champion": releasing.aliases(room)["champion"]}, started=now, beat=datetime.now(UTC).replace(year=2100).isoformat(timespec="seconds"),
    )  # fmt: skip
    room.store.endpoints.announce(told, "2000-01-01T00:00:00+00:00")
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        room.store.endpoints.end(told.id, now)
        room.store.close()
        made.server.shutdown()
        made.server.server_close()


def test_the_answer_comes_piece_by_piece_as_text(slow: Slow, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page = signed_in("owner")
    page.goto("/models/champion")
    page.get_by_label("Your question").fill("Where is my parcel?")
    slow.go.release()
    page.get_by_role("button", name="Ask", exact=True).click()
    said = page.locator("#said")
    expect(said).to_have_text(SAID[0].strip())
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    slow.go.release()
    expect(said).to_have_text("".join(SAID[:2]).strip())
    for _ in SAID[2:]:
        slow.go.release()
    answer = page.get_by_role("region", name="Answer", exact=True)
    expect(answer).to_contain_text("".join(SAID))
    expect(answer).to_contain_text("7 out")
    expect(answer).to_contain_text(HOSTILE[0])
    expect(page.locator("#how")).to_have_text("The answer is complete.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.get_by_label("Your question")).to_have_value("Where is my parcel?")
    assert answer.locator("script, img, h1, b").count() == 0, "what a model says stays text"
    assert page.title() != "owned"
    quiet(page)


def test_stopping_ends_the_work_and_another_question_can_follow(slow: Slow, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page = signed_in("owner")
    page.goto("/models/champion")
    page.get_by_label("Your question").fill("Where is my parcel?")
    slow.go.release()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#said")).to_have_text(SAID[0].strip())
    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#how")).to_have_text("Stopped. This is not the whole answer.")
    expect(page.locator("#said")).to_have_text(SAID[0].strip())
    slow.go.release()
    assert slow.gone.wait(20), "the endpoint learns that nobody waits any more"
    for _ in SAID:
        slow.go.release()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#how")).to_have_text("The answer is complete.")
    quiet(page)


def test_what_breaks_off_says_so_and_what_is_refused_keeps_the_question(slow: Slow, signed_in: Callable[..., Any]) -> None:
    page = signed_in("owner")
    page.goto("/models/champion")
    slow.breaks = True
    page.get_by_label("Your question").fill("Where is my parcel?")
    for _ in SAID:
        slow.go.release()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#how")).to_contain_text("does not answer as whytune does")
    expect(page.locator("#said")).to_have_text("".join(SAID))
    page.get_by_label("Your question").fill("   ")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("the question is empty")).to_be_visible()


def test_a_real_endpoint_with_and_without_javascript(house: House, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    with serving(house.folder, "serve", ready="/readyz", person="operator", WHYTUNE_TOKEN=house.tokens["operator"]):
        for javascript in (True, False):
            page = signed_in("owner", javascript=javascript)
            page.goto("/models/champion")
            page.get_by_label("Your question").fill("my parcel 4711 about delay")
            page.get_by_role("button", name="Ask", exact=True).click()
            answer = page.get_by_role("region", name="Answer", exact=True)
            expect(answer).to_contain_text("tokens in")
            expect(answer.locator(".outside").first).to_have_text(re.compile("delay|loss|refund"))
            answer.get_by_role("radio", name="not good").check()
            answer.get_by_role("button", name="Send feedback").click()
            expect(page.get_by_role("status")).to_contain_text("It is in the inbox")
            quiet(page)
