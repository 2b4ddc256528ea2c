"""The questions of one call, from their beginning until every answer is on the disk.

Threads do the work: the door's begin, the model's ends, the recorder's keeps. The event loop is woken twice: with all
answers, so that it can put the reply together meanwhile, and when all are recorded. Each question ends once: answered,
or given up. Example:

    asked = UnderWay(door)
    door.later(lambda: asked.begin(read))
    call, answers = await asked.over
    await asked.kept  # before anything of it is handed out
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from whytune.serve.bodies import HandedOut
from whytune.serve.door import Door
from whytune.serve.protocol import Call
from whytune.serve.refusals import client_left
from whytune.serve.stops import cut
from whytune.workspace.serving import Going

if TYPE_CHECKING:
    from whytune.answering.backends.protocol import Completion
    from whytune.records.served import ConsumerKey


class UnderWay:
    """One call's questions. Made and given up on the event loop; the rest happens in threads."""

    def __init__(self, door: Door) -> None:
        self._door, self._loop = door, asyncio.get_running_loop()
        self.over: asyncio.Future[tuple[Call, list[HandedOut]]] = self._loop.create_future()
        """Every answer; of a call that streams, none: it is done when its question has begun."""
        self.kept: asyncio.Future[None] = self._loop.create_future()
        """Done when every answer is recorded; of a call that streams, never."""
        self.pieces: asyncio.Queue[str | None] = asyncio.Queue()
        """Of a call that streams: text as it comes, then None."""
        self.begun: list[Going] = []
        self.with_model = 0.0
        """Seconds from the first question's beginning to the last answer."""
        self._lock = threading.Lock()
        self._open: dict[int, Going] = {}
        self._answers: dict[int, HandedOut] = {}
        self._written = 0
        self._given_up = ""

    def begin(self, read: Callable[[], tuple[Call, ConsumerKey]]) -> None:
        """Read the call and hand its questions to the model. Blocks for a moment; what fails comes out of `over`."""
        try:
            call, key = read()
            for place, ask in enumerate(call.asks):
                going = self._door.gateway.begin(ask, key, self._tell if call.stream else None)
                self.begun.append(going)
                with self._lock:
                    if not self._given_up:
                        self._open[place] = going
                        continue
                self._loop.call_soon_threadsafe(self._door.drop, going, self._given_up)
                return
            if call.stream:
                # Pieces and the end come from the same thread, so the end is told after the last piece.
                self.begun[0].answer.add_done_callback(lambda _: self._tell(None))
                self._tell_loop(self.over, (call, []))
                return
            for place, going in enumerate(self.begun):
                going.answer.add_done_callback(partial(self._answered, call, place))
        except Exception as error:  # whatever it is, it is handed to whoever waits
            self._fail(error)

    def leave(self, _: object = None) -> None:
        """Whoever asked is gone."""
        self._break(client_left())

    def give_up(self, outcome: str) -> None:
        """End what is still open; the model stops at its next token."""
        with self._lock:
            self._given_up, left = outcome, list(self._open.values())
            self._open.clear()
        for going in left:
            self._door.drop(going, outcome)

    def _answered(self, call: Call, place: int, answer: Future[Completion]) -> None:
        """In the thread that ran the model."""
        self.with_model = time.perf_counter() - self.begun[0].begun
        try:
            if answer.cancelled():
                return  # given up, and recorded as that
            said = answer.result()
            with self._lock:
                going = self._open.pop(place, None)
            if going is None:
                return
            text = cut(said.text, going.ask.stop)
            alone = len(call.asks) == self._door.metrics.under_way == 1  # then this thread has nobody else to answer
            ended = self._door.gateway.end(going, said, text=text if text != said.text else None, here=alone)
            with self._lock:
                self._answers[place] = HandedOut(going, text, said, ended.response)
                whole = len(self._answers) == len(call.asks)
            if whole:
                self._tell_loop(self.over, (call, [self._answers[place] for place in sorted(self._answers)]))
            ended.written.add_done_callback(partial(self._recorded, len(call.asks)))
        except Exception as error:  # a thread that runs a model has nobody else to tell
            self._fail(error)

    def _recorded(self, of: int, written: Future[None]) -> None:
        """In the thread that writes."""
        if (error := written.exception()) is not None:
            self._fail(error)
            return
        with self._lock:
            self._written += 1
            whole = self._written == of
        if whole:
            self._tell_loop(self.kept, None)

    def _tell(self, piece: str | None) -> None:
        self._loop.call_soon_threadsafe(self.pieces.put_nowait, piece)

    def _tell_loop(self, future: asyncio.Future[Any], result: Any) -> None:
        self._loop.call_soon_threadsafe(_settle, future, result)

    def _fail(self, error: BaseException) -> None:
        self._loop.call_soon_threadsafe(self._break, error)

    def _break(self, error: BaseException) -> None:
        """Tell whoever waits, for whichever of the two it is."""
        waited = self.kept if self.over.done() else self.over
        if not waited.done():
            waited.set_exception(error)


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    """The first outcome counts."""
    if not future.done():
        future.set_result(result)
