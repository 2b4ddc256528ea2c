"""Many tests at once: Holm for the contrasts fixed beforehand, Benjamini-Hochberg for slices (exploratory).

Example: `holm([0.01, 0.04, 0.03])` is `[0.03, 0.06, 0.06]`.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(ps: Sequence[float]) -> list[float]:
    """Corrected p values, in the order given: below alpha keeps the chance of any false alarm below alpha."""
    corrected = [0.0] * len(ps)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = highest
    return corrected


def holm_levels(ps: Sequence[float], alpha: float = 0.05) -> list[float]:
    """The level at which Holm holds each p, in the order given: alpha/m for the smallest, alpha for the largest."""
    levels = [0.0] * len(ps)
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        levels[place] = alpha / (len(ps) - rank)
    return levels


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """Corrected p values, in the order given: below q keeps the expected share of false alarms below q."""
    corrected = [0.0] * len(ps)
    lowest = 1.0
    for rank, place in reversed(list(enumerate(sorted(range(len(ps)), key=lambda i: ps[i]), start=1))):
        lowest = min(lowest, len(ps) / rank * ps[place])
        corrected[place] = lowest
    return corrected
