"""Two independent rates: Fisher's exact test as mid-p, and Newcombe's interval of the difference.

For arms over the same items see `paired`. Example: `two_rates(30, 100, 10, 100)` says +0.20, from 0.09 to 0.31.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from whytune.stats.intervals import wilson


class RateGap(NamedTuple):
    """First minus second, with its interval and p."""

    value: float
    low: float
    high: float
    p: float


def two_rates(first: int, first_n: int, second: int, second_n: int, confidence: float = 0.95) -> RateGap:
    """How far the first rate lies above the second. Without items on both sides nothing is known."""
    if not first_n or not second_n:
        return RateGap(0.0, -1.0, 1.0, 1.0)
    one, two = first / first_n, second / second_n
    left, right = wilson(first, first_n, confidence), wilson(second, second_n, confidence)
    difference = one - two
    low = difference - math.hypot(one - left.low, right.high - two)
    high = difference + math.hypot(left.high - one, two - right.low)
    return RateGap(difference, max(-1.0, low), min(1.0, high), fisher_mid_p(first, first_n, second, second_n))


def fisher_mid_p(first: int, first_n: int, second: int, second_n: int) -> float:
    """Two-sided: all tables less likely than the one seen, and half of those as likely."""
    from scipy.special import gammaln

    right = first + second
    seen = np.arange(max(0, right - second_n), min(right, first_n) + 1)

    def choose(n: float, k: np.ndarray) -> np.ndarray:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    logs = choose(first_n, seen) + choose(second_n, right - seen)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    own = shares[seen == first][0]
    less = float(shares[shares < own * (1 - 1e-7)].sum())
    same = float(shares[np.isclose(shares, own, rtol=1e-7, atol=0)].sum())
    return min(1.0, less + same / 2)
