"""Two arms over the same items: against statsmodels and scipy, against published tables, and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as oracle_mcnemar
from statsmodels.stats.proportion import proportion_confint

from whytune.stats.paired import Table, conclusion, mcnemar, newcombe, paired_means, paired_rates, table

COUNT = st.integers(0, 40)
PAIRS = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=60)
GRADED = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30)


def test_newcombe_gives_the_published_intervals() -> None:
    """Bentur 2009 (airway hyper-responsiveness) in Fagerland, Lydersen and Laake, Table 8.5; ours is second minus first."""
    low, high = newcombe(1, 7, 1, 12)
    assert (low, high) == pytest.approx((-0.507, -0.026), abs=5e-4)


@given(COUNT, COUNT, COUNT, COUNT)
def test_newcombe_by_the_book(both: int, first: int, second: int, neither: int) -> None:
    """The formula as published, on statsmodels' Wilson intervals and numpy's correlation of the pairs."""
    n = both + first + second + neither
    if min(both + first, second + neither, both + second, first + neither) == 0:
        return
    pairs = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [both, first, second, neither], axis=0)
    one, two = pairs.mean(axis=0)
    low_one, high_one = proportion_confint(both + first, n, method="wilson")
    low_two, high_two = proportion_confint(both + second, n, method="wilson")
    phi = float(np.corrcoef(pairs.T)[0, 1])
    if both * neither > first * second:
        phi *= max(1 - n / 2 / (both * neither - first * second), 0)
    low = (
        two
        - one
        - math.sqrt(
            (two - low_two) ** 2 - 2 * phi * (two - low_two) * (high_one - one) + (high_one - one) ** 2
        )
    )
    high = (
        two
        - one
        + math.sqrt(
            (one - low_one) ** 2 - 2 * phi * (one - low_one) * (high_two - two) + (high_two - two) ** 2
        )
    )
    assert newcombe(both, first, second, neither) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0), (5, 5), (3, 12), (16, 21), (0, 9), (400, 460)])
def test_mcnemar_is_the_exact_p_less_half_of_what_was_seen(first: int, second: int) -> None:
    exact = oracle_mcnemar([[10, first], [second, 10]], exact=True).pvalue
    point = scipy_stats.binom.pmf(min(first, second), first + second, 0.5)
    expected = exact - point if first != second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


def test_no_disagreement_proves_nothing() -> None:
    assert mcnemar(0, 0) == 1.0
    assert newcombe(0, 0, 0, 0) == (-1.0, 1.0)


def test_pairs_are_counted() -> None:
    assert table([1, 1, 0, 0, 1], [1, 0, 1, 0, 0]) == Table(both=1, first=2, second=1, neither=1)


def test_paired_t_agrees_with_scipy() -> None:
    random = np.random.default_rng(2)
    first, second = random.random(40), random.random(40)
    seen, oracle = paired_means(first, second), scipy_stats.ttest_rel(second, first)
    assert seen.p == pytest.approx(oracle.pvalue, rel=1e-9)
    inner = oracle.confidence_interval(0.95)
    assert seen.low <= inner.low + 1e-12
    assert seen.high >= inner.high - 1e-12


def test_clustered_difference_agrees_with_statsmodels() -> None:
    random = np.random.default_rng(6)
    groups = np.repeat(np.arange(12), 6)
    first, second = random.integers(0, 2, 72).astype(float), random.integers(0, 2, 72).astype(float)
    oracle = sm.OLS(second - first, np.ones(72)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    error = float(oracle.bse[0]) * math.sqrt(12 / 11)
    value = float((second - first).mean())
    half = scipy_stats.t.ppf(0.975, 11) * error
    for paired in (paired_rates, paired_means):
        seen = paired(first.tolist(), second.tolist(), 0.95, groups.tolist())
        assert seen.clusters == 12
        assert (seen.low, seen.high) == pytest.approx((value - half, value + half), rel=1e-9)
        assert seen.p == pytest.approx(2 * scipy_stats.t.sf(abs(value / error), 11), rel=1e-9)


@given(PAIRS)
def test_swapping_the_arms_mirrors_the_difference(pairs: list[tuple[float, float]]) -> None:
    first, second = [one for one, _ in pairs], [two for _, two in pairs]
    there, back = paired_rates(first, second), paired_rates(second, first)
    assert there.p == pytest.approx(back.p)
    assert (there.low, there.value, there.high) == pytest.approx(
        (-back.high, -back.value, -back.low), abs=1e-12
    )
    assert -1 <= there.low <= there.value <= there.high <= 1


@settings(max_examples=40)
@given(GRADED, st.integers(1, 5))
def test_graded_difference_holds_its_value(pairs: list[tuple[float, float]], groups: int) -> None:
    first, second = [one for one, _ in pairs], [two for _, two in pairs]
    for clusters in (None, [place % groups for place in range(len(pairs))]):
        seen = paired_means(first, second, 0.95, clusters)
        assert -1 <= seen.low <= seen.value + 1e-12
        assert seen.value - 1e-12 <= seen.high <= 1
        assert seen.high > seen.low
        assert 0 <= seen.p <= 1


def test_equal_arms_are_not_proven_equal() -> None:
    """Forty identical answers leave room for a difference on others."""
    for paired in (paired_rates, paired_means):
        seen = paired([1.0, 0.0] * 20, [1.0, 0.0] * 20)
        assert seen.value == 0
        assert seen.low < -0.01 < 0.01 < seen.high
        assert seen.p == 1.0


def test_conclusions() -> None:
    assert conclusion(0.01, 0.2, 0.01, margin=0.05) == "better"
    assert conclusion(0.01, 0.2, 0.06, margin=0.05) == "not_worse"
    assert conclusion(-0.01, 0.2, 0.01, margin=0.05) == "not_worse"
    assert conclusion(-0.2, -0.01, 0.01, margin=0.05) == "worse"
    assert conclusion(-0.2, 0.01, 0.2, margin=0.05) == "not_proven"
    assert conclusion(-0.05, 0.01, 0.2, margin=0.05) == "not_proven"


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 0.5))
def test_a_conclusion_never_contradicts_its_interval(
    low: float, width: float, p: float, margin: float
) -> None:
    high = low + width
    said = conclusion(low, high, p, margin=margin)
    assert (said == "better") == (low > 0 and p < 0.05)
    assert said != "worse" or high < 0
    assert said != "not_worse" or low > -margin
    assert said != "not_proven" or low <= -margin
