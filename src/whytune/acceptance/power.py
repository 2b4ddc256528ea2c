"""What this test set can prove, said before anything is spent.

A guess stands in for what is not known yet: on which share of the items two arms disagree (20 %), or, for a graded metric,
the standard deviation of their paired differences. Example: 300 independent items prove 7.2 points, 626 prove 5.
"""

from __future__ import annotations

from whytune.records.data import Dataset
from whytune.records.evidence import Power
from whytune.records.project import AcceptanceRule
from whytune.records.wording import figure
from whytune.stats.power import (
    items_needed_mean,
    items_needed_paired,
    smallest_difference,
    smallest_mean_difference,
)

CORRELATION = 0.2
"""How alike items of one group are taken to be until measured."""


def power(
    dataset: Dataset,
    clusters: int,
    rule: AcceptanceRule,
    *,
    disagreement: float = 0.2,
    spread: float | None = None,
) -> Power:
    """For 80 % power at the rule's confidence.

    clusters: independent groups in the test split, 0 or the number of items where they do not depend on one another.
    spread: for a graded metric, the guessed standard deviation of paired differences; then disagreement is not used.
    """
    n = dataset.counts.get("test", 0)
    alpha = 1 - rule.confidence
    design = 1 + (n / clusters - 1) * CORRELATION if 0 < clusters < n else 1.0
    if spread is None:
        smallest = smallest_difference(n, disagreement, alpha=alpha, design=design)
        needed = items_needed_paired(rule.margin, disagreement, alpha=alpha, design=design)
        guess = f"if two approaches disagree on {100 * disagreement:.3g} % of them"
    else:
        smallest = smallest_mean_difference(n / design, spread, alpha=alpha)
        needed = round(items_needed_mean(rule.margin, spread, alpha=alpha) * design)
        guess = f"if differences spread by {spread:.3g}"
    return Power(
        dataset=dataset.id,
        n=n,
        clusters=clusters,
        margin=rule.margin,
        disagreement=disagreement,
        smallest_difference=smallest,
        items_for_margin=needed,
        sentence=f"{_can(n, clusters, smallest, guess, spread is not None)}; {_takes(n, rule.margin, needed, spread is not None)}.",
    )


def _can(n: int, clusters: int, smallest: float, guess: str, graded: bool) -> str:
    groups = f" from {clusters:,} groups" if 0 < clusters < n else ""
    if smallest >= 1:
        return f"{n:,} test cases{groups} are too few to prove any gap"
    gap = f"{smallest:.3f}" if graded else f"{figure(smallest).removesuffix(' %')} points"
    return f"{n:,} test cases{groups} can prove a gap of {gap} between two approaches (4 times in 5, {guess})"


def _takes(n: int, margin: float, needed: int, graded: bool) -> str:
    wanted = f"{margin:.6g}" if graded else f"{100 * margin:.6g} points"
    if needed <= n:
        return f"that is enough for your margin of {wanted}"
    return f"your margin of {wanted} takes about {needed:,}, {needed - n:,} more"
