"""Words and where they stand: SQLite's FTS5 cuts and inverts the text, arrays hold what a search needs.

FTS5 itself is not asked at search time. Its bm25 takes 80 ms for a question of ten natural words over 100,000
passages, because it walks every posting through a function call; the same sums over arrays take about 1 ms, so no
common word has to be left out. And a question that never reaches FTS5's query language cannot abuse it.

Scripts written without spaces (Chinese, Japanese, Thai, ...) are cut into pairs of neighbouring signs.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

TOKENIZER = "porter unicode61 remove_diacritics 2"
LONGEST_QUESTION = 20_000
"""Characters of a question that are looked at."""
K1, B = 1.2, 0.75
"""The usual constants of BM25: how soon repeats stop counting, and how much long passages are held back."""

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)


@dataclass(frozen=True)
class Postings:
    """The inverted index. Term number n stands in `places[starts[n]:starts[n + 1]]` (ascending, from 0), each with
    its BM25 weight in `weights`."""

    terms: list[str]
    starts: NDArray[Any]
    places: NDArray[Any]
    weights: NDArray[Any]


def spread(text: str) -> str:
    """Text as the tokenizer gets it: runs of a script without spaces as pairs of signs; no NUL, no half surrogates."""
    clean = text.encode("utf-8", "replace").decode().replace("\0", " ")
    return _UNSPACED.sub(_pairs, clean)


def _pairs(run: re.Match[str]) -> str:
    # Vowel marks are no tokens; the signs on both sides of one are neighbours.
    signs = [sign for sign in run[0] if sign.isalnum()]
    pairs = [first + second for first, second in pairwise(signs)]
    return f" {' '.join(pairs or signs)} "


class Tokenizer:
    """FTS5's tokenizer, asked directly, so that questions are cut exactly as passages are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._database.execute(f"CREATE VIRTUAL TABLE question USING fts5(text, tokenize='{TOKENIZER}')")
        self._database.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(question, row)")

    def terms(self, question: str) -> list[str]:
        """The different terms of a question, sorted."""
        with self._lock:
            self._database.execute(
                "INSERT INTO question(rowid, text) VALUES (1, ?)", (spread(question[:LONGEST_QUESTION]),)
            )
            found = [term for (term,) in self._database.execute("SELECT term FROM terms")]
            self._database.execute("DELETE FROM question")
        return found

    def close(self) -> None:
        """Give the memory back."""
        self._database.close()


def invert(texts: Iterable[str], count: int, scratch: Path) -> Postings:
    """The postings of `count` texts. `scratch` is a file that may be written, and is the caller's to remove."""
    import numpy

    database = sqlite3.connect(scratch, isolation_level=None)
    try:
        for statement in (
            "PRAGMA journal_mode=OFF",
            "PRAGMA synchronous=OFF",
            "BEGIN",
            f"CREATE VIRTUAL TABLE words USING fts5(text, content='', columnsize=0, tokenize='{TOKENIZER}')",
            "CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, words, row)",
            "CREATE VIRTUAL TABLE temp.instances USING fts5vocab(main, words, instance)",
        ):
            database.execute(statement)
        database.executemany(
            "INSERT INTO words(rowid, text) VALUES (?, ?)",
            ((place, spread(text)) for place, text in enumerate(texts)),
        )
        vocabulary = database.execute("SELECT term, cnt FROM temp.terms").fetchall()
        tokens = sum(repeats for _, repeats in vocabulary)
        # Both tables come in the order of the index, by term and then by text, so terms need not be fetched again.
        stands = numpy.fromiter(
            (place for (place,) in database.execute("SELECT doc FROM temp.instances")), numpy.uint32, tokens
        )
    finally:
        database.close()
    lengths = numpy.bincount(stands, minlength=count).astype(numpy.float32)
    ends = numpy.cumsum([repeats for _, repeats in vocabulary], dtype=numpy.int64)
    fresh = numpy.ones(tokens, dtype=bool)
    fresh[1:] = stands[1:] != stands[:-1]
    fresh[ends[:-1]] = True
    firsts = numpy.flatnonzero(fresh)
    repeats = numpy.diff(numpy.append(firsts, tokens)).astype(numpy.float32)
    starts = numpy.searchsorted(firsts, numpy.concatenate([[0], ends]).astype(numpy.int64))
    places = stands[firsts]
    held_back = K1 * (1 - B + B * lengths[places] / (lengths.mean() if tokens else 1))
    spread_out = numpy.diff(starts)
    # Lucene's form of the inverse frequency: never negative, so a small handbook with few, alike passages works too.
    rarity = numpy.log1p((count - spread_out + 0.5) / (spread_out + 0.5)).astype(numpy.float32)
    weights = numpy.repeat(rarity, spread_out) * repeats * (K1 + 1) / (repeats + held_back)
    return Postings([term for term, _ in vocabulary], starts, places, weights.astype(numpy.float32))
