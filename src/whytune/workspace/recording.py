"""Writes down what was served, many answers in one transaction, and says when each is on the disk.

A door waits for it before it lets an answer's last byte go: whoever holds a response id can refer to it, whatever is
killed afterwards. Nothing is dropped: where the store cannot be written, whoever waits is told.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from whytune.records.served import Dialogue, Response

MOST = 500
"""Answers in one transaction."""
FOLD = 100
"""Of so many answers that could be written where they were made, one is not: the thread that writes then folds the log."""


class Keeper(Protocol):
    """Where they are written down; the store's traffic is one."""

    def record(self, answered: Sequence[tuple[Response, Dialogue | None]]) -> None:
        """Keep them all, durable when this returns."""

    def record_at_once(self, answered: Sequence[tuple[Response, Dialogue | None]]) -> bool:
        """The same, or nothing and False where it would have to wait."""


class Scribe:
    """One thread that writes. `close` writes what is left."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._waiting: queue.SimpleQueue[tuple[Response, Dialogue | None, Future[None]] | None] = queue.SimpleQueue()
        self._here = 0
        self._thread = threading.Thread(target=self._run, name="whytune-recorder", daemon=True)
        self._thread.start()

    def record(self, response: Response, exchange: Dialogue | None = None, *, here: bool = False) -> Future[None]:
        """Done when it is on the disk; fails with the reason where it cannot be written.

        here: nobody would be held up if the calling thread wrote it; it does if that can be done at once. A change of
        threads takes longer than writing one answer.
        """
        done: Future[None] = Future()
        # Whoever stops waiting must not take back what is about to be written.
        done.set_running_or_notify_cancel()
        self._here += here
        if here and self._here % FOLD and self._waiting.empty() and self._keeper.record_at_once([(response, exchange)]):
            done.set_result(None)
            return done
        self._waiting.put((response, exchange, done))
        return done

    def close(self) -> None:
        """Write what is left, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            batch = [self._waiting.get()]
            while len(batch) < MOST and batch[-1] is not None and not self._waiting.empty():
                batch.append(self._waiting.get())
            going = batch[-1] is not None
            if entries := [entry for entry in batch if entry is not None]:
                self._write(entries)

    def _write(self, batch: list[tuple[Response, Dialogue | None, Future[None]]]) -> None:
        try:
            self._keeper.record([(response, exchange) for response, exchange, _ in batch])
        except Exception as error:  # whatever it is, it is handed to those who wait, and the thread goes on
            for _, _, done in batch:
                done.set_exception(error)
            return
        for _, _, done in batch:
            done.set_result(None)
