"""Corrections for many tests: against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from whytune.stats.multiple import benjamini_hochberg, holm, holm_levels

PS = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_holm_agrees_with_statsmodels(count: int) -> None:
    ps = (np.random.default_rng(count).random(count) ** 4).tolist()
    assert holm(ps) == pytest.approx(list(multipletests(ps, method="holm")[1]))


@given(PS)
def test_holm_is_never_below_the_plain_p_nor_above_bonferroni(ps: list[float]) -> None:
    for plain, corrected in zip(ps, holm(ps), strict=True):
        assert plain <= corrected <= min(1.0, len(ps) * plain) or corrected == max(holm(ps)[: len(ps)])
    assert sorted(ps) == [p for _, p in sorted(zip(holm(ps), ps, strict=True))]


@given(PS)
def test_benjamini_hochberg_agrees_with_statsmodels(ps: list[float]) -> None:
    assert benjamini_hochberg(ps) == pytest.approx(list(multipletests(ps, method="fdr_bh")[1]))


def test_levels_follow_the_ranks() -> None:
    assert holm_levels([0.01, 0.04, 0.03]) == pytest.approx([0.05 / 3, 0.05, 0.025])
    assert holm([]) == benjamini_hochberg([]) == []
