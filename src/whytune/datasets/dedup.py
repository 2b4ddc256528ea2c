"""Which texts are the same, exactly or nearly: proposals that miss nothing, an exact check that decides.

Two texts are near-duplicates when the Jaccard similarity of their features reaches the threshold in a view that both
have: word 3-shingles for texts of 8 words and more, words and word pairs for texts of up to 16 words (of which a
3-shingle view of ten words would see hardly any two as near). n-grams that stand in more than k texts (a tenth of them,
at least 50, at most 500) are left out of a second similarity which must reach the threshold as well, so that a shared
footer or question frame makes no two texts the same.

Proposals come from a prefix filter over the rarest features: unlike a sketch it cannot miss a pair above the threshold.

Example: "How do I order a new card please" and "how do i order a new card, please?" are one text (exact); "How do I
order a new card" and "How do I order new card" are near at 0.7.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from whytune.text import shingles, words

FEWEST_WORDS_FOR_SHINGLES = 8
MOST_WORDS_FOR_PAIRS = 16
_EXACTLY = 1e-9


class Near(NamedTuple):
    """Two texts, by position, and how similar they are (0..1)."""

    first: int
    second: int
    similarity: float


class View(NamedTuple):
    """One way of looking at texts: their features as 64-bit hashes, None for a text that the view does not cover."""

    name: str
    features: list[frozenset[int] | None]


def views(texts: Sequence[str]) -> tuple[View, View]:
    """Word 3-shingles of the longer texts; words and word pairs of the shorter ones."""
    long: list[frozenset[int] | None] = []
    short: list[frozenset[int] | None] = []
    for text in texts:
        tokens = words(text) or [text]
        long.append(
            frozenset(map(hash, shingles(tokens, 3))) if len(tokens) >= FEWEST_WORDS_FOR_SHINGLES else None
        )
        if len(tokens) <= MOST_WORDS_FOR_PAIRS:
            short.append(frozenset(map(hash, (*tokens, *shingles(["^", *tokens, "$"], 2)))))
        else:
            short.append(None)
    return View("word 3-shingles", long), View("words and word pairs", short)


def ignored_above(texts: int) -> int:
    """In how many texts an n-gram may stand before it says nothing about a single one."""
    return max(50, min(500, texts // 10))


def similarity(first: frozenset[int], second: frozenset[int]) -> float:
    """Jaccard."""
    both = len(first & second)
    union = len(first) + len(second) - both
    return both / union if union else 1.0


class Specific:
    """The features of a view without those that stand in too many texts."""

    def __init__(self, view: View) -> None:
        self.full = view.features
        self.count: Counter[int] = Counter()
        for features in view.features:
            if features:
                self.count.update(features)
        most = ignored_above(sum(1 for features in view.features if features))
        common = frozenset(feature for feature, count in self.count.items() if count > most)
        self.own: list[frozenset[int] | None] = [
            features if features is None or common.isdisjoint(features) else features - common
            for features in view.features
        ]

    def similar(self, first: int, second: int) -> float:
        """The lower of the two similarities: of everything, and of what is not common."""
        left, right = self.own[first], self.own[second]
        whole_left, whole_right = self.full[first], self.full[second]
        if left is None or right is None or whole_left is None or whole_right is None:
            return 0.0
        own = similarity(left, right)
        return min(own, similarity(whole_left, whole_right)) if own > 0 else 0.0

    def search_sets(self) -> list[frozenset[int] | None]:
        """What to search by: the own features; all of them for a text that has no own ones."""
        return [own or full for own, full in zip(self.own, self.full, strict=True)]


def near(
    texts: Sequence[str], threshold: float, skip: Callable[[int, int], bool] | None = None
) -> Iterator[Near]:
    """Every pair of near-duplicates, first < second, in order of the second; a pair may come from both views.

    skip(first, second) tells that a pair need not be verified (the two are known to belong together).
    """
    if threshold <= 0:
        return
    for view in views(texts):
        specific = Specific(view)
        yield from _pairs(specific, threshold, skip)


def _pairs(specific: Specific, threshold: float, skip: Callable[[int, int], bool] | None) -> Iterator[Near]:
    index: dict[int, list[int]] = {}
    count = specific.count
    sets = specific.search_sets()
    for second, features in enumerate(sets):
        if not features:
            continue
        size = len(features)
        prefix = size - math.ceil(threshold * size - _EXACTLY) + 1
        # Rarest first: what few texts hold proposes few pairs. A feature of one text alone proposes none.
        ordered = sorted(features, key=lambda feature: (count[feature], feature))[:prefix]
        shared = [feature for feature in ordered if count[feature] > 1]
        proposed = {first for feature in shared for first in index.get(feature, ())}
        for first in sorted(proposed):
            other = sets[first]
            if other is None or min(size, len(other)) < threshold * max(size, len(other)) - _EXACTLY:
                continue
            if skip is not None and skip(first, second):
                continue
            found = specific.similar(first, second)
            if found >= threshold - _EXACTLY:
                yield Near(first, second, found)
        for feature in shared:
            index.setdefault(feature, []).append(second)


class Families:
    """Texts that belong together, however they are joined (disjoint sets)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def of(self, member: int) -> int:
        """The one that stands for the family: its lowest member."""
        root = member
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[member] != root:
            self._parent[member], member = root, self._parent[member]
        return root

    def join(self, first: int, second: int) -> bool:
        """Makes one family of two; False where they already were one."""
        left, right = self.of(first), self.of(second)
        if left == right:
            return False
        self._parent[max(left, right)] = min(left, right)
        return True
