"""Many callers, one loaded base model, any number of adapters: requests run side by side and never mix.

One thread runs the model. A request begins at once; one that arrives while others run joins them between two tokens.
Each adapter is loaded once, under its digest, and never replaced in place. A model that was trained as a whole gets
weights of its own. Greedy: what comes out does not hang on who else asks. It keeps no record and knows no release. Example:

    pool = Pool(base)
    pool.backend_for(digest, folder)
    pool.submit(Request(chat, Decoding(), None, digest, on_token=print)).result().text
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from pathlib import Path

import torch

from whytune.answering.backends.lane import Lane, Request, Ticket
from whytune.answering.backends.machine import Machine, choose
from whytune.answering.backends.models import FULL_MARK
from whytune.answering.backends.protocol import Chat, Completion, Constraint, OnBatch
from whytune.errors import ModelError
from whytune.records.candidate import Base, Decoding
from whytune.records.record import short

__all__ = ["Pool", "PooledBackend", "Request"]

class Pool:
    """A loaded base model that many threads may ask. Close it, or use it as a context manager."""

    def __init__(self, base: Base, dtype: str = "auto", threads: int = 0, device: str = "auto") -> None:
        self.base = base
        self.machine: Machine = choose(dtype, threads, device)
        self._main = Lane(base, self.machine)
        self._lanes: dict[str, Lane] = {"": self._main}
        """By digest: adapters share the base's lane, whole models have one each."""
        self._came: deque[tuple[Lane, Ticket] | Callable[[], None]] = deque()
        self._bell = threading.Condition()
        self._encoding = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="whytune-pool", daemon=True)
        self._thread.start()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def context(self) -> int:
        """Longest prompt and answer together, in tokens."""
        return self.base.context

    @property
    def load(self) -> int:
        """Requests that are waiting or being answered."""
        return len(self._came) + sum(lane.load for lane in set(self._lanes.values()))

    def count_tokens(self, chat: Chat) -> int:
        """How many tokens the chat takes as a prompt."""
        with self._encoding:
            return len(self._main.encoder.prompt(chat).ids)

    def backend_for(self, adapter_digest: str = "", folder: Path | None = None) -> PooledBackend:
        """A `Backend` of this adapter, loaded if it is not there yet; without a digest, of the base model."""
        if adapter_digest and adapter_digest not in self._lanes:
            if folder is None:
                raise ModelError(
                    f"The adapter {short(adapter_digest)} is not loaded", next="give the folder that holds it"
                )
            self._run(lambda: self._load(adapter_digest, folder))
        return PooledBackend(self, adapter_digest)

    def submit(self, request: Request) -> Future[Completion]:
        """Have a request answered; any thread may call. Cancelling the future ends it at its next token."""
        lane = self._lanes.get(request.adapter_digest)
        if lane is None:
            raise ModelError(
                f"The adapter {short(request.adapter_digest)} is not loaded",
                next="call backend_for with its folder first",
            )
        with self._encoding:
            ticket = Ticket(request, lane.encoder.prompt(request.chat).ids)
        self._hand_over((lane, ticket))
        return ticket.future

    def close(self) -> None:
        """Answer what was asked, then let the thread end."""
        with self._bell:
            self._closed = True
            self._bell.notify()
        self._thread.join()

    def _load(self, digest: str, folder: Path) -> None:
        if digest in self._lanes:
            return
        if (folder / FULL_MARK).is_file():
            self._lanes[digest] = Lane(self.base, self.machine, folder)
        else:
            self._main.add(digest, folder)
            self._lanes[digest] = self._main

    def _run(self, work: Callable[[], None]) -> None:
        """Do something on the thread that runs the model, between two tokens, and wait for it."""
        done: Future[None] = Future()

        def job() -> None:
            try:
                work()
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

        self._hand_over(job)
        done.result()

    def _hand_over(self, item: tuple[Lane, Ticket] | Callable[[], None]) -> None:
        with self._bell:
            if self._closed:
                raise ModelError("The pool is closed", next="make a new one")
            self._came.append(item)
            self._bell.notify()

    def _work(self) -> None:
        torch.set_num_threads(self.machine.threads)
        while True:
            busy = [lane for lane in set(self._lanes.values()) if lane.busy]
            with self._bell:
                if not busy:
                    while not self._came and not self._closed:
                        self._bell.wait()
                    if not self._came:
                        return
                came = list(self._came)
                self._came.clear()
            for item in came:
                if callable(item):
                    item()
                else:
                    item[0].admit(item[1])
            for lane in set(self._lanes.values()):
                if lane.busy:
                    try:
                        lane.tick()
                    except Exception as error:  # told to everybody who waits; the thread must go on for those to come
                        lane.abandon(error)


class PooledBackend:
    """One adapter of a pool, or its base model. Satisfies `Backend`; many may be used at the same time."""

    def __init__(self, pool: Pool, adapter_digest: str) -> None:
        self.pool = pool
        self.adapter_digest = adapter_digest

    @property
    def context(self) -> int:
        """Longest prompt and answer together, in tokens."""
        return self.pool.context

    def count_tokens(self, chat: Chat) -> int:
        """How many tokens the chat takes as a prompt."""
        return self.pool.count_tokens(chat)

    def complete(
        self, chats: Sequence[Chat], decoding: Decoding, constraint: Constraint, on_batch: OnBatch
    ) -> None:
        """Answer every chat; `on_batch` is called as each is done."""
        futures = {
            self.pool.submit(Request(chat, decoding, constraint, self.adapter_digest)): number
            for number, chat in enumerate(chats)
        }
        for future in as_completed(futures):
            on_batch([(futures[future], future.result())])
