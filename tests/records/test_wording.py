"""Figures are rounded so that words never prove what the table does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.records.evidence import Measure
from whytune.records.wording import chance, count, digits_for, exact, high, low, money, odds, points, span


def measure(low_end: float, value: float, high_end: float) -> Measure:
    return Measure(name="m", value=value, low=low_end, high=high_end, n=100, method="t")


def test_ends_are_rounded_outwards() -> None:
    assert low(0.74996) == "74.9 %"
    assert high(0.75001) == "75.1 %"
    assert (low(0.75), high(0.75)) == ("75.0 %", "75.0 %")
    assert low(0.74996, True) == "0.749"
    assert span(measure(0.70, 0.72, 0.74996)) == "70.0 to 75.0 %"
    assert span(measure(0.70, 0.72, 0.74996), False, 0.75) == "70.0 to 74.996 %", (
        "below the bar, and looks so"
    )


def test_words() -> None:
    assert exact(0.75) == "75 %"
    assert exact(0.755) == "75.5 %"
    assert (points(0.051), points(-0.051), points(-0.00001)) == ("+5.1", "−5.1", "0.0")
    assert (odds(0.8), odds(0.031), odds(0.00002)) == ("as often as not", "1 in 32", "under 1 in 1,000")
    assert chance(0.7, 0.05) == "such a gap is luck as often as not"
    assert chance(0.2, 0.05) == "luck alone gives such a gap 1 time in 5, so it is not proven"
    assert chance(0.02, 0.05) == "luck alone gives such a gap 1 time in 50"
    assert (count(7), count(626), count(146_000)) == ("7", "630", "150,000")
    assert (money(1250.4, "EUR"), money(0.7, "EUR"), money(0.0004, "EUR")) == (
        "EUR 1,250",
        "EUR 0.700",
        "EUR 0.00040",
    )
    assert digits_for([0, 0.04, 0.68]) == 3


@given(value=st.floats(0, 1), bar=st.integers(1, 99).map(lambda whole: whole / 100))
def test_an_end_never_crosses_the_bar_by_rounding(value: float, bar: float) -> None:
    shown = span(measure(value, value, value), False, bar)
    lower, upper = (float(part.removesuffix(" %")) for part in shown.split(" to "))
    assert lower <= value * 100 + 1e-3
    assert (lower >= bar * 100 - 1e-9) == (value >= bar - 1e-8) or abs(value - bar) < 1e-6
    if value < bar - 1e-6:
        assert upper < bar * 100
    assert upper >= value * 100 - 1e-3


def test_hundredths_of_a_point_are_enough() -> None:
    assert float(low(0.123456).removesuffix(" %")) == pytest.approx(12.3)
