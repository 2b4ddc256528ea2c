"""Long work as jobs: who may start and stop what, how each way of ending is told, and a real one in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from whytune.errors import LockedError, NotAllowedError, NotFoundError, RefusedError, StoppedError, UsageError
from whytune.jobs.progress import CurveProgress, Silent, draw
from whytune.records.job import Job
from whytune.settings import Settings
from whytune.workspace import people, working
from whytune.workspace.noting import JobNotes
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

PROJECT = 'name = "support"\ntask = "categorization"\n[data]\nfrom = ["rows.csv"]\ninput = "text"\ntarget = "category"\n[acceptance]\nmetric = "accuracy"\nbar = 0.8\nmargin = 0.05\n'


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "whytune.toml").write_text(PROJECT, "utf-8")
    rows = [f"the {word} {number * 7} did not come,{'late' if number % 2 else 'lost'}" for number, word in enumerate(["card", "loan", "lamp", "fish", "gold", "moon"] * 12)]
    (tmp_path / "support" / "rows.csv").write_text("text,category\n" + "\n".join(rows) + "\n", "utf-8")
    yield room
    room.store.close()


@pytest.fixture
def project(room: Workspace) -> Project:
    return room.project("support")


def only(room: Workspace) -> Job:
    found, total = working.jobs(room, "support")
    assert total == 1
    return found[0]


def until(told: Callable[[], bool]) -> None:
    """Wait for a condition; a minute is longer than anything here takes."""
    waiting = threading.Event()
    for _ in range(3000):
        if told():
            return
        waiting.wait(0.02)
    raise AssertionError("it never came to that")


def test_work_of_this_process_is_a_job_with_all_its_points(room: Workspace, project: Project) -> None:
    heard: list[str] = []

    class Beside(Silent):
        def phase(self, name: str, total: int, unit: str = "") -> None:
            heard.append(name)

    with working.recorded(project, "run", {"until": "check"}, Beside()) as progress:
        assert only(room).state == "running"
        assert isinstance(progress, CurveProgress)
        project.run(progress, until="check")
        progress.phase("training", 2, "steps")
        for step in (1, 2):
            draw(progress, step=step, loss=3.0 - step, total=2)
            progress.advance(1, f"loss {3 - step}")
        draw(progress, step=2, dev_loss=1.5, dev_metric=None)
        assert project.ending_file is not None
    job = only(room)
    assert (job.state, job.link, job.next) == ("done", "/projects/support/data/findings", "whytune run support")
    assert job.said == "Checks: " + ", ".join(f"{sum(one.status == state for one in project.validation.findings)} {state}" for state in ("pass", "warn", "fail"))
    points = working.points(room, job.id)
    assert [point.seq for point in points] == list(range(1, len(points) + 1))
    assert [point.values["name"] for point in points if point.kind == "phase"] == heard
    assert [point.values for point in points if point.kind == "curve"] == [
        {"part": 1, "step": 1, "loss": 2.0, "total": 2}, {"part": 1, "step": 2, "loss": 1.0, "total": 2}, {"part": 1, "step": 2, "dev_loss": 1.5},
    ]  # fmt: skip
    assert project.ending_file is None


def test_each_way_of_ending_is_told(room: Workspace, project: Project) -> None:
    ways: list[tuple[BaseException, str, str]] = [
        (RefusedError("the gate is closed", problems=["one", "two"], next="mend it"), "failed", "refused"),
        (StoppedError("stopped after step 3", next="again"), "stopped", ""),
        (NotAllowedError("ada may not", next="ask bo"), "stopped", "not-allowed"),
        (KeyboardInterrupt(), "stopped", ""),
        (ZeroDivisionError("oops"), "failed", "failed"),
    ]
    for error, state, code in ways:
        with pytest.raises(type(error)), working.recorded(project, "check", {}, Silent()):
            raise error
        job = working.jobs(room, "support")[0][0]
        assert (job.state, job.error.code if job.error else "") == (state, code)
        assert job.said
        assert job.next
    job = working.jobs(room, "support")[0][-1]
    assert job.error is not None
    assert job.error.problems == ("one", "two")


def test_somebody_else_may_stop_it_and_the_work_is_interrupted(room: Workspace, project: Project) -> None:
    def work() -> None:
        with working.recorded(project, "run", {}, Silent()):
            working.stop(room, only(room).id)
            until(lambda: False)  # the interrupt comes into this wait

    with pytest.raises(KeyboardInterrupt):
        work()
    assert only(room).state == "stopped"
    with pytest.raises(RefusedError, match="has ended already"):
        working.stop(room, only(room).id)


def test_the_best_is_kept_only_while_something_is_trained(room: Workspace, project: Project) -> None:
    with working.recorded(project, "train", {}, Silent()) as progress:
        id = only(room).id
        progress.phase("reading rows", 10)
        with pytest.raises(RefusedError, match="Nothing is being trained now"):
            working.stop(room, id, keep_best=True)
        progress.phase("training", 10, "steps")
        until(lambda: only(room).phase == "training")
        assert working.ending(room, only(room)) == ""
        working.stop(room, id, keep_best=True)
        assert project.ending_file is not None
        assert project.ending_file.read_text() == "ada"
        assert working.ending(room, only(room)) == "ada"
        assert only(room).state == "running", "the job itself goes on"
    assert working.ending(room, only(room)) == ""


def test_every_mistake_of_an_order_is_told_at_once(room: Workspace) -> None:
    with pytest.raises(UsageError) as told:
        working.start(room, "support", "run", {"until": "never", "how": "all"})
    assert len(told.value.problems) == 2
    for kind, given in (("tidy", {}), ("responsible", {"quick": "maybe"}), ("release", {"arm": "tuned"}), ("canaries", {"count": "3"}), ("canaries", {"count": "12.5"}), ("train", {"how": "x" * 500})):
        with pytest.raises(UsageError):
            working.start(room, "support", kind, given)
    with pytest.raises(NotFoundError):
        working.start(room, "nowhere", "run")
    assert working.jobs(room) == ([], 0)


def test_who_may_start_and_stop(room: Workspace) -> None:
    people.add(room, "ada", ["business_owner"])
    for name, role in (("creator", "data_creator"), ("scientist", "data_scientist"), ("auditor", "auditor"), ("ops", "operator")):
        people.add(room, name, [role])
    refused = {
        "run": ("creator", "scientist", "auditor", "ops"),  # the first step is the owner's
        "check": ("auditor", "ops"), "train": ("creator", "auditor", "ops"), "responsible": ("creator", "scientist"), "canaries": ("creator", "scientist"), "forgetting": ("creator",), "release": ("scientist",),
    }  # fmt: skip
    for kind, names in refused.items():
        for name in names:
            acting = room.as_person(name)
            if kind == "check" and name == "creator":
                continue
            with pytest.raises(NotAllowedError):
                working.start(acting, "support", kind)
    with working.recorded(room.as_person("scientist").project("support"), "train", {}, Silent()):
        id = only(room).id
        for name in ("auditor", "creator"):
            with pytest.raises(NotAllowedError, match="may not stop what scientist started"):
                working.stop(room.as_person(name), id)
        with pytest.raises(LockedError, match="worked on by scientist"):
            working.start(room.as_person("creator"), "support", "check")


def test_a_private_project_s_jobs_are_not_there_for_strangers(room: Workspace) -> None:
    people.add(room, "ada", ["business_owner"])
    people.add(room, "bo", ["data_scientist"])
    with working.recorded(room.project("support"), "run", {}, Silent()):
        pass
    job = only(room)
    file = room.root / "support" / "whytune.toml"
    file.write_text(file.read_text("utf-8") + '[owners]\nbusiness_owner = "ada"\n[access]\nprivate = true\n', "utf-8")
    assert working.job(room.as_person("ada"), job.id) == job
    stranger = room.as_person("bo")
    assert working.jobs(stranger) == ([], 0)
    for ask in (lambda: working.job(stranger, job.id), lambda: working.points(stranger, job.id), lambda: working.stop(stranger, job.id)):
        with pytest.raises(NotFoundError, match=f"There is no job '{job.id}'"):
            ask()


def test_notes_that_cannot_be_written_are_not_silently_lost(room: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from whytune.errors import StoreError

    def full(*_: object) -> None:
        raise StoreError("the disk is full", next="free some")

    monkeypatch.setattr(room.store.jobs, "note", full)
    with pytest.raises(StoreError, match="the disk is full"), JobNotes(room.store.jobs, "x", Silent()) as notes:
        notes.log("said")


@pytest.mark.slow
def test_a_job_begun_from_a_door_runs_in_a_process_of_its_own(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    begun = working.start(room, "support", "check")
    assert begun.state in ("waiting", "running")
    with pytest.raises(LockedError, match="is being worked on by ada: check"):
        working.start(room, "support", "check")
    until(lambda: not only(room).live)
    done = only(room)
    assert (done.state, done.person) == ("done", "ada"), (room.store.jobs.folder / f"{done.id}.log").read_text()
    assert [point.seq for point in working.points(room, done.id)][:2] == [1, 2]
    assert room.project("support").validation.findings
    events = [event for event in room.events("support") if event.act == "dataset.created"]
    assert [event.person for event in events] == ["ada"]
