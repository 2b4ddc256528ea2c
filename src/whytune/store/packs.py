"""Many rows in one compressed file: Parquet, streamed in and out, named by the hash of the rows.

The name is the sha256 of lines - a header with the kind, then `id row` for each row, the row as canonical JSON, the id
empty where a row has none - so it does not depend on how Parquet happens to encode them, and anyone can recompute it
from the two columns. A pack is there whole or not at all, and never changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, overload

from pydantic import ValidationError

from whytune.errors import NotFoundError, StoreError, TamperedError
from whytune.records.record import Record, Value, canonical_json, digest, short
from whytune.store.failures import told
from whytune.store.files import aside, is_digest, placed, settle

V = TypeVar("V", bound=Value)
FORMAT = "whytune.pack/1"
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
        self._seen: dict[str, tuple[int, int]] = {}

    def put(self, rows: Iterable[Value | Mapping[str, Any]], kind: str) -> str:
        """Keep rows in their order; gives the pack's digest. On the disk when this returns."""
        import pyarrow
        from pyarrow import parquet

        hashed = _hash_of(kind)
        schema = pyarrow.schema(
            [("id", pyarrow.string()), ("row", pyarrow.string())], metadata={"format": FORMAT, "kind": kind}
        )
        remaining = iter(rows)
        with aside(self._root, "write a pack") as made:
            with parquet.ParquetWriter(made, schema, compression="zstd", use_dictionary=False) as writer:
                while group := [_spell(row) for row in islice(remaining, GROUP)]:
                    ids, lines = zip(*group, strict=True)
                    hashed.update(_encoded(ids, lines))
                    columns = [pyarrow.array(ids, pyarrow.string()), pyarrow.array(lines, pyarrow.string())]
                    writer.write_batch(pyarrow.record_batch(columns, schema=schema))
            name: str = hashed.hexdigest()
            settle(made, self.path(name))
        return name

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
        if self._seen.get(name) != (state.st_size, state.st_mtime_ns):
            if self._hash(path) != name:
                raise TamperedError(
                    f"The pack {short(name)} is not what was written", where=str(path), next=RESTORE
                )
            self._seen[name] = (state.st_size, state.st_mtime_ns)
        return path

    def _hash(self, path: Path) -> str:
        from pyarrow import ArrowException, parquet

        try:
            with parquet.ParquetFile(path) as file:
                metadata = file.schema_arrow.metadata or {}
                hashed = _hash_of(metadata.get(b"kind", b"").decode("utf-8", "replace"))
                for batch in file.iter_batches(batch_size=GROUP, columns=["id", "row"]):
                    hashed.update(_encoded(batch.column(0).to_pylist(), batch.column(1).to_pylist()))
                return str(hashed.hexdigest())
        except (ArrowException, OSError, UnicodeDecodeError, TypeError, KeyError) as error:
            raise TamperedError(f"A pack cannot be read: {error}", where=str(path), next=RESTORE) from error

    def _lines(self, path: Path) -> Iterator[tuple[str, str]]:
        from pyarrow import parquet

        with told("read a pack", path), parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=GROUP, columns=["id", "row"]):
                yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def _hash_of(kind: str) -> Any:
    return hashlib.sha256(f"{FORMAT} {canonical_json(kind)}\n".encode())


def _encoded(ids: Iterable[str], lines: Iterable[str]) -> bytes:
    return "".join(f"{id} {line}\n" for id, line in zip(ids, lines, strict=True)).encode()


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
