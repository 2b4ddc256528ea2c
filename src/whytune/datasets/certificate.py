"""What overlaps between test and train+dev, looked for anew over the finished split.

It trusts nothing of how the split was made: every test row is held against every other row by the number of features
they share (a sparse matrix product: all pairs, not proposals), exact inputs by their normalised text, groups by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from whytune.datasets.cleaning import full_input, input_key
from whytune.datasets.features import View, views
from whytune.records.data import Example, SplitName

_BLOCK = 512
"""Test rows held against all others at a time: bounds the memory of the product."""


class Overlap(NamedTuple):
    """A test row and a row of train or dev that must not stand on two sides, by position, and why."""

    test: int
    other: int
    kind: str
    similarity: float


class Overlaps(NamedTuple):
    """What was found."""

    found: list[Overlap]
    pairs: int
    """Pairs close enough to be verified feature by feature."""

    def rows(self, kind: str) -> int:
        """Test rows with an overlap of this kind."""
        return len({overlap.test for overlap in self.found if overlap.kind == kind})


def overlaps(rows: Sequence[tuple[Example, SplitName]], threshold: float) -> Overlaps:
    """Every overlap between test and train+dev: same group, same normalised input, verified near-duplicate."""
    tests = [i for i, (_, split) in enumerate(rows) if split == "test"]
    others = [i for i, (_, split) in enumerate(rows) if split != "test"]
    found = [
        *_same(rows, tests, others, "group", [example.group for example, _ in rows]),
        *_same(rows, tests, others, "exact", [input_key(example) for example, _ in rows]),
    ]
    pairs = 0
    if threshold > 0 and tests and others:
        for view in views([full_input(example) for example, _ in rows]):
            for test, other in _sharing(view, tests, others, threshold):
                pairs += len(test)
                similarity = view.similar(test, other)
                close = similarity >= threshold - 1e-9
                kept = zip(test[close].tolist(), other[close].tolist(), similarity[close].tolist(), strict=True)
                found += [Overlap(one, two, "near", how) for one, two, how in kept]
    return Overlaps(found, pairs)


def _same(
    rows: Sequence[tuple[Example, SplitName]], tests: list[int], others: list[int], kind: str, keys: list[str]
) -> Iterator[Overlap]:
    first: dict[str, list[int]] = {}
    for other in others:
        if keys[other]:
            first.setdefault(keys[other], []).append(other)
    for test in tests:
        for other in first.get(keys[test], ()):
            yield Overlap(test, other, kind, 1.0)


def _sharing(view: View, tests: list[int], others: list[int], threshold: float) -> Iterator[tuple[Any, Any]]:
    """Pairs whose shared features reach the threshold, counted by a matrix product over all pairs, in blocks."""
    import numpy as np

    test, other = np.array(tests), np.array(others)
    right = view.search[other].T.tocsr()
    for begin in range(0, len(tests), _BLOCK):
        here = test[begin : begin + _BLOCK]
        shared = (view.search[here] @ right).tocoo()
        left, there = here[shared.row], other[shared.col]
        both = shared.data.astype(np.int64)
        close = both >= threshold * (view.search_size[left] + view.search_size[there] - both) - 1e-9
        yield left[close], there[close]
