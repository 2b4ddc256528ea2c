"""Totals by hand, and break-even volumes that really are the flip point."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.acceptance.cost import break_even, cost, total
from whytune.records.decision import ArmCost
from whytune.records.evidence import Spending
from whytune.records.project import Prices


def spent(per_1000: float) -> Spending:
    return Spending(
        seconds=1,
        tokens_in=1,
        tokens_computed=1,
        tokens_out=1,
        answers=1,
        cost_per_1000=per_1000,
        median_seconds=0.1,
    )


def test_totals_by_hand() -> None:
    prices = Prices(compute_hour=2, engineer_hour=100, tuning_engineer_hours=10, rag_engineer_hours=5, monthly_tuning=30,
                    monthly_rag=20, answers_per_month=10_000, months=12)  # fmt: skip
    found = cost(
        {"prompt": spent(4), "rag": spent(6), "tuned": spent(1), "tuned_rag": spent(2)},
        prices,
        training_seconds={"tuned": 7_200, "tuned_rag": 3_600},
        accepted=["rag", "tuned"],
    )
    assert found["prompt"].total == pytest.approx(12 * 10 * 4)
    assert found["rag"].total == pytest.approx(500 + 12 * 20 + 12 * 10 * 6)
    assert found["tuned"].one_off == pytest.approx(1_000 + 4)
    assert found["tuned"].training_hours == pytest.approx(2)
    assert found["tuned"].total == pytest.approx(1_004 + 12 * 30 + 12 * 10 * 1)
    assert found["tuned_rag"].one_off == pytest.approx(1_500 + 2)
    assert found["rag"].break_even_per_month is None, (
        "rag is the cheapest accepted arm: nothing to break even with"
    )
    assert found["tuned"].break_even_per_month == 10_401, "((1004 - 500) / 12 + 30 - 20) / 0.005 = 10,400"


def test_nothing_accepted_has_no_break_even() -> None:
    found = cost({"prompt": spent(4), "tuned": spent(1)}, Prices())
    assert all(line.break_even_per_month is None for line in found.values())


amounts = st.integers(0, 5_000).map(float)
cents = st.integers(0, 500).map(lambda value: value / 100)


@given(
    one=st.tuples(amounts, amounts, cents), two=st.tuples(amounts, amounts, cents), months=st.integers(1, 36)
)
def test_break_even_is_the_flip_point(one: tuple[float, ...], two: tuple[float, ...], months: int) -> None:
    first, second = (
        ArmCost(arm=name, one_off=line[0], monthly=line[1], per_1000=line[2], total=0)
        for name, line in (("a", one), ("b", two))
    )
    even = break_even(first, second, months)

    def saved(volume: float) -> float:
        return total(second, volume, months) - total(first, volume, months)

    if even is None:
        assert saved(1e9) <= 1e-6 or first.per_1000 > second.per_1000
    else:
        assert saved(even) > -1e-6
        assert saved(even + 10) > -1e-6
        if even > 1:
            assert saved(even - 2) < 1e-2
