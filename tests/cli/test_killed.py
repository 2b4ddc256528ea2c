"""SIGKILL in each step that ends in a record: what was acknowledged stays, and the same command again ends where an undisturbed one ends.

Killed elsewhere: reading, training and trials (test_faults, test_whole_flow), training alone (training/test_resume), opinions
(store/test_queue), synthesis (test_data_commands), answers and feedback (serve/test_serving), an erasure (test_erase_killed).
"""

from __future__ import annotations

import json
import random
import shutil
import signal
from pathlib import Path

import pytest
from tests.cli.living import start, tickets, whytune
from tests.cli.test_release import edit
from tests.cli.test_whole_flow import ledger
from tests.killed_at import killed

import whytune as api
from whytune.workspace import checkpoints

pytestmark = pytest.mark.deep
KILLS = 2
"""Of each step, at places drawn by a seed; most write between 20 and 80 times."""
INIT = ("init", "two", "--task", "categorization", "--from", "rows.csv", "--yes")
STEPS: tuple[tuple[str, ...], ...] = (
    INIT,
    ("data", "check", "desk"),
    ("policy", "fix", "desk"),
    ("sign", "desk", "--role", "business_owner", "--reason", "looked at every figure"),
    ("accept", "desk"),
    ("release", "make", "desk"),
    ("alias", "set", "champion", "desk/1"),
    ("release", "export", "desk/1", "out"),
    ("audit", "checkpoint", "--anchor", "../anchor.jsonl"),
    ("audit", "export", "-o", "events.jsonl"),
    ("responsible", "run", "desk", "--quick"),
    ("data", "propose", "desk", "more.jsonl"),
    ("data", "accept", "desk", "--all"),
)
"""One after the other, each in the room that the one before left."""
THEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "check": (("run", "desk", "--until", "decide"),),
    "desk": tuple(("sign", "desk", "--role", role, "--reason", "looked at every figure") for role in ("responsible_ai", "tester")),
}
"""What follows a step undisturbed, by its second word, so that the next one can be taken."""


@pytest.fixture(scope="module")
def begun(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steps")
    room = folder / "0" / "room"
    room.mkdir(parents=True)
    start(room, tiny_model, "--from", str(tickets(folder / "rows.csv", 90)), "--bar", "0.01", use='["prompt", "tuned"]')
    shutil.copy(folder / "rows.csv", room / "rows.csv")
    rows = [{"input": f"a new message number {n} of its own", "target": "delay"} for n in range(3)]
    (room / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    whytune("policy", "init", "desk", cwd=room)
    edit(room / "desk", evidence='["test"]', licences="[]", smallest="10", winner_only="false")
    return folder


def acts(room: Path) -> list[str]:
    return [event["act"] for event in ledger(room)]


def proven(room: Path, before: list[str]) -> list[str]:
    """Everything is whole, what was acknowledged stands; the acts so far."""
    opened = api.open(room)
    try:
        anchor = room.parent / "anchor.jsonl"
        assert checkpoints.audit(opened, anchor=anchor if anchor.exists() else None, deep=True).problems == ()
    finally:
        opened.store.close()
    now = acts(room)
    assert now[: len(before)] == before, "an acknowledged act is lost"
    return now


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[" ".join(step[:2]) for step in STEPS])
def test_killed_in_this_step(begun: Path, number: int) -> None:
    step, chance = STEPS[number], random.Random(number)
    before = begun / str(number)
    assert before.exists(), "the step before it failed"
    calm = begun / str(number + 1)
    shutil.copytree(before, calm)
    was = acts(calm / "room")
    code, writes = killed(calm / "room", 0, *step)
    assert code in ((0, 3, 6) if step[0] == "responsible" else (0,)), step
    after = acts(calm / "room")
    for words in THEN.get(step[1], ()) if step[0] != "accept" else ():
        whytune(*words, cwd=calm / "room", code=None)
    for at in sorted(chance.sample(range(1, writes + 1), min(KILLS, writes))):
        rough = begun / "rough"
        shutil.rmtree(rough, ignore_errors=True)
        shutil.copytree(before, rough)
        assert killed(rough / "room", at, *step)[0] == -signal.SIGKILL
        there = proven(rough / "room", was)
        again = whytune(*step, cwd=rough / "room", code=None)
        done = proven(rough / "room", there)
        if there == after != was:
            # It had been written before the kill, and only not said: once more it is a second word, or refused as done.
            assert set(done) == set(after)
        elif step[:2] == ("release", "export"):
            # No act: the folder is there whole, from now or from before the kill, or not at all.
            assert done == after
            assert again.returncode == code or (rough / "room" / "out").is_dir(), again.stderr
            whytune("release", "verify", "out", cwd=rough / "room")
        else:
            assert (again.returncode, done) == (code, after), f"killed at write {at} of {writes}: {again.stderr}"
