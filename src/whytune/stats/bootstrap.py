"""Seeded bootstrap (BCa) and permutation for figures that are not a plain mean; resamples clusters where there are any.

The same seed gives the same interval on every machine. Example: `bca(np.array([0.2, 0.9, 0.4]), 0.95, seed=17)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

RESAMPLES = 2000
Statistic = Callable[[np.ndarray], float]
"""From the positions of the chosen items (with repeats) to a figure."""


def bca(
    values: np.ndarray, confidence: float = 0.95, *, seed: int = 17, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap interval of the mean of independent values."""
    n = len(values)
    random = np.random.default_rng(seed)
    # In slices, so that a long list does not take resamples * n numbers at once.
    step = max(1, 4_000_000 // max(n, 1))
    drawn = np.concatenate(
        [
            values[random.integers(0, n, size=(min(step, resamples - begin), n))].mean(axis=1)
            for begin in range(0, resamples, step)
        ]
    )
    left_out = (values.sum() - values) / (n - 1) if n > 1 else values
    return _bca_ends(drawn, float(values.mean()), left_out, confidence)


def bca_of(
    statistic: Statistic,
    groups: Sequence[np.ndarray],
    confidence: float = 0.95,
    *,
    seed: int = 17,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """BCa interval of any figure. `groups` are the positions of each cluster's items (one each where independent)."""
    random = np.random.default_rng(seed)
    whole = np.concatenate(groups)
    alone = len(whole) == len(groups)
    drawn = np.empty(resamples)
    for turn in range(resamples):
        chosen = random.integers(0, len(groups), size=len(groups))
        drawn[turn] = statistic(whole[chosen] if alone else np.concatenate([groups[g] for g in chosen]))
    left_out = np.array(
        [statistic(np.concatenate([*groups[:g], *groups[g + 1 :]])) for g in _some(len(groups))]
    )
    return _bca_ends(drawn, statistic(whole), left_out, confidence)


def bca_weighted(
    statistic: Callable[[np.ndarray], np.ndarray],
    n: int,
    confidence: float = 0.95,
    *,
    seed: int = 17,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """BCa interval of a figure over n independent items, all resamples at once.

    `statistic` takes an array with a row a resample, saying how often each item was drawn, and gives a figure a row.
    """
    random = np.random.default_rng(seed)
    step = max(1, 4_000_000 // n)
    drawn = np.concatenate(
        [
            statistic(random.multinomial(n, np.full(n, 1 / n), size=min(step, resamples - begin)).astype(float))
            for begin in range(0, resamples, step)
        ]
    )
    kept = np.array(_some(n))
    without = np.ones((len(kept), n))
    without[np.arange(len(kept)), kept] = 0.0
    return _bca_ends(drawn, float(statistic(np.ones((1, n)))[0]), statistic(without), confidence)


def swap_p(
    statistic: Callable[[np.ndarray], float],
    groups: Sequence[np.ndarray],
    n: int,
    *,
    seed: int = 17,
    resamples: int = RESAMPLES,
) -> float:
    """Two-sided p of a paired difference: how often swapping the arms of whole clusters by coin gives as much.

    `statistic` takes an array of n booleans, True where the two arms are swapped.
    """
    random = np.random.default_rng(seed)
    observed = abs(statistic(np.zeros(n, dtype=bool)))
    as_much = 0
    for _ in range(resamples):
        swapped = np.zeros(n, dtype=bool)
        for group, coin in zip(groups, random.random(len(groups)) < 0.5, strict=True):
            swapped[group] = coin
        as_much += abs(statistic(swapped)) >= observed - 1e-12
    return (as_much + 1) / (resamples + 1)


def _some(count: int) -> Sequence[int]:
    """All clusters, or 400 spread evenly: the acceleration needs no more."""
    return range(count) if count <= 400 else sorted({int(i) for i in np.linspace(0, count - 1, 400)})


def _bca_ends(
    drawn: np.ndarray, observed: float, left_out: np.ndarray, confidence: float
) -> tuple[float, float]:
    from scipy.special import ndtr, ndtri

    below = float((drawn < observed - 1e-12).mean() + (np.abs(drawn - observed) <= 1e-12).mean() / 2)
    if below <= 0 or below >= 1:
        return float(drawn.min()), float(drawn.max())
    bias = ndtri(below)
    apart = left_out.mean() - left_out
    scale = 6 * float((apart**2).sum()) ** 1.5
    acceleration = float((apart**3).sum()) / scale if scale > 0 else 0.0
    ends = ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    shares = ndtr(bias + (bias + ends) / (1 - acceleration * (bias + ends)))
    low, high = np.quantile(drawn, np.clip(shares, 0, 1))
    return float(min(low, observed)), float(max(high, observed))
