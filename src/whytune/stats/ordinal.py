"""Figures over pairs of categories: quadratic weighted kappa, mean absolute error, macro-F1, from category numbers.

-1 stands for "no category" (an invalid answer). It never helps: kappa and error take it as the category farthest from
the right one, F1 as a miss. Example: `quadratic_kappa([0, 1, 2], [0, 1, 1], 3)`.
"""

from __future__ import annotations

import numpy as np

NO_CATEGORY = -1


def quadratic_kappa(right: np.ndarray, said: np.ndarray, categories: int) -> float:
    """Agreement beyond chance, wrong by two steps counting four times; 1 where all agree in one single category."""
    right, said = np.asarray(right), farthest(right, said, categories)
    n = len(right)
    if n == 0 or categories < 2:
        return 0.0 if n == 0 else 1.0
    observed = float(((right - said) ** 2).mean())
    share_right, share_said = (np.bincount(side, minlength=categories) / n for side in (right, said))
    steps = np.arange(categories)
    expected = float(share_right @ (steps[:, None] - steps[None, :]) ** 2 @ share_said)
    # Rounding may carry the exact ends a hair beyond the range.
    return max(-1.0, 1.0 - observed / expected) if expected > 0 else 1.0


def mean_absolute_error(right: np.ndarray, said: np.ndarray, categories: int) -> float:
    """Mean distance in steps between the right category and the one that was said."""
    return float(np.abs(np.asarray(right) - farthest(right, said, categories)).mean()) if len(right) else 0.0


def macro_f1(right: np.ndarray, said: np.ndarray, categories: int) -> float:
    """Mean F1 over the categories that are right for at least one item."""
    right, said = np.asarray(right), np.asarray(said)
    hits = np.bincount(right[right == said], minlength=categories)
    wanted = np.bincount(right, minlength=categories)
    given = np.bincount(said[said >= 0], minlength=categories)
    present = wanted > 0
    return float((2 * hits[present] / (wanted + given)[present]).mean()) if present.any() else 0.0


def farthest(right: np.ndarray, said: np.ndarray, categories: int) -> np.ndarray:
    """What was said, with "no category" replaced by the end of the scale that is farther from the right one."""
    right, said = np.asarray(right), np.asarray(said)
    worst = np.where(right * 2 >= categories - 1, 0, categories - 1)
    return np.where(said < 0, worst, said)
