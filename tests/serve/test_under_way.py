"""Each question ends once, whoever ends it: the model, the clock, the client or the disk."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from tests.serve.house import House
from tests.serve.living import HELLO, Serving
from tests.serve.test_metrics import values

from whytune.errors import StoreError
from whytune.serve.app import make_app
from whytune.serve.door import DoorLimits
from whytune.store.database import FILE, Shortcut
from whytune.workspace.serving import Gateway

pytestmark = pytest.mark.slow
LONG, SHORT = {"model": "long", "messages": HELLO}, {"model": "short", "messages": HELLO}


@pytest.fixture
def house(tmp_path: Path, tiny_model: Path) -> House:
    made = House(tmp_path, tiny_model)
    made.point("long", made.release(seed=3, tokens=440))
    made.point("short", made.release(seed=3, tokens=4))
    return made


@pytest.fixture
def client(house: House) -> Iterator[TestClient]:
    with TestClient(make_app(Gateway(house.room, ["long", "short"]), DoorLimits(seconds=0.4)), base_url="http://localhost") as made:
        assert made.get("/readyz").status_code == 200, "loaded before anything is timed"
        yield made


def outcomes(house: House) -> Counter[str]:
    with house.room.store._database.reading("count") as connection:
        return Counter(row[0] for row in connection.exec_driver_sql("SELECT outcome FROM traffic_responses"))


def wait(house: House, expected: dict[str, int]) -> None:
    until = time.monotonic() + 20
    while outcomes(house) != Counter(expected) and time.monotonic() < until:
        time.sleep(0.05)
    assert outcomes(house) == Counter(expected)


def test_time_runs_out_for_all_prompts_of_a_call_and_each_is_recorded_once(house: House, client: TestClient) -> None:
    late = client.post("/v1/completions", json={"model": "long", "prompt": ["When?", "My card has not arrived yet."]})
    assert (late.status_code, late.json()["error"]["code"]) == (504, "timeout")
    wait(house, {"timeout": 2})
    assert client.post("/v1/chat/completions", json=SHORT).status_code == 200
    wait(house, {"timeout": 2, "length": 1})


def test_an_answer_that_cannot_be_written_down_is_not_given(house: House, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise StoreError("Could not keep what was answered: the disk is full", next="free some space")

    monkeypatch.setattr(Shortcut, "write", full)
    refused = client.post("/v1/chat/completions", json=SHORT)
    assert refused.status_code == 503
    assert "disk" not in refused.text, "the operator's matter"
    monkeypatch.undo()
    assert client.post("/v1/chat/completions", json=SHORT).status_code == 200
    wait(house, {"length": 1})


def test_a_store_that_another_process_holds_holds_up_no_model(house: House) -> None:
    with Serving(house.folder, ["long", "short"]) as serving, ThreadPoolExecutor(1) as threads:
        httpx.post(f"{serving.address}/chat/completions", json=SHORT, timeout=60).raise_for_status()
        with sqlite3.connect(house.room.store.folder / FILE, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            first = threads.submit(httpx.post, f"{serving.address}/chat/completions", json=SHORT, timeout=60)
            # The model answers somebody else while the first answer waits to be written.
            with httpx.stream("POST", f"{serving.address}/chat/completions", json={**LONG, "stream": True}, timeout=60) as stream:
                lines = stream.iter_lines()
                heard = [next(lines) for _ in range(40)]
                assert any('"content"' in line for line in heard)
                assert not first.done(), "it is not handed out before it is written"
                other.execute("ROLLBACK")
                assert first.result(60).status_code == 200
        assert outcomes(house)["length"] >= 2


def test_one_prompt_that_is_too_long_refuses_the_call_and_every_answer_is_counted(house: House, client: TestClient) -> None:
    refused = client.post("/v1/completions", json={"model": "short", "prompt": ["When?", "word " * 600]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
    wait(house, {"length": 1, "error": 1})


def test_a_model_that_breaks_is_told_as_such_and_the_next_question_is_answered(house: House, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from whytune.answering.backends.lane import Lane

    def broken(*_: Any) -> None:
        raise RuntimeError("what was asked: secret words")

    monkeypatch.setattr(Lane, "_place", broken)
    refused = client.post("/v1/chat/completions", json=SHORT)
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "failed")
    assert "secret" not in refused.text
    monkeypatch.undo()
    assert client.post("/v1/chat/completions", json=SHORT).status_code == 200
    wait(house, {"error": 1, "length": 1})


def test_who_hangs_up_before_the_whole_answer_ends_the_work(house: House) -> None:
    with Serving(house.folder, ["long", "short"]) as serving:
        httpx.post(f"{serving.address}/chat/completions", json=SHORT, timeout=60)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{serving.address}/chat/completions", json=LONG, timeout=0.3)
        wait(house, {"length": 1, "cancelled": 1})
        counted = httpx.get(f"{serving.address.removesuffix('/v1')}/metrics").text
        assert "whytune_under_way 0" in counted


def test_the_gateways_own_time_is_told_of_whole_answers(house: House) -> None:
    with Serving(house.folder, ["short"]) as serving:
        for _ in range(3):
            httpx.post(f"{serving.address}/chat/completions", json=SHORT, timeout=60).raise_for_status()
        counted = values(httpx.get(f"{serving.address.removesuffix('/v1')}/metrics").text)
        assert counted["whytune_overhead_seconds_count"] == 3
        assert 0 < counted["whytune_overhead_seconds_sum"] < counted['whytune_request_seconds_sum{route="/v1/chat/completions"}']


def test_who_leaves_before_the_question_is_there_is_no_fault_for_the_operator(house: House) -> None:
    with Serving(house.folder, ["short"]) as serving:
        place = httpx.URL(serving.address)
        with socket.create_connection((place.host, place.port)) as leaver:
            leaver.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
            time.sleep(0.2)
        httpx.post(f"{serving.address}/chat/completions", json=SHORT, timeout=60).raise_for_status()
        counted = values(httpx.get(f"{serving.address.removesuffix('/v1')}/metrics").text)
        assert counted["whytune_under_way"] == 0
        assert sum(value for name, value in counted.items() if name.startswith('whytune_requests_total{route="/v1/chat/completions"')) == 2
        assert "error" not in serving.logged()
