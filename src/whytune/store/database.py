"""The database of a store: opening it, its settings, its transactions.

This is the seam for another database: everything that only SQLite understands stands here, in `tables.triggers` and
in `passages`. The rest is SQLAlchemy Core.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, event, func, insert, inspect, select
from sqlalchemy.dialects import sqlite

from whytune.errors import StoreError
from whytune.store import tables
from whytune.store.commits import Commits
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
    # What is deleted or overwritten is zeroed, whoever does it: an erasure need not know what once stood in a freed page.
    "PRAGMA secure_delete=ON",
)
CREATE = "run `whytune init` in the folder where the work should live"


class Database:
    """One SQLite file; transactions by `reading` and `writing`; `commits` for the ledger and its records."""

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.file = folder / FILE
        if not create and not self.file.is_file():
            raise StoreError("There is no whytune store here", where=str(folder), next=CREATE)
        self._engine = create_engine(f"sqlite:///{self.file}", connect_args={"timeout": BUSY_SECONDS})
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(writes=True)
        # For what nothing is concluded from: a kill loses none of it, a power cut may; the next durable write keeps it too.
        quick = create_engine(f"sqlite:///{self.file}", connect_args={"timeout": BUSY_SECONDS})
        event.listen(quick, "connect", _configure_quick)
        event.listen(quick, "begin", _begin)
        self._quick = quick.execution_options(writes=True)
        self.commits = Commits(self.file, self._connect)
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

    def shortcut(self, *, hasty: bool = False) -> Shortcut:
        """A connection of its own, for what happens many times a second. hasty: it fails where it would have to wait."""
        return Shortcut(self.file, hasty=hasty)

    def fold(self) -> None:
        """Fold the write-ahead log into the file and empty it, so that nothing overwritten is left in it."""
        with told("fold the log into the database", self.file), self._engine.connect() as connection:
            held = connection.connection.driver_connection
            if held is not None:
                held.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def rewrite(self) -> None:
        """Write the whole file anew. SQLite zeroes what it deletes, but not the copies that a page keeps of rows it handed to others."""
        with told("write the database anew", self.file), self._engine.connect() as connection:
            held = connection.connection.driver_connection
            if held is not None:
                held.execute("VACUUM")

    @contextmanager
    def noting(self, doing: str) -> Iterator[Connection]:
        """One transaction as `writing`, for operational state: it does not wait for the disk."""
        with told(doing, self.file), self._quick.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give the file back."""
        self.commits.close()
        self._engine.dispose()
        self._quick.dispose()

    def _connect(self) -> sqlite3.Connection:
        held = sqlite3.connect(self.file, check_same_thread=False, isolation_level=None, timeout=BUSY_SECONDS)
        _configure(held, None)
        return held

    def _create(self) -> None:
        with self.writing("create the store") as connection:
            if inspect(connection).get_table_names():
                return
            tables.metadata.create_all(connection)
            for statement in tables.triggers().values():
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


class Shortcut:
    """One connection without pool, compiling or a flush at each write; any thread may use it, one at a time.

    What it wrote outlives a kill of the process. A power cut may take the last moments of it, never a part of one write:
    so it is for operational state only. A hasty one waits for no other process and leaves folding the log to others.
    """

    def __init__(self, file: Path, *, hasty: bool = False) -> None:
        self._file, self._hasty = file, hasty
        self._lock = threading.Lock()
        self._held: sqlite3.Connection | None = None

    def value(self, query: str, given: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None where there is none."""
        with self._lock, told("look something up", self._file):
            row = self._open().execute(query, given).fetchone()
        return row[0] if row else None

    def write(self, doing: str, statements: Sequence[tuple[str, Sequence[Sequence[Any]]]]) -> None:
        """Each statement with each of its rows, all in one transaction or none."""
        with self._lock, told(doing, self._file):
            held = self._open()
            held.execute("BEGIN IMMEDIATE")
            try:
                for statement, rows in statements:
                    held.executemany(statement, rows)
                held.execute("COMMIT")
            except BaseException:
                if held.in_transaction:  # a full disk ends it by itself
                    held.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            if self._held is not None:
                self._held.close()
                self._held = None

    def _open(self) -> sqlite3.Connection:
        if self._held is None:
            held = sqlite3.connect(self._file, check_same_thread=False, isolation_level=None, timeout=BUSY_SECONDS)
            _configure_quick(held, None)
            if self._hasty:
                held.execute("PRAGMA busy_timeout=0")
                held.execute("PRAGMA wal_autocheckpoint=0")
            self._held = held
        return self._held


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


def _configure_quick(connection: Any, record: Any) -> None:
    _configure(connection, record)
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
