"""Intervals of one rate or mean: against statsmodels and scipy, and properties that must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from whytune.stats.bootstrap import bca
from whytune.stats.intervals import (
    clopper_pearson,
    cluster_numbers,
    mean_interval,
    rate_interval,
    standard_error,
    wilson,
    zero_failure_bound,
)

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
RIGHTS = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=60)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (8, 10), (0, 30), (299, 300), (150, 300)])
def test_rates_agree_with_statsmodels(successes: int, n: int, confidence: float) -> None:
    for ours, name in ((wilson, "wilson"), (clopper_pearson, "beta")):
        oracle = proportion_confint(successes, n, alpha=1 - confidence, method=name)
        assert ours(successes, n, confidence) == pytest.approx(oracle, abs=1e-9)


def test_no_failure_in_300_leaves_less_than_one_percent() -> None:
    assert zero_failure_bound(300) == pytest.approx(0.009936, abs=1e-6)
    assert 1 - (1 - zero_failure_bound(300)) ** 300 == pytest.approx(0.95)
    assert zero_failure_bound(0) == 1.0


def test_nothing_known_is_everything_possible() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_bca_agrees_with_scipy() -> None:
    values = np.random.default_rng(3).beta(1, 4, 60)
    low, high = bca(values, 0.95, seed=5, resamples=20_000)
    oracle = scipy_stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    width = oracle.high - oracle.low
    assert low == pytest.approx(oracle.low, abs=0.04 * width)
    assert high == pytest.approx(oracle.high, abs=0.04 * width)


def test_clustered_error_agrees_with_statsmodels() -> None:
    random = np.random.default_rng(4)
    groups = random.integers(0, 15, 90)
    values = random.random(90) * 0.3 + random.random(15)[groups] * 0.7
    oracle = sm.OLS(values, np.ones(90)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    here = len(set(groups.tolist()))
    expected = float(oracle.bse[0]) * math.sqrt(here / (here - 1))
    assert standard_error(values, groups.tolist()) == pytest.approx(expected, rel=1e-9)
    low, high = mean_interval(values, 0.95, groups.tolist())[1:3]
    half = scipy_stats.t.ppf(0.975, here - 1) * expected
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), rel=1e-9)


def test_independent_mean_is_never_tighter_than_t() -> None:
    values = np.random.default_rng(8).beta(2, 5, 30)
    low, high = mean_interval(values)[1:3]
    t_low, t_high = scipy_stats.t.interval(0.95, 29, values.mean(), scipy_stats.sem(values))
    assert low <= t_low + 1e-12
    assert high >= t_high - 1e-12


def test_every_item_its_own_cluster_is_no_clustering() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    assert rate_interval(values, 0.95, list("abcde")) == rate_interval(values)
    assert mean_interval(values, 0.95, list("abcde")) == mean_interval(values)


def test_identical_items_in_a_cluster_count_once() -> None:
    """Thirty questions of which ten documents each decide three: as good as ten."""
    once = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    thrice = [value for value in once for _ in range(3)]
    groups = [name for name in range(10) for _ in range(3)]
    clustered, plain, small = rate_interval(thrice, 0.95, groups), rate_interval(thrice), rate_interval(once)
    assert clustered.clusters == 10
    assert clustered.high - clustered.low > small.high - small.low > plain.high - plain.low


def test_few_clusters_are_said() -> None:
    assert "only 3 clusters" in rate_interval([0, 1, 1, 0, 1, 1], 0.95, list("aabbcc")).method
    assert "only 3 clusters" in mean_interval([0.1, 0.4, 0.2, 0.9, 1, 1], 0.95, list("aabbcc")).method
    assert "one cluster" in rate_interval([0, 1, 1], 0.95, list("aaa")).method


def test_a_wrong_number_of_cluster_names_is_refused() -> None:
    with pytest.raises(ValueError, match="2 values but 1 cluster"):
        rate_interval([0, 1], 0.95, ["a"])


def test_clusters_are_numbered_as_they_appear() -> None:
    assert cluster_numbers(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]


@given(RIGHTS, st.floats(0.5, 0.99))
def test_rate_interval_holds_its_rate_and_is_never_a_point(values: list[float], confidence: float) -> None:
    seen = rate_interval(values, confidence)
    assert 0 <= seen.low <= seen.value <= seen.high <= 1
    assert seen.high > seen.low


@settings(max_examples=40)
@given(SCORES, st.integers(1, 8))
def test_mean_interval_holds_its_mean(values: list[float], groups: int) -> None:
    for clusters in (None, [place % groups for place in range(len(values))]):
        seen = mean_interval(values, 0.9, clusters)
        assert 0 <= seen.low <= seen.value + 1e-12
        assert seen.value - 1e-12 <= seen.high <= 1
        assert seen.high - seen.low > 1e-9
        assert seen.n == len(values)


@given(RIGHTS)
def test_wilson_mirrors(values: list[float]) -> None:
    low, high = wilson(sum(values), len(values))
    mirrored = wilson(len(values) - sum(values), len(values))
    assert (1 - high, 1 - low) == pytest.approx(mirrored)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(1).random(25)
    assert mean_interval(values, seed=4) == mean_interval(values, seed=4)
