"""Finds the passages that a candidate is handed with a question.

By words, or by words and meaning together (reciprocal-rank fusion), or every passage, or those of the documents that are
known to hold the answer. It keeps no index: it is given one that filters by access before it scores, and checks that it did.

    Retriever(index, Embedder().encode).find("May I take unpaid leave?", Retrieval(index=index_id, k=3, hybrid=True))
    -> the three best passages, best first
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from whytune.answering.retrieval.passages import indexed_text
from whytune.errors import StoreError, UsageError
from whytune.records.candidate import Retrieval
from whytune.records.data import Example, Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FUSION = 60
"""The k of reciprocal-rank fusion: a passage scores 1 / (60 + rank) in each list that holds it."""
POOL = 50
"""How many passages each list brings to the fusion, at least."""
SHORTEST_PROOF = 4
"""Characters from which an answer that stands literally in a passage shows that the passage holds it."""

Embed = Callable[[Sequence[str]], "NDArray[np.float32]"]
_TERM = re.compile(r"[^\W_]+")


class PassageSearch(Protocol):
    """Where passages are kept. `access`: the labels the asker holds; others' passages are left out before scoring."""

    def search(
        self, index_id: str, question: str, k: int, access: tuple[str, ...], /
    ) -> Sequence[tuple[Passage, float]]:
        """The k best by words, best first. The question is natural language: the index finds its words."""

    def vector_search(
        self, index_id: str, vector: Any, k: int, access: tuple[str, ...], /
    ) -> Sequence[tuple[Passage, float]]:
        """The k nearest by embedding, nearest first."""

    def passages(self, index_id: str, /) -> Iterable[Passage]:
        """Every passage, in the order in which they were put in."""


def readable(passage: Passage, access: tuple[str, ...]) -> bool:
    """Whether an asker with these labels may see it: it has no label, or one of theirs."""
    return not passage.access or not set(passage.access).isdisjoint(access)


def terms(text: str) -> list[str]:
    """The different words of a text, in lower case and in their order."""
    return list(dict.fromkeys(_TERM.findall(text.casefold())))


class Retriever:
    """One way to passages for every arm. embed is needed for hybrid retrieval only."""

    def __init__(self, search: PassageSearch, embed: Embed | None = None) -> None:
        self._search = search
        self._embed = embed
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._everything: dict[str, tuple[Passage, ...]] = {}
        self._by_document: dict[str, dict[str, list[Passage]]] = {}

    def prepare(self, queries: Sequence[str], retrieval: Retrieval) -> None:
        """Embed many questions in one go, where this retrieval embeds at all; `find` then only searches."""
        if retrieval.how == "search" and retrieval.hybrid:
            self._vectors_of(queries)

    def find(
        self, query: str, retrieval: Retrieval, evidence: tuple[str, ...] = (), *, answer: str = ""
    ) -> list[Passage]:
        """The passages to hand over: best first for `search` and `oracle`, in document order for `all`.

        evidence: ids of the documents that hold the answer; only `oracle` reads it, and `answer` beside it, to pick the
        passages that hold it when there are more than k. Neither can be known outside a measurement.
        """
        if retrieval.how == "all":
            return [passage for passage in self._all(retrieval.index) if readable(passage, retrieval.access)]
        if retrieval.how == "oracle":
            return _best(self.of_documents(evidence, retrieval), query, answer, retrieval.k)
        words = self._lexical(query, retrieval)
        if not retrieval.hybrid:
            return words[: retrieval.k]
        return fuse([words, self._dense(query, retrieval)])[: retrieval.k]

    def of_documents(self, documents: Sequence[str], retrieval: Retrieval) -> list[Passage]:
        """The readable passages of some documents, in document order."""
        if retrieval.index not in self._by_document:
            by_document: dict[str, list[Passage]] = {}
            for passage in self._all(retrieval.index):
                by_document.setdefault(passage.document, []).append(passage)
            self._by_document[retrieval.index] = by_document
        found = self._by_document[retrieval.index]
        return [
            passage
            for document in dict.fromkeys(documents)
            for passage in found.get(document, [])
            if readable(passage, retrieval.access)
        ]

    def _lexical(self, query: str, retrieval: Retrieval) -> list[Passage]:
        if not terms(query):
            return []
        return self._checked(
            self._search.search(retrieval.index, query, _pool(retrieval), retrieval.access), retrieval
        )

    def _dense(self, query: str, retrieval: Retrieval) -> list[Passage]:
        vector = self._vectors_of([query])[0]
        found = self._search.vector_search(retrieval.index, vector, _pool(retrieval), retrieval.access)
        return self._checked(found, retrieval)

    def _checked(self, found: Iterable[tuple[Passage, float]], retrieval: Retrieval) -> list[Passage]:
        passages = [passage for passage, _ in found]
        # The index filters; this only makes sure that a broken one is noticed before anybody reads what they may not.
        leaked = [passage.id for passage in passages if not readable(passage, retrieval.access)]
        if leaked:
            raise StoreError(
                f"The index handed out {len(leaked)} passages that this asker may not read",
                where=retrieval.index,
                problems=leaked[:5],
                next="build the index again from its documents, and report this: it must not happen",
            )
        return passages

    def _vectors_of(self, queries: Sequence[str]) -> list[NDArray[np.float32]]:
        if self._embed is None:
            raise UsageError(
                "Hybrid retrieval was asked for without an embedder",
                next="give the Retriever an embedder, or use Retrieval(hybrid=False)",
            )
        missing = [query for query in dict.fromkeys(queries) if query not in self._vectors]
        if missing:
            self._vectors.update(zip(missing, self._embed(missing), strict=True))
        return [self._vectors[query] for query in queries]

    def _all(self, index: str) -> tuple[Passage, ...]:
        # An index id names its content, so what was read once stays true.
        if index not in self._everything:
            self._everything[index] = tuple(self._search.passages(index))
        return self._everything[index]


def fuse(rankings: Sequence[Sequence[Passage]]) -> list[Passage]:
    """Reciprocal-rank fusion, best first. Ties go by the best single rank, then by document and place."""
    scores: dict[str, float] = {}
    ranks: dict[str, int] = {}
    passages: dict[str, Passage] = {}
    for ranking in rankings:
        for rank, passage in enumerate(ranking, start=1):
            scores[passage.id] = scores.get(passage.id, 0.0) + 1 / (FUSION + rank)
            ranks[passage.id] = min(rank, ranks.get(passage.id, rank))
            passages[passage.id] = passage
    return sorted(
        passages.values(), key=lambda p: (-round(scores[p.id], 12), ranks[p.id], p.document, p.start, p.id)
    )


def distractors(
    retriever: Retriever, example: Example, retrieval: Retrieval, *, seed: int = 17, gold_share: float = 1.0
) -> list[Passage]:
    """Passages to train one example with: one that holds its answer among k - 1 that look alike and do not.

    The wrong ones are what the search itself would bring; where it brings too few, any others. In a share of
    1 - gold_share of the examples the right one is left out. Example and seed decide everything else: same in, same out.
    An example whose documents are not known gets what the search finds.
    """
    chance = random.Random(f"{seed}:{example.id}")
    query, answer = example.input_text, example.target_text
    gold = _best(retriever.of_documents(example.evidence, retrieval), query, answer, 1)
    if not gold:
        return retriever.find(query, retrieval.model_copy(update={"how": "search"}))
    keep = chance.random() < gold_share
    wanted = retrieval.k - 1 if keep else retrieval.k
    wide = retrieval.model_copy(update={"how": "search", "k": max(POOL, retrieval.k)})

    def wrong(passage: Passage) -> bool:
        return passage.document not in example.evidence and not _holds(passage, answer)

    found = [passage for passage in retriever.find(query, wide) if wrong(passage)][:wanted]
    if len(found) < wanted:
        taken = {passage.id for passage in found}
        everything = retriever.find(query, retrieval.model_copy(update={"how": "all"}))
        others = [passage for passage in everything if passage.id not in taken and wrong(passage)]
        found += chance.sample(others, min(wanted - len(found), len(others)))
    if keep:
        found.insert(chance.randint(0, len(found)), gold[0])
    return found


def _pool(retrieval: Retrieval) -> int:
    """Without fusion the k best are enough; with it both lists go deeper, equally deep for every small k."""
    return max(POOL, retrieval.k) if retrieval.hybrid else retrieval.k


def _holds(passage: Passage, answer: str) -> bool:
    answer = answer.casefold().strip()
    return len(answer) >= SHORTEST_PROOF and answer in passage.text.casefold()


def _best(passages: list[Passage], query: str, answer: str, k: int) -> list[Passage]:
    """The k passages that share most with question and answer, best first; rare words count more than common ones."""
    if len(passages) <= 1:
        return passages[:k]
    bags = [Counter(_TERM.findall(indexed_text(passage).casefold())) for passage in passages]
    spread = Counter(word for bag in bags for word in bag)
    mean = sum(bag.total() for bag in bags) / len(bags) or 1.0
    asked = Counter(terms(query)) + Counter(terms(answer))  # what stands in both counts twice

    def score(at: int) -> float:
        bag, length = bags[at], 0.25 + 0.75 * bags[at].total() / mean
        weighed = (
            times
            * math.log(1 + (len(bags) - spread[word] + 0.5) / (spread[word] + 0.5))
            * bag[word]
            / (bag[word] + length)
            for word, times in asked.items()
            if word in bag
        )
        return round(math.fsum(weighed), 12)

    order = sorted(range(len(passages)), key=lambda at: (not _holds(passages[at], answer), -score(at), at))
    return [passages[at] for at in order[:k]]
