"""Opinions in the database: evidence, only ever added.

A trigger keeps the table append-only, each opinion is sealed with the one before it in its queue, and the same client
id twice is one opinion. The one change that the trigger lets through is to blank what a reviewer wrote in their own
words, so that a person's data can be erased and the seals still fit.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    event,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import sqlite

from whytune.errors import TamperedError, UsageError
from whytune.records.record import canonical_json, digest
from whytune.records.review import Opinion
from whytune.store.tables import metadata

opinions = Table(
    "opinions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("client", String, nullable=False, unique=True),
    Column("queue", String, nullable=False),
    Column("item", String, nullable=False),
    Column("person", String, nullable=False),
    Column("turn", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("counts", Integer, nullable=False),
    Column("fixed", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("leaf", String, nullable=False),
    Column("seal", String, nullable=False),
    Index("opinions_by_queue", "queue", "number"),
    Index("opinions_by_item", "queue", "item"),
    Index("opinions_by_person", "queue", "person", "number"),
)
_COLUMNS = [column.name for column in opinions.columns if column.name != "said"]
_SAME = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _COLUMNS)
for statement in (
    f"CREATE TRIGGER opinions_never_update BEFORE UPDATE ON opinions WHEN NOT (NEW.said = '' AND {_SAME}) "
    "BEGIN SELECT RAISE(ABORT, 'opinions is append-only'); END",
    "CREATE TRIGGER opinions_never_delete BEFORE DELETE ON opinions BEGIN SELECT RAISE(ABORT, 'opinions is append-only'); END",
):
    event.listen(opinions, "after_create", DDL(statement).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]

# Put together once: they are run for every opinion.
_QUEUE = opinions.c.queue == bindparam("q")
_BY_CLIENT = select(opinions).where(opinions.c.client == bindparam("k"))
_LAST_SEAL = select(opinions.c.seal).where(_QUEUE).order_by(opinions.c.number.desc()).limit(1)
_BY_PERSON = select(opinions).where(_QUEUE, opinions.c.person == bindparam("x")).order_by(opinions.c.number)
_BY_ITEM = select(opinions).where(_QUEUE, opinions.c.item == bindparam("x")).order_by(opinions.c.number)
_INSERT = sqlite.insert(opinions).on_conflict_do_nothing(index_elements=["client"])



def known(connection: Connection, opinion: Opinion) -> Opinion | None:
    """What is kept under the opinion's client id. Raises UsageError where that is about something else."""
    kept = by_client(connection, opinion.client)
    if kept and (kept.queue, kept.item, kept.person) != (opinion.queue, opinion.item, opinion.person):
        raise UsageError("This client id belongs to another opinion", where=opinion.client, next="send a new client id for each opinion")
    return kept


def by_client(connection: Connection, client: str) -> Opinion | None:
    """The opinion that was sent under that id."""
    row = connection.execute(_BY_CLIENT, {"k": client}).first()
    return _read(row) if row else None


def add(connection: Connection, opinion: Opinion, counts: bool, now: float) -> Opinion:
    """Add an opinion inside the caller's transaction."""
    when = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    kept = opinion.model_copy(update={"when": when})
    # The salt keeps a short remark from being guessed from its hash once it is erased.
    said = canonical_json({"salt": secrets.token_hex(8), "edits": kept.edits, "note": kept.note})
    fixed = canonical_json(kept.model_dump(mode="json", exclude={"edits", "note"}))
    before = connection.scalar(_LAST_SEAL, {"q": kept.queue})
    leaf = digest(said)
    row = {
        "client": kept.client, "queue": kept.queue, "item": kept.item, "person": kept.person, "turn": kept.turn, "verdict": kept.verdict,
        "counts": int(counts), "fixed": fixed, "said": said, "leaf": leaf, "seal": _seal(before or "", kept.client, fixed, leaf),
    }  # fmt: skip
    if connection.execute(_INSERT, row).rowcount == 0:
        same = known(connection, opinion)
        assert same  # the client id is what stood in the way
        return same
    return kept


def whole(connection: Connection, queue: str) -> list[Opinion]:
    """Everything that was said in a queue, superseded opinions included, in order. Raises TamperedError."""
    rows = connection.execute(select(opinions).where(opinions.c.queue == queue).order_by(opinions.c.number)).all()
    seal = ""
    for row in rows:
        seal = _seal(seal, row.client, row.fixed, row.leaf)
        if row.seal != seal or (row.said and digest(row.said) != row.leaf) or not _fits(row):
            raise TamperedError(f"Opinion {row.number} of the queue is not what was given", where=queue, next="restore the .whytune folder from a backup")
    return [_read(row) for row in rows]


def blank(connection: Connection, asked: Iterable[tuple[str, str]]) -> int:
    """Erase what reviewers wrote in their own words about these (queue, item); gives how many."""
    pairs = list(asked)
    if not pairs:
        return 0
    here = tuple_(opinions.c.queue, opinions.c.item).in_(pairs)
    return connection.execute(update(opinions).where(here, opinions.c.said != "").values(said="")).rowcount


def valid(connection: Connection, queue: str, *, person: str = "", item: str = "") -> list[tuple[bool, Opinion]]:
    """Opinions of a person or about an item that nothing has taken the place of, in order, with whether each counts."""
    rows = connection.execute(_BY_ITEM if item else _BY_PERSON, {"q": queue, "x": item or person}).all()
    pairs = [(bool(row.counts), _read(row)) for row in rows]
    replaced = {given.replaces for _, given in pairs if given.replaces}
    return [(counts, given) for counts, given in pairs if given.verdict and given.client not in replaced]


def _read(row: Any) -> Opinion:
    """What a row says; without the words where they were erased."""
    said = json.loads(row.said) if row.said else {}
    return Opinion.model_validate({**json.loads(row.fixed), "edits": said.get("edits", ()), "note": said.get("note", "")})


def _fits(row: Any) -> bool:
    fixed = json.loads(row.fixed)
    return all(fixed[name] == getattr(row, name) for name in ("client", "queue", "item", "person", "turn", "verdict"))


def _seal(before: str, client: str, fixed: str, leaf: str) -> str:
    return digest(f"{before}\n{client}\n{fixed}\n{leaf}")
