"""Which texts are nearly the same: proposals that miss nothing, an exact check that decides.

Two texts are near-duplicates when the Jaccard similarity of their n-grams reaches the threshold in a view that both
have (`features`), with the n-grams of many texts and without them. Proposals come from a prefix filter over the rarest
n-grams (Chaudhuri et al., 2006, "A Primitive Operator for Similarity Joins"): unlike a sketch it cannot miss a pair.

Example: "How do I order a new card please" and "how do i order a new card, please?" are one text (exact); "How do I
order a new card" and "How do I order new card" are near at 0.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from whytune.datasets.features import View, views

_EXACTLY = 1e-9
_BLOCK = 4_000_000
"""Proposals that are looked at together: bounds the memory, whatever is proposed."""


class Near(NamedTuple):
    """Two texts, by position, and how similar they are (0..1)."""

    first: int
    second: int
    similarity: float


def near(
    texts: Sequence[str], threshold: float, skip: Callable[[int, int], bool] | None = None
) -> Iterator[Near]:
    """Every pair of near-duplicates, first < second, in order of the second; a pair may come from both views.

    skip(first, second) tells that a pair need not be verified (the two are known to belong together).
    """
    if threshold <= 0 or not texts:
        return
    for view in views(texts):
        for first, second in _proposed(view, threshold):
            if skip is not None and len(first):
                kept = [not skip(one, other) for one, other in zip(first.tolist(), second.tolist(), strict=True)]
                first, second = first[kept], second[kept]
            found = view.similar(first, second)
            close = found >= threshold - _EXACTLY
            yield from map(Near, first[close].tolist(), second[close].tolist(), found[close].tolist())
        del view  # before the next one is made


def _proposed(view: View, threshold: float) -> Iterator[tuple[Any, Any]]:
    """Pairs that may reach the threshold, in blocks: (first, second), in order of the second."""
    import numpy as np

    prefix = _prefixes(view, threshold)
    # What a row proposes at most: every text that holds one of the n-grams of its prefix.
    held = np.bincount(prefix.indices, minlength=prefix.shape[1])
    rows = np.repeat(np.arange(prefix.shape[0]), np.diff(prefix.indptr))
    cost = np.cumsum(np.bincount(rows, weights=held[prefix.indices], minlength=prefix.shape[0]))
    holders = prefix.T.tocsr()
    begin = 0
    while begin < prefix.shape[0]:
        spent = cost[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(cost, spent + _BLOCK, side="right")))
        shared = (prefix[begin:end] @ holders).tocoo()
        second, first = shared.row.astype(np.int64) + begin, shared.col.astype(np.int64)
        small, large = (f(view.search_size[first], view.search_size[second]) for f in (np.minimum, np.maximum))
        may = np.flatnonzero((first < second) & (small >= threshold * large - _EXACTLY))
        order = may[np.lexsort((first[may], second[may]))]
        yield first[order], second[order]
        begin = end


def _prefixes(view: View, threshold: float) -> Any:
    """Of each text its rarest n-grams, as many as one must share one of to reach the threshold."""
    import numpy as np
    from scipy import sparse

    search, size = view.search, view.search_size
    stored = np.diff(search.indptr)
    # An n-gram of one text alone is the rarest there is, and stands in no column: it takes its place in the prefix all the same.
    alone = size - stored
    most = np.maximum(0, size - np.ceil(threshold * size - _EXACTLY).astype(np.int64) + 1 - alone)
    place = np.arange(len(search.indices)) - np.repeat(search.indptr[:-1], stored)
    kept = place < np.repeat(most, stored)
    starts = np.zeros(len(stored) + 1, dtype=np.int64)
    np.cumsum(np.minimum(most, stored), out=starts[1:])
    return sparse.csr_matrix((search.data[kept], search.indices[kept], starts), shape=search.shape)


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
