"""Two means against another implementation, and how often the interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from whytune.stats.welch import two_means


def test_it_is_welch() -> None:
    random = np.random.default_rng(2)
    one, two = random.beta(5, 2, 17), random.beta(2, 3, 40)
    found = two_means(one.tolist(), two.tolist())
    low, high = CompareMeans(DescrStatsW(one), DescrStatsW(two)).tconfint_diff(usevar="unequal")
    assert (found.value, found.low, found.high) == pytest.approx((one.mean() - two.mean(), low, high))


def test_without_spread_or_items_it_stays_careful() -> None:
    same = two_means([1.0] * 10, [1.0] * 10)
    assert same.low < 0 < same.high
    assert two_means([1.0], [0.0, 0.5])[:3] == (0.0, -1.0, 1.0)


def test_the_interval_covers() -> None:
    random = np.random.default_rng(4)
    truth = 5 / 7 - 2 / 5
    held = [found.low <= truth <= found.high for found in (two_means(random.beta(5, 2, 15).tolist(), random.beta(2, 3, 60).tolist()) for _ in range(600))]
    assert np.mean(held) >= 0.93
