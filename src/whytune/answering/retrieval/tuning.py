"""Measures on questions with known documents whether embeddings help the search, so that they are used only where they do.

It gives one figure a question for each way of searching, side by side: whoever decides makes the interval of the paired
difference from them. It decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whytune.answering.retrieval.retriever import Retriever
from whytune.records.candidate import Retrieval
from whytune.records.data import Example, Passage

DEPTH = 10
"""Reciprocal ranks are looked for among at least that many passages."""


@dataclass(frozen=True)
class SearchScores:
    """How one way of searching did, one figure a question. A passage is right when it is of a document of the evidence."""

    hit: tuple[float, ...]
    """1.0 where any of the k passages is right."""
    recall: tuple[float, ...]
    """Share of the documents of the evidence that are among the k passages."""
    reciprocal_rank: tuple[float, ...]
    """1 / rank of the first right passage among the first max(k, 10); 0.0 where there is none."""

    @property
    def hit_at_k(self) -> float:
        """Mean of `hit`."""
        return _mean(self.hit)

    @property
    def recall_at_k(self) -> float:
        """Mean of `recall`."""
        return _mean(self.recall)

    @property
    def mrr(self) -> float:
        """Mean of `reciprocal_rank`."""
        return _mean(self.reciprocal_rank)


@dataclass(frozen=True)
class Tuning:
    """Lexical and hybrid search on the same questions, in the same order."""

    k: int
    questions: tuple[str, ...]
    """Ids of the examples."""
    skipped: int
    """Examples without evidence, which can measure nothing."""
    lexical: SearchScores
    hybrid: SearchScores

    @property
    def gain(self) -> tuple[float, ...]:
        """Hybrid minus lexical recall, question by question: the paired differences to put an interval on."""
        return tuple(two - one for one, two in zip(self.lexical.recall, self.hybrid.recall, strict=True))


def tune(retriever: Retriever, examples: Sequence[Example], retrieval: Retrieval) -> Tuning:
    """Search for every example that names its evidence, by words and by words with embeddings. Hand it dev, never test."""
    asked = [example for example in examples if example.evidence]
    depth = max(DEPTH, retrieval.k)
    by_words = retrieval.model_copy(update={"how": "search", "hybrid": False, "k": depth})
    by_both = by_words.model_copy(update={"hybrid": True})
    retriever.prepare([example.input_text for example in asked], by_both)
    return Tuning(
        k=retrieval.k,
        questions=tuple(example.id for example in asked),
        skipped=len(examples) - len(asked),
        lexical=_found(retriever, asked, by_words, retrieval.k),
        hybrid=_found(retriever, asked, by_both, retrieval.k),
    )


def _found(retriever: Retriever, examples: Sequence[Example], retrieval: Retrieval, k: int) -> SearchScores:
    hits, recalls, ranks = [], [], []
    for example in examples:
        passages = retriever.find(example.input_text, retrieval)
        wanted = set(example.evidence)
        recall = len(wanted & {passage.document for passage in passages[:k]}) / len(wanted)
        hits.append(1.0 if recall else 0.0)
        recalls.append(recall)
        ranks.append(_reciprocal_rank(passages, wanted))
    return SearchScores(tuple(hits), tuple(recalls), tuple(ranks))


def _reciprocal_rank(passages: Sequence[Passage], wanted: set[str]) -> float:
    return next(
        (1 / rank for rank, passage in enumerate(passages, start=1) if passage.document in wanted), 0.0
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
