"""Passages to be searched by words (FTS5 cuts and inverts them, BM25) and by embedding (exact).

An index is a folder of its own, named by its id, made aside and put in place by one rename: it is there whole or not
at all, and never changes but in one way: `redact` takes passages out for good, and every process that has the index open
sees that at its next search. Passages are laid out by who may read them, so that a search looks only at the stretches
its asker may see: what may not be read is not scored, by words or by embedding. A passage with access labels is seen
by whoever holds at least one of them; one without labels by everybody.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from whytune.errors import NotFoundError, StoreError
from whytune.records.data import Passage
from whytune.records.record import digest, short
from whytune.store.failures import told
from whytune.store.files import aside, flush, remove, settle_folder
from whytune.store.layout import BATCH, FILE, Vectors, content_digest, normalised, write
from whytune.store.words import Tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "whytune.index/1"
NEW = ".new"
"""Ends the folder of an index from which passages were taken, until the old one is gone."""


class Found(NamedTuple):
    """A passage and how well it fits: bm25 (higher is better) or the cosine of the embeddings."""

    passage: Passage
    score: float


class Indexes:
    """All passage indexes of a store, by id."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tokenizer: Tokenizer | None = None
        self._open: dict[str, Index] = {}
        self._retired: list[Index] = []
        self._lock = threading.Lock()

    def has(self, index_id: str) -> bool:
        """Whether that index is there."""
        self._placed(self._folder(index_id))
        return (self._folder(index_id) / FILE).is_file()

    def build(self, index_id: str, passages: Sequence[Passage], vectors: Vectors | None = None) -> None:
        """Make an index, with one vector a passage or none. Nothing happens where the same index is there already.

        Raises StoreError where an index of that id holds something else.
        """
        units = normalised(vectors, len(passages)) if vectors is not None else None
        content = content_digest(passages, units)
        if self.has(index_id):
            if self.open(index_id).content != content:
                raise StoreError(
                    f"The index {short(index_id)} holds other passages or vectors",
                    next="an index never changes: give the new passages a new id",
                )
            return
        with aside(self._root, "build a passage index") as made:
            write(made, passages, units, {"format": FORMAT, "id": index_id, "content": content})
            settle_folder(made, self._folder(index_id))

    def ids(self) -> list[str]:
        """The ids of all indexes there are."""
        found = []
        for made in (self._root / "indexes").glob(f"*{NEW}"):
            self._placed(made.with_suffix(""))
        for file in sorted(path for path in (self._root / "indexes").glob(f"*/{FILE}") if path.parent.suffix != NEW):
            with told("look at a passage index", file):
                database = sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)
                try:
                    found += [id for (id,) in database.execute("SELECT value FROM meta WHERE name = 'id'")]
                finally:
                    database.close()
        return found

    def redact(self, index_id: str, lost: Callable[[Passage], bool]) -> tuple[str, ...]:
        """Take every passage out for which `lost` says so, with its words and its vector; gives their ids.

        `content` stays the digest of what the index was built from: what names it by that still finds it.
        """
        index = self.open(index_id)
        gone: list[str] = []
        kept: list[tuple[Passage, int]] = []
        for passage, place in index.placed():
            if lost(passage):
                gone.append(passage.id)
            else:
                kept.append((passage, place))
        if not gone:
            return ()
        vectors = index.vectors([place for _, place in kept])
        meta = {"format": FORMAT, "id": index_id, "content": index.content, "erased": str(index.erased + len(gone))}
        target = self._folder(index_id)
        with aside(self._root, "erase passages") as made, aside(self._root, "erase passages") as old:
            write(made, [passage for passage, _ in kept], vectors, meta)
            # The new one is whole and on the disk beside the old one before that goes: a kill in between loses neither.
            # Who opens it in between puts it in its place, as this does.
            with told("erase passages", target):
                beside = target.with_suffix(NEW)
                remove(beside)
                if not settle_folder(made, beside):
                    raise StoreError("Another process is changing the same index", where=str(target), next="run the same command again")
                target.rename(old)
                self._placed(target)
                flush(target.parent)
                remove(old)
        return tuple(gone)

    def open(self, index_id: str) -> Index:
        """One index, to be asked again and again. Raises NotFoundError."""
        with self._lock:
            held = self._open.get(index_id)
            if held and held.stamp != _stamp(held.folder):
                # Passages were taken out since. Who searches the old one right now may finish.
                self._retired.append(self._open.pop(index_id))
                until = time.monotonic() + 2
                while not self.has(index_id) and time.monotonic() < until:
                    time.sleep(0.005)
            if index_id not in self._open:
                if not self.has(index_id):
                    raise NotFoundError(
                        f"There is no passage index {short(index_id)!r} in the store",
                        next="build it with `whytune run`",
                    )
                self._tokenizer = self._tokenizer or Tokenizer()
                self._open[index_id] = Index(self._folder(index_id), index_id, self._tokenizer)
            return self._open[index_id]

    def search(self, index_id: str, question: str, k: int, access: Collection[str] = ()) -> list[Found]:
        """The k best by words, best first."""
        return self.open(index_id).search(question, k, access)

    def vector_search(
        self, index_id: str, vector: Vectors, k: int, access: Collection[str] = ()
    ) -> list[Found]:
        """The k nearest by embedding, nearest first."""
        return self.open(index_id).vector_search(vector, k, access)

    def passages(self, index_id: str) -> Iterator[Passage]:
        """All passages, in the order they were given."""
        return self.open(index_id).passages()

    def named(self, index_id: str, ids: Collection[str]) -> dict[str, Passage]:
        """The passages of these ids; those that are not there are left out."""
        return self.open(index_id).named(ids)

    def close(self) -> None:
        """Give all files back."""
        with self._lock:
            for index in (*self._open.values(), *self._retired):
                index.close()
            self._open.clear()
            self._retired.clear()
            if self._tokenizer:
                self._tokenizer.close()
            self._tokenizer = None

    def _placed(self, target: Path) -> None:
        """Give an index from which passages were taken its place, where the old one is gone."""
        if not target.exists():
            with suppress(OSError):  # there is none, or another process was quicker
                target.with_suffix(NEW).rename(target)

    def _folder(self, index_id: str) -> Path:
        return self._root / "indexes" / digest(index_id)[:32]


@dataclass
class Index:
    """One index, opened for reading."""

    folder: Path
    id: str
    tokenizer: Tokenizer
    content: str = ""
    """Digest of the passages and vectors it was built from."""
    erased: int = 0
    """Passages that were taken out since."""
    stamp: tuple[int, int] = (0, 0)
    """Which state of the folder was opened."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _spots: dict[str, int] = field(default_factory=dict)
    """Id of a passage to its place; made when first asked for by id."""

    def __post_init__(self) -> None:
        file = self.folder / FILE
        self.stamp = _stamp(self.folder)
        with told("open a passage index", file):
            # Immutable: nobody ever writes to it again, so SQLite needs no locks and no second look.
            self._database = sqlite3.connect(
                f"{file.as_uri()}?immutable=1", uri=True, check_same_thread=False
            )
            try:
                meta = dict(self._database.execute("SELECT name, value FROM meta"))
                scopes = self._database.execute(
                    "SELECT first, last, labels FROM scopes ORDER BY first"
                ).fetchall()
            except sqlite3.Error:
                self._database.close()
                raise
        if meta.get("format") != FORMAT or meta.get("id") != self.id:
            self._database.close()
            raise StoreError(
                f"The folder is not the index {short(self.id)}",
                where=str(self.folder),
                next="remove it and run again",
            )
        self.content, self.erased = meta["content"], int(meta.get("erased", "0"))
        self._scopes = [(first, last, frozenset(json.loads(labels))) for first, last, labels in scopes]
        with told("open a passage index", self.folder):
            self._places = self._array("places.npy")
            self._weights = self._array("weights.npy")
            self._vectors = self._array("vectors.npy") if (self.folder / "vectors.npy").is_file() else None

    def search(self, question: str, k: int, access: Collection[str] = ()) -> list[Found]:
        """The k best by words, best first; only passages that hold a word of the question."""
        import numpy

        terms = self.tokenizer.terms(question)
        spots = ",".join("?" * len(terms))
        with self._lock, told("search passages", self.folder):
            known = self._database.execute(
                f"SELECT first, last FROM terms WHERE term IN ({spots})", terms
            ).fetchall()
        postings = [(self._places[first:last], self._weights[first:last]) for first, last in known]
        hits: list[tuple[float, int]] = []
        for first, last in self._readable(access):
            scores = numpy.zeros(last - first, dtype=numpy.float32)
            for places, weights in postings:
                start, end = numpy.searchsorted(places, numpy.array([first, last], dtype=places.dtype))
                scores[places[start:end] - places.dtype.type(first)] += weights[start:end]
            hits += _best(scores, first, k, above=0.0)
        return self._found(sorted(hits)[:k])

    def vector_search(self, vector: Vectors, k: int, access: Collection[str] = ()) -> list[Found]:
        """The k nearest by embedding, nearest first; exact."""
        import numpy

        if self._vectors is None:
            raise StoreError(
                f"The index {short(self.id)} has no embeddings",
                next="search it by words, or build it with vectors",
            )
        asked = numpy.asarray(vector, dtype=numpy.float32).reshape(-1)
        if asked.shape[0] != self._vectors.shape[1] or not numpy.isfinite(asked).all():
            raise StoreError(
                f"A question of {asked.shape[0]} numbers does not fit an index of {self._vectors.shape[1]}",
                next="embed the question with the embedder that the index was built with",
            )
        asked = asked / (float(numpy.linalg.norm(asked)) or 1.0)
        hits: list[tuple[float, int]] = []
        for first, last in self._readable(access):
            hits += _best(self._vectors[first:last] @ asked, first, k, above=-2.0)
        return self._found(sorted(hits)[:k])

    def passages(self) -> Iterator[Passage]:
        """All passages, in the order they were given."""
        return (passage for passage, _ in self.placed())

    def placed(self) -> Iterator[tuple[Passage, int]]:
        """All passages in the order they were given, each with the place where its words and its vector stand."""
        after = -1
        while True:
            with self._lock, told("read passages", self.folder):
                rows = self._database.execute(
                    "SELECT position, content, place FROM passages WHERE position > ? ORDER BY position LIMIT ?",
                    (after, BATCH),
                ).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            yield from ((Passage.model_validate_json(content), place) for _, content, place in rows)

    def named(self, ids: Collection[str]) -> dict[str, Passage]:
        """The passages of these ids; those that are not there are left out."""
        with self._lock, told("read passages", self.folder):
            if not self._spots and ids:
                rows = self._database.execute("SELECT place, content FROM passages")
                self._spots = {f"{Passage.KIND}:{digest(content)}": place for place, content in rows}
            found = {}
            for id in ids:
                if id in self._spots:
                    (content,) = self._database.execute("SELECT content FROM passages WHERE place = ?", (self._spots[id],)).fetchone()
                    found[id] = Passage.model_validate_json(content)
            return found

    def vectors(self, places: Sequence[int]) -> Vectors | None:
        """The vectors at these places, in that order; None where the index has none."""
        import numpy

        return None if self._vectors is None else numpy.asarray(self._vectors[list(places)])

    def close(self) -> None:
        """Give the files back."""
        self._database.close()

    def _array(self, name: str) -> NDArray[Any]:
        import numpy

        # Mapped, not read: the system keeps in memory what is asked for, and shares it among processes.
        mapped: NDArray[Any] = numpy.load(self.folder / name, mmap_mode="r").view(numpy.ndarray)
        return mapped

    def _readable(self, access: Collection[str]) -> list[tuple[int, int]]:
        """Stretches (first, end) of places the asker may see, neighbours joined."""
        held = frozenset(access)
        stretches: list[tuple[int, int]] = []
        for first, last, labels in self._scopes:
            if labels and not labels & held:
                continue
            if stretches and stretches[-1][1] == first:
                stretches[-1] = (stretches[-1][0], last)
            else:
                stretches.append((first, last))
        return stretches

    def _found(self, hits: list[tuple[float, int]]) -> list[Found]:
        with self._lock, told("read passages", self.folder):
            found = []
            for below, place in hits:
                row = self._database.execute(
                    "SELECT content FROM passages WHERE place = ?", (place,)
                ).fetchone()
                found.append(Found(Passage.model_validate_json(row[0]), -below))
            return found


def _best(scores: Vectors, first: int, k: int, *, above: float) -> list[tuple[float, int]]:
    """(minus the score, place) of the k highest that are above something; ties go to the earlier place."""
    import numpy

    if 0 < k < len(scores):
        # Everything as high as the k-th, so that ties are decided by place and not by the partition's whim.
        least = max(float(numpy.partition(scores, len(scores) - k)[len(scores) - k]), above)
        high = numpy.flatnonzero(scores >= least)
    else:
        high = numpy.arange(len(scores))
    high = high[scores[high] > above]
    best = high[numpy.argsort(-scores[high], kind="stable")][:k]
    return [(-float(scores[place]), first + int(place)) for place in best]


def _stamp(folder: Path) -> tuple[int, int]:
    try:
        state = (folder / FILE).stat()
    except OSError:
        return 0, 0
    return state.st_ino, state.st_mtime_ns
