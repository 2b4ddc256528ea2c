"""A verified release that is ready to answer: from a consumer's question to the chat that its model is handed.

The prompt is put together by the code that put it together when the release was measured. Only the asker's access
labels differ: they take the place of those it was measured with, before any passage is scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whytune.answering.answerer import Answerer
from whytune.answering.retrieval.retriever import Embed, PassageSearch, Retriever
from whytune.records.data import Example, Origin, Passage
from whytune.records.served import Ask, Citation, ConsumerKey
from whytune.workspace.engines import Answering, Order

if TYPE_CHECKING:
    from whytune.records.candidate import Candidate, Retrieval
    from whytune.workspace.releasing import Runnable


SERVED = Origin(source="", file="served")


@dataclass(frozen=True)
class Prompted:
    """A question as the model is handed it, and what it was given to stand on."""

    order: Order
    citations: tuple[Citation, ...]
    limit: int
    """Tokens after which the answer is cut; 0 where a constraint ends it."""


class Readied:
    """One release with its model."""

    def __init__(self, runnable: Runnable, engine: Answering, search: PassageSearch, embed: Embed) -> None:
        self.runnable = runnable
        self.engine = engine
        finder = _Finder(search, embed)
        self._answerer = Answerer(engine.backend(runnable), runnable.task, runnable.dataset.labels, runnable.dataset.fields, finder, runnable.pool)

    def prompted(self, ask: Ask, key: ConsumerKey | None, on_text: Callable[[str], None] | None) -> Prompted:
        """Put the prompt together. key: whose access labels count; None keeps those of the release."""
        candidate = self.runnable.candidate if key is None else _for_asker(self.runnable.candidate, key)
        prepared = self._answerer.prepared(candidate, Example(messages=ask.messages, target=(), origin=SERVED))
        decoding = candidate.prompt.decoding
        if 0 < ask.max_tokens < decoding.max_new_tokens:
            decoding = decoding.model_copy(update={"max_new_tokens": ask.max_tokens})
        order = Order(prepared.chat, decoding, prepared.constraint, self.runnable.adapter_digest, on_text)
        return Prompted(order, _citations(prepared.passages), 0 if prepared.constraint is not None else decoding.max_new_tokens)

    def count_tokens(self, order: Order) -> int:
        """Tokens of the prompt."""
        return self._answerer.backend.count_tokens(order.chat)


class _Finder:
    """Looks passages up afresh for each question: nothing that was asked is remembered, nothing erased is found."""

    def __init__(self, search: PassageSearch, embed: Embed) -> None:
        self._search, self._embed = search, embed

    def prepare(self, queries: Sequence[str], retrieval: Retrieval) -> None:
        """One question at a time: there is nothing to prepare."""

    def find(self, query: str, retrieval: Retrieval, evidence: tuple[str, ...] = (), *, answer: str = "") -> list[Passage]:
        """The passages to hand over."""
        return Retriever(self._search, self._embed).find(query, retrieval)


def _for_asker(candidate: Candidate, key: ConsumerKey) -> Candidate:
    if candidate.retrieval is None:
        return candidate
    return candidate.model_copy(update={"retrieval": candidate.retrieval.model_copy(update={"access": key.access})})


def _citations(passages: Sequence[Passage]) -> tuple[Citation, ...]:
    return tuple(
        Citation(number=at, passage=p.id, document=p.document, title=p.title, page=p.page, start=p.start, end=p.end)
        for at, p in enumerate(passages, 1)
    )
