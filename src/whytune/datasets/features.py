"""What texts are compared by: word n-grams as sparse matrices, one row a text, so that a million texts fit and are quick.

Two views: word 3-shingles for texts of 8 words and more; words and word pairs for texts of up to 16 words (of which a
3-shingle view of ten words would see hardly any two as near). n-grams that stand in more than k texts (a tenth of them,
at least 50, at most 500) are *common*: they count in one of the two similarities only, so that a shared footer or
question frame makes no two texts the same.

Columns are in order of how many texts hold them, rarest first; an n-gram of one text alone has no column, only its
place in that text's size. Example: `[*views(["a b", "a c"])][1].similar([0], [1])` is `[0.25]`: they share "a" and "^ a" of eight.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from whytune.text import words

FEWEST_WORDS_FOR_SHINGLES = 8
MOST_WORDS_FOR_PAIRS = 16


@dataclass(frozen=True)
class View:
    """One way of looking at texts. Matrices are scipy CSR of ones, texts by n-grams; sizes count n-grams of one text too.

    full: all n-grams; own: those that are not common; search: own, or full for a text without own ones.
    """

    full: Any
    own: Any
    search: Any
    full_size: Any
    own_size: Any
    search_size: Any
    count: Any
    """Texts that hold each n-gram."""

    def similar(self, first: Any, second: Any) -> Any:
        """For each pair of rows the lower of two Jaccard similarities: of everything, and of what is not common."""
        import numpy as np

        own = _jaccard(self.own, self.own_size, first, second)
        return np.where(own > 0, np.minimum(own, _jaccard(self.full, self.full_size, first, second)), 0.0)


def views(texts: Sequence[str]) -> Iterator[View]:
    """Word 3-shingles of the longer texts, then words and word pairs of the shorter ones; one at a time, for both take memory."""
    import numpy as np

    known: dict[str, int] = {}
    flat, lengths = array("q"), array("q")
    for text in texts:
        tokens = words(text) or [text]
        lengths.append(len(tokens))
        flat.extend([known.setdefault(token, len(known)) for token in tokens])
    ids, length = np.frombuffer(flat, dtype=np.int64), np.frombuffer(lengths, dtype=np.int64)
    vocabulary = max(1, len(known))
    row = np.repeat(np.arange(len(texts)), length)
    place = np.arange(len(ids)) - np.repeat(np.cumsum(length) - length, length)
    left = np.repeat(length, length) - place  # words from here to the end of the text, this one included

    begins = np.flatnonzero((left >= 3) & (length[row] >= FEWEST_WORDS_FOR_SHINGLES))
    # Pairs are numbered before the third word joins them: three words in one number might not fit into 64 bits.
    _, pair = np.unique(ids[begins] * vocabulary + ids[begins + 1], return_inverse=True)
    yield _view(row[begins], pair * vocabulary + ids[begins + 2], len(texts))
    del begins, pair

    held = np.flatnonzero(length[row] <= MOST_WORDS_FOR_PAIRS)
    first, last = held[place[held] == 0], held[left[held] == 1]
    inner = held[left[held] > 1]
    side = vocabulary + 2  # one number more for each end of a text
    keys = (
        ids[held], vocabulary + ids[inner] * side + ids[inner + 1],
        vocabulary + vocabulary * side + ids[first], vocabulary + ids[last] * side + vocabulary + 1,
    )  # fmt: skip
    yield _view(np.concatenate([row[held], row[inner], row[first], row[last]]), np.concatenate(keys), len(texts))


def ignored_above(texts: int) -> int:
    """In how many texts an n-gram may stand before it says nothing about a single one."""
    return max(50, min(500, texts // 10))


def _view(row: Any, key: Any, texts: int) -> View:
    """The matrices from one (text, n-gram) entry for each time an n-gram stands in a text."""
    import numpy as np

    kinds, column = np.unique(key, return_inverse=True)
    width = max(1, len(kinds))
    entries = np.sort(row * width + column)
    entries = entries[np.diff(entries, prepend=-1) > 0]  # np.unique hashes, and takes twenty times as long
    row, column = entries // width, entries % width
    full_size = np.bincount(row, minlength=texts)
    count = np.bincount(column, minlength=width)
    common = count > ignored_above(int((full_size > 0).sum()))
    own_size = full_size - np.bincount(row[common[column]], minlength=texts)

    shared = count > 1
    order = np.argsort(count[shared], kind="stable")
    number = np.zeros(width, dtype=np.int64)
    number[np.flatnonzero(shared)[order]] = np.arange(len(order))
    kept = shared[column]
    row, column = row[kept], column[kept]
    rare = ~common[column]
    wide = max(1, len(order))
    searched = rare | (own_size[row] == 0)
    entries = row * wide + number[column]
    full, own = (_matrix(np.sort(some), texts, wide) for some in (entries, entries[rare]))
    search = own if (searched == rare).all() else _matrix(np.sort(entries[searched]), texts, wide)
    return View(
        full=full, own=own, search=search,
        full_size=full_size, own_size=own_size, search_size=np.where(own_size > 0, own_size, full_size), count=count[shared][order],
    )  # fmt: skip


def _matrix(entries: Any, texts: int, width: int) -> Any:
    """Ones at the entries, which are sorted by row and column."""
    import numpy as np
    from scipy import sparse

    starts = np.zeros(texts + 1, dtype=np.int64)
    np.cumsum(np.bincount(entries // width, minlength=texts), out=starts[1:])
    return sparse.csr_matrix((np.ones(len(entries), dtype=np.int32), (entries % width).astype(np.int32), starts), shape=(texts, width))


def _jaccard(matrix: Any, size: Any, first: Any, second: Any) -> Any:
    """Of two rows each; two empty ones are the same."""
    import numpy as np

    both = np.asarray(matrix[first].multiply(matrix[second]).sum(axis=1)).ravel()
    union = size[first] + size[second] - both
    return np.where(union > 0, both / np.maximum(union, 1), 1.0)
