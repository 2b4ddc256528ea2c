"""How well search brought the right documents: hit@k, recall@k and mean reciprocal rank, each with n and interval.

It looks at what a candidate was in fact handed with each item, so nothing is searched again. A passage is right when it
is of a document that the item names as its evidence; items that name none can measure nothing and are counted aside.
MRR counts ranks up to k: what was not handed over has no rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whytune.evaluation.measures import clusters_of
from whytune.records.data import Example
from whytune.records.evidence import Measure
from whytune.stats.intervals import Bounded, mean_interval, rate_interval

SEED = 17


@dataclass(frozen=True)
class RetrievalFigures:
    """One candidate's search. skipped: items without known evidence. unanswered: items with no answer; they count as misses."""

    k: int
    hit: Measure
    recall: Measure
    mrr: Measure
    skipped: int
    unanswered: int

    @property
    def measures(self) -> tuple[Measure, Measure, Measure]:
        """All three."""
        return self.hit, self.recall, self.mrr


def retrieval_figures(
    examples: Sequence[Example], handed: Mapping[str, Sequence[str]], k: int, confidence: float = 0.95
) -> RetrievalFigures:
    """handed: item id to the documents of the passages it was handed, best first (a document may come more than once)."""
    asked = [example for example in examples if example.evidence]
    hits, recalls, ranks = [], [], []
    for example in asked:
        wanted, got = set(example.evidence), list(handed.get(example.id, ()))[:k]
        found = len(wanted & set(got))
        hits.append(1.0 if found else 0.0)
        recalls.append(found / len(wanted))
        ranks.append(next((1 / rank for rank, document in enumerate(got, 1) if document in wanted), 0.0))
    named = clusters_of(asked)
    clusters = [named[example.id] for example in asked] if named else None
    return RetrievalFigures(
        k=k,
        hit=_measure(f"hit@{k}", rate_interval(hits, confidence, clusters) if asked else None),
        recall=_measure(f"recall@{k}", mean_interval(recalls, confidence, clusters, SEED) if asked else None),
        mrr=_measure("MRR", mean_interval(ranks, confidence, clusters, SEED) if asked else None),
        skipped=len(examples) - len(asked),
        unanswered=sum(example.id not in handed for example in asked),
    )


def _measure(name: str, found: Bounded | None) -> Measure:
    return Measure(name=name, **(found or Bounded(0.0, 0.0, 1.0, 0, 0, "no item names its evidence"))._asdict())
