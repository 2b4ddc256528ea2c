"""Two groups of different items with graded scores: the difference of their means, by Welch.

For rates see `unpaired`, for arms over the same items `paired`. Example: `two_means([0.9, 0.8, 1.0], [0.5, 0.4, 0.6])` is +0.40.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from whytune.stats.intervals import Bounded, t_quantile, wilson


def two_means(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Bounded:
    """Mean of the first minus mean of the second, of scores between 0 and 1. Without spread it is bounded as rates are."""
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    n = len(one) + len(two)
    if min(len(one), len(two)) < 2:
        return Bounded(0.0, -1.0, 1.0, n, 0, "too few to say")
    value = float(one.mean() - two.mean())
    parts = [float(group.var(ddof=1)) / len(group) for group in (one, two)]
    if sum(parts) < 1e-12:
        reach = math.hypot(*(wilson(0, len(group), confidence).high for group in (one, two)))
        return Bounded(value, max(-1.0, value - reach), min(1.0, value + reach), n, 0, "no spread, bounded by Wilson")
    df = sum(parts) ** 2 / sum(part**2 / (len(group) - 1) for part, group in zip(parts, (one, two), strict=True))
    half = t_quantile((1 + confidence) / 2, df) * math.sqrt(sum(parts))
    return Bounded(value, max(-1.0, value - half), min(1.0, value + half), n, 0, "Welch's t")
