"""The area under the curve against another implementation, and how often its interval holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from whytune.stats.auc import auc
from whytune.stats.intervals import normal_quantile

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=25)


@settings(max_examples=12)
@given(SCORES, SCORES)
def test_it_is_the_area_and_lies_in_its_interval(first: list[float], second: list[float]) -> None:
    found = auc(first, second)
    assert found.value == pytest.approx(roc_auc_score([1] * len(first) + [0] * len(second), first + second))
    assert 0 <= found.low <= found.value <= found.high <= 1
    turned = auc(second, first)
    assert turned.value == pytest.approx(1 - found.value)


def test_nothing_to_compare_and_perfect_parting() -> None:
    assert auc([], [1.0])[:3] == (0.5, 0.0, 1.0)
    perfect = auc([2.0] * 30, [1.0] * 30)
    assert perfect.value == 1.0
    assert 0.85 < perfect.low < 1.0


@pytest.mark.parametrize("truth", [0.5, 0.7, 0.9])
def test_the_interval_covers(truth: float) -> None:
    apart = math.sqrt(2) * normal_quantile(truth)
    random = np.random.default_rng(5)
    held = [truth_in.low <= truth <= truth_in.high for truth_in in (auc(random.normal(apart, 1, 40), random.normal(0, 1, 50)) for _ in range(250))]
    assert np.mean(held) >= 0.93
