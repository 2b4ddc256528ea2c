"""What overlaps between test and train+dev, looked for anew over the finished split.

It trusts nothing of how the split was made: every test row is held against every other row by the number of features
they share (a sparse matrix product: all pairs, not proposals), exact inputs by their normalised text, groups by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from whytune.datasets.cleaning import full_input, input_key
from whytune.datasets.dedup import Specific, views
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
            specific = Specific(view)
            for test, other in _sharing(specific, tests, others, threshold):
                pairs += 1
                similarity = specific.similar(test, other)
                if similarity >= threshold - 1e-9:
                    found.append(Overlap(test, other, "near", similarity))
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


def _sharing(
    specific: Specific, tests: list[int], others: list[int], threshold: float
) -> Iterator[tuple[int, int]]:
    """Pairs whose shared features reach the threshold, counted by a matrix product over all pairs."""
    import numpy as np

    sets = specific.search_sets()
    tests = [row for row in tests if sets[row]]
    others = [row for row in others if sets[row]]
    held = {feature for row in tests for feature in sets[row] or ()}
    columns: dict[int, int] = {}
    for row in others:
        for feature in sets[row] or ():
            if feature in held:
                columns.setdefault(feature, len(columns))
    if not columns:
        return
    right = _matrix([sets[row] for row in others], columns).T.tocsc()
    left = _matrix([sets[row] for row in tests], columns)
    size_left = np.array([len(sets[row] or ()) for row in tests], dtype=np.int64)
    size_right = np.array([len(sets[row] or ()) for row in others], dtype=np.int64)
    for begin in range(0, len(tests), _BLOCK):
        shared = (left[begin : begin + _BLOCK] @ right).tocoo()
        both = shared.data.astype(np.int64)
        union = size_left[shared.row + begin] + size_right[shared.col] - both
        close = both >= threshold * union - 1e-9
        for row, column in zip(shared.row[close].tolist(), shared.col[close].tolist(), strict=True):
            yield tests[begin + row], others[column]


def _matrix(sets: Sequence[frozenset[int] | None], columns: dict[int, int]) -> Any:
    import numpy as np
    from scipy import sparse

    indices: list[int] = []
    starts = [0]
    for features in sets:
        indices.extend(columns[feature] for feature in features or () if feature in columns)
        starts.append(len(indices))
    data = np.ones(len(indices), dtype=np.int32)
    return sparse.csr_matrix(
        (data, np.array(indices, dtype=np.int64), np.array(starts, dtype=np.int64)),
        shape=(len(sets), len(columns)),
    )
