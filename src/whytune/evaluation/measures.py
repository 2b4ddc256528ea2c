"""From the scores of many items to one figure with its n and interval; the method is named in the figure.

Yes/no metrics: Wilson. Graded ones: BCa and t. Items that share a group or a document: cluster-robust. Figures over all
items (macro-F1, kappa): BCa bootstrap over items or clusters, seeded. Every item counts, answered or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from whytune.errors import DataError, UsageError
from whytune.evaluation.labels import numbered, ordered, said_label
from whytune.evaluation.scorers import Scorer, scorer_named
from whytune.records.data import Example
from whytune.records.evidence import Measure, Score
from whytune.stats import ordinal
from whytune.stats.bootstrap import bca_of
from whytune.stats.intervals import (
    FEW_ITEMS,
    Bounded,
    cluster_numbers,
    clusters_said,
    mean_interval,
    rate_interval,
    wilson,
)

SEED = 17
RESAMPLES = 1000

Figure = Callable[[np.ndarray, np.ndarray, int], float]
_FIGURES: dict[str, Figure] = {
    "macro_f1": ordinal.macro_f1,
    "quadratic_kappa": ordinal.quadratic_kappa,
    "mean_absolute_error": ordinal.mean_absolute_error,
}


def measure(
    name: str,
    scores: Sequence[Score],
    clusters: Mapping[str, str] | None = None,
    confidence: float = 0.95,
    *,
    examples: Sequence[Example] = (),
    labels: tuple[str, ...] = (),
) -> Measure:
    """One metric over the items of a trial. clusters: item id to group (see `clusters_of`), empty where independent.

    examples and labels are needed only by metrics over all items (macro_f1, quadratic_kappa, mean_absolute_error).
    """
    scorer = scorer_named(name)
    groups = cluster_names(scores, clusters)
    if scorer.over == "all" and labels:
        estimate = _over_all(name, scores, groups, confidence, LabelPairs.of(examples, scores, labels))
    elif scorer.over == "all":
        raise UsageError(f"{name} needs a label set, and this dataset has none", next="choose another metric")
    else:
        estimate = interval_of(scorer, [score.value for score in scores], groups, confidence)
    return Measure(name=name, **estimate._asdict())


def interval_of(
    scorer: Scorer, values: Sequence[float], groups: Sequence[str] | None, confidence: float
) -> Bounded:
    """The mean of the items' values with the interval that fits the metric."""
    if not values:
        return Bounded(0.0, 0.0, 1.0, 0, 0, "no items")
    if scorer.kind == "yes_no":
        return rate_interval(values, confidence, groups)
    return mean_interval(values, confidence, groups, SEED)


def clusters_of(examples: Sequence[Example]) -> dict[str, str]:
    """Item id to cluster: items that share a group or a document of evidence, directly or through others.

    Empty where no two items depend on one another.
    """
    return joined({example.id: ties_of(example.group, example.evidence) for example in examples})


def ties_of(group: str, evidence: Sequence[str]) -> list[str]:
    """What makes an item depend on others: its group and the documents that hold its answer."""
    return ([f"group {group}"] if group else []) + [f"document {each}" for each in evidence]


def joined(ties: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Item id to cluster, from what each item is tied to. Empty where no two items depend on one another."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for item, tied in ties.items():
        for tie in tied:
            one, two = sorted((root(item), root(tie)))
            parent[two] = one
    found = {item: root(item) for item in ties}
    return found if len(set(found.values())) < len(found) else {}


def cluster_names(scores: Sequence[Score], clusters: Mapping[str, str] | None) -> list[str] | None:
    """The cluster of each score, in order; an item without one stands alone."""
    return [clusters.get(score.item, score.item) for score in scores] if clusters else None


class LabelPairs:
    """The right and the said label of every item, as places on the ordered scale; -1 where no label was said."""

    def __init__(self, right: np.ndarray, said: np.ndarray, categories: int) -> None:
        self.right, self.said, self.categories = right, said, categories

    @classmethod
    def of(cls, examples: Sequence[Example], scores: Sequence[Score], labels: tuple[str, ...]) -> LabelPairs:
        """From the label that each score carries in its `detail`."""
        scale = ordered(labels)
        targets = {example.id: said_label(example.target_text, labels) for example in examples}
        strange = sorted({example.target_text for example in examples if targets[example.id] is None})
        if strange:
            raise DataError(
                f"{len(strange)} right answers are not in the label set, {strange[0]!r} for one",
                next="whytune data check",
            )
        said = [score.detail if score.outcome == "scored" else None for score in scores]
        right = numbered([targets[score.item] for score in scores], scale)
        return cls(
            np.array(right, dtype=np.int64), np.array(numbered(said, scale), dtype=np.int64), len(scale)
        )

    def figure(self, name: str, rows: np.ndarray | slice = slice(None)) -> float:
        """The metric over some of the items."""
        return _FIGURES[name](self.right[rows], self.said[rows], self.categories)


def positions(groups: Sequence[str] | None, n: int) -> list[np.ndarray]:
    """The places of each cluster's items; one each where items are independent."""
    if groups is None:
        return list(np.arange(n).reshape(-1, 1))
    at = cluster_numbers(groups)
    return [np.flatnonzero(at == each) for each in range(int(at.max()) + 1)] if n else []


def _over_all(
    name: str, scores: Sequence[Score], groups: Sequence[str] | None, confidence: float, pairs: LabelPairs
) -> Bounded:
    n, places = len(scores), positions(groups, len(scores))
    shown = len(places) if groups is not None and len(places) < n else 0
    lowest, highest = (
        (-1.0 if name == "quadratic_kappa" else 0.0),
        float(pairs.categories - 1 if name == "mean_absolute_error" else 1),
    )
    value = pairs.figure(name)
    if len(places) < FEW_ITEMS:
        return Bounded(value, lowest, highest, n, shown, "one item or cluster: anything is possible")
    low, high = bca_of(
        lambda rows: pairs.figure(name, rows), places, confidence, seed=SEED, resamples=RESAMPLES
    )
    method = "BCa bootstrap over " + ("clusters" if shown else "items")
    if high - low < 1e-9:
        # Every resample is the same (all right, or all wrong in the same way): n items still bound the rate of others.
        reach = wilson(0, len(places), confidence).high * (highest - lowest)
        low, high, method = value - reach, value + reach, "no spread, bounded by Wilson"
    method += clusters_said(len(places), n)
    return Bounded(value, max(lowest, low), min(highest, high), n, shown, method)
