"""Corrections for many tests: against statsmodels."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from whytune.stats.multiple import benjamini_hochberg, holm, holm_levels

PS = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None)  # the oracle takes a tenth of a second
@given(PS)
def test_holm_agrees_with_statsmodels(ps: list[float]) -> None:
    assert holm(ps) == pytest.approx(list(multipletests(ps, method="holm")[1]))


@given(PS)
def test_benjamini_hochberg_agrees_with_statsmodels(ps: list[float]) -> None:
    assert benjamini_hochberg(ps) == pytest.approx(list(multipletests(ps, method="fdr_bh")[1]))


def test_levels_follow_the_ranks() -> None:
    assert holm_levels([0.01, 0.04, 0.03]) == pytest.approx([0.05 / 3, 0.05, 0.025])
    assert holm([]) == benjamini_hochberg([]) == []
