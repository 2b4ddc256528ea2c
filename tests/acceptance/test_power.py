"""What a test set can prove, in figures that the design states: 626 items for 5 points, 7.2 points for 300 items."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.sample_decision import dataset, usecase

from whytune.acceptance.power import power


def test_the_known_figures() -> None:
    found = power(dataset(300), 0, usecase().rule)
    assert found.items_for_margin == 626
    assert 0.071 < found.smallest_difference < 0.073
    assert "7.2 points" in found.sentence
    assert "takes about 626, 326 more" in found.sentence
    assert "that is enough for your margin of 5 points" in power(dataset(700), 0, usecase().rule).sentence


def test_groups_prove_less() -> None:
    alone, grouped = power(dataset(300), 300, usecase().rule), power(dataset(300), 30, usecase().rule)
    assert alone.smallest_difference < grouped.smallest_difference
    assert "from 30 groups" in grouped.sentence


def test_too_few_items_say_so() -> None:
    assert "too few to prove any gap" in power(dataset(2), 0, usecase().rule).sentence
    assert power(dataset(0), 0, usecase().rule).smallest_difference == 1


def test_a_graded_metric_goes_by_its_spread() -> None:
    found = power(dataset(300), 0, usecase().rule, spread=0.2)
    assert 0.02 < found.smallest_difference < 0.05
    assert "differences spread by 0.2" in found.sentence


@given(n=st.integers(1, 5_000), more=st.integers(1, 500), clusters=st.integers(0, 5_000))
def test_more_items_never_prove_less(n: int, more: int, clusters: int) -> None:
    rule = usecase().rule
    groups = min(clusters, n)
    bigger = power(dataset(n + more), groups + more if groups else 0, rule)
    smaller = power(dataset(n), groups, rule)
    if not groups:
        assert bigger.smallest_difference <= smaller.smallest_difference + 1e-9
    assert smaller.smallest_difference <= 1
