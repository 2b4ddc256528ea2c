"""Forms that were sent: a form sent twice is answered once. Operational; what is old is swept away.

Each form carries a random name (`once`). The first to bring it does the work; a second one, from a double click or a
reload, gets the first one's answer. What it brought is kept as a hash (`mark`): the same name with another content is
another form.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, String, Table, Text, delete, select, update
from sqlalchemy.dialects import sqlite

from whytune.store.database import Database
from whytune.store.tables import metadata

KEPT = timedelta(days=2)

submissions = Table(
    "web_forms",
    metadata,
    Column("once", String, primary_key=True),
    Column("person", String, nullable=False),
    Column("mark", String, nullable=False),
    Column("begun", String, nullable=False),
    Column("location", Text, nullable=False),
    Column("said", Text, nullable=False),
)


@dataclass(frozen=True)
class Submission:
    """What became of a form. location is empty while it is still at work; said is the message for its sender; mark is the hash of what it brought."""

    location: str
    said: str
    mark: str


class Submissions:
    """The store's part for forms."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, once: str, person: str, mark: str) -> bool:
        """Whether this is the first time that a form of this name is sent."""
        now = datetime.now(UTC)
        row = {"once": once, "person": person, "mark": mark, "begun": now.isoformat(), "location": "", "said": ""}
        with self._database.writing("take a form") as connection:
            connection.execute(delete(submissions).where(submissions.c.begun < (now - KEPT).isoformat()))
            return connection.execute(sqlite.insert(submissions).values(row).on_conflict_do_nothing()).rowcount == 1

    def finish(self, once: str, location: str, said: str) -> None:
        """It was done: where its sender goes, and what they are told."""
        with self._database.writing("answer a form") as connection:
            connection.execute(update(submissions).where(submissions.c.once == once).values(location=location, said=said))

    def drop(self, once: str) -> None:
        """It was refused: it may be mended and sent again."""
        with self._database.writing("hand a form back") as connection:
            connection.execute(delete(submissions).where(submissions.c.once == once))

    def found(self, once: str, person: str) -> Submission | None:
        """What became of this person's form; None where there is none of that name."""
        with self._database.reading("look for a form") as connection:
            row = connection.execute(select(submissions).where(submissions.c.once == once, submissions.c.person == person)).first()
        return Submission(row.location, row.said, row.mark) if row else None
