"""Checkpoints: given an anchor elsewhere, every way of changing the ledger is seen; the limit is said."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from tests.store.test_records import tamper

from whytune.errors import NotAllowedError, NotFoundError, StoreError, TamperedError, UsageError
from whytune.records.ledger import Event, LedgerCheckpoint
from whytune.records.project import AcceptanceRule
from whytune.records.record import canonical_json
from whytune.settings import Settings
from whytune.store import keys
from whytune.workspace import checkpoints
from whytune.workspace.workspace import Workspace


@pytest.fixture
def room(tmp_path: Path) -> Workspace:
    made = Workspace.open(tmp_path / "room", settings=Settings(person="ada"), create=True)
    act(made, 6)
    return made


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere.jsonl"


def act(room: Workspace, times: int) -> None:
    for place in range(times):
        with room.act("usecase.fixed", project="p") as doing:
            doing.write(AcceptanceRule(metric=f"m{place}", bar=0.5, margin=0.1))


def recompute(room: Workspace, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
    """What the owner of the disk can do: write the whole chain anew, every hash right and every record in its turn, checkpoints and their signatures left out."""
    told = change([event.model_dump(mode="json") for event in room.events() if event.act != "ledger.checkpointed"])
    previous, rows = "", []
    for number, fields in enumerate(told, 1):
        event = Event.model_validate({**fields, "number": number, "previous": previous})
        previous = event.id
        rows.append((number, event.id, event.project, canonical_json(event.model_dump(mode="json"))))
    folder = room.store.folder
    tamper(folder, "DELETE FROM events")
    with sqlite3.connect(folder / "store.db") as database:
        database.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
        held = {row[0]: row for row in database.execute("SELECT record, kind, beside, seal FROM placings")}
        database.execute("DELETE FROM placings")
        placed = [(event["project"], *held[id]) for event in told for id in cast("list[str]", event["wrote"])]
        database.executemany("INSERT INTO placings (project, record, kind, beside, seal) VALUES (?, ?, ?, ?, ?)", placed)
        database.execute("DELETE FROM records WHERE id NOT IN (SELECT record FROM placings)")
    database.close()


def edited(events: list[dict[str, object]]) -> list[dict[str, object]]:
    events[2]["person"] = "somebody else"
    return events


def swapped(events: list[dict[str, object]]) -> list[dict[str, object]]:
    events[2], events[3] = events[3], events[2]
    return events


ATTACKS: dict[str, Callable[[list[dict[str, object]]], list[dict[str, object]]]] = {
    "edit": edited,
    "reorder": swapped,
    "delete": lambda events: events[:2] + events[3:],
    "truncate": lambda events: events[:4],
    "recompute the whole": lambda events: [{**event, "when": "2020-01-01T00:00:00+00:00"} for event in events],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_ledger_recomputed_after_a_change_is_seen_with_the_anchor_only(room: Workspace, anchor: Path, attack: str) -> None:
    checkpoints.checkpoint(room, anchor)
    assert not checkpoints.audit(room, anchor=anchor).problems
    recompute(room, ATTACKS[attack])
    assert not checkpoints.audit(room).problems, "without an anchor a well-made forgery looks whole: the limit that is said"
    assert checkpoints.audit(room, anchor=anchor).problems


PLAIN = {
    "edit": "UPDATE events SET content = replace(content, 'ada', 'ann') WHERE number = 3",
    "reorder": "UPDATE events SET number = CASE number WHEN 3 THEN -4 WHEN 4 THEN -3 ELSE -number END; UPDATE events SET number = -number",
    "delete": "DELETE FROM events WHERE number = 3",
    "truncate": "DELETE FROM events WHERE number > 3",
}


@pytest.mark.parametrize("attack", PLAIN)
def test_a_plain_change_is_seen(room: Workspace, anchor: Path, attack: str) -> None:
    checkpoints.checkpoint(room, anchor)
    tamper(room.store.folder, *PLAIN[attack].split("; "))
    assert checkpoints.audit(room, anchor=anchor).problems


def test_a_cut_end_is_named_with_its_event(room: Workspace, anchor: Path) -> None:
    made = checkpoints.checkpoint(room, anchor)
    recompute(room, ATTACKS["truncate"])
    (problem,) = checkpoints.audit(room, anchor=anchor).problems
    assert f"event {made.number}" in problem
    assert "cut off" in problem


def test_a_recomputed_chain_that_keeps_the_stores_own_checkpoints_is_seen_without_an_anchor(room: Workspace) -> None:
    checkpoints.checkpoint(room)
    made = room.store.list(LedgerCheckpoint)[0]
    recompute(room, edited)
    room.store.append_event("ledger.checkpointed", "", room.person, records=(made,))
    assert any("rewritten" in problem for problem in checkpoints.audit(room).problems)


def test_what_the_anchor_vouches_for_is_said(room: Workspace, anchor: Path) -> None:
    first = checkpoints.checkpoint(room, anchor)
    act(room, 2)
    second = checkpoints.checkpoint(room, anchor)
    found = checkpoints.audit(room, anchor=anchor)
    assert (found.problems, found.checkpoints, found.anchored, found.unanchored) == ((), 2, second.number, 1)
    assert second.number == first.number + 3
    assert keys.verify(first.public_key, LedgerCheckpoint.message(first.number, first.head, first.when), bytes.fromhex(first.signature))
    assert [json.loads(line)["number"] for line in anchor.read_text().splitlines()] == [first.number, second.number]


def changed(line: str, **values: object) -> str:
    return json.dumps({**json.loads(line), **values})


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("number", "signature does not fit"), ("head", "signature does not fit"), ("when", "signature does not fit"),
        ("garbage", "not a checkpoint"), ("other key", "another key"), ("order", "earlier event"), ("empty", "proves nothing"),
    ],
)  # fmt: skip
def test_a_changed_anchor_is_seen(room: Workspace, anchor: Path, tmp_path: Path, what: str, said: str) -> None:
    checkpoints.checkpoint(room, anchor)
    act(room, 1)
    checkpoints.checkpoint(room, anchor)
    one, two = anchor.read_text().splitlines()
    if what == "garbage":
        two = "{}"
    elif what == "other key":
        mark, other = LedgerCheckpoint.model_validate_json(two), keys.signer(tmp_path / "other.pem")
        message = LedgerCheckpoint.message(mark.number, mark.head, mark.when)
        two = changed(two, public_key=other.public_key_hex, signature=other.sign(message).hex())
    elif what == "order":
        one, two = two, one
    elif what == "empty":
        one = two = ""
    else:
        two = changed(two, **{what: 3 if what == "number" else room.events()[2].id if what == "head" else "2020-01-01"})
    anchor.write_text(f"{one}\n{two}\n")
    assert any(said in problem for problem in checkpoints.audit(room, anchor=anchor).problems)


def test_a_key_noted_elsewhere_shows_an_anchor_that_was_signed_anew(room: Workspace, anchor: Path) -> None:
    true_key = checkpoints.checkpoint(room, anchor).public_key
    anchor.unlink()
    room.store.key_file.unlink()
    checkpoints.checkpoint(room, anchor)
    assert not checkpoints.audit(room, anchor=anchor).problems
    assert any("another key" in problem for problem in checkpoints.audit(room, anchor=anchor, key=true_key).problems)
    with pytest.raises(UsageError):
        checkpoints.audit(room, anchor=anchor, key="abc")


def test_a_ledger_that_is_not_whole_is_not_signed(room: Workspace, anchor: Path) -> None:
    checkpoints.checkpoint(room, anchor)
    recompute(room, edited)
    before = room.store.head()
    with pytest.raises(TamperedError, match="not signed"):
        checkpoints.checkpoint(room, anchor)
    assert room.store.head() == before
    assert len(anchor.read_text().splitlines()) == 1


def test_an_anchor_must_lie_elsewhere_and_be_writable(room: Workspace, tmp_path: Path) -> None:
    before = room.store.head()
    with pytest.raises(UsageError, match="inside the store"):
        checkpoints.checkpoint(room, room.store.folder / "anchor.jsonl")
    assert room.store.head() == before
    with pytest.raises(StoreError, match="cannot be written"):
        checkpoints.checkpoint(room, tmp_path / "no" / "such" / "folder.jsonl")
    with pytest.raises(NotFoundError):
        checkpoints.audit(room, anchor=tmp_path / "none.jsonl")


def test_an_empty_ledger_has_nothing_to_sign(tmp_path: Path) -> None:
    empty = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    with pytest.raises(NotFoundError, match="empty"):
        checkpoints.checkpoint(empty)


def test_a_line_cut_off_by_a_crash_does_not_swallow_the_next(room: Workspace, anchor: Path) -> None:
    checkpoints.checkpoint(room, anchor)
    anchor.write_text(anchor.read_text() + '{"number": 7, "he')
    with pytest.raises(TamperedError):
        checkpoints.checkpoint(room, anchor)
    anchor.write_text(anchor.read_text().splitlines()[0])
    checkpoints.checkpoint(room, anchor)
    assert len(checkpoints.read_anchor(anchor)[0]) == 2


def test_only_an_auditor_an_operator_or_an_admin_signs(room: Workspace) -> None:
    room.add_person("ada", ["admin"])
    room.add_person("bea", ["data_scientist"])
    with pytest.raises(NotAllowedError):
        checkpoints.checkpoint(Workspace.open(room.root, settings=Settings(person="bea")))


def test_a_key_kept_elsewhere_signs(tmp_path: Path) -> None:
    room = Workspace.open(tmp_path / "room", settings=Settings(person="ada", signing_key=str(tmp_path / "safe" / "key.pem")), create=True)
    act(room, 1)
    checkpoints.checkpoint(room)
    assert (tmp_path / "safe" / "key.pem").is_file()
    assert not (room.store.folder / "keys").exists()


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "audit.md"


def alone(script: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", str(script), *map(str, files)], capture_output=True, text=True, check=False)


def test_the_script_of_the_docs_verifies_without_whytune(room: Workspace, anchor: Path, tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert code
    script, out = tmp_path / "verify.py", tmp_path / "events.jsonl"
    script.write_text(code.group(1), "utf-8")
    assert "whytune." not in code.group(1).replace("whytune.checkpoint/1", "")
    checkpoints.checkpoint(room, anchor)
    assert checkpoints.export(room, out) == 7
    done = alone(script, out, anchor)
    assert (done.returncode, done.stdout) == (0, "7 events, every hash fits\n"), done.stderr
    out.write_text(out.read_text().replace('"ada"', '"ann"', 1))
    assert "event 1: its content" in alone(script, out).stdout
    recompute(room, edited)
    checkpoints.export(room, out)
    assert alone(script, out).returncode == 0, "without the anchor a well-made forgery looks whole"
    assert "not the one that was signed" in alone(script, out, anchor).stdout
    anchor.write_text(changed(anchor.read_text(), when="2020-01-01") + "\n")
    assert "signature does not fit" in alone(script, out, anchor).stdout
