"""Resampling of figures that are no plain mean: clusters stay whole, seeds decide, swapping gives a fair p."""

from __future__ import annotations

import numpy as np
import pytest

from whytune.stats.bootstrap import bca, bca_of, swap_p


def singles(n: int) -> list[np.ndarray]:
    return list(np.arange(n).reshape(-1, 1))


def test_any_figure_agrees_with_the_mean() -> None:
    values = np.random.default_rng(1).beta(2, 5, 50)
    direct = bca(values, seed=3, resamples=4000)
    general = bca_of(lambda rows: float(values[rows].mean()), singles(50), seed=4, resamples=4000)
    assert general == pytest.approx(direct, abs=0.01)


def test_clusters_are_drawn_whole() -> None:
    values = np.repeat(np.random.default_rng(2).random(12), 10)
    groups = np.split(np.arange(120), 12)
    low, high = bca_of(lambda rows: float(values[rows].mean()), groups, resamples=500)
    flat_low, flat_high = bca_of(lambda rows: float(values[rows].mean()), singles(120), resamples=500)
    assert high - low > 2 * (flat_high - flat_low)


def test_same_seed_same_interval() -> None:
    values = np.random.default_rng(2).random(20)
    assert bca(values, seed=1) == bca(values, seed=1) != bca(values, seed=2)


def test_swapping_finds_a_real_difference_and_not_an_empty_one() -> None:
    apart = np.array([1.0] * 14 + [-1.0] * 2 + [0.0] * 10)

    def difference(swapped: np.ndarray) -> float:
        return float(np.where(swapped, -apart, apart).mean())

    assert swap_p(difference, singles(26), 26, resamples=2000) == pytest.approx(0.0042, abs=0.004)
    assert swap_p(lambda _: 0.0, singles(26), 26, resamples=200) == 1.0
