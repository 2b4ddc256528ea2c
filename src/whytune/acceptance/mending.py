"""What to mend after a no: the slices of dev on which a candidate falls short, and which rows to look for.

From dev alone: a test item that was missed is never named, or the next round would train on its own exam. Slices are
exploratory: with many of them some fall short by luck, and each shows its n and interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whytune.records.data import Example
from whytune.records.project import AcceptanceRule
from whytune.records.release import CollectionTarget, WeakSlice
from whytune.stats.intervals import mean_interval, rate_interval

SMALLEST = 5
"""Dev items from which a slice is told."""
MOST = 8


@dataclass(frozen=True)
class DevAnswers:
    """What a candidate reached on dev. train: how many training rows there are, for the size of what is missing."""

    rows: Sequence[Example]
    scores: Mapping[str, float]
    """Item id to score."""
    train: int
    labelled: bool
    """Whether the wanted answer is one of a set of labels, and so a slice of its own."""


@dataclass(frozen=True)
class ToMend:
    """Slices that fall short, worst first, and what to collect."""

    slices: tuple[WeakSlice, ...]
    targets: tuple[CollectionTarget, ...]


def to_mend(answers: DevAnswers, rule: AcceptanceRule) -> ToMend:
    """Slices below the bar on dev by how many right answers they lack, and targets for them."""
    groups: dict[tuple[str, str], list[Example]] = {}
    for row in answers.rows:
        if row.id not in answers.scores:
            continue
        named = list(row.tags)
        if answers.labelled:
            named.append(("wanted", row.target_text))
        for key in named:
            groups.setdefault(key, []).append(row)
    found: list[tuple[float, WeakSlice, CollectionTarget]] = []
    whole = [row for row in answers.rows if row.id in answers.scores]
    large = [item for item in groups.items() if len(item[1]) >= SMALLEST]
    if not large and len(whole) >= SMALLEST:
        large = [(("all", "dev"), whole)]
    for (name, value), rows in large:
        scores = [answers.scores[row.id] for row in rows]
        lacking = sum(max(0.0, rule.bar - score) for score in scores)
        share = sum(scores) / len(scores)
        if share >= rule.bar:
            continue
        interval = (rate_interval if all(score in (0.0, 1.0) for score in scores) else mean_interval)(scores, rule.confidence)
        weak = WeakSlice(name=name, value=value, share=share, low=interval.low, high=interval.high, n=len(rows))
        found.append((lacking, weak, _target(weak, rows, answers)))
    found.sort(key=lambda each: (-each[0], each[1].name, each[1].value))
    return ToMend(tuple(each[1] for each in found[:MOST]), tuple(each[2] for each in found[:MOST]))


def _target(weak: WeakSlice, rows: Sequence[Example], answers: DevAnswers) -> CollectionTarget:
    missed = [row for row in rows if answers.scores[row.id] < 0.5]
    wanted = math.ceil(len(missed) * answers.train / max(1, len(answers.scores)))
    return CollectionTarget(
        about=f"{weak.name} = {weak.value}", rows=max(1, wanted),
        why=f"{len(missed)} of {len(rows)} dev items of this kind were missed; among as many rows as train has, about {max(1, wanted)} would be",
        examples=tuple(row.id for row in missed[:20]),
    )  # fmt: skip
