"""Records come back as they were put, verified, in order; nothing is ever changed."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.conftest import ANNA, rule

from whytune.errors import NotFoundError, StoreError, TamperedError
from whytune.records.candidate import Base
from whytune.records.project import AcceptanceRule, UseCase
from whytune.store.store import Store

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def base(location: str) -> Base:
    return Base(name="m", source="folder", location=location, digest="d" * 64)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=12))
def test_what_is_put_comes_back(pairs: list[tuple[str, str]]) -> None:
    cases = [UseCase(name=name, purpose=purpose, task="qna", rule=rule()) for name, purpose in pairs]
    with tempfile.TemporaryDirectory() as place:
        with Store.open(Path(place), create=True) as store:
            store.put(*cases, project="p")
            store.put(*cases, project="p")
        with Store.open(Path(place)) as store:
            unique = list(dict.fromkeys(cases_by_id := [case.id for case in cases]))
            assert [case.id for case in store.list(UseCase, "p")] == unique
            assert store.list(UseCase) == [cases[cases_by_id.index(id)] for id in unique]
            assert store.list(UseCase, "other") == []
            assert all(store.get(UseCase, case.id) == case for case in cases)
            assert store.latest(UseCase, "p") == cases[-1]


def test_latest_is_what_was_put_last_even_again(store: Store) -> None:
    first, second = rule(bar=0.5), rule(bar=0.6)
    store.put(first, second, first, project="p")
    assert store.latest(AcceptanceRule, "p") == first
    assert store.list(AcceptanceRule, "p") == [first, second]
    assert store.latest(AcceptanceRule, "q") is None


def test_one_record_may_belong_to_several_projects(store: Store) -> None:
    store.put(rule(), project="p")
    store.put(rule(), project="q")
    assert (
        store.list(AcceptanceRule, "p")
        == store.list(AcceptanceRule, "q")
        == store.list(AcceptanceRule)
        == [rule()]
    )


def test_where_a_record_came_from_follows_the_latest_put(store: Store) -> None:
    old, new = base("/old"), base("/new")
    assert old.id == new.id
    store.put(old)
    store.put(new)
    assert store.get(Base, old.id).location == "/new"
    assert [each.location for each in store.list(Base)] == ["/new"]


def test_unknown_and_wrongly_asked_ids_are_not_found(store: Store) -> None:
    store.put(rule())
    with pytest.raises(NotFoundError):
        store.get(AcceptanceRule, "rule:" + "0" * 64)
    with pytest.raises(NotFoundError):
        store.get(Base, rule().id)


def test_a_copy_with_a_stale_id_is_refused(store: Store) -> None:
    original = rule()
    copy = original.model_copy(update={"bar": 0.9})
    copy.__dict__["id"] = original.id
    with pytest.raises(StoreError, match="does not fit"):
        store.put(copy)
    assert store.list(AcceptanceRule) == []


def test_a_number_that_is_not_finite_is_refused(store: Store) -> None:
    odd = AcceptanceRule.model_construct(metric="x", bar=float("nan"), margin=0.1, confidence=0.95)
    with pytest.raises(StoreError, match="not finite"):
        store.put(rule(), odd)
    assert store.list(AcceptanceRule) == []


@pytest.mark.parametrize("table", ["records", "placings", "events", "whytune"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid + 1"])
def test_the_database_itself_refuses_changes(store: Store, folder: Path, table: str, statement: str) -> None:
    store.put(rule())
    store.append_event("x", "p", ANNA)
    database = sqlite3.connect(folder / "store.db")
    try:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(statement.format(table))
    finally:
        database.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET content = replace(content, '0.75', '0.25')",
        "UPDATE placings SET beside = '{\"bar\":0.1}'",
    ],
)
def test_a_changed_record_is_noticed(store: Store, folder: Path, change: str) -> None:
    store.put(rule())
    tamper(folder, change)
    with pytest.raises(TamperedError):
        store.get(AcceptanceRule, rule().id)
    with pytest.raises(TamperedError):
        store.list(AcceptanceRule)
    assert store.verify().problems


def tamper(folder: Path, *statements: str) -> None:
    """Change the database as somebody would who owns the file."""
    database = sqlite3.connect(folder / "store.db")
    try:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert database.execute(statement).rowcount > 0
        database.commit()
    finally:
        database.close()
