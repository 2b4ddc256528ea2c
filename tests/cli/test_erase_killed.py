"""`whytune erase` killed by SIGKILL wherever it writes: the store opens, what stands half-way is said, the same command finishes."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.living import environment, whytune
from tests.killed_at import killed
from tests.workspace.test_erasing import WHO, begun, live
from tests.workspace.test_erasing_doors import every_door, found

from whytune.records.erasure import Erasure
from whytune.settings import Settings
from whytune.workspace import checkpoints
from whytune.workspace.workspace import Workspace

pytestmark = pytest.mark.deep
ERASE = ("erase", WHO, "--reason", "request 17")
POINTS = 12
"""Of about a hundred places where the command writes; another seed takes others."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that holds her wherever it can, and an anchor beside it."""
    root = tmp_path_factory.mktemp("full")
    project = begun(root / "room")
    (root / "room" / "made.json").write_text(json.dumps(live(project)))
    every_door(project, root)
    checkpoints.checkpoint(project.workspace, root / "anchor.jsonl")
    project.workspace.store.close()
    return root


def copied(full: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(full, folder)
    return folder / "room"


def whole_or_said(room: Path, head: str) -> bool:
    """Right after the kill: everything opens, and whatever does not fit is what the erasure blanked; whether something does not."""
    opened = Workspace.open(room, settings=Settings(person="ada"))
    audit = checkpoints.audit(opened, head=head, anchor=room.parent / "anchor.jsonl", deep=True)
    opened.store.close()
    assert all("rows are blank" in problem or "no erasure" in problem for problem in audit.problems), audit.problems
    assert audit.halfway or not audit.problems
    return bool(audit.problems)


def finished(room: Path, head: str) -> None:
    """The same command again, and then nothing is left, and everything is proven."""
    with Workspace.open(room, settings=Settings(person="ada")).store as store:
        done = bool(store.list(Erasure)) and not store.erasing.begun()
    # Killed after its last write, while it said so: then there is nothing left to erase.
    whytune(*ERASE, cwd=room, code=5 if done else 0, WHYTUNE_PERSON="ada")
    opened = Workspace.open(room, settings=Settings(person="ada"))
    try:
        assert found(opened.store.folder, opened.project("desk")) == []
        audit = checkpoints.audit(opened, head=head, anchor=room.parent / "anchor.jsonl", deep=True)
        assert (audit.problems, audit.halfway) == ((), ())
        (made,) = opened.store.list(Erasure)
        assert (len(made.rows), len(made.documents), made.said, made.drafts, made.opinions) == (2, 1, 2, 1, 1)
        assert not [place for place in made.left if "table" in place or "unfinished" in place], made.left
        assert not list((opened.store.folder / "erasing").iterdir())
    finally:
        opened.store.close()


def head_of(room: Path) -> str:
    with Workspace.open(room, settings=Settings(person="ada")).store as store:
        return store.head()[1]


def test_killed_at_any_write_it_is_finished_by_the_same_command(full: Path, tmp_path: Path) -> None:
    room = copied(full, tmp_path / "calm")
    head = head_of(room)
    code, writes = killed(room, 0, *ERASE, WHYTUNE_PERSON="ada")
    assert code == 0
    assert writes > 50
    halfway = False
    for at in sorted(random.Random(17).sample(range(1, writes + 1), POINTS)):
        room = copied(full, tmp_path / "killed")
        assert killed(room, at, *ERASE, WHYTUNE_PERSON="ada")[0] == -signal.SIGKILL, at
        if whole_or_said(room, head) and not halfway:
            said = whytune("audit", "verify", "--deep", cwd=room, code=1, WHYTUNE_PERSON="ada").stderr
            assert "an erasure begun" in said
            assert "run the same `whytune erase` command again" in said
            halfway = True
        finished(room, head)
    assert halfway, "no kill hit it between the first byte and the event"


def test_killed_again_and_again_at_random_moments_it_is_finished_in_the_end(full: Path, tmp_path: Path) -> None:
    room = copied(full, tmp_path / "rough")
    head = head_of(room)
    begun_at = time.monotonic()
    whytune(*ERASE, cwd=copied(full, tmp_path / "calm"), WHYTUNE_PERSON="ada")
    lasts = time.monotonic() - begun_at
    chance, kills = random.Random(3), 0
    for part in (0.6, 0.75, 0.85, 0.95):
        process = subprocess.Popen([sys.executable, "-m", "whytune", *ERASE], cwd=room, env=environment(WHYTUNE_PERSON="ada"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(lasts * part * chance.uniform(0.9, 1.1))
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        whole_or_said(room, head)
        if process.returncode == 0:
            break  # a machine that was slower a moment ago
    assert kills
    if process.returncode:
        finished(room, head)
