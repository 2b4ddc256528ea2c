"""Figures over pairs of categories: against statsmodels, hand-counted cases, and what an invalid answer costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from whytune.stats.ordinal import macro_f1, mean_absolute_error, quadratic_kappa

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=40)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([one for one, _ in pairs]), np.array([two for _, two in pairs])


def test_quadratic_kappa_agrees_with_statsmodels() -> None:
    random = np.random.default_rng(9)
    right = random.integers(0, 4, 80)
    said = np.clip(right + random.integers(-1, 2, 80), 0, 3)
    counts = np.zeros((4, 4))
    np.add.at(counts, (right, said), 1)
    assert quadratic_kappa(right, said, 4) == pytest.approx(
        cohens_kappa(counts, weights=np.arange(4), wt="fc").kappa
    )


def test_macro_f1_counted_by_hand() -> None:
    right, said = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, -1, 0])
    f1 = [2 * 2 / (3 + 3), 2 * 1 / (2 + 2), 0.0]
    assert macro_f1(right, said, 4) == pytest.approx(sum(f1) / 3)


def test_error_counted_by_hand() -> None:
    assert mean_absolute_error(np.array([0, 1, 2]), np.array([0, 2, 0]), 3) == pytest.approx(1.0)


@given(PAIRS)
def test_no_answer_is_never_better_than_any_answer(pairs: list[tuple[int, int]]) -> None:
    right, said = arrays(pairs)
    nothing = np.full_like(said, -1)
    assert macro_f1(right, nothing, 4) == 0
    assert mean_absolute_error(right, nothing, 4) >= mean_absolute_error(right, said, 4)


@given(PAIRS)
def test_ranges(pairs: list[tuple[int, int]]) -> None:
    right, said = arrays(pairs)
    assert -1 <= quadratic_kappa(right, said, 4) <= 1
    assert 0 <= macro_f1(right, said, 4) <= 1
    assert 0 <= mean_absolute_error(right, said, 4) <= 3
    assert quadratic_kappa(right, right, 4) == macro_f1(right, right, 4) == 1


def test_nothing_to_judge() -> None:
    nothing = np.array([], dtype=int)
    assert (
        quadratic_kappa(nothing, nothing, 3)
        == macro_f1(nothing, nothing, 3)
        == mean_absolute_error(nothing, nothing, 3)
        == 0
    )
