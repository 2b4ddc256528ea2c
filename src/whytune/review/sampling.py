"""Which rows and answers are put before people: a random sample, everything a check warned about, planted items.

The sample alone gives the error rate; warned rows and planted ones are judged beside it and never counted into it. The
same seed gives the same items in the same order. It opens no store and shows nothing to anybody.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from whytune.records.record import digest
from whytune.records.review import Purpose, ReviewItem
from whytune.review.forms import BAD, FIRST


@dataclass(frozen=True)
class Wanted:
    """How many items, how often each is judged, how many planted ones among them."""

    size: int = 300
    overlap: float = 0.25
    overlap_min: int = 1
    gold: float = 0.05
    seed: int = 17


def rows(targets: Mapping[str, str], warned: Collection[str], wanted: Wanted, purpose: Purpose = "rows") -> list[ReviewItem]:
    """Items about rows; `targets` are all rows of the population by id, with their target."""
    dice = random.Random(wanted.seed)
    drawn = dice.sample(sorted(targets), min(wanted.size, len(targets)))
    items = [_item("sample", example, wanted) for example in drawn]
    items = _overlapping(items, wanted)
    if purpose == "rows":
        items += _planted(drawn, targets, wanted, dice, BAD)
    dice.shuffle(items)
    items += [_item("warned", example, wanted) for example in sorted(set(warned) & targets.keys() - set(drawn))]
    return _in_order(items)


def pairs(targets: Mapping[str, str], answers: Sequence[Mapping[str, str]], wanted: Wanted) -> tuple[list[ReviewItem], int]:
    """(items, number left out because both answers are the same text). `answers`: of each candidate, text by row."""
    first, second = answers
    both = sorted(first.keys() & second.keys() & targets.keys())
    dice = random.Random(wanted.seed)
    drawn = dice.sample(both, min(wanted.size, len(both)))
    apart = [example for example in drawn if first[example].strip() != second[example].strip()]
    items = _overlapping([_item("sample", example, wanted, (0, 1)) for example in apart], wanted)
    items += _planted(apart, targets, wanted, dice, FIRST)
    dice.shuffle(items)
    return _in_order(items), len(drawn) - len(apart)


def rubric(targets: Mapping[str, str], answers: Sequence[Mapping[str, str]], wanted: Wanted) -> list[ReviewItem]:
    """Each drawn row once for each candidate: its answer is judged on its own, and the two are compared afterwards."""
    both = sorted(set(targets).intersection(*(given.keys() for given in answers)))
    dice = random.Random(wanted.seed)
    drawn = dice.sample(both, min(wanted.size, len(both)))
    twice = round(wanted.overlap * len(drawn))
    items = [
        _item("sample", example, wanted, (which,)).model_copy(update={"opinions": wanted.overlap_min + (at < twice)})
        for at, example in enumerate(drawn)
        for which in range(len(answers))
    ]
    dice.shuffle(items)
    return _in_order(items)


def _item(kind: str, example: str, wanted: Wanted, shown: tuple[int, ...] = ()) -> ReviewItem:
    key = digest(f"{wanted.seed}\n{kind}\n{example}\n{shown}")[:16]
    return ReviewItem.model_validate({"key": key, "example": example, "kind": kind, "shown": shown, "opinions": wanted.overlap_min})


def _overlapping(items: list[ReviewItem], wanted: Wanted) -> list[ReviewItem]:
    """The first ones, which are drawn at random, are given to one more person."""
    twice = round(wanted.overlap * len(items))
    return [item.model_copy(update={"opinions": item.opinions + (at < twice)}) for at, item in enumerate(items)]


def _planted(drawn: Sequence[str], targets: Mapping[str, str], wanted: Wanted, dice: random.Random, expected: str) -> list[ReviewItem]:
    """Items whose right verdict is known, because another row's target stands in. Rows outside the sample are taken first."""
    count = round(wanted.gold * len(drawn))
    if not count or len(set(targets.values())) < 2:
        return []
    names = sorted(targets)
    rest = sorted(set(names) - set(drawn))
    dice.shuffle(rest)
    used = [*rest, *drawn][:count]
    planted = []
    for example in used:
        other = dice.choice(names)
        while targets[other].strip() == targets[example].strip():
            other = dice.choice(names)
        item = _item("gold", example, wanted)
        planted.append(item.model_copy(update={"opinions": 1, "stand_in": other, "expected": expected}))
    return planted


def _in_order(items: Sequence[ReviewItem]) -> list[ReviewItem]:
    return [item.model_copy(update={"priority": place}) for place, item in enumerate(items)]
