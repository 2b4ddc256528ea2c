"""A question from the browser to a real endpoint with a real model, feedback about its answer, and the endpoint's end."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from tests.serve.house import House
from tests.serve.living import Serving

from whytune.web.app import make_app
from whytune.workspace import consumers, endpoints, people
from whytune.workspace.consumers import KeyTerms

HTML = {"accept": "text/html"}


@pytest.fixture
def house(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name in ("WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WHYTUNE_PERSON", "ada")
    made = House(tmp_path, tiny_model)
    made.point("shop/champion", made.release())
    yield made
    made.room.store.close()


def _once(page: str) -> str:
    found = re.search(r'name="_once" value="(\w+)"', page)
    assert found
    return found.group(1)


@pytest.mark.slow
def test_ask_rate_and_stop_the_endpoint(house: House) -> None:
    consumers.grant(house.room, KeyTerms("shop"))
    with TestClient(make_app(house.folder), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), follow_redirects=False) as web, Serving(house.folder, ["shop/champion"]) as process:
        assert httpx.get(f"{process.address.removesuffix('/v1')}/healthz", timeout=60).status_code == 200  # it listens before it answers
        (known,) = endpoints.known(house.room)
        assert (known.state, known.process.address, known.process.asks_key) == ("serving", process.address, True)
        page = web.get("/models/shop/champion", headers=HTML).text
        assert "answers now" in page
        assert process.address in page, "the code for programs names the running endpoint"
        answer = web.post("/models/try/shop/champion", data={"_once": _once(page), "question": "When <i>does</i> it come?"}, headers=HTML)
        assert answer.status_code == 200, answer.text
        assert "not independently approved" in answer.text
        assert "When &lt;i&gt;does&lt;/i&gt; it come?" in answer.text
        found = re.search(r'name="response" value="(resp_\w+)"', answer.text)
        assert found
        kept = house.room.store.traffic.response(found.group(1))
        assert kept is not None
        assert (kept.consumer, kept.alias, kept.kept) == ("try.ada", "shop/champion", False)
        assert kept.tokens_in > 0
        fields = {"response": found.group(1), "rating": "down", "correction": "On Monday.", "question": "When does it come?", "consent": "on"}
        rated = web.post("/models/feedback/shop/champion", data={"_once": _once(answer.text), **fields}, headers=HTML)
        assert (rated.status_code, rated.headers["location"].partition("?")[0]) == (303, "/models/shop/champion")
        (given,) = house.room.store.traffic.inbox()
        assert (given.rating, given.correction, given.consent, given.consumer) == ("down", "On Monday.", True, "try.ada")
        with web.stream("POST", "/models/stream/shop/champion", data={"_once": _once(page), "question": "When <i>does</i> it come?"}, headers=HTML) as flowing:
            assert flowing.headers["content-type"].startswith("text/event-stream")
            events = [(name, json.loads(text)) for name, text in re.findall(r"event: (\w+)\ndata: (.*)", flowing.read().decode())]
        assert [name for name, _ in events] == ["piece"] * (len(events) - 1) + ["done"], "as it comes, then the page as it would be whole"
        assert len(events) > 1
        assert "When &lt;i&gt;does&lt;/i&gt; it come?" in events[-1][1]
        assert 'id="tried"' in events[-1][1]
        assert web.post("/models/stream/shop/champion", data={"_once": "b" * 32, "question": " "}, headers=HTML).status_code == 400
        other = web.post("/models/feedback/shop/champion", data={"_once": _once(web.get("/models/shop/champion", headers=HTML).text), **fields, "response": "resp_guessed"}, headers=HTML)
        assert other.status_code == 404
        process.stop(signal.SIGTERM)
        assert [each.state for each in endpoints.known(house.room)] == ["stopped"], "also where a signal ends it"
        assert "no endpoint runs" in web.get("/models/shop/champion", headers=HTML).text

