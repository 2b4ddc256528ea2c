"""Two independent rates against an independent implementation, and how often their interval covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import hypergeom

from whytune.stats.unpaired import fisher_mid_p, two_rates


@settings(max_examples=30)
@given(some.integers(1, 40), some.integers(1, 40), some.data())
def test_mid_p_is_that_of_the_hypergeometric(first_n: int, second_n: int, data: some.DataObject) -> None:
    first, second = data.draw(some.integers(0, first_n)), data.draw(some.integers(0, second_n))
    table = hypergeom(first_n + second_n, first + second, first_n)
    chances = table.pmf(np.arange(first_n + 1))
    own = chances[first]
    wanted = chances[chances < own * (1 - 1e-7)].sum() + chances[np.isclose(chances, own, rtol=1e-7, atol=0)].sum() / 2
    assert fisher_mid_p(first, first_n, second, second_n) == pytest.approx(min(1.0, wanted), abs=1e-9)


def test_newcombes_published_example() -> None:
    # Newcombe 1998, table II, method 10: 56/70 against 48/80.
    gap = two_rates(56, 70, 48, 80)
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-4)


def test_nothing_is_known_of_nothing() -> None:
    assert two_rates(0, 0, 3, 10) == (0.0, -1.0, 1.0, 1.0)


@pytest.mark.parametrize(("one", "two", "n", "m"), [(0.1, 0.1, 40, 200), (0.5, 0.3, 60, 60), (0.02, 0.2, 50, 300)])
def test_the_interval_covers(one: float, two: float, n: int, m: int) -> None:
    random = np.random.default_rng(4)
    covered = sum(
        gap.low <= one - two <= gap.high
        for gap in (two_rates(int(random.binomial(n, one)), n, int(random.binomial(m, two)), m) for _ in range(300))
    )
    assert covered / 300 >= 0.92
