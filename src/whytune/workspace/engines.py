"""The models that answer served questions: one for each base, all its adapters in it.

A question goes in as a chat and comes out as a Future; a model on this machine batches what waits, an endpoint is asked
many times at once. Adapters are known by digest, so an alias that moves changes nothing for what is under way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from whytune.errors import UnavailableError
from whytune.settings import Settings
from whytune.workspace import bases

if TYPE_CHECKING:
    from whytune.answering.backends.pool import Pool
    from whytune.answering.backends.protocol import Backend, Chat, Completion, Constraint
    from whytune.records.candidate import Decoding
    from whytune.workspace.releasing import Runnable


@dataclass(frozen=True)
class Order:
    """One chat to be answered. on_text is told each piece of the answer as it comes, from another thread."""

    chat: Chat
    decoding: Decoding
    constraint: Constraint
    adapter: str
    """Digest; empty for the base alone."""
    on_text: Callable[[str], None] | None = None


class Answering(Protocol):
    """One base model, ready."""

    def backend(self, runnable: Runnable) -> Backend:
        """Make the release's adapter ready, and give what its prompts are prepared with."""

    def submit(self, order: Order) -> Future[Completion]:
        """Answer it as soon as there is room."""

    def close(self) -> None:
        """Finish what is under way and give the memory back."""


class LocalEngine:
    """A base model on this machine with its adapters."""

    def __init__(self, runnable: Runnable, settings: Settings) -> None:
        from whytune.answering.backends.pool import Pool

        # In the numbers that it was measured with, whatever this machine would choose for itself.
        self._pool: Pool = Pool(runnable.base, dtype=runnable.dtype, threads=settings.threads, device=settings.device)

    def backend(self, runnable: Runnable) -> Backend:
        """Load the adapter beside those there are."""
        return self._pool.backend_for(runnable.adapter_digest, runnable.adapter_folder)

    def submit(self, order: Order) -> Future[Completion]:
        """Join what is being answered."""
        from whytune.answering.backends.pool import Request

        return self._pool.submit(Request(order.chat, order.decoding, order.constraint, order.adapter, order.on_text))

    def close(self) -> None:
        """Give the memory back."""
        self._pool.close()


class HostedEngine:
    """A base model at an endpoint; its own queue batches."""

    def __init__(self, runnable: Runnable, settings: Settings) -> None:
        self._backend = bases.backend(runnable.base, runnable.model, settings)
        self._threads = ThreadPoolExecutor(runnable.model.concurrency, thread_name_prefix="whytune-endpoint")

    def backend(self, runnable: Runnable) -> Backend:
        """There is nothing to load."""
        return self._backend

    def submit(self, order: Order) -> Future[Completion]:
        """Ask in a thread of its own; the answer comes in one piece."""
        return self._threads.submit(self._ask, order)

    def _ask(self, order: Order) -> Completion:
        got: list[Completion] = []
        self._backend.complete([order.chat], order.decoding, order.constraint, lambda batch: got.extend(said for _, said in batch))
        if not got:
            raise UnavailableError("The endpoint gave no answer", next="ask again; whytune doctor checks the endpoint")
        if order.on_text and got[0].text:
            order.on_text(got[0].text)
        return got[0]

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class Engines:
    """One engine for each base model and number type, made when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: dict[tuple[str, str], Answering] = {}
        self._lock = threading.Lock()

    def of(self, runnable: Runnable) -> Answering:
        """The engine that answers for this release. The first call loads the model."""
        key = _engine_key(runnable)
        with self._lock:
            if key not in self._held:
                local = runnable.base.trainable
                self._held[key] = LocalEngine(runnable, self._settings) if local else HostedEngine(runnable, self._settings)
            return self._held[key]

    def spare(self, needed: Sequence[Runnable]) -> list[Answering]:
        """Take out the engines that none of these needs; whoever gets them closes them."""
        keys = {_engine_key(runnable) for runnable in needed}
        with self._lock:
            return [self._held.pop(key) for key in list(self._held) if key not in keys]

    def close(self) -> None:
        """Close all; what is under way is answered first."""
        for engine in self.spare(()):
            engine.close()


def _engine_key(runnable: Runnable) -> tuple[str, str]:
    return runnable.base.id, runnable.dtype
