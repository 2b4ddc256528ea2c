"""How well a score tells two groups apart: the area under the ROC curve, with DeLong's standard error on the logit scale.

0.5: not at all; 1: every one of the first group scores higher than every one of the second. Ties count half.
Example: `auc([3, 2], [1, 2])` has the value 0.875.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from whytune.stats.intervals import Bounded, normal_quantile, wilson


def auc(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Bounded:
    """The chance that one of the first scores higher than one of the second. Nothing is known from an empty group."""
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    m, n = len(one), len(two)
    if not m or not n:
        return Bounded(0.5, 0.0, 1.0, m + n, 0, "nothing to compare")
    ranked = np.sort(two)
    # For each of the first: the share of the second below it, ties by half; and the other way about.
    above = (np.searchsorted(ranked, one, "left") + np.searchsorted(ranked, one, "right")) / (2 * n)
    ranked = np.sort(one)
    below = 1 - (np.searchsorted(ranked, two, "left") + np.searchsorted(ranked, two, "right")) / (2 * m)
    value = float(above.mean())
    spread = (float(above.var(ddof=1)) / m if m > 1 else 0.25) + (float(below.var(ddof=1)) / n if n > 1 else 0.25)
    fewer = min(m, n)
    if spread < 1e-12 or value in (0.0, 1.0):
        # Told apart without a miss: bounded as so many pairs, one each, would be.
        low, high = wilson(value * fewer, fewer, confidence)
        return Bounded(value, low, high, m + n, 0, "no spread, bounded by Wilson")
    reach = normal_quantile((1 + confidence) / 2) * math.sqrt(spread) / (value * (1 - value))
    middle = math.log(value / (1 - value))
    low, high = (1 / (1 + math.exp(-(middle + sign * reach))) for sign in (-1, 1))
    return Bounded(value, low, high, m + n, 0, "DeLong on the logit scale")
