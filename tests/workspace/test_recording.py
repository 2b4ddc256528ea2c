"""What was served is written once, together, and whoever waits is told the truth."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import wait

import pytest

from whytune.errors import StoreError
from whytune.records.served import Dialogue, Response
from whytune.workspace.recording import FOLD, Scribe


class Shelf:
    """Keeps batches; can be held up, and can fail."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.fails = self.busy = False
        self.here: list[int] = []

    def record(self, answered: Sequence[tuple[Response, Dialogue | None]]) -> None:
        self.open.wait(5)
        if self.fails:
            raise StoreError("the disk is full", next="free some space")
        self.batches.append([response.id for response, _ in answered])

    def record_at_once(self, answered: Sequence[tuple[Response, Dialogue | None]]) -> bool:
        if self.busy:
            return False
        self.here.append(threading.get_ident())
        self.batches.append([response.id for response, _ in answered])
        return True


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


def test_an_answer_that_holds_nobody_up_is_written_where_it_was_made_and_now_and_then_by_the_thread_that_folds() -> None:
    shelf = Shelf()
    shelf.open.set()
    recorder = Scribe(shelf)
    for number in range(2 * FOLD):
        recorder.record(response(number), here=True).result(5)
    recorder.close()
    assert shelf.here == [threading.get_ident()] * (2 * FOLD - 2)
    assert [id for batch in shelf.batches for id in batch] == [str(number) for number in range(2 * FOLD)]


def test_where_it_cannot_be_written_at_once_the_thread_that_writes_waits_for_it() -> None:
    shelf = Shelf()
    shelf.busy = True
    recorder = Scribe(shelf)
    waits = recorder.record(response(1), here=True)
    assert not waits.done()
    shelf.open.set()
    waits.result(5)
    recorder.close()
    assert shelf.batches == [["1"]]
    assert not shelf.here
