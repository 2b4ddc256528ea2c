"""How a passage index lies on the disk: passages by who may read them, words and weights as arrays, vectors beside them.

It writes a folder and reads nothing; `passages` opens and searches what is laid out here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from whytune.errors import StoreError
from whytune.records.data import Passage
from whytune.records.record import canonical_json
from whytune.store.words import invert

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[numpy.float32]"
FILE = "index.db"
BATCH = 5_000

_TABLES = (
    "CREATE TABLE passages(place INTEGER PRIMARY KEY, position INTEGER NOT NULL, content TEXT NOT NULL)",
    "CREATE TABLE scopes(first INTEGER PRIMARY KEY, last INTEGER NOT NULL, labels TEXT NOT NULL)",
    "CREATE TABLE terms(term TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)


def write(made: Path, passages: Sequence[Passage], vectors: Vectors | None, meta: dict[str, str]) -> None:
    """Lay an index out in the new folder `made`. vectors: one a passage, of length one."""
    made.mkdir()
    order = sorted(range(len(passages)), key=lambda place: sorted(set(passages[place].access)))
    _write_words(made, passages, order, meta)
    if vectors is not None:
        _write_vectors(made / "vectors.npy", vectors, order)


def _write_words(made: Path, passages: Sequence[Passage], order: list[int], meta: dict[str, str]) -> None:
    import numpy

    scratch = made / "scratch.db"
    texts = (f"{passages[given].title}\n{passages[given].text}" for given in order)
    postings = invert(texts, len(order), scratch)
    scratch.unlink()
    numpy.save(made / "places.npy", postings.places)
    numpy.save(made / "weights.npy", postings.weights)
    starts = postings.starts.tolist()
    database = sqlite3.connect(made / FILE, isolation_level=None)
    try:
        # No journal: the whole folder is thrown away when anything fails, and flushed before it gets its place.
        for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "BEGIN", *_TABLES):
            database.execute(statement)
        database.executemany(
            "INSERT INTO passages VALUES (?, ?, ?)",
            ((place, given, _spell(passages[given])) for place, given in enumerate(order)),
        )
        database.execute("CREATE UNIQUE INDEX passages_by_position ON passages(position)")
        database.executemany("INSERT INTO scopes VALUES (?, ?, ?)", _scopes(passages, order))
        terms = zip(postings.terms, starts, starts[1:], strict=False)
        database.executemany("INSERT INTO terms VALUES (?, ?, ?)", terms)
        database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        database.execute("COMMIT")
    finally:
        database.close()


def _write_vectors(file: Path, vectors: Vectors, order: list[int]) -> None:
    import numpy

    laid_out = numpy.lib.format.open_memmap(file, mode="w+", dtype=numpy.float32, shape=vectors.shape)
    for start in range(0, len(order), BATCH):
        laid_out[start : start + BATCH] = vectors[order[start : start + BATCH]]
    laid_out.flush()


def normalised(vectors: Vectors, rows: int) -> Vectors:
    """Vectors of length one. Raises StoreError where there is not one of finite numbers for each of the rows."""
    import numpy

    given = numpy.asarray(vectors, dtype=numpy.float32)
    if given.ndim != 2 or given.shape[0] != rows or not numpy.isfinite(given).all():
        raise StoreError(
            f"{rows} passages need {rows} vectors of finite numbers, not an array of shape {given.shape}",
            next="embed every passage once, in the same order",
        )
    lengths = numpy.linalg.norm(given, axis=1, keepdims=True)
    return (given / numpy.where(lengths > 0, lengths, 1)).astype(numpy.float32)


def _scopes(passages: Sequence[Passage], order: list[int]) -> Iterable[tuple[int, int, str]]:
    scopes: list[list[Any]] = []
    for place, given in enumerate(order):
        labels = canonical_json(sorted(set(passages[given].access)))
        if scopes and scopes[-1][2] == labels:
            scopes[-1][1] = place + 1
        else:
            scopes.append([place, place + 1, labels])
    return ((first, last, labels) for first, last, labels in scopes)


def content_digest(passages: Sequence[Passage], vectors: Vectors | None) -> str:
    """sha256 over passages and vectors, in the order given."""
    import hashlib

    hashed = hashlib.sha256()
    for passage in passages:
        hashed.update(f"{_spell(passage)}\n".encode())
    if vectors is not None:
        hashed.update(vectors.tobytes())
    return hashed.hexdigest()


def _spell(passage: Passage) -> str:
    return canonical_json(passage.model_dump(mode="json"))
