"""The ledger: one transaction an act, a chain that shows every change, heads that show a cut end."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.conftest import ANNA, rule
from tests.store.test_records import base, tamper

from whytune.errors import StoreError, TamperedError
from whytune.records.ledger import Event
from whytune.records.project import AcceptanceRule, UseCase
from whytune.records.record import canonical_json
from whytune.store.ledger import Entry
from whytune.store.store import Store


def fill(store: Store, n: int = 6) -> list[Event]:
    return [store.append_event("act", "p", ANNA, records=(rule(f"m{place}"),)) for place in range(n)]


def test_an_event_holds_what_was_said(store: Store) -> None:
    kept = store.put_pack([{"a": 1}], "rows")
    event = store.append_event(
        "rule.set", "p", ANNA, read=("a",), wrote=(kept,), facts={"k": "v"}, records=(rule(),)
    )
    assert (event.number, event.previous, event.person, event.solo) == (1, "", "anna", True)
    assert event.wrote == (kept, rule().id)
    assert list(store.events()) == [event]
    assert store.get(AcceptanceRule, rule().id) == rule()
    report = store.verify()
    assert (report.events, report.head, report.problems, report.whole) == (1, event.id, [], True)


def test_an_empty_ledger_is_whole(store: Store) -> None:
    assert (store.verify().events, store.verify().head, store.verify().problems) == (0, "", [])


def test_events_of_one_project(store: Store) -> None:
    store.append_events(Entry("act", "pq"[place % 2], ANNA) for place in range(5_001))
    assert [event.number for event in store.events("q")] == list(range(2, 5_001, 2))
    assert [event.number for event in store.events()] == list(range(1, 5_002))
    assert store.verify().whole


def test_an_event_that_names_what_is_not_there_is_refused_with_its_records(store: Store) -> None:
    with pytest.raises(StoreError) as caught:
        store.append_event("act", "p", ANNA, wrote=("rule:" + "0" * 64,), records=(rule(),))
    assert caught.value.problems == ("rule:" + "0" * 64,)
    assert list(store.events()) == []
    assert store.list(AcceptanceRule) == []


def test_a_batch_is_one_transaction(store: Store) -> None:
    good, bad = Entry("a", "p", ANNA, records=(rule(),)), Entry("b", "p", ANNA, wrote=("rule:" + "0" * 64,))
    with pytest.raises(StoreError):
        store.append_events([good, bad])
    assert store.verify().events == 0
    assert store.list(AcceptanceRule) == []


def test_a_pack_that_an_event_wrote_is_looked_for(store: Store) -> None:
    kept = store.put_pack([{"a": 1}], "rows")
    store.append_event("act", "p", ANNA, wrote=(kept,))
    assert store.verify().whole
    store.append_event("act", "p", ANNA, wrote=("0" * 64,))
    assert any("0" * 64 in problem for problem in store.verify().problems)


CHANGES = {
    "an edited event": ("UPDATE events SET content = replace(content, 'anna', 'anne') WHERE number = 3",),
    "an event under another project": ("UPDATE events SET project = 'q' WHERE number = 3",),
    "two events in each other's place": (
        "UPDATE events SET number = -3 WHERE number = 3",
        "UPDATE events SET number = 3 WHERE number = 4",
        "UPDATE events SET number = 4 WHERE number = -3",
    ),
    "a deleted event": ("DELETE FROM events WHERE number = 3",),
    "the first event deleted": ("DELETE FROM events WHERE number = 1",),
    "the beginning deleted and numbers moved": (
        "DELETE FROM events WHERE number = 1",
        "UPDATE events SET number = number - 1",
    ),
    "a deleted record": (
        "DELETE FROM placings WHERE record = '{id}'",
        "DELETE FROM records WHERE id = '{id}'",
    ),
    "a record without its placing": ("DELETE FROM placings WHERE record = '{id}'",),
    "an edited record": ("UPDATE records SET content = replace(content, 'm2', 'm9') WHERE id = '{id}'",),
    "an old placing once more": ("INSERT INTO placings (project, kind, record, beside, seal) SELECT project, kind, record, beside, seal FROM placings WHERE record = '{id}'",),
    "an old placing once more, before the others": (
        "INSERT INTO placings (position, project, kind, record, beside, seal) SELECT -1, project, kind, record, beside, seal FROM placings WHERE record = '{id}'",
    ),
    "two placings in each other's place": (
        "UPDATE placings SET position = -3 WHERE position = 3",
        "UPDATE placings SET position = 3 WHERE position = 4",
        "UPDATE placings SET position = 4 WHERE position = -3",
    ),
    "a placing moved to another project": ("UPDATE placings SET project = 'q' WHERE record = '{id}'",),
    "a placing in one more project": ("INSERT INTO placings (project, kind, record, beside, seal) SELECT 'q', kind, record, beside, seal FROM placings WHERE record = '{id}'",),
    "a placing of another kind": ("UPDATE placings SET kind = 'policy' WHERE record = '{id}'",),
    "an event that is no JSON": ("UPDATE events SET content = 'x' WHERE number = 6",),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_found(store: Store, folder: Path, change: str) -> None:
    fill(store)
    assert store.verify().whole
    tamper(folder, *(statement.format(id=rule("m2").id) for statement in CHANGES[change]))
    assert store.verify().problems


def again(id: str) -> str:
    """The statement that makes a record the newest once more."""
    return f"INSERT INTO placings (project, kind, record, beside, seal) SELECT project, kind, record, beside, seal FROM placings WHERE record = '{id}'"


def test_what_was_made_the_newest_again_is_named_with_its_event(store: Store, folder: Path) -> None:
    head = fill(store)[-1].id
    tamper(folder, again(rule("m2").id))
    latest = store.latest(AcceptanceRule, "p")
    assert latest
    assert latest.metric == "m2", "whoever reads it takes the old one for the newest"
    (problem,) = store.verify(head).problems
    assert problem == f"event 3: {rule('m2').id}, which it wrote, is placed in 'p' once more than the events say (placing 7)"
    store.append_event("act", "p", ANNA, records=(rule("m9"),))
    assert store.verify().problems == [problem], "what is written afterwards neither hides it nor is blamed"
    tamper(folder, f"DELETE FROM placings WHERE record = '{rule('m4').id}' OR position = 7")
    assert store.verify().problems == [f"event 5: it put {rule('m4').id} into 'p', where no placing is left of it", f"record {rule('m4').id}: it belongs to no project"]


def test_a_record_that_no_event_wrote_is_told(store: Store) -> None:
    fill(store)
    store.put(rule("forged"), project="p")
    assert store.verify().problems == [f"record {rule('forged').id}: it is placed in 'p' (placing 7), and no event wrote it"]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_order_of_acts_is_whole_and_no_other_order_of_placings_is(tmp_path_factory: pytest.TempPathFactory, chance: random.Random) -> None:
    folder = tmp_path_factory.mktemp("order") / "s"
    with Store.open(folder, create=True) as store:
        store.append_event("act", "p", ANNA, records=(rule("first"), rule("second")))
        for _ in range(chance.randint(2, 12)):
            some = [rule(chance.choice("abc")), base(chance.choice(("/old", "/new"))), rule(chance.choice("abc"))]
            store.append_event("act", chance.choice("pq"), ANNA, records=chance.sample(some, chance.randint(1, 3)))
        store.append_event("act", "p", ANNA, records=(UseCase(name="last", task="qna", purpose="", rule=rule()),))
        assert store.verify().problems == []
        database = sqlite3.connect(folder / "store.db")
        rows = [tuple(row) for row in database.execute("SELECT position, project, kind, record FROM placings ORDER BY position")]
        database.close()
        # A base put again from elsewhere has a placing more for what stands beside it; no hash holds that, and no order hangs on it.
        one, other = chance.choice([row for row in rows if row[2] == "rule"]), rows[-1]
        what = chance.choice(("again", "gone", "swapped", "moved"))
        tamper(
            folder,
            *{
                "again": (again(one[3]).replace("WHERE", f"WHERE position = {one[0]} AND"),),
                "gone": (f"DELETE FROM placings WHERE position = {one[0]}",),
                "swapped": (
                    f"UPDATE placings SET position = -1 WHERE position = {one[0]}", f"UPDATE placings SET position = {one[0]} WHERE position = {other[0]}",
                    f"UPDATE placings SET position = {other[0]} WHERE position = -1",
                ),
                "moved": (f"UPDATE placings SET project = 'z' WHERE position = {one[0]}",),
            }[what],
        )
        assert store.verify().problems, what


def test_a_changed_event_is_not_handed_out(store: Store, folder: Path) -> None:
    fill(store)
    tamper(folder, *CHANGES["an edited event"])
    with pytest.raises(TamperedError):
        list(store.events())


def test_a_cut_end_is_found_only_by_who_knows_a_head(store: Store, folder: Path) -> None:
    head = fill(store)[-1].id
    assert store.verify(head).whole
    tamper(folder, "DELETE FROM events WHERE number > 4")
    assert len(store.verify().problems) == 2, "what the lost events wrote is there without them"
    left = "SELECT record FROM placings"
    tamper(folder, "DELETE FROM placings WHERE position > 4", f"DELETE FROM records WHERE id NOT IN ({left})")
    assert store.verify().whole, "the limit that is said openly"
    assert any(head in problem for problem in store.verify(head).problems)


def test_a_chain_rewritten_whole_is_found_only_by_who_knows_a_head(store: Store, folder: Path) -> None:
    made = fill(store)
    previous, rows = "", []
    for event in made:
        fields = {**event.model_dump(mode="json"), "previous": previous, "person": "anne"}
        forged = Event.model_validate(fields)
        previous = forged.id
        rows.append((forged.id, canonical_json(forged.model_dump(mode="json")), forged.number))
    tamper(folder, "UPDATE events SET id = number")
    database = sqlite3.connect(folder / "store.db")
    database.executemany("UPDATE events SET id = ?, content = ? WHERE number = ?", rows)
    database.commit()
    database.close()
    assert store.verify().whole
    assert not store.verify(made[-1].id).whole


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_flipped_character_of_any_event_is_found(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("flip") / "s"
    with Store.open(folder, create=True) as store:
        store.append_events(Entry("act", "p", ANNA, facts={"k": "v"}) for _ in range(3))
        number = chance.randint(1, 3)
        database = sqlite3.connect(folder / "store.db")
        (content,) = database.execute("SELECT content FROM events WHERE number = ?", (number,)).fetchone()
        database.close()
        place = chance.randrange(len(content))
        changed = content[:place] + chr(ord(content[place]) ^ 1) + content[place + 1 :]
        tamper(
            folder,
            "UPDATE events SET content = '{}' WHERE number = {}".format(changed.replace("'", "''"), number),
        )
        assert not store.verify().whole


def write_many(folder: Path, who: str, n: int) -> None:
    with Store.open(folder) as store:
        for place in range(n):
            store.append_event("act", who, ANNA, records=(rule(f"{who}{place}"),))


@pytest.mark.slow
def test_processes_that_write_at_the_same_time_make_one_chain(store: Store, folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(folder, who, 40)) for who in "pq"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    report = store.verify()
    assert (report.events, report.problems) == (80, [])
    for who in "pq":
        assert [each.metric for each in store.list(AcceptanceRule, who)] == [
            f"{who}{place}" for place in range(40)
        ]
