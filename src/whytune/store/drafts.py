"""Use cases that are being set up in the browser, until they are projects. Operational: it may change, nothing rests on it."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text, delete, select
from sqlalchemy.dialects import sqlite

from whytune.records.drafted import SetupDraft
from whytune.records.record import canonical_json
from whytune.store.database import Database
from whytune.store.tables import metadata

drafts = Table(
    "setup_drafts",
    metadata,
    Column("id", String, primary_key=True),
    Column("person", String, nullable=False),
    Column("changed", String, nullable=False),
    Column("content", Text, nullable=False),
    Index("setup_drafts_by_person", "person", "changed"),
)


class Drafts:
    """The store's part for use cases on their way in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, draft: SetupDraft) -> None:
        """Write it down as it is now."""
        row = {"id": draft.id, "person": draft.person, "changed": draft.changed, "content": canonical_json(draft.model_dump(mode="json"))}
        with self._database.writing("keep a draft") as connection:
            connection.execute(sqlite.insert(drafts).on_conflict_do_update(index_elements=["id"], set_=row), row)

    def find(self, id: str, person: str) -> SetupDraft | None:
        """This person's draft of that id; None where there is none."""
        with self._database.reading("read a draft") as connection:
            content = connection.scalar(select(drafts.c.content).where(drafts.c.id == id, drafts.c.person == person))
        return SetupDraft.model_validate_json(content) if content else None

    def of(self, person: str) -> list[SetupDraft]:
        """A person's drafts, the one last changed first."""
        query = select(drafts.c.content).where(drafts.c.person == person).order_by(drafts.c.changed.desc(), drafts.c.id)
        with self._database.reading("list drafts") as connection:
            return [SetupDraft.model_validate_json(content) for content in connection.scalars(query)]

    def all(self) -> list[SetupDraft]:
        """Everybody's drafts, by id."""
        with self._database.reading("list drafts") as connection:
            return [SetupDraft.model_validate_json(content) for content in connection.scalars(select(drafts.c.content).order_by(drafts.c.id))]

    def drop(self, id: str) -> None:
        """Forget one."""
        with self._database.writing("drop a draft") as connection:
            connection.execute(delete(drafts).where(drafts.c.id == id))

    def stale(self, before: str) -> list[str]:
        """Ids of all that were last changed before then."""
        with self._database.reading("look for old drafts") as connection:
            return list(connection.scalars(select(drafts.c.id).where(drafts.c.changed < before)))
