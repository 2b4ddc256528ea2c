"""Two arms over the same items: McNemar mid-p, Newcombe's interval, paired t, and their cluster-robust form.

It does not say who wins: `conclusion` does, from an interval, a corrected p and a margin fixed beforehand.
Example: 21 items only the second got right, 16 only the first, 300 in all: `newcombe(225, 16, 21, 38)`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from whytune.stats.intervals import (
    FEW_ITEMS,
    Interval,
    cluster_numbers,
    clusters_said,
    standard_error,
    t_and_bca,
    t_quantile,
    wilson,
)

Conclusion = Literal["better", "worse", "not_worse", "not_proven"]


class Table(NamedTuple):
    """Pairs of yes/no: both right, only the first, only the second, neither."""

    both: int
    first: int
    second: int
    neither: int


class Difference(NamedTuple):
    """Second minus first, with its interval and p; spread is what one pair contributes (an SD), for power."""

    value: float
    low: float
    high: float
    p: float
    n: int
    clusters: int
    spread: float
    method: str


def table(first: Sequence[float], second: Sequence[float]) -> Table:
    """Count the pairs of two lists of 0 and 1."""
    pairs = [(bool(one), bool(two)) for one, two in zip(first, second, strict=True)]
    return Table(
        both=pairs.count((True, True)),
        first=pairs.count((True, False)),
        second=pairs.count((False, True)),
        neither=pairs.count((False, False)),
    )


def newcombe(both: int, first: int, second: int, neither: int, *, confidence: float = 0.95) -> Interval:
    """Newcombe's square-and-add interval (method 10 of 1998, paired) for the rate of the second minus the first."""
    n = both + first + second + neither
    if n == 0:
        return Interval(-1.0, 1.0)
    one, two = (both + first) / n, (both + second) / n
    low_one, high_one = wilson(both + first, n, confidence)
    low_two, high_two = wilson(both + second, n, confidence)
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    product = both * neither - first * second
    # The continuity correction is Newcombe's: it keeps few disagreements from looking like none.
    corrected = max(product - n / 2, 0.0) if product > 0 else float(product)
    phi = corrected / math.sqrt(margins) if margins else 0.0
    below, above = two - low_two, high_one - one
    low = math.sqrt(max(below**2 - 2 * phi * below * above + above**2, 0.0))
    below, above = one - low_one, high_two - two
    high = math.sqrt(max(below**2 - 2 * phi * below * above + above**2, 0.0))
    return Interval(max(-1.0, two - one - low), min(1.0, two - one + high))


def mcnemar(first: int, second: int) -> float:
    """Mid-p of McNemar's test from the two counts of disagreement; 1 where there is none."""
    from scipy.special import betainc, gammaln

    n, fewer = first + second, min(first, second)
    if n == 0:
        return 1.0
    point = math.exp(gammaln(n + 1) - gammaln(fewer + 1) - gammaln(n - fewer + 1) - n * math.log(2))
    up_to = float(betainc(n - fewer, fewer + 1, 0.5)) if fewer < n else 1.0
    return min(1.0, 2 * up_to - point)


def paired_rates(
    first: Sequence[float],
    second: Sequence[float],
    confidence: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
) -> Difference:
    """Two lists of 0 and 1 over the same items. Clustered items go by the cluster-robust t of the differences."""
    counts = table(first, second)
    n = sum(counts)
    groups = len(set(clusters)) if clusters is not None else n
    if FEW_ITEMS <= groups < n:
        return paired_means(first, second, confidence, clusters)
    value = (counts.second - counts.first) / n if n else 0.0
    low, high = newcombe(*counts, confidence=confidence)
    spread = math.sqrt(max((counts.first + counts.second) / n - value**2, 0.0)) if n else 0.0
    method = "Newcombe square-and-add, McNemar mid-p" + clusters_said(groups, n)
    p = mcnemar(counts.first, counts.second)
    return Difference(
        value, min(low, value), max(high, value), p, n, 0 if groups == n else groups, spread, method
    )


def paired_means(
    first: Sequence[float],
    second: Sequence[float],
    confidence: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 17,
) -> Difference:
    """Two lists of scores between 0 and 1 over the same items: paired t and BCa, or cluster-robust t with G-1 df."""
    apart = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    n = len(apart)
    value = float(apart.mean()) if n else 0.0
    groups = len(np.unique(cluster_numbers(clusters))) if clusters is not None else n
    clustered = FEW_ITEMS <= groups < n
    error = standard_error(apart, clusters if clustered else None)
    shown = 0 if groups == n else groups
    units = groups if clustered else n
    if units < FEW_ITEMS or error < 1e-12:
        # All differences are the same: bounded by the interval that `units` yes/no agreements would leave.
        reach = wilson(0, units, confidence).high
        p = 1.0 if abs(value) < 1e-12 or units < FEW_ITEMS else 2 * 0.5**units
        low, high = max(-1.0, value - reach), min(1.0, value + reach)
        return Difference(
            value,
            low,
            high,
            p,
            n,
            shown,
            math.sqrt(reach),
            "no spread, bounded by Wilson" + clusters_said(groups, n),
        )
    if clustered:
        half = t_quantile((1 + confidence) / 2, groups - 1) * error
        low, high, method = value - half, value + half, "cluster-robust t"
    else:
        low, high = t_and_bca(apart, confidence, seed)
        method = "paired t and BCa, the wider end of each"
    p = _t_tail(value / error, units - 1)
    low, high = max(-1.0, low), min(1.0, high)
    return Difference(value, low, high, p, n, shown, error * math.sqrt(n), method + clusters_said(groups, n))


def conclusion(low: float, high: float, p: float, *, margin: float, alpha: float = 0.05) -> Conclusion:
    """What a difference proves. better or worse need both a corrected p below alpha and an interval beyond nought."""
    if p < alpha and low > 0:
        return "better"
    if p < alpha and high < 0:
        return "worse"
    return "not_worse" if low > -margin else "not_proven"


def _t_tail(t: float, df: float) -> float:
    from scipy.special import stdtr

    return min(1.0, 2 * float(stdtr(df, -abs(t))))
