"""Records in the database: put once, read back verified, listed in the order they were first put.

A record is stored by its content; putting it again adds nothing. Fields outside its identity (`UNHASHED`: where a
document came from, where a model lies on this machine) follow the latest put. `latest` is the record put last, so
that a rule changed from A to B and back to A is A.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection, bindparam, func, insert, select
from sqlalchemy.dialects import sqlite

from whytune.errors import NotFoundError, StoreError, TamperedError
from whytune.records.erasure import Erasure
from whytune.records.record import Record, canonical_json, digest, short
from whytune.store import ordering
from whytune.store.commits import as_sql
from whytune.store.ordering import Placed, Put
from whytune.store.tables import placings, records

R = TypeVar("R", bound=Record)
RESTORE = (
    "restore the .whytune folder from a backup; `whytune audit verify` lists everything that does not fit"
)
_COLUMNS = (records.c.id, records.c.kind, records.c.content, placings.c.beside, placings.c.seal)
ERASED = ""
"""What stands in place of a record's content once it was erased; an `Erasure` record names it."""
_ID = re.compile(r"\b[a-z_]+:[0-9a-f]{64}\b")
_JOINED = placings.join(records, placings.c.record == records.c.id)
_ADD = as_sql(sqlite.insert(records).on_conflict_do_nothing())
_PLACE = as_sql(insert(placings).values({name: bindparam(name) for name in ("project", "kind", "record", "beside", "seal")}))
_PLACED_LAST = select(func.max(placings.c.position)).where(
    placings.c.project == bindparam("project"), placings.c.kind == bindparam("kind")
)
_LAST = as_sql(
    select(placings.c.record, placings.c.beside).where(placings.c.position == _PLACED_LAST.scalar_subquery())
)


@dataclass(frozen=True)
class Spelled:
    """A record as it will be stored; `id` is the hash of `content`."""

    id: str
    kind: str
    content: str
    beside: str


def put(held: sqlite3.Connection, new: Sequence[Spelled], project: str) -> None:
    """Add records inside the caller's transaction."""
    held.executemany(_ADD, [{"id": each.id, "kind": each.kind, "content": each.content} for each in new])
    for each in new:
        last = held.execute(_LAST, {"project": project, "kind": each.kind}).fetchone()
        if last != (each.id, each.beside):
            row = {"project": project, "kind": each.kind, "record": each.id, "beside": each.beside}
            held.execute(_PLACE, {**row, "seal": seal(each.id, each.beside)})


def get(connection: Connection, kind_cls: type[R], id: str) -> R:
    """The record of that id. Raises NotFoundError, or TamperedError where it is no longer what was put."""
    row = connection.execute(
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(records.c.id == id)
        .order_by(placings.c.position.desc())
        .limit(1)
    ).first()
    if row is None or row.kind != kind_cls.KIND:
        raise NotFoundError(
            f"There is no {kind_cls.KIND} {short(id)!r} in the store",
            next="`whytune status` lists what there is",
        )
    if row.content == ERASED:
        raise NotFoundError(
            f"The {row.kind} {short(id)} quoted somebody who was erased, and is gone with them",
            where=id,
            next="make it again with the step that wrote it; `whytune erase --list` says what was erased and when",
        )
    return _read(kind_cls, row)


def listed(connection: Connection, kind_cls: type[R], project: str | None, *, by_last_put: bool = False) -> list[R]:
    """All of a kind, of one project or of all, in the order they were first put, or last put."""
    query = select(*_COLUMNS).select_from(_JOINED).where(placings.c.kind == kind_cls.KIND, records.c.content != ERASED)
    if project is not None:
        query = query.where(placings.c.project == project)
    rows: dict[str, Any] = {}
    for row in connection.execute(query.order_by(placings.c.position)):
        if by_last_put:
            rows.pop(row.id, None)
        rows[row.id] = row
    return [_read(kind_cls, row) for row in rows.values()]


@dataclass(frozen=True)
class Gathered:
    """Records of one kind in the order they were first put, and the one that was put last."""

    records: tuple[Record, ...] = ()
    newest: Record | None = None


def gathered(connection: Connection, kinds: Sequence[type[Record]], project: str) -> dict[type[Record], Gathered]:
    """Every kind with what a project holds of it."""
    named = {kind.KIND: kind for kind in kinds}
    query = select(*_COLUMNS).select_from(_JOINED).where(placings.c.project == project, placings.c.kind.in_(sorted(named)), records.c.content != ERASED)
    rows: dict[str, dict[str, Any]] = {kind: {} for kind in named}
    last: dict[str, str] = {}
    for row in connection.execute(query.order_by(placings.c.position)):
        rows[row.kind][row.id] = row
        last[row.kind] = row.id
    found = {}
    for kind, held in rows.items():
        read = {id: _read(named[kind], row) for id, row in held.items()}
        found[named[kind]] = Gathered(tuple(read.values()), read[last[kind]] if kind in last else None)
    return found


def latest(connection: Connection, kind_cls: type[R], project: str) -> R | None:
    """The record of a kind that was put last into a project; None where there is none."""
    row = connection.execute(
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(placings.c.project == project, placings.c.kind == kind_cls.KIND, records.c.content != ERASED)
        .order_by(placings.c.position.desc())
        .limit(1)
    ).first()
    return None if row is None else _read(kind_cls, row)


def present(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids that are records here."""
    found: set[str] = set()
    for start in range(0, len(ids), 500):
        found.update(
            connection.scalars(select(records.c.id).where(records.c.id.in_(ids[start : start + 500])))
        )
    return found


def named_in(connection: Connection, ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """For each of the ids that is a record here: the ids its content names."""
    found: dict[str, frozenset[str]] = {}
    for start in range(0, len(ids), 500):
        rows = connection.execute(select(records.c.id, records.c.content).where(records.c.id.in_(ids[start : start + 500])))
        found |= {row.id: frozenset(_ID.findall(row.content)) for row in rows}
    return found


def problems(connection: Connection, wrote: Collection[str], put: Sequence[Put]) -> list[str]:
    """One line for every stored record that is not what was put, nor named by an erasure that an event wrote, or stands elsewhere than the events put it."""
    erasures = connection.execute(select(records.c.id, records.c.content).where(records.c.kind == Erasure.KIND))
    erased = {gone for id, content in erasures if id in wrote for gone in _erased_by(id, content)}
    found = [
        f"record {id}: its content does not have that hash"
        if content != ERASED
        else f"record {id}: its content is gone, and no erasure in the ledger says so"
        for id, kind, content in connection.execute(select(records.c.id, records.c.kind, records.c.content))
        if id != f"{kind}:{digest(content)}" and not (content == ERASED and id in erased)
    ]
    placed = []
    columns = (placings.c.position, placings.c.project, placings.c.kind, placings.c.record, placings.c.beside, placings.c.seal)
    for position, project, kind, record, beside, sealed in connection.execute(select(*columns).order_by(placings.c.position)):
        placed.append(Placed(position, project, kind, record))
        if sealed != seal(record, beside):
            found.append(f"record {record}: what stands beside it (placing {position}) was changed")
    found += ordering.problems(placed, put)
    known = set(connection.scalars(select(records.c.id)))
    somewhere = {each.record for each in placed}
    found += [f"record {id}: it is placed in a project but not there" for id in sorted(somewhere - known)]
    return found + [f"record {id}: it belongs to no project" for id in sorted(known - somewhere)]


def _erased_by(id: str, content: str) -> list[str]:
    if id != f"{Erasure.KIND}:{digest(content)}":
        return []  # told among the problems; it vouches for nothing
    gone: list[str] = json.loads(content)["records"]
    return gone


def spell(record: Record) -> Spelled:
    """As it will be stored. Raises StoreError where it cannot be, or where its id is not that of its content."""
    whole = record.model_dump(mode="json")
    try:
        beside = canonical_json({name: whole.pop(name) for name in sorted(type(record).UNHASHED)})
        content = canonical_json(whole)
    except ValueError as error:
        raise StoreError(
            f"A {record.KIND} holds a number that is not finite and cannot be kept",
            next="report this: figures must be finite before they are recorded",
        ) from error
    id = f"{record.KIND}:{digest(content)}"
    # The id is that of just this content: a record that was not asked for it yet need not compute it again.
    if record.__dict__.setdefault("id", id) != id:
        # A changed copy made by `model_copy` still carries the id of what it was copied from.
        raise StoreError(
            f"The id of a {record.KIND} does not fit its content",
            where=record.id,
            next="build a new record from the fields instead of copying one after its id was read",
        )
    return Spelled(id, record.KIND, content, beside)


def seal(id: str, beside: str) -> str:
    """What binds the fields beside a record to it."""
    return digest(f"{id}\n{beside}")


def _read(kind_cls: type[R], row: Any) -> R:
    if row.id != f"{row.kind}:{digest(row.content)}" or row.seal != seal(row.id, row.beside):
        raise TamperedError(
            f"The stored {row.kind} {short(row.id)} is not what was written", where=row.id, next=RESTORE
        )
    try:
        # Two objects made one, each of which has at least its braces; no field stands in both.
        whole = row.content if row.beside == "{}" else f"{row.content[:-1]}{',' if row.content != '{}' else ''}{row.beside[1:]}"
        record = kind_cls.model_validate_json(whole)
    except ValidationError as error:
        raise StoreError(
            f"The stored {row.kind} {short(row.id)} does not have the fields this whytune knows",
            where=row.id,
            next="read it with the whytune that wrote it, or upgrade this one",
            problems=[f"{'.'.join(map(str, slip['loc']))}: {slip['msg']}" for slip in error.errors()],
        ) from error
    # The identity is that of the stored content: a field that gained a default since must not change it.
    record.__dict__["id"] = row.id
    return record
