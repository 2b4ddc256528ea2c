"""Trials side by side on one test set: differences to the incumbent, and groups of lines that are not proven to differ.

There is no rank: a rank says that second is worse than first, which the data mostly does not. Every pair is compared on
the same items; two lines differ where the p value, Holm-corrected over all pairs, is below alpha and the interval of the
difference leaves out nought. Groups are the compact letter display of that (Piepho 2004): lines that share a letter are
not proven to differ. Differences to the incumbent carry p values corrected over the comparisons with it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_letters

from whytune.evaluation.compare import Contender, compare
from whytune.evaluation.measures import clusters_of
from whytune.records.data import Example
from whytune.records.evidence import Comparison, Measure, Protocol, Score
from whytune.records.project import AcceptanceRule
from whytune.stats.multiple import holm


@dataclass(frozen=True)
class Contestant:
    """One trial on the board: its figure and its scores, one an item."""

    trial: str
    value: float
    scores: Sequence[Score]


@dataclass(frozen=True)
class Place:
    """What the comparisons say about one trial."""

    group: str
    with_best: bool
    difference: Measure | None
    p_holm: float | None


def places(
    entrants: Sequence[Contestant],
    incumbent: str,
    rule: AcceptanceRule,
    examples: Sequence[Example],
    labels: tuple[str, ...] = (),
) -> dict[str, Place]:
    """Trial id to its place. Every entrant must have scored exactly these examples; incumbent is one of the trials."""
    ordered = sorted(entrants, key=lambda each: (-each.value, each.trial))
    names = [each.trial for each in ordered]
    found = _pairs(ordered, rule, examples, labels)
    alpha = 1 - rule.confidence
    apart = {frozenset((one.first, one.second)) for one in found if proven(one, one.p_holm, alpha)}
    groups = letters(names, apart)
    against = [one for one in found if incumbent in (one.first, one.second)]
    corrected = holm([one.p for one in against])
    to_incumbent = {
        (one.second if one.first == incumbent else one.first): (_from(one, incumbent), p)
        for one, p in zip(against, corrected, strict=True)
    }
    best = set(groups[names[0]]) if names else set()
    return {
        name: Place(groups[name], bool(best & set(groups[name])), *to_incumbent.get(name, (None, None)))
        for name in names
    }


def proven(one: Comparison, p: float, alpha: float) -> bool:
    """Whether two trials are proven to differ: the p value and the interval both say so."""
    return p < alpha and not one.difference.low <= 0 <= one.difference.high


def letters(names: Sequence[str], apart: set[frozenset[str]]) -> dict[str, str]:
    """The compact letter display: two names share a letter exactly where they are not among the pairs proven apart.

    Insert and absorb: start with one group of all; each pair that is apart splits the groups that hold both; a group
    within another is dropped. Letters run from the first name on.
    """
    groups: list[frozenset[str]] = [frozenset(names)]
    for one, two in sorted(tuple(sorted(pair)) for pair in apart):
        split: list[frozenset[str]] = []
        for group in groups:
            split += [group - {one}, group - {two}] if {one, two} <= group else [group]
        unique = list(dict.fromkeys(split))
        groups = [group for group in unique if not any(group < other for other in unique)]
    place = {name: at for at, name in enumerate(names)}
    groups.sort(key=lambda group: sorted(place[name] for name in group))
    signs = [ascii_letters[at] if at < len(ascii_letters) else f"({at + 1})" for at in range(len(groups))]
    return {name: "".join(sign for sign, group in zip(signs, groups, strict=True) if name in group) for name in names}


def _pairs(
    ordered: Sequence[Contestant], rule: AcceptanceRule, examples: Sequence[Example], labels: tuple[str, ...]
) -> list[Comparison]:
    contrasts = tuple(combinations([each.trial for each in ordered], 2))
    # The comparison's own language: a plan of contrasts. This one is a view, not a protocol, and is never recorded.
    plan = Protocol(
        project="", usecase="", rule=rule.id, dataset="", candidates=(), arms=(), contrasts=contrasts, metric=rule.metric
    )
    contenders = [Contender(each.trial, each.trial, each.scores) for each in ordered]
    return compare(contenders, plan, rule, examples, clusters_of(examples), labels)


def _from(one: Comparison, incumbent: str) -> Measure:
    """The difference seen from the incumbent: the other trial minus it."""
    if one.first == incumbent:
        return one.difference
    seen = one.difference
    return seen.model_copy(update={"value": -seen.value, "low": -seen.high, "high": -seen.low})


def p95(seconds: Mapping[str, float]) -> float | None:
    """What 95 of 100 answers stay below; None where there are none."""
    ordered = sorted(seconds.values())
    return ordered[min(len(ordered) - 1, -(-95 * len(ordered) // 100) - 1)] if ordered else None
