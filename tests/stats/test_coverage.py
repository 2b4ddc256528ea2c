"""How often intervals hold the truth: exactly, by adding up every table that can be seen, and simulated where clustered.

The long version with other methods beside ours is `benchmarks/coverage.py`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats

from whytune.stats.intervals import rate_interval, wilson
from whytune.stats.paired import conclusion, mcnemar, newcombe, paired_rates

N = 30
TABLES = [
    (both, first, second, N - both - first - second)
    for both, first, second in itertools.product(range(N + 1), repeat=3)
    if both + first + second <= N
]
SEEN = [(newcombe(*table), mcnemar(table[1], table[2])) for table in TABLES]


@pytest.mark.parametrize(
    ("disagreement", "difference"), [(0.05, 0.0), (0.1, 0.05), (0.2, 0.0), (0.2, 0.1), (0.4, 0.1), (0.6, 0.3)]
)
def test_newcombe_holds_the_truth(disagreement: float, difference: float) -> None:
    gained, lost = (disagreement + difference) / 2, (disagreement - difference) / 2
    chances = scipy_stats.multinomial(N, [0.5 - lost, lost, gained, 0.5 - gained]).pmf(np.array(TABLES))
    held = [low <= difference <= high for (low, high), _ in SEEN]
    assert chances.sum() == pytest.approx(1)
    assert chances @ held > 0.935
    called = [conclusion(low, high, p, margin=0.05) in ("better", "worse") for (low, high), p in SEEN]
    assert difference != 0 or chances @ called <= 0.05


@pytest.mark.parametrize("rate", [0.5, 0.7, 0.9])
def test_wilson_holds_the_truth(rate: float) -> None:
    chances = scipy_stats.binom.pmf(np.arange(101), 100, rate)
    ends = [wilson(right, 100) for right in range(101)]
    assert chances @ [low <= rate <= high for low, high in ends] > 0.93


def test_ignoring_clusters_does_not_hold_and_ours_does() -> None:
    """Twenty documents with fifteen questions each, of which some suit one arm better."""
    random = np.random.default_rng(21)
    names = np.repeat(np.arange(20), 15)
    ours = ignored = rates = 0
    for _ in range(300):
        one, other = random.beta(2.8, 1.2, 20), random.beta(2.8, 1.2, 20)
        first, second = random.random(300) < one[names], random.random(300) < other[names]
        clustered = paired_rates(first.tolist(), second.tolist(), 0.95, names.tolist())
        plain = paired_rates(first.tolist(), second.tolist())
        rate = rate_interval(first.astype(float).tolist(), 0.95, names.tolist())
        ours += clustered.low <= 0 <= clustered.high
        ignored += plain.low <= 0 <= plain.high
        rates += rate.low <= 0.7 <= rate.high
    assert ours / 300 > 0.92
    assert rates / 300 > 0.92
    assert ignored / 300 < 0.8
