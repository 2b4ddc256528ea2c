"""The tables, in SQL that SQLite and PostgreSQL both understand; the triggers that keep them append-only.

A record's content stands in `records` once. `placings` says when and in which project it was put, with the fields
that tell where it came from (`beside`: they are not part of its identity). `answers` is a cache; nothing is concluded
from it, and no trigger guards it.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

SCHEMA = 1
"""Raised whenever a table changes; a store stamped with a higher number is refused."""

metadata = MetaData()

meta = Table(
    "whytune", metadata, Column("name", String, primary_key=True), Column("value", Text, nullable=False)
)

records = Table(
    "records",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("content", Text, nullable=False),
)

placings = Table(
    "placings",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("project", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("record", String, ForeignKey("records.id"), nullable=False),
    Column("beside", Text, nullable=False),
    Column("seal", String, nullable=False),
    Index("placings_by_project", "project", "kind", "position"),
    Index("placings_by_kind", "kind", "position"),
    Index("placings_by_record", "record", "position"),
)

events = Table(
    "events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False, unique=True),
    Column("project", String, nullable=False),
    Column("content", Text, nullable=False),
    Index("events_by_project", "project", "number"),
)

answers = Table(
    "answers",
    metadata,
    Column("candidate", String, primary_key=True),
    Column("item", String, primary_key=True),
    Column("content", Text, nullable=False),
    sqlite_with_rowid=False,
)

KEPT = ("whytune", "records", "placings", "events", "answers")
"""Tables without which a file is no whole store. Operational tables (queues, accounts, traffic) stand in the modules that use them."""
GUARDED = ("records", "placings", "events", "whytune")


def triggers() -> dict[str, str]:
    """SQLite's spelling of "these tables are append-only", by the trigger's name."""
    return {
        f"{table}_never_{word}": f"CREATE TRIGGER {table}_never_{word} BEFORE {word.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table in GUARDED
        for word in ("update", "delete")
    }
