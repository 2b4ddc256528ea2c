"""Many rows in one compressed file: Parquet, streamed in and out, named by the hash of the rows.

The name is the sha256 of lines - a header with the kind, then `id leaf` for each row, the leaf being the sha256 of the row
as canonical JSON, the id empty where a row has none - so it does not depend on how Parquet happens to encode them, and
anyone can recompute it from the columns. A pack is there whole or not at all. It never changes but in one way: `redact`
erases the bytes of a row and keeps its id and leaf, so that the old name still fits, and reading goes on without the row.
Packs of the first format (`id row` under the name) are read as before; they cannot give a row up without losing their name,
so `redact` refuses them, naming the step that writes them anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, overload

from pydantic import ValidationError

from whytune.errors import NotFoundError, StoreError, TamperedError
from whytune.records.record import Record, Value, canonical_json, digest, short
from whytune.store.failures import told
from whytune.store.files import aside, is_digest, placed, settle

V = TypeVar("V", bound=Value)
FIRST_FORMAT, FORMAT = "whytune.pack/1", "whytune.pack/2"
GROUP = 4_096
"""Rows held in memory at a time, and in one Parquet row group."""
RESTORE = (
    "restore the .whytune folder from a backup, or make the pack again by running the step that wrote it"
)


class Packs:
    """The packs of one store."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / "packs"
        self._seen: dict[str, tuple[int, int, int]] = {}

    def put(self, rows: Iterable[Value | Mapping[str, Any]], kind: str) -> str:
        """Keep rows in their order; gives the pack's digest. On the disk when this returns."""
        with aside(self._root, "write a pack") as made:
            name = _write(made, kind, ((*_spell(row), None) for row in rows))
            # The same rows put again must not bring back what was erased from the pack that is there.
            if not self._gave_up_rows(name):
                settle(made, self.path(name))
        return name

    def redact(self, name: str, lost: Callable[[str, str], bool]) -> int:
        """Erase the bytes of every row for which `lost(id, row as JSON)` says so; gives how many. The name still fits.

        Raises StoreError for a pack of the first format that holds such a row.
        """
        path = self._checked(name)
        if not any(row is not None and lost(id, row) for id, row, _ in _rows(path)):
            return 0
        kind, format = _header(path)
        if format != FORMAT:
            raise StoreError(
                f"The pack {short(name)} was written by an earlier whytune and cannot give up single rows",
                where=str(path),
                next="make the pack again with this whytune by running the step that wrote it, then remove the old file",
            )
        gone = 0

        def without() -> Iterator[tuple[str, str | None, str | None]]:
            nonlocal gone
            for id, row, leaf in _rows(path):
                if row is not None and lost(id, row):
                    gone += 1
                    yield id, None, digest(row)
                else:
                    yield id, row, leaf

        with aside(self._root, "erase rows of a pack") as made:
            if _write(made, kind, without()) != name:
                raise TamperedError(
                    f"The pack {short(name)} changed while rows were erased", where=str(path), next=RESTORE
                )
            settle(made, path)
        self._seen.pop(name, None)
        return gone

    def lines(self, name: str) -> Iterator[tuple[str, str]]:
        """(id, row as JSON) of each row that was not erased, in their order."""
        return self._lines(self._checked(name))

    def check(self, name: str) -> int:
        """Read the pack and recompute its digest, whatever this process saw before; gives how many rows were erased."""
        self._seen.pop(name, None)
        return self.erased(name)

    def gives_up_rows(self, name: str) -> bool:
        """Whether single rows can be erased from it: not from one of the first format."""
        return _header(self._checked(name))[1] == FORMAT

    def kind(self, name: str) -> str:
        """The word that was given with the rows: rows, documents, answers, ..."""
        return _header(self._checked(name))[0]

    def erased(self, name: str) -> int:
        """How many rows of the pack were erased."""
        self._checked(name)
        return self._seen[name][2]

    @overload
    def read(self, name: str, cls: type[V]) -> Iterator[V]: ...
    @overload
    def read(self, name: str, cls: None = None) -> Iterator[dict[str, Any]]: ...
    def read(self, name: str, cls: type[V] | None = None) -> Iterator[V] | Iterator[dict[str, Any]]:
        """Rows in their order, as `cls` (with their ids, where they are records) or as plain dictionaries. The whole pack is checked before the first row comes."""
        path = self._checked(name)
        return (_parse(id, line, cls, path) if cls else json.loads(line) for id, line in self._lines(path))

    def path(self, name: str) -> Path:
        """Where a pack of that digest stands."""
        if not is_digest(name):
            raise NotFoundError(
                f"{name!r} is not the digest of a pack", next="take the digest from the record that names it"
            )
        return placed(self._folder, name, ".parquet")

    def digests(self) -> Iterator[str]:
        """Digests of all packs there are."""
        return (path.name.removesuffix(".parquet") for path in self._folder.glob("*/*.parquet"))

    def _checked(self, name: str) -> Path:
        path = self.path(name)
        if not path.is_file():
            raise NotFoundError(f"There is no pack {short(name)} in the store", where=str(path), next=RESTORE)
        # Once a process for each state of the file: a pack is read many times in one run.
        state = path.stat()
        if self._seen.get(name, ())[:2] != (state.st_size, state.st_mtime_ns):
            found, erased = self._hash(path)
            if found != name:
                raise TamperedError(
                    f"The pack {short(name)} is not what was written", where=str(path), next=RESTORE
                )
            self._seen[name] = (state.st_size, state.st_mtime_ns, erased)
        return path

    def _hash(self, path: Path) -> tuple[str, int]:
        """(digest, how many rows are erased)."""
        from pyarrow import ArrowException

        erased = 0
        try:
            kind, format = _header(path)
            hashed = _hash_of(kind, format)
            rows = _rows(path)
            while group := list(islice(rows, GROUP)):
                erased += sum(row is None for _, row, _ in group)
                hashed.update(_encoded(group, format))
            return str(hashed.hexdigest()), erased
        except (ArrowException, OSError, UnicodeDecodeError, TypeError, KeyError, ValueError) as error:
            raise TamperedError(f"A pack cannot be read: {error}", where=str(path), next=RESTORE) from error

    def _lines(self, path: Path) -> Iterator[tuple[str, str]]:
        with told("read a pack", path):
            yield from ((id, row) for id, row, _ in _rows(path) if row is not None)

    def _gave_up_rows(self, name: str) -> bool:
        if not self.path(name).is_file():
            return False
        try:
            return self.erased(name) > 0
        except TamperedError:
            return False


def _write(made: Path, kind: str, rows: Iterable[tuple[str, str | None, str | None]]) -> str:
    """Write (id, row, leaf of an erased row) as a pack of today's format; gives its digest."""
    import pyarrow
    from pyarrow import parquet

    text = pyarrow.string()
    schema = pyarrow.schema([("id", text), ("row", text), ("leaf", text)], metadata={"format": FORMAT, "kind": kind})
    hashed, remaining = _hash_of(kind, FORMAT), iter(rows)
    with parquet.ParquetWriter(made, schema, compression="zstd", use_dictionary=False) as writer:
        while group := list(islice(remaining, GROUP)):
            hashed.update(_encoded(group, FORMAT))
            columns = [pyarrow.array(column, text) for column in zip(*group, strict=True)]
            writer.write_batch(pyarrow.record_batch(columns, schema=schema))
    return str(hashed.hexdigest())


def _header(path: Path) -> tuple[str, str]:
    """(kind, format)."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        metadata = file.schema_arrow.metadata or {}
    return metadata.get(b"kind", b"").decode("utf-8", "replace"), metadata.get(b"format", b"").decode("utf-8", "replace")


def _rows(path: Path) -> Iterator[tuple[str, str | None, str | None]]:
    """(id, row, leaf): the row is None where it was erased, the leaf only there."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        names = [name for name in ("id", "row", "leaf") if name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=GROUP, columns=names):
            columns = [batch.column(name).to_pylist() for name in names]
            if len(columns) == 2:
                columns.append([None] * len(columns[0]))
            yield from zip(*columns, strict=True)


def _hash_of(kind: str, format: str) -> Any:
    return hashlib.sha256(f"{format} {canonical_json(kind)}\n".encode())


def _encoded(group: Iterable[tuple[str, str | None, str | None]], format: str) -> bytes:
    if format == FIRST_FORMAT:
        return "".join(f"{id} {row}\n" for id, row, _ in group).encode()
    return "".join(f"{id} {_leaf(row, leaf)}\n" for id, row, leaf in group).encode()


def _leaf(row: str | None, leaf: str | None) -> str:
    if row is None and leaf is not None and is_digest(leaf):
        return leaf
    if row is None or leaf is not None:
        raise ValueError("a row must stand there, or the leaf of an erased one")
    return digest(row)


def _spell(row: Value | Mapping[str, Any]) -> tuple[str, str]:
    """(id, canonical JSON) of a row."""
    plain = row.model_dump(mode="json") if isinstance(row, Value) else dict(row)
    try:
        line = canonical_json(plain)
        line.encode()
    except (ValueError, TypeError) as error:
        # UnicodeEncodeError is a ValueError: half of a surrogate pair cannot be written as UTF-8.
        raise StoreError(
            f"A row cannot be kept: {error}",
            next="leave out what is not text, a finite number, a list or a mapping before the rows are packed",
            problems=[repr(plain)[:200]],
        ) from error
    if not isinstance(row, Record):
        return "", line
    content = (
        canonical_json({name: plain[name] for name in plain if name not in row.UNHASHED})
        if row.UNHASHED
        else line
    )
    id = f"{row.KIND}:{digest(content)}"
    if row.__dict__.get("id", id) != id:
        raise StoreError(
            f"The id of a {row.KIND} does not fit its content",
            where=row.id,
            next="build a new record from the fields instead of copying one after its id was read",
        )
    return id, line


def _parse(id: str, line: str, cls: type[V], path: Path) -> V:
    try:
        value = cls.model_validate_json(line)
    except ValidationError as error:
        raise StoreError(
            f"A row of the pack is not a {cls.__name__} as this whytune knows it",
            where=str(path),
            next="read it with the whytune that wrote it, or read the rows as plain dictionaries",
            problems=[f"{'.'.join(map(str, slip['loc']))}: {slip['msg']}" for slip in error.errors()],
        ) from error
    if id and isinstance(value, Record):
        value.__dict__["id"] = id
    return value
