"""What a test set can prove: the published figures, inverses, and simulated power."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import TTestPower

from whytune.stats.paired import mcnemar
from whytune.stats.power import (
    design_effect,
    items_for_noninferiority,
    items_needed_mean,
    items_needed_paired,
    items_needed_unpaired,
    smallest_difference,
    smallest_mean_difference,
)


def test_five_points_at_twenty_percent_disagreement() -> None:
    assert items_needed_paired(0.05, 0.2) == 626
    assert items_needed_unpaired(0.70, 0.75) == 1248


def test_two_hundred_items_prove_nine_points() -> None:
    assert smallest_difference(200, 0.2) == pytest.approx(0.088, abs=5e-4)


@given(st.floats(0.01, 0.5), st.floats(0.0, 0.5))
def test_items_needed_and_smallest_difference_are_inverse(difference: float, more: float) -> None:
    disagreement = difference + more
    n = items_needed_paired(difference, disagreement)
    assert smallest_difference(n, disagreement) <= difference + 1e-9
    assert n <= 20 or smallest_difference(n - 1, disagreement) > difference - 1e-6


@given(st.integers(1, 5000), st.floats(0.01, 0.9))
def test_more_items_prove_smaller_differences(n: int, disagreement: float) -> None:
    assert 0 < smallest_difference(n + 1, disagreement) <= smallest_difference(n, disagreement) <= 1


def test_too_few_items_prove_nothing() -> None:
    assert smallest_difference(3, 0.2) == 1.0
    assert smallest_difference(0, 0.2) == 1.0
    assert smallest_mean_difference(1, 0.2) == 1.0


@pytest.mark.parametrize(("difference", "spread"), [(0.05, 0.2), (0.1, 0.3), (0.2, 0.3)])
def test_graded_agrees_with_statsmodels(difference: float, spread: float) -> None:
    oracle = TTestPower().solve_power(effect_size=difference / spread, alpha=0.05, power=0.8)
    n = items_needed_mean(difference, spread)
    assert n == pytest.approx(oracle, abs=1.01)
    assert smallest_mean_difference(n, spread) == pytest.approx(difference, rel=0.03)


def test_noninferiority_needs_fewer_when_the_second_is_better() -> None:
    assert items_for_noninferiority(0.05, 0.2, difference=0.02) < items_for_noninferiority(0.05, 0.2)


def test_clusters_ask_for_more_items() -> None:
    assert design_effect([1] * 50, 0.5) == 1.0
    assert design_effect([10] * 5, 0.1) == pytest.approx(1.9)
    assert items_needed_paired(0.05, 0.2, design=2.0) == pytest.approx(2 * 626, abs=1)


def test_no_difference_cannot_be_proven() -> None:
    with pytest.raises(ValueError, match="no number of items"):
        items_needed_paired(0.0, 0.2)


def test_the_items_asked_for_give_the_power_promised() -> None:
    random, n = np.random.default_rng(11), items_needed_paired(0.1, 0.2)
    draws = random.multinomial(n, [0.8, 0.05, 0.15], size=2000)
    proven = np.mean([mcnemar(int(lost), int(gained)) < 0.05 for _, lost, gained in draws])
    assert 0.76 < proven < 0.86
