"""Processes that answer consumers now: where each listens, what it serves, when it was last heard of. Operational only.

A process says that it is there and goes on saying it; what falls silent is gone, whatever killed it. Nothing is ever
concluded from this table.
"""

from __future__ import annotations

import json

from sqlalchemy import Boolean, Column, Integer, String, Table, Text, delete, insert, select, update

from whytune.records.served import Announced
from whytune.store.database import Database
from whytune.store.tables import metadata

endpoints = Table(
    "serving_endpoints",
    metadata,
    Column("id", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("machine", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("person", String, nullable=False),
    Column("asks_key", Boolean, nullable=False),
    Column("aliases", Text, nullable=False),
    Column("served", Text, nullable=False),
    Column("started", String, nullable=False),
    Column("beat", String, nullable=False),
    Column("ended", String, nullable=False),
)


class Endpoints:
    """The store's part for serving processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def announce(self, made: Announced, forget_before: str) -> None:
        """A process begins to answer. Those last heard of before that time are forgotten."""
        fields = made.model_dump() | {"aliases": json.dumps(made.aliases), "served": json.dumps(made.served)}
        with self._database.noting("say that an endpoint is there") as connection:
            connection.execute(delete(endpoints).where(endpoints.c.beat < forget_before))
            connection.execute(insert(endpoints), fields)

    def beat(self, id: str, when: str, served: dict[str, str], asks_key: bool) -> None:
        """It is still there, and serves this."""
        with self._database.noting("say that an endpoint is there") as connection:
            connection.execute(update(endpoints).where(endpoints.c.id == id).values(beat=when, served=json.dumps(served), asks_key=asks_key))

    def end(self, id: str, when: str) -> None:
        """It stopped in good order."""
        with self._database.noting("say that an endpoint stopped") as connection:
            connection.execute(update(endpoints).where(endpoints.c.id == id).values(beat=when, ended=when))

    def all(self) -> list[Announced]:
        """Every known process, the newest first."""
        with self._database.reading("list endpoints") as connection:
            rows = connection.execute(select(endpoints).order_by(endpoints.c.started.desc(), endpoints.c.id)).all()
        return [Announced(**{**row._mapping, "aliases": tuple(json.loads(row.aliases)), "served": json.loads(row.served)}) for row in rows]
