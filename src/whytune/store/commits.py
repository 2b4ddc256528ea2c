"""Durable writes of many threads: whoever comes first writes and flushes for all who wait.

A flush to the disk is what a small write takes longest for, and it takes as long for one as for twenty. So while one
thread flushes, the others line up, and the next one writes for the whole line in one transaction. Nobody returns before
what they wrote is on the disk. Processes do not share a line: they take turns.

What a writer hands over may run twice (where another's write in the same line failed, each is done again alone), so it
changes nothing but the database.

    commits.do("keep records", lambda held: held.executemany(statement, rows))
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import ClauseElement
from sqlalchemy.dialects import sqlite

from whytune.store.failures import told
from whytune.store.turns import Turns

T = TypeVar("T")


def as_sql(statement: ClauseElement) -> str:
    """A statement as SQL with named places, compiled once: compiling takes longer than running it."""
    return str(statement.compile(dialect=sqlite.dialect(paramstyle="named")))


class Commits:
    """One connection for all durable writes of this process's threads."""

    def __init__(self, file: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._file = file
        self._turns = Turns(file.parent / "locks" / "commits.lock")
        self._connect = connect
        self._left: list[sqlite3.Connection | None] = []
        self._held: sqlite3.Connection | None = None
        self._begin()

    def _begin(self) -> None:
        # A forked process neither uses its parent's connection nor closes it, and its parent's line is not its own.
        self._left.append(self._held)
        self._line: deque[_Write[Any]] = deque()
        self._turn = threading.Lock()
        self._held = None
        self._process = os.getpid()

    def do(self, doing: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` gives, once everything it wrote is on the disk; or its error, and nothing of it was written."""
        if self._process != os.getpid():
            self._begin()
        write = _Write(work)
        self._line.append(write)
        try:
            with told(doing, self._file), self._turn:
                if not write.done:
                    self._write_for(self._everybody())
                if write.error is not None:
                    raise write.error
        except BaseException:
            with suppress(ValueError):
                self._line.remove(write)  # interrupted before its turn
            raise
        return write.given[0]

    def close(self) -> None:
        """Give the file back."""
        if self._process != os.getpid():
            return
        with self._turn:
            if self._held is not None:
                self._held.close()
            self._held = None
            self._turns.close()

    def _everybody(self) -> list[_Write[Any]]:
        found = []
        with suppress(IndexError):
            while True:
                found.append(self._line.popleft())
        return found

    def _write_for(self, line: Sequence[_Write[Any]]) -> None:
        try:
            held = self._open()
            with self._turns.taken():
                try:
                    _commit(held, line)
                except Exception as error:
                    if len(line) == 1:
                        line[0].error = error
                    else:
                        for write in line:
                            _alone(held, write)
        finally:
            # The file could not be opened, or somebody interrupted this thread: the next in line writes for the rest.
            self._line.extendleft(write for write in reversed(line) if not write.done)

    def _open(self) -> sqlite3.Connection:
        if self._held is None:
            self._held = self._connect()
        return self._held


class _Write(Generic[T]):
    """What one thread wants written, and what came of it."""

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self.work = work
        self.given: list[T] = []
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether it is on the disk or was refused."""
        return bool(self.given) or self.error is not None


def _alone(held: sqlite3.Connection, write: _Write[Any]) -> None:
    try:
        _commit(held, [write])
    except Exception as error:
        write.error = error


def _commit(held: sqlite3.Connection, line: Sequence[_Write[Any]]) -> None:
    held.execute("BEGIN IMMEDIATE")
    given: list[Any] = []
    try:
        given += [write.work(held) for write in line]
        held.execute("COMMIT")
    except BaseException as error:
        if held.in_transaction:  # a full disk ends it by itself
            held.execute("ROLLBACK")
            raise
        if isinstance(error, sqlite3.Error) or not given:
            raise
        _hand_out(line, given)  # interrupted just after it was on the disk
        raise
    _hand_out(line, given)


def _hand_out(line: Sequence[_Write[Any]], given: Sequence[Any]) -> None:
    for write, came in zip(line, given, strict=True):
        write.given.append(came)
