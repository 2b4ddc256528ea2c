"""What a closed round about rows proves: the error rate with its exact upper bound, how far people agree, the edits.

A row on which people differ and nobody decided, or that all who were asked passed over, counts as wrong: the bound must
hold for whatever was put before people. Rows that a check warned about and planted rows stay out of the rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whytune.records.evidence import Measure
from whytune.records.review import Edit, Opinion, Queue, ReviewItem, RowReview
from whytune.review import votes
from whytune.review.forms import BAD, GOOD
from whytune.stats.intervals import clopper_pearson

CONFIDENCE = 0.95
BOUNDS = "exact (Clopper-Pearson), each end at 95 %, random sample without warned rows"


@dataclass(frozen=True)
class RowFindings:
    """Everything of a `RowReview` but where its packs are kept."""

    edits: list[Edit]
    conflicting: int
    fields: dict[str, Any]

    def record(self, *, edits: str, opinions: str) -> RowReview:
        """The record, once edits and opinions are kept."""
        return RowReview(edits=edits, opinions=opinions, **self.fields)


def findings(queue: Queue, items: Sequence[ReviewItem], opinions: Sequence[Opinion], passed: Mapping[str, int], stored: Mapping[str, str]) -> RowFindings:
    """Sum up a round of `rows` or `labels`. `stored`: the target on file of each row, against which a label is held."""
    held = votes.by_item(opinions)
    sample = [item for item in items if item.kind == "sample"]
    judged = [item for item in sample if item.key in held or item.key in passed]
    warned = [item for item in items if item.kind == "warned" and item.key in held]
    said = {item.key: _verdict(queue, item, held.get(item.key, []), stored) for item in (*judged, *warned)}
    bad = sum(said[item.key] != GOOD for item in judged)
    agreement, twice = votes.agreements(sample, held)
    edits, conflicting = _edits(queue, [item for item in (*judged, *warned) if said[item.key] == BAD], held)
    fields = {
        "project": queue.project, "dataset": queue.dataset, "queue": queue.id, "purpose": queue.purpose, "guideline": queue.guideline_version,
        "reviewers": votes.reviewers(opinions), "rated": len(judged), "bad": bad, "error_rate": error_rate(bad, len(judged)),
        "agreement": agreement, "double_rated": twice,
        "adjudicated": sum(any(opinion.turn == "settle" for opinion in held.get(item.key, ())) for item in items),
        "unsettled": sum(item.key in held and not said[item.key] for item in judged), "skipped": sum(item.key not in held for item in judged),
        "warned_rated": len(warned), "warned_bad": sum(said[item.key] != GOOD for item in warned), "repeats_consistent": votes.repeats(opinions),
        "gold_right": votes.gold(items, held), "early": len(judged) < len(sample), "solo": queue.solo,
    }  # fmt: skip
    return RowFindings(edits, conflicting, fields)


def error_rate(bad: int, rated: int) -> Measure:
    """The share of wrong rows. Each end alone holds at 95 %: none of 300 leaves less than 1 %."""
    low, high = clopper_pearson(bad, rated, 2 * CONFIDENCE - 1) if rated else (0.0, 1.0)
    return Measure(name="wrong rows", value=bad / rated if rated else 0.0, low=low, high=high, n=rated, method=BOUNDS)


def _verdict(queue: Queue, item: ReviewItem, held: Sequence[Opinion], stored: Mapping[str, str]) -> str:
    """good, bad, or empty where it is not settled."""
    found = votes.outcome(held)
    if queue.purpose == "labels" and found:
        return GOOD if found == stored.get(item.example, "") else BAD
    return found


def _edits(queue: Queue, wrong: Sequence[ReviewItem], held: Mapping[str, Sequence[Opinion]]) -> tuple[list[Edit], int]:
    """(corrections of rows found wrong, fields for which people proposed different ones). Who decided has the last word."""
    found: list[Edit] = []
    conflicting = 0
    for item in wrong:
        opinions = held.get(item.key, ())
        if queue.purpose == "labels":
            label = votes.outcome(opinions)
            by = next(opinion.person for opinion in opinions if opinion.verdict == label)
            found.append(Edit(example=item.example, field="target", value=label, by=by))
            continue
        settled = [opinion for opinion in opinions if opinion.turn == "settle"][-1:]
        proposed: dict[str, dict[str, str]] = {}
        for opinion in settled if any(opinion.edits for opinion in settled) else opinions:
            for field, value in opinion.edits:
                proposed.setdefault(field, {}).setdefault(value, opinion.person)
        for field, values in sorted(proposed.items()):
            if len(values) == 1:
                value, by = next(iter(values.items()))
                found.append(Edit(example=item.example, field=field, value=value, by=by))
            else:
                conflicting += 1
    return found, conflicting
