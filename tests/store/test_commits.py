"""Durable writes of many threads: one flush for the line, each write whole or not at all, nobody forgotten."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.store.conftest import ANNA, rule

from whytune.errors import LockedError, StoreError
from whytune.records.ledger import Event
from whytune.store import database
from whytune.store.commits import Commits
from whytune.store.store import Store


def act(store: Store, name: str, wrote: tuple[str, ...] = ()) -> Event:
    return store.append_event("act", "p", ANNA, records=(rule(name),), wrote=wrote)


@contextmanager
def lined_up(commits: Commits, *work: Callable[[], Any]) -> Iterator[None]:
    """All of them stand in line before the first has its turn; the block runs while they still do."""
    threads = [threading.Thread(target=each) for each in work]
    with commits._turn:
        for place, thread in enumerate(threads):
            thread.start()
            while len(commits._line) <= place:
                thread.join(0.001)
        yield
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_a_line_is_one_transaction_and_one_chain(store: Store) -> None:
    commits, said = store._database.commits, list[str]()
    act(store, "first")
    held = commits._held
    assert held is not None
    held.set_trace_callback(said.append)
    with lined_up(commits, *(lambda name=name: act(store, name) for name in "abcde")):
        pass
    assert said.count("COMMIT") == 1
    assert [event.number for event in store.events()] == [1, 2, 3, 4, 5, 6]
    assert store.verify().whole


def test_what_is_refused_takes_nobody_with_it(store: Store) -> None:
    refused: list[StoreError] = []

    def bad() -> None:
        with pytest.raises(StoreError) as caught:
            act(store, "bad", wrote=("rule:" + "0" * 64,))
        refused.append(caught.value)

    with lined_up(store._database.commits, lambda: act(store, "a"), bad, lambda: act(store, "b")):
        pass
    assert refused[0].problems == ("rule:" + "0" * 64,)
    assert sorted(each.metric for each in store.list(type(rule()))) == ["a", "b"]
    assert [event.number for event in store.events()] == [1, 2]
    assert store.verify().whole


@pytest.mark.parametrize(("moment", "rows"), [("before the flush", 1), ("after the flush", 2)])
def test_whoever_is_interrupted_leaves_the_others_their_turn(folder: Path, moment: str, rows: int) -> None:
    left = [KeyboardInterrupt()]

    class Interrupting(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and left and moment == "before the flush":
                raise left.pop()
            done = super().execute(sql, *given)
            if sql == "COMMIT" and left:
                raise left.pop()
            return done

    folder.mkdir()
    file = folder / "x.db"
    commits = Commits(file, lambda: sqlite3.connect(file, isolation_level=None, check_same_thread=False, factory=Interrupting))
    with sqlite3.connect(file) as plain:
        plain.execute("CREATE TABLE t (a)")
    told: list[str] = []

    def write() -> None:
        try:
            commits.do("write", lambda held: held.executemany("INSERT INTO t VALUES (?)", [(1,)]))
            told.append("written")
        except KeyboardInterrupt:
            told.append("interrupted")

    with lined_up(commits, write, write):
        pass
    commits.close()
    assert sorted(told) == ["interrupted", "written"]
    assert plain.execute("SELECT count(*) FROM t").fetchone() == (rows,)
    plain.close()


def test_a_busy_database_is_said_to_everybody_in_line(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_SETTINGS", (*database._SETTINGS, "PRAGMA busy_timeout=20"))
    said: list[LockedError] = []

    def wait() -> None:
        with pytest.raises(LockedError, match="kept the database busy") as caught:
            store.put(rule())
        said.append(caught.value)

    other = sqlite3.connect(folder / "store.db", isolation_level=None)
    with lined_up(store._database.commits, wait, wait, wait):
        other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    other.close()
    assert len(said) == 3
    store.put(rule())


def test_a_forked_process_writes_with_a_connection_of_its_own(store: Store) -> None:
    act(store, "parent")
    child = os.fork()
    if child == 0:
        try:
            act(store, "child")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    act(store, "parent again")
    assert [event.number for event in store.events()] == [1, 2, 3]
    assert store.verify().whole
