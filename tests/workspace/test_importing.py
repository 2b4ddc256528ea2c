"""A draft becomes a project as a job: every row read first, every mistake told with its lines, nothing lost however it ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.living import tickets
from tests.workspace.jobs_here import at_once

from whytune.errors import LockedError, NotFoundError, RefusedError, SettingsError
from whytune.settings import Settings
from whytune.workspace import creating, drafting, people, working
from whytune.workspace.workspace import Workspace


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WHYTUNE_PERSON", "ann")
    folder = tmp_path / "room"
    folder.mkdir()
    made = Workspace.open(folder, settings=Settings(person="ann"), create=True)
    yield made
    made.store.close()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)


def draft_of(room: Workspace, tmp_path: Path, text: str = "", name: str = "tickets.csv", **typed: str) -> str:
    path = tmp_path / "sent"
    if text:
        path.write_text(text, "utf-8")
    else:
        tickets(path)
    draft = drafting.begin(room, [(name, path)])
    return drafting.save(room, draft.id, {"task": "categorization", **typed}, {}).id


@pytest.mark.usefixtures("here")
def test_a_draft_becomes_a_project_with_its_first_version(room: Workspace, tmp_path: Path) -> None:
    draft = draft_of(room, tmp_path)
    begun = working.start_import(room, draft)
    job = working.job(room, begun.id)
    assert (job.state, job.kind, job.project, job.link) == ("done", "import", "tickets", "/projects/tickets/data")
    assert job.said.startswith("tickets is created. Version 1: train ")
    assert job.next == "whytune data check tickets"
    project = room.project("tickets")
    assert [event.act for event in room.events("tickets")] == ["project.created", "usecase.fixed", "dataset.created"]
    phases = {point.values["name"]: point.values for point in working.points(room, job.id) if point.kind == "phase"}
    assert (phases["reading tickets.csv"]["total"], phases["reading tickets.csv"]["unit"]) == (91, "lines")
    first = project.dataset
    project.run(until="data")
    assert project.dataset == first, "what was read in the draft is what the project's files say"
    assert first.sources[0].file == "data/tickets.csv"
    assert drafting.drafts(room) == []
    assert [one.id for one in working.jobs(room, "tickets")[0]] == [job.id], "it is the project's from now on"


@pytest.mark.usefixtures("here")
def test_every_mistake_is_told_with_its_lines_and_the_draft_keeps_everything(room: Workspace, tmp_path: Path) -> None:
    lines = ["text,category", *(f"row {number}," for number in range(2, 400)), "one,two,three", *(f"row {number}," for number in range(401, 500)), "lonely"]
    draft = draft_of(room, tmp_path, "\n".join(lines) + "\n", input="text", target="category", purpose="sort mail")
    assert drafting.named(room, draft).problems == (), "at a glance nothing is wrong"
    job = working.job(room, working.start_import(room, draft).id)
    assert (job.state, job.link, job.draft) == ("failed", f"/drafts/{draft}", draft)
    assert job.error is not None
    told = " ".join(job.error.problems)
    assert "lines 2-399, 401-499:" in told
    assert "line 400:" in told
    assert "line 500:" in told
    assert str(tmp_path) not in f"{told} {job.said} {job.error.where}", "where it lies on this machine is nobody's business"
    kept = drafting.named(room, draft)
    assert kept.problems == job.error.problems
    assert (kept.wishes["purpose"], [file.name for file in kept.files]) == ("sort mail", ["tickets.csv"])
    assert [path.name for path in room.root.iterdir()] == [".whytune"], "nothing was made"
    found = working.import_of(room, draft)
    assert found is not None
    assert found.id == job.id
    mended = tmp_path / "mended"
    tickets(mended)
    whole = drafting.add(room, draft, [("mended.csv", mended)])
    drafting.save(room, draft, {}, {file.id: "rows" if file.name == "mended.csv" else "left_out" for file in whole.files})
    assert working.job(room, working.start_import(room, draft).id).state == "done"
    assert room.project("tickets").file.purpose == "sort mail"


@pytest.mark.usefixtures("here")
def test_whose_name_was_taken_meanwhile_is_told_so(room: Workspace, tmp_path: Path) -> None:
    draft = draft_of(room, tmp_path)
    (room.root / "tickets").mkdir()
    with pytest.raises(SettingsError, match="cannot be started yet"):
        working.start_import(room, draft)
    assert working.import_of(room, draft) is None, "what is known at a glance begins no job"


@pytest.mark.usefixtures("here")
def test_a_stopped_import_leaves_the_draft_as_it_was(room: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = draft_of(room, tmp_path, bar="0.7")
    before = drafting.named(room, draft)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(creating, "prepare", interrupted)
        job = working.job(room, working.start_import(room, draft).id)
    assert (job.state, job.link) == ("stopped", f"/drafts/{draft}")
    assert "everything typed and uploaded is kept" in job.next
    assert drafting.named(room, draft) == before
    assert not list((room.store.folder / "drafts" / draft).rglob("whytune.toml"))
    assert working.job(room, working.start_import(room, draft).id).state == "done"


def test_while_it_is_read_it_cannot_be_changed_or_begun_twice(room: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = draft_of(room, tmp_path)
    held: list[int] = []
    monkeypatch.setattr(working, "_spawn", lambda workspace, job, descriptor: held.append(os.dup(descriptor)))
    job = working.start_import(room, draft)
    with pytest.raises(LockedError, match="is being worked on by ann: import"):
        working.start_import(room, draft)
    assert working.job(room, job.id).state == "waiting"
    os.close(held[0])
    assert working.job(room, job.id).state == "lost"
    assert drafting.named(room, draft).files


def test_an_import_is_its_sender_s_own(room: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people.add(room, "ann", ["business_owner", "admin"])
    people.add(room, "bo", ["business_owner", "auditor", "admin"])
    monkeypatch.setattr(working, "_spawn", lambda *_: None)
    draft = draft_of(room.as_person("ann"), tmp_path)
    job = working.start_import(room.as_person("ann"), draft)
    assert [one.id for one in working.jobs(room.as_person("ann"))[0]] == [job.id]
    assert working.jobs(room.as_person("bo")) == ([], 0)
    for look in (working.job, working.points, working.stop):
        with pytest.raises(NotFoundError, match="There is no job"):
            look(room.as_person("bo"), job.id)
    with pytest.raises(RefusedError, match="has ended already: lost"):
        working.stop(room.as_person("ann"), job.id)


@pytest.mark.usefixtures("here")
def test_whoever_may_not_make_a_version_makes_the_project_and_says_who_may(room: Workspace, tmp_path: Path) -> None:
    people.add(room, "ann", ["business_owner"])
    people.add(room, "dora", ["data_creator"])
    ann = room.as_person("ann")
    job = working.job(ann, working.start_import(ann, draft_of(ann, tmp_path)).id)
    assert job.state == "done", job.said
    assert "90 rows fit" in job.said
    assert "dora" in job.next
    assert room.project("tickets").latest_dataset is None
    assert [event.act for event in room.events("tickets")] == ["project.created"]


@pytest.mark.slow
def test_a_killed_import_is_lost_and_the_draft_is_not(room: Workspace, tmp_path: Path) -> None:
    draft = draft_of(room, tmp_path, "text,category\n" + "".join(f"{number} words of a row about {number % 97},{'ab'[number % 2]}\n" for number in range(20_000)))
    job = working.start_import(room, draft)
    until = time.monotonic() + 60
    while not (found := working.job(room, job.id)).done and found.live and time.monotonic() < until:
        time.sleep(0.02)
    assert found.unit == "lines", found
    assert found.total == 20_001
    with pytest.raises(LockedError):
        drafting.save(room, draft, {"bar": "0.9"}, {})
    process = next(entry for entry in Path("/proc").iterdir() if entry.name.isdecimal() and job.id.encode() in (entry / "cmdline").read_bytes())
    os.kill(int(process.name), signal.SIGKILL)
    while working.job(room, job.id).live:
        time.sleep(0.02)
    assert working.job(room, job.id).state == "lost"
    assert drafting.named(room, draft).files[0].name == "tickets.csv"
    again = working.wait(room, working.start_import(room, draft).id, 120)
    assert again.state == "done", again
    assert room.project("tickets").dataset.number == 1
