"""What a test set can prove, said before anything is spent: items needed, smallest difference provable.

Differences and disagreements are shares (0.05 is five points). Disagreement is the share of items on which exactly one
of the two arms is right. Example: five points at 20 % disagreement need `items_needed_paired(0.05, 0.2)`, 626 items.
"""

from __future__ import annotations

import math

from whytune.stats.intervals import normal_quantile


def items_needed_paired(
    difference: float, disagreement: float, *, power: float = 0.8, alpha: float = 0.05, design: float = 1.0
) -> int:
    """Items on which two arms must both answer for McNemar's test to see `difference` (Connor 1987).

    A disagreement smaller than the difference cannot be and is taken as the difference. design is the factor by
    which clustering inflates the variance (1 where items are independent).
    """
    _check(difference, power, alpha)
    apart = abs(difference)
    return math.ceil(design * _connor(apart, max(disagreement, apart), power, alpha) - 1e-9)


def items_needed_unpaired(first: float, second: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Items for each of two arms asked different items, for rates `first` and `second`: 1,248 for 70 % and 75 %."""
    _check(second - first, power, alpha)
    reach = normal_quantile(1 - alpha / 2) + normal_quantile(power)
    spread = first * (1 - first) + second * (1 - second)
    return math.ceil(reach**2 * spread / (second - first) ** 2 - 1e-9)


def items_needed_mean(difference: float, spread: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Items for a graded metric whose paired differences have the standard deviation `spread`."""
    _check(difference, power, alpha)
    reach = normal_quantile(1 - alpha / 2) + normal_quantile(power)
    # 1.92 is z squared over 2: what estimating the standard deviation costs (Guenther 1981).
    return math.ceil((reach * spread / difference) ** 2 + normal_quantile(1 - alpha / 2) ** 2 / 2 - 1e-9)


def items_for_noninferiority(
    margin: float, disagreement: float, *, difference: float = 0.0, power: float = 0.8, alpha: float = 0.05
) -> int:
    """Items to prove that the second arm is not worse by `margin`, if it truly differs by `difference`."""
    _check(margin + difference, power, alpha)
    reach = normal_quantile(1 - alpha / 2) + normal_quantile(power)
    spread = max(disagreement, abs(difference)) - difference**2
    return math.ceil(reach**2 * spread / (margin + difference) ** 2 - 1e-9)


def smallest_difference(
    n: float, disagreement: float, *, power: float = 0.8, alpha: float = 0.05, design: float = 1.0
) -> float:
    """The smallest difference that n paired items prove with this power; 1 where they can prove none."""
    items = n / design
    if items <= 0 or _connor(1.0, 1.0, power, alpha) > items:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _connor(middle, max(disagreement, middle), power, alpha) > items:
            low = middle
        else:
            high = middle
    return high


def smallest_mean_difference(n: float, spread: float, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """The same for a graded metric whose paired differences have the standard deviation `spread`."""
    items = n - normal_quantile(1 - alpha / 2) ** 2 / 2
    if items <= 0:
        return 1.0
    return min(1.0, (normal_quantile(1 - alpha / 2) + normal_quantile(power)) * spread / math.sqrt(items))


def votes_needed(share: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Decisive votes that prove a preference of this size: 85 for 65 to 35, 194 for 60 to 40."""
    apart = abs(share - 0.5)
    _check(apart, power, alpha)
    reach = normal_quantile(1 - alpha / 2) / 2 + normal_quantile(power) * math.sqrt(share * (1 - share))
    return math.ceil(reach**2 / apart**2 - 1e-9)


def design_effect(cluster_sizes: list[int], correlation: float) -> float:
    """How much clustering inflates the variance, from the sizes and the correlation inside a cluster (Kish)."""
    n = sum(cluster_sizes)
    return 1.0 + (sum(size**2 for size in cluster_sizes) / n - 1.0) * correlation if n else 1.0


def _connor(difference: float, disagreement: float, power: float, alpha: float) -> float:
    if difference <= 0:
        return math.inf
    null = normal_quantile(1 - alpha / 2) * math.sqrt(disagreement)
    real = normal_quantile(power) * math.sqrt(max(disagreement - difference**2, 0.0))
    return ((null + real) / difference) ** 2


def _check(difference: float, power: float, alpha: float) -> None:
    if difference == 0 or not 0 < alpha < 1 or not 0 < power < 1:
        raise ValueError(
            f"no number of items proves a difference of {difference} (power {power}, alpha {alpha})"
        )
