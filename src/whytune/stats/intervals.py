"""Intervals for one rate or one mean: Wilson, Clopper-Pearson, t, BCa bootstrap, and their clustered forms.

A plain t interval on ten answers that are all wrong says [0, 0]; here no interval of a bounded score ever has width
nought, because n answers cannot prove a rate of exactly 0 or 1. It does not compare two arms: see `paired`.
Example: `wilson(8, 10)` is `Interval(low=0.490, high=0.943)`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from whytune.stats.bootstrap import bca

FEW_CLUSTERS = 10
"""Below this many clusters a cluster-robust interval is shaky, and every `method` says so."""
FEW_ITEMS = 2


class Interval(NamedTuple):
    """The lower and the upper end."""

    low: float
    high: float


class Bounded(NamedTuple):
    """A figure with its interval, and how the interval was made. clusters is 0 where items are independent."""

    value: float
    low: float
    high: float
    n: int
    clusters: int
    method: str


Estimate = Bounded
"""The same, under the name that other rooms use."""


def normal_quantile(share: float) -> float:
    """The point below which `share` of a standard normal lies."""
    from scipy.special import ndtri

    return float(ndtri(share))


def t_quantile(share: float, df: float) -> float:
    """The point below which `share` of Student's t with `df` degrees of freedom lies."""
    from scipy.special import stdtrit

    return float(stdtrit(df, share))


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for a rate. n of 0 knows nothing: [0, 1]."""
    return score_interval(successes / n if n else 0.0, n, normal_quantile((1 + confidence) / 2))


def score_interval(rate: float, n: float, quantile: float) -> Interval:
    """All rates that lie within `quantile` of their own standard errors of the observed rate (n may be fractional)."""
    if n <= 0:
        return Interval(0.0, 1.0)
    square = quantile * quantile / n
    centre = (rate + square / 2) / (1 + square)
    half = quantile / (1 + square) * math.sqrt(max(rate * (1 - rate) / n + square / (4 * n), 0.0))
    return Interval(max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half)))


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """The exact interval for a rate: never covers less than it says, and is wider for it."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return Interval(low, high)


def zero_failure_bound(n: int, confidence: float = 0.95) -> float:
    """The highest failure rate that n trials without a failure leave possible: 0 of 300 leave less than 1 %."""
    return 1.0 if n <= 0 else 1.0 - (1 - confidence) ** (1 / n)


def rate_interval(
    scores: Sequence[float], confidence: float = 0.95, clusters: Sequence[Hashable] | None = None
) -> Bounded:
    """The share of ones among scores of 0 and 1: Wilson, on the effective number of items where they are clustered."""
    values = np.asarray(scores, dtype=float)
    n, rate = len(values), float(values.mean()) if len(values) else 0.0
    sums = cluster_sums(values - rate, clusters)
    if clusters is None or len(sums) == n or len(sums) < FEW_ITEMS:
        low, high = score_interval(rate, n, normal_quantile((1 + confidence) / 2))
        return Bounded(
            rate, low, high, n, 0 if len(sums) == n else len(sums), "Wilson" + clusters_said(len(sums), n)
        )
    groups = len(sums)
    variance = groups / (groups - 1) * float(sums @ sums) / n**2
    spread = rate * (1 - rate)
    # Without spread, or with clusters that cancel, nothing is known about the dependence: assume it is complete.
    effective = min(float(n), spread / variance) if variance > 0 and spread > 0 else float(groups)
    low, high = score_interval(rate, effective, t_quantile((1 + confidence) / 2, groups - 1))
    return Bounded(
        rate, low, high, n, groups, "Wilson on the effective number of items" + clusters_said(groups, n)
    )


def mean_interval(
    scores: Sequence[float],
    confidence: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 17,
) -> Bounded:
    """The mean of graded scores between 0 and 1: BCa bootstrap; cluster-robust t where items are clustered."""
    values = np.asarray(scores, dtype=float)
    n, mean = len(values), float(values.mean()) if len(values) else 0.0
    sums = cluster_sums(values - mean, clusters)
    groups = len(sums)
    clustered = clusters is not None and FEW_ITEMS <= groups < n
    error = standard_error(values, clusters if clustered else None)
    if n < FEW_ITEMS or error < 1e-12:
        # A score between 0 and 1 spreads at most as much as a yes/no of the same mean: Wilson is on the safe side.
        low, high = wilson(mean * groups, groups, confidence)
        return Bounded(
            mean,
            low,
            high,
            n,
            0 if groups == n else groups,
            "Wilson, scores without spread" + clusters_said(groups, n),
        )
    if clustered:
        half = t_quantile((1 + confidence) / 2, groups - 1) * error
        low, high, method = mean - half, mean + half, "cluster-robust t"
    else:
        low, high = t_and_bca(values, confidence, seed)
        method = "BCa bootstrap and t, the wider end of each"
    shown = 0 if groups == n else groups
    return Bounded(mean, max(0.0, low), min(1.0, high), n, shown, method + clusters_said(groups, n))


def t_and_bca(values: np.ndarray, confidence: float, seed: int) -> Interval:
    """The union of the t and the BCa interval of a mean: t for few items, BCa for skewed ones."""
    mean = float(values.mean())
    half = t_quantile((1 + confidence) / 2, len(values) - 1) * standard_error(values)
    low, high = bca(values, confidence, seed=seed)
    return Interval(min(low, mean - half), max(high, mean + half))


def standard_error(values: np.ndarray, clusters: Sequence[Hashable] | None = None) -> float:
    """Of the mean. With clusters: the cluster-robust one, with the factor G/(G-1) for few clusters."""
    n = len(values)
    sums = cluster_sums(values - values.mean(), clusters) if n else values
    groups = len(sums)
    return math.sqrt(groups / (groups - 1) * float(sums @ sums)) / n if groups >= FEW_ITEMS else 0.0


def cluster_sums(values: np.ndarray, clusters: Sequence[Hashable] | None) -> np.ndarray:
    """The sum of the values of each cluster, clusters in order of first appearance; the values where there are none."""
    if clusters is None:
        return values
    if len(clusters) != len(values):
        raise ValueError(f"{len(values)} values but {len(clusters)} cluster names")
    return np.bincount(cluster_numbers(clusters), weights=values) if len(values) else values


def cluster_numbers(clusters: Sequence[Hashable]) -> np.ndarray:
    """0, 1, 2 ... for each cluster, in order of first appearance."""
    seen: dict[Hashable, int] = {}
    return np.fromiter(
        (seen.setdefault(name, len(seen)) for name in clusters), dtype=np.int64, count=len(clusters)
    )


def clusters_said(groups: int, n: int) -> str:
    """What a `method` adds about its clusters: nothing, that there are few, or that there is only one."""
    if n in (groups, 0):
        return ""
    if groups == 1:
        return "; all items share one cluster, so it holds for that cluster only"
    return f"; only {groups} clusters, fewer than {FEW_CLUSTERS}: shaky" if groups < FEW_CLUSTERS else ""
