"""From opinions to what they add up to: which of them count, what an item was found to be, how far people agree.

Nothing is dropped in silence: an opinion that was taken back stays in the record of the round, and an item on which
people differ is unsettled until somebody who gave no opinion decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from whytune.records.evidence import Measure
from whytune.records.review import Opinion, ReviewItem
from whytune.stats import agreement
from whytune.stats.intervals import Bounded, rate_interval


def counted(opinions: Iterable[Opinion]) -> list[Opinion]:
    """Opinions that were neither taken back nor are themselves a taking back."""
    every = list(opinions)
    replaced = {opinion.replaces for opinion in every if opinion.replaces}
    return [opinion for opinion in every if opinion.verdict and opinion.client not in replaced]


def by_item(opinions: Iterable[Opinion]) -> dict[str, list[Opinion]]:
    """What counts, for each item."""
    found: dict[str, list[Opinion]] = {}
    for opinion in counted(opinions):
        found.setdefault(opinion.item, []).append(opinion)
    return found


def outcome(opinions: Sequence[Opinion]) -> str:
    """What an item was found to be: what was decided, else what more than half of the people say; empty where they differ."""
    settled = [opinion.verdict for opinion in opinions if opinion.turn == "settle"]
    if settled:
        return settled[-1]
    said = [opinion.verdict for opinion in opinions if opinion.turn == "first"]
    winner = max(said, key=said.count, default="")
    return winner if winner and said.count(winner) * 2 > len(said) else ""


def disputed(items: Sequence[ReviewItem], opinions: Iterable[Opinion]) -> list[ReviewItem]:
    """Items on which no more than half of two or more people agree and nobody has decided; in their order."""
    held = by_item(opinions)
    return [item for item in items if item.kind != "gold" and len(firsts(held.get(item.key, []))) >= 2 and not outcome(held[item.key])]


def firsts(opinions: Sequence[Opinion]) -> list[Opinion]:
    """Opinions given when the item was first shown: those that count as votes."""
    return [opinion for opinion in opinions if opinion.turn == "first"]


def agreements(items: Iterable[ReviewItem], opinions: Mapping[str, Sequence[Opinion]], scale: Mapping[str, float] | None = None) -> tuple[tuple[Measure, ...], int]:
    """(raw agreement, kappa and alpha where they are defined; number of items that two people or more judged)."""
    ratings = [{opinion.person: opinion.verdict for opinion in firsts(opinions.get(item.key, ()))} for item in items]
    twice = [rating for rating in ratings if len(rating) > 1]
    found = {
        "raw agreement": agreement.raw(twice), "Cohen's kappa": agreement.kappa(twice),
        "Krippendorff's alpha": agreement.alpha(twice, scale=scale),
    }  # fmt: skip
    return tuple(measure(name, bounded) for name, bounded in found.items() if bounded), len(twice)


def alpha_of(measures: Sequence[Measure]) -> Measure | None:
    """Krippendorff's alpha among the measures of agreement."""
    return next((one for one in measures if one.name == "Krippendorff's alpha"), None)


def repeats(opinions: Iterable[Opinion]) -> Measure | None:
    """How often a person who was shown an item again said the same; None where nobody was."""
    same, who = [], []
    for held in by_item(opinions).values():
        for again in (opinion for opinion in held if opinion.turn == "again"):
            before = [opinion.verdict for opinion in firsts(held) if opinion.person == again.person]
            if before:
                same.append(float(before[-1] == again.verdict))
                who.append(again.person)
    return measure("said the same when asked again", rate_interval(same)) if same else None


def gold(items: Iterable[ReviewItem], opinions: Mapping[str, Sequence[Opinion]]) -> Measure | None:
    """Share of opinions on planted items that are as expected; None where none was judged."""
    right = [float(opinion.verdict == item.expected) for item in items if item.kind == "gold" for opinion in firsts(opinions.get(item.key, ()))]
    return measure("planted items seen through", rate_interval(right)) if right else None


def reviewers(opinions: Iterable[Opinion]) -> tuple[str, ...]:
    """Everybody whose opinion counts."""
    return tuple(sorted({opinion.person for opinion in counted(opinions)}))


def measure(name: str, bounded: Bounded) -> Measure:
    """A figure of `stats` under a name."""
    return Measure(name=name, value=bounded.value, low=bounded.low, high=bounded.high, n=bounded.n, clusters=bounded.clusters, method=bounded.method)
