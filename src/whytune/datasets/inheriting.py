"""Rows whose words changed stay where they stood: a mended test row is still a test row, though its id is new.

A row of the version before that is gone from the files hands its split on to the new row that says nearly the same
(the same normalised input, or a verified near-duplicate). It is asked more widely than when duplicates are removed: a
row that inherits wrongly only stays in a split, one that does not may leak. Where several claim a new row, the
most alike does, and of equals the test row: an exam question must never become a lesson. Example: `Where is my card?`
stood in test; the file now says `Where is my card please?`, which is put into test.
"""

from __future__ import annotations

from collections.abc import Sequence

from whytune.datasets.cleaning import full_input, input_key
from whytune.datasets.dedup import near
from whytune.records.data import Example, SplitName

ALIKE = 0.5
"""Jaccard similarity from which a new row may be an old one with other words; of short texts a word more changes much."""


def inherited(examples: Sequence[Example], before: Sequence[tuple[Example, SplitName]], threshold: float) -> dict[str, SplitName]:
    """Splits of rows that are new by their id and not by what they say. threshold: of the plan; 0: same input only."""
    here, known = {example.id for example in examples}, {example.id for example, _ in before}
    fresh = list({example.id: example for example in examples if example.id not in known}.values())
    gone = [(example, split) for example, split in before if example.id not in here]
    found = _said_again(fresh, gone)
    # The nearest first, so that the wide search has few rows left.
    for likeness in (threshold, min(threshold, ALIKE)) if threshold else ():
        found |= _nearly([example for example in fresh if example.id not in found], gone, likeness)
    return found


def _said_again(fresh: Sequence[Example], gone: Sequence[tuple[Example, SplitName]]) -> dict[str, SplitName]:
    splits: dict[str, SplitName] = {}
    for example, split in gone:
        key = input_key(example)
        splits[key] = "test" if "test" in (split, splits.get(key)) else split
    return {example.id: splits[key] for example in fresh if (key := input_key(example)) in splits}


def _nearly(fresh: Sequence[Example], gone: Sequence[tuple[Example, SplitName]], threshold: float) -> dict[str, SplitName]:
    if not fresh or not gone:
        return {}
    first_fresh = len(gone)
    claims: dict[str, tuple[float, bool, SplitName]] = {}
    texts = [full_input(example) for example, _ in gone] + [full_input(example) for example in fresh]
    # Only pairs of an old row with a new one say anything here.
    for old, new, likeness in near(texts, threshold, skip=lambda one, other: (one < first_fresh) == (other < first_fresh)):
        split, id = gone[old][1], fresh[new - first_fresh].id
        claims[id] = max(claims.get(id, (0.0, False, split)), (likeness, split == "test", split))
    return {id: split for id, (_, _, split) in claims.items()}
