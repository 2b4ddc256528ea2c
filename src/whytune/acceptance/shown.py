"""Chooses the items that the page shows side by side: those on which the arms differ most, one per kind of difference.

It does not judge answers; it takes the scores that were measured. The choice depends on content only, not on the order of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whytune.acceptance.triage import ARMS
from whytune.records.data import Example
from whytune.records.decision import Shown
from whytune.records.wording import phrase


def choose(
    examples: Sequence[Example],
    answers: Mapping[str, Mapping[str, str]],
    scores: Mapping[str, Mapping[str, float]],
    most: int = 3,
) -> tuple[Shown, ...]:
    """At most `most` items. answers and scores: arm to item id to text and to score.

    Arms that win on an item take turns, so that three examples do not all tell the same story; an item that all arms
    miss comes last.
    """
    arms = [arm for arm in ARMS if arm in answers and arm in scores]
    items = [
        item for item in examples if all(item.id in answers[arm] and item.id in scores[arm] for arm in arms)
    ]
    if not arms:
        return ()

    def spread(item: Example) -> float:
        values = [scores[arm][item.id] for arm in arms]
        return max(values) - min(values)

    ranked = sorted(items, key=lambda item: (-spread(item), len(item.input_text), item.id))
    chosen: list[Example] = []
    told: set[tuple[bool, ...]] = set()
    for fresh_only in (True, False):
        for item in ranked:
            pattern = tuple(scores[arm][item.id] >= 0.5 for arm in arms)
            if len(chosen) < most and item not in chosen and (pattern not in told or not fresh_only):
                chosen.append(item)
                told.add(pattern)
    return tuple(
        Shown(
            item=item.id,
            input=item.input_text,
            target=item.target_text,
            answers=tuple((arm, answers[arm][item.id], scores[arm][item.id]) for arm in arms),
            why=_why([(arm, scores[arm][item.id]) for arm in arms]),
        )
        for item in chosen
    )


def _why(scored: list[tuple[str, float]]) -> str:
    best, worst = max(value for _, value in scored), min(value for _, value in scored)
    if best == worst:
        return "All approaches are right." if best >= 0.5 else "No approach is right."
    winners = [phrase(arm) for arm, value in scored if value == best]
    if len(winners) == 1:
        return f"Best: {winners[0]}."
    return f"Best: {', '.join(winners[:-1])} and {winners[-1]}."
