"""The database of a store: opening it, its settings, its transactions.

This is the seam for another database: everything that only SQLite understands stands here, in `tables.triggers` and
in `passages`. The rest is SQLAlchemy Core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, event, func, insert, inspect, select
from sqlalchemy.dialects import sqlite

from whytune.errors import StoreError
from whytune.store import tables
from whytune.store.failures import told
from whytune.store.locks import locked

FILE = "store.db"
BUSY_SECONDS = 30
_SETTINGS = (
    # Readers never wait for a writer; FULL because an acknowledged write must outlive a power cut, not only a kill.
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
)
CREATE = "run `whytune init` in the folder where the work should live"


class Database:
    """One SQLite file; transactions by `reading` and `writing`."""

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.file = folder / FILE
        if not create and not self.file.is_file():
            raise StoreError("There is no whytune store here", where=str(folder), next=CREATE)
        self._engine = create_engine(f"sqlite:///{self.file}", connect_args={"timeout": BUSY_SECONDS})
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(writes=True)
        try:
            if create:
                # Two processes that create the same store at once: the second waits, then finds it made.
                with locked(folder / "locks", "create", wait=BUSY_SECONDS):
                    self._create()
            self._check()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self, doing: str) -> Iterator[Connection]:
        """One consistent view."""
        with told(doing, self.file), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, doing: str) -> Iterator[Connection]:
        """One transaction that holds the write lock from its start; on the disk when the block is left, or never was."""
        with told(doing, self.file), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give the file back."""
        self._engine.dispose()

    def _create(self) -> None:
        with self.writing("create the store") as connection:
            if inspect(connection).get_table_names():
                return
            tables.metadata.create_all(connection)
            for statement in tables.triggers():
                connection.exec_driver_sql(statement)
            connection.execute(insert(tables.meta), {"name": "schema", "value": str(tables.SCHEMA)})

    def _check(self) -> None:
        with self.reading("open the store") as connection:
            names = set(inspect(connection).get_table_names())
            found = None
            if tables.meta.name in names:
                found = connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == "schema"))
        if found is None or not found.isdigit():
            raise StoreError(f"{FILE} is not a whytune store", where=str(self.file), next=CREATE)
        if int(found) > tables.SCHEMA:
            raise StoreError(
                f"This store was written by a newer whytune (schema {found}; this one reads up to {tables.SCHEMA})",
                where=str(self.file),
                next="upgrade with `pip install --upgrade whytune`",
            )
        if missing := set(tables.KEPT) - names:
            raise StoreError(
                f"The store lacks tables: {', '.join(sorted(missing))}",
                where=str(self.file),
                next="restore the .whytune folder from a backup",
            )
        if set(tables.metadata.tables) - names:
            # Operational tables came with later versions; an older store gains them when it is first opened.
            with self.writing("bring the store up to date") as connection:
                tables.metadata.create_all(connection)


def add_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose primary key is not there yet."""
    if rows:
        connection.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))


def count(connection: Connection, table: Table) -> int:
    """How many rows the table has."""
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _configure(connection: Any, _: Any) -> None:
    # The driver's own BEGIN comes too late for us (before the first write, not before the first read).
    connection.isolation_level = None
    for setting in _SETTINGS:
        connection.execute(setting)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
