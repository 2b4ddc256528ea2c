"""What was served is written once, together, and whoever waits is told the truth."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import wait

import pytest

from whytune.errors import StoreError
from whytune.records.served import Dialogue, Response
from whytune.workspace.recording import Scribe


class Shelf:
    """Keeps batches; can be held up, and can fail."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.fails = False

    def record(self, answered: Sequence[tuple[Response, Dialogue | None]]) -> None:
        self.open.wait(5)
        if self.fails:
            raise StoreError("the disk is full", next="free some space")
        self.batches.append([response.id for response, _ in answered])


def response(id: int) -> Response:
    return Response(id=str(id), release="r", project="p", alias="a", consumer="c", key="k", conversation="", when="2026-01-01")


def test_what_waits_is_written_together_and_nothing_twice() -> None:
    shelf = Shelf()
    recorder = Scribe(shelf)
    waits = [recorder.record(response(number)) for number in range(200)]
    assert not any(done.done() for done in waits)
    shelf.open.set()
    wait(waits, 5)
    recorder.close()
    assert sorted(id for batch in shelf.batches for id in batch) == sorted(str(number) for number in range(200))
    assert len(shelf.batches) <= 3


def test_a_failure_reaches_those_who_wait_and_the_next_is_written() -> None:
    shelf = Shelf()
    shelf.open.set()
    shelf.fails = True
    recorder = Scribe(shelf)
    with pytest.raises(StoreError, match="disk is full"):
        recorder.record(response(1)).result(5)
    shelf.fails = False
    recorder.record(response(2)).result(5)
    recorder.close()
    assert shelf.batches == [["2"]]


def test_who_stops_waiting_takes_nothing_back() -> None:
    shelf = Shelf()
    recorder = Scribe(shelf)
    assert not recorder.record(response(1)).cancel()
    shelf.open.set()
    recorder.close()
    assert shelf.batches == [["1"]]
