"""The training rows most like an input, by the words they share, weighed by how rare the words are (BM25).

For few-shot prompts with nearest rows. A row of the item's own group, or the item itself, is never handed out.
Pure and deterministic: ties go to the row that stands earlier in the pool.
Example: `Neighbours(train).nearest(example, 4)` has the most alike row last, next to the input.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from heapq import nsmallest
from math import log

from whytune.records.data import Example
from whytune.text import fold, words

_SATURATION = 1.2
_LENGTH = 0.75


class Neighbours:
    """An index in memory over the inputs of a pool; some microseconds a row and query."""

    def __init__(self, pool: Sequence[Example]) -> None:
        self.pool = tuple(pool)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        counts = [Counter(_terms(example)) for example in self.pool]
        mean = sum(count.total() for count in counts) / max(1, len(counts))
        for row, count in enumerate(counts):
            bulk = _SATURATION * (1 - _LENGTH + _LENGTH * count.total() / max(mean, 1e-9))
            for term, times in count.items():
                self._postings[term].append((row, times * (_SATURATION + 1) / (times + bulk)))

    def nearest(self, example: Example, k: int) -> list[Example]:
        """At most k rows, the most alike last. Rows that share no word fill up, in the pool's order."""
        scores: dict[int, float] = defaultdict(float)
        for term in set(_terms(example)):
            held = self._postings.get(term, [])
            rarity = log(1 + (len(self.pool) - len(held) + 0.5) / (len(held) + 0.5))
            for row, weight in held:
                scores[row] += rarity * weight
        ordered = nsmallest(len(scores), scores, key=lambda row: (-scores[row], row))
        chosen: list[int] = []
        for row in (*ordered, *(row for row in range(len(self.pool)) if row not in scores)):
            if len(chosen) == k:
                break
            if not _same(self.pool[row], example):
                chosen.append(row)
        return [self.pool[row] for row in reversed(chosen)]


def _terms(example: Example) -> list[str]:
    return words(fold(example.input_text))


def _same(row: Example, example: Example) -> bool:
    return row.id == example.id or row.messages == example.messages or bool(row.group and row.group == example.group)
