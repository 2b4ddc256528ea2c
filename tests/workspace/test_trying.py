"""Trying a model: as an application would, with a key for one day, and clear words where it does not work."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.web.shelf import shelf

from whytune.errors import NotFoundError, RefusedError, UnavailableError, UsageError, WhytuneError
from whytune.records.served import Announced
from whytune.workspace import consumers, endpoints, releasing, trying
from whytune.workspace.consumers import KeyTerms
from whytune.workspace.feedback import Said
from whytune.workspace.trying import Attempt
from whytune.workspace.workspace import Workspace

ANSWER = {
    "choices": [{"message": {"content": "On Friday."}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    "whytune": {"response": "resp_1", "release": "release:1", "approval": "approved", "kept": False, "citations": []},
}  # fmt: skip


class Listener(ThreadingHTTPServer):
    """Stands where an endpoint listens: answers what it was told to, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: list[tuple[int, Any]] = []
        self.room: Workspace | None = None


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers.get("authorization", ""), body))
        status, answer = self.server.answers.pop(0) if self.server.answers else (200, ANSWER)
        said = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("retry-after", "7")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Workspace]:
    made = shelf(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def listener(room: Workspace) -> Iterator[Listener]:
    """A process that says it serves the champion."""
    made = Listener()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    announce(room, f"http://127.0.0.1:{made.server_address[1]}/v1")
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def announce(room: Workspace, address: str, **changes: Any) -> None:
    now = endpoints._spelled(endpoints._now())
    made = Announced(
        id=address, address=address, machine=socket.gethostname(), pid=os.getpid(), person="ada", asks_key=False, aliases=("champion",),
        served={"champion": releasing.live(room, "champion").id}, started=now, beat=now,
    )  # fmt: skip
    room.store.endpoints.announce(made.model_copy(update=changes), "")


def test_without_any_key_none_is_made_and_the_door_stays_open_for_programs(room: Workspace, listener: Listener) -> None:
    tried = trying.ask(room, Attempt("champion", "When?"))
    assert (tried.answer, tried.response, tried.tokens_in, tried.kept) == ("On Friday.", "resp_1", 7, False)
    assert listener.asked == [("/v1/chat/completions", "", {"model": "champion", "messages": [{"role": "user", "content": "When?"}], "store": False})]
    assert not room.store.traffic.any_key()


def test_with_keys_one_is_made_for_the_person_for_a_day_and_used_again(room: Workspace, listener: Listener) -> None:
    consumers.grant(room, KeyTerms("shop"))
    trying.ask(room, Attempt("champion", "When?", keep=True))
    trying.rate(room, "champion", Said("resp_1", "down", consent=True, correction="On Monday."))
    first, second = (secret.removeprefix("Bearer ") for _, secret, _ in listener.asked)
    assert first == second
    key = room.store.traffic.key_of(first)
    assert key is not None
    assert (key.consumer, key.scopes, key.may, key.access, key.per_minute, key.daily_tokens) == ("try.ada", consumers.TRY_SCOPES, ("champion",), (), consumers.TRY_RATE, consumers.TRY_TOKENS)
    assert key.expires[:10] > key.created[:10]
    event = room.events()[-1]
    assert (event.act, event.facts["consumer"], event.facts["change"]) == ("model.tried", "try.ada", "granted")
    assert first not in json.dumps([each.model_dump() for each in room.events()])
    assert [body["consent"] for _, _, body in listener.asked[1:]] == [True]
    listener.answers = [(401, {"error": {"message": "No valid key."}})]
    trying.ask(room, Attempt("champion", "When?"))
    assert listener.asked[-1][1] not in ("", f"Bearer {first}"), "a key that was taken back is made anew"


@pytest.mark.parametrize(
    ("status", "answer", "kind", "words"),
    [
        (429, {"error": {"message": "This key may ask 20 times a minute."}}, RefusedError, "20 times a minute"),
        (404, {"error": {"message": "There is no model 'champion' for this key."}}, NotFoundError, "no model"),
        (400, {"error": {"message": "The question is too long."}}, UsageError, "too long"),
        (503, {"error": {"message": "Too much is asked at once. Ask again."}}, UnavailableError, "Too much"),
        (302, b"", UnavailableError, "status 302"),
        (200, b"<html>not me</html>", UnavailableError, "does not answer as whytune does"),
        (200, {"choices": []}, UnavailableError, "does not answer as whytune does"),
        (500, {"error": "broken"}, UnavailableError, "status 500"),
    ],
)
def test_what_an_endpoint_refuses_is_said_in_its_words(room: Workspace, listener: Listener, status: int, answer: Any, kind: type[WhytuneError], words: str) -> None:
    listener.answers = [(status, answer)]
    with pytest.raises(kind, match=words) as told:
        trying.ask(room, Attempt("champion", "When?"))
    assert told.value.next
    assert ("wait 7 s" in told.value.next) == (status == 429)


def test_where_nothing_listens_it_says_so(room: Workspace) -> None:
    with pytest.raises(UnavailableError, match="No endpoint serves"):
        trying.ask(room, Attempt("champion", "When?"))
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    announce(room, f"http://127.0.0.1:{port}/v1")
    with pytest.raises(UnavailableError, match="does not answer: ConnectError"):
        trying.ask(room, Attempt("champion", "When?"))
    with pytest.raises(UsageError) as told:
        trying.ask(room, Attempt("champion", "x" * (trying.LONGEST + 1)))
    assert len(told.value.problems) == 1
    with pytest.raises(NotFoundError):
        trying.ask(room, Attempt("golden", "When?"))


def test_too_many_at_once_are_turned_away_and_the_places_come_back(room: Workspace, listener: Listener) -> None:
    for _ in range(trying.AT_ONCE):
        assert trying._places.acquire(blocking=False)
    try:
        with pytest.raises(UnavailableError, match="being answered"):
            trying.ask(room, Attempt("champion", "When?"))
    finally:
        for _ in range(trying.AT_ONCE):
            trying._places.release()
    for _ in range(trying.AT_ONCE + 1):
        trying.ask(room, Attempt("champion", "When?"))


def test_another_machines_loopback_is_not_this_ones(room: Workspace) -> None:
    announce(room, "http://127.0.0.1:8000/v1", machine="another")
    with pytest.raises(UnavailableError, match="runs on another"):
        trying.ask(room, Attempt("champion", "When?"))


def test_an_address_of_every_interface_is_asked_by_loopback(room: Workspace, listener: Listener) -> None:
    announce(room, f"http://0.0.0.0:{listener.server_address[1]}/v1", started="9999-01-01T00:00:00+00:00")
    assert trying.ask(room, Attempt("champion", "When?")).answer == "On Friday."
