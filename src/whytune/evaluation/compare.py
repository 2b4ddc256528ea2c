"""Two arms over the same items: the difference with its interval, Holm-corrected p, and what it proves.

Yes/no metrics: McNemar mid-p with Newcombe's interval. Graded or clustered: paired t and BCa, or cluster-robust t.
Figures over all items (macro-F1, kappa): paired BCa bootstrap with p by swapping arms. "better" needs both the corrected
p below alpha and the interval above nought; whether the difference also exceeds a margin is for the caller to read off
`difference.low`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from whytune.errors import DataError
from whytune.evaluation.measures import RESAMPLES, SEED, LabelPairs, cluster_names, positions
from whytune.evaluation.scorers import scorer_named
from whytune.records.data import Example
from whytune.records.evidence import Comparison, Measure, Protocol, Score
from whytune.records.project import AcceptanceRule
from whytune.stats.bootstrap import bca_of, swap_p
from whytune.stats.intervals import clusters_said, normal_quantile
from whytune.stats.multiple import holm, holm_levels
from whytune.stats.paired import Difference, conclusion, paired_means, paired_rates
from whytune.stats.power import items_needed_mean, items_needed_paired

MOST_ITEMS = 10_000_000
_SAME = 1e-12


@dataclass(frozen=True)
class Contender:
    """One arm's trial: its id, its primary scores, and what it said (item id to text) for showing."""

    arm: str
    trial: str
    scores: Sequence[Score]
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Flips:
    """Items on which the second arm did better, worse, and the same as the first."""

    improved: tuple[str, ...]
    regressed: tuple[str, ...]
    same: int


def compare(
    contenders: Sequence[Contender],
    protocol: Protocol,
    rule: AcceptanceRule,
    examples: Sequence[Example],
    clusters: Mapping[str, str] | None = None,
    labels: tuple[str, ...] = (),
) -> list[Comparison]:
    """Every contrast of the protocol whose two arms are there, second minus first, Holm over all the protocol's contrasts.

    examples: those that were answered. clusters: see `clusters_of`. labels: needed by macro_f1 and quadratic_kappa.
    """
    arms = {each.arm: each for each in contenders}
    pairs = [(arms[one], arms[two]) for one, two in protocol.contrasts if one in arms and two in arms]
    _same_items(contenders, examples)
    found = [
        _difference(
            protocol.metric,
            one,
            two,
            confidence=rule.confidence,
            examples=examples,
            clusters=clusters,
            labels=labels,
        )
        for one, two in pairs
    ]
    # A contrast that was planned but not run still counts as one: leaving arms out must not make the rest look better.
    ps = [each.p for each in found] + [1.0] * (len(protocol.contrasts) - len(found))
    alpha = 1 - rule.confidence
    corrected, levels = holm(ps), holm_levels(ps, alpha)
    comparisons = []
    for place, ((one, two), seen) in enumerate(zip(pairs, found, strict=True)):
        flipped = flips(one.scores, two.scores)
        said = conclusion(seen.low, seen.high, corrected[place], margin=rule.margin, alpha=alpha)
        more = _more_items(protocol.metric, seen, flipped, rule, levels[place]) if said == "not_proven" else 0
        comparisons.append(
            Comparison(
                project=protocol.project,
                protocol=protocol.id,
                first=one.trial,
                second=two.trial,
                first_arm=one.arm,
                second_arm=two.arm,
                difference=_figure(protocol.metric, seen),
                wins=len(flipped.improved),
                losses=len(flipped.regressed),
                p=seen.p,
                p_holm=corrected[place],
                conclusion=said,
                items_needed=more,
            )
        )
    return comparisons


def flips(first: Sequence[Score], second: Sequence[Score]) -> Flips:
    """Which items got better and which got worse from the first arm to the second, by item id."""
    after = {score.item: score.value for score in second}
    changes = [(score.item, after[score.item] - score.value) for score in first]
    improved = tuple(item for item, change in changes if change > _SAME)
    regressed = tuple(item for item, change in changes if change < -_SAME)
    return Flips(improved, regressed, len(changes) - len(improved) - len(regressed))


def _figure(metric: str, seen: Difference) -> Measure:
    return Measure(
        name=metric,
        value=seen.value,
        low=seen.low,
        high=seen.high,
        n=seen.n,
        clusters=seen.clusters,
        method=seen.method,
    )


def _same_items(contenders: Sequence[Contender], examples: Sequence[Example]) -> None:
    wanted = [example.id for example in examples]
    problems = []
    for each in contenders:
        items = [score.item for score in each.scores]
        if len(set(items)) < len(items):
            problems.append(f"{each.arm}: {len(items) - len(set(items))} items scored twice")
        if lost := len(set(wanted) - set(items)):
            problems.append(f"{each.arm}: {lost} of {len(wanted)} items have no score")
        if extra := len(set(items) - set(wanted)):
            problems.append(f"{each.arm}: {extra} scores of items that are not in the test")
    if problems:
        raise DataError(
            "These arms did not answer the same items, so they cannot be compared",
            problems=problems,
            next="whytune run",
        )


def _difference(
    metric: str,
    one: Contender,
    two: Contender,
    *,
    confidence: float,
    examples: Sequence[Example],
    clusters: Mapping[str, str] | None,
    labels: tuple[str, ...],
) -> Difference:
    scorer = scorer_named(metric)
    after = {score.item: score for score in two.scores}
    second = [after[score.item] for score in one.scores]
    groups = cluster_names(one.scores, clusters)
    if scorer.over == "all":
        pairs = LabelPairs.of(examples, one.scores, labels), LabelPairs.of(examples, second, labels)
        return _difference_over_all(metric, pairs, groups, confidence)
    values = [score.value for score in one.scores], [score.value for score in second]
    if scorer.kind == "yes_no":
        return paired_rates(*values, confidence, groups)
    return paired_means(*values, confidence, groups, SEED)


def _difference_over_all(
    metric: str, pairs: tuple[LabelPairs, LabelPairs], groups: Sequence[str] | None, confidence: float
) -> Difference:
    one, two = pairs
    n, places = len(one.right), positions(groups, len(one.right))
    shown = len(places) if len(places) < n else 0
    value = two.figure(metric) - one.figure(metric)
    if len(places) < 2 or np.array_equal(one.said, two.said):
        right = (one.said == one.right).astype(float), (two.said == two.right).astype(float)
        bounded = paired_rates(right[0].tolist(), right[1].tolist(), confidence, groups)
        return bounded._replace(value=value, low=min(value, bounded.low), high=max(value, bounded.high))
    low, high = bca_of(
        lambda rows: two.figure(metric, rows) - one.figure(metric, rows),
        places,
        confidence,
        seed=SEED,
        resamples=RESAMPLES,
    )

    def swapped(swap: np.ndarray) -> float:
        first, second = np.where(swap, two.said, one.said), np.where(swap, one.said, two.said)
        return LabelPairs(two.right, second, two.categories).figure(metric) - LabelPairs(
            one.right, first, one.categories
        ).figure(metric)

    p = swap_p(swapped, places, n, seed=SEED, resamples=RESAMPLES)
    spread = (high - low) / (2 * normal_quantile((1 + confidence) / 2)) * math.sqrt(n)
    method = (
        f"paired BCa bootstrap over {'clusters' if shown else 'items'}, p by swapping arms"
        + clusters_said(len(places), n)
    )
    return Difference(value, low, high, p, n, shown, spread, method)


def _more_items(metric: str, seen: Difference, flipped: Flips, rule: AcceptanceRule, level: float) -> int:
    """More paired items to prove the observed difference at the level Holm holds it to; the margin where none was seen."""
    apart = abs(seen.value) if abs(seen.value) > 1e-9 else rule.margin
    changed = (len(flipped.improved) + len(flipped.regressed)) / seen.n if seen.n else 0.0
    if scorer_named(metric).kind == "yes_no" and scorer_named(metric).over == "items" and not seen.clusters:
        total = items_needed_paired(apart, changed, alpha=level)
    else:
        total = items_needed_mean(apart, max(seen.spread, 1e-6), alpha=level)
    return min(MOST_ITEMS, max(1, total - seen.n))
