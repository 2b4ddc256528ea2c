"""Long work in the store: one a project, known as lost when its process is gone, its points in order, asked to stop."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from whytune.errors import LockedError, NotFoundError, RefusedError
from whytune.records.job import Job, JobFailure, JobPoint
from whytune.store import locks
from whytune.store.store import Store

NOW = "2026-01-02T03:04:05+00:00"


def job(id: str, project: str = "support", **more: object) -> Job:
    return Job(id=id, project=project, kind="run", arguments={"until": "test"}, person="ada", state="waiting", created=NOW, **more)  # type: ignore[arg-type]


def point(seq: int, kind: str = "curve", **values: object) -> JobPoint:
    return JobPoint(seq=seq, when=NOW, kind=kind, values=values)  # type: ignore[arg-type]


def test_a_job_is_kept_taken_up_noted_and_settled(store: Store) -> None:
    held = store.jobs.begin(job("one"))
    assert store.jobs.one("one") == job("one")
    store.jobs.take_up("one", held)
    assert store.jobs.one("one").state == "running"
    assert store.jobs.one("one").started
    standing = {"phase": "training", "done": 3, "total": 9, "unit": "steps", "left": 4.5, "note": "loss 1.2"}
    store.jobs.note("one", standing, [point(1, "phase", name="training", total=9, unit="steps"), point(2, part=1, step=1, loss=2.5)])
    now = store.jobs.one("one")
    assert {name: getattr(now, name) for name in standing} == standing
    failed = JobFailure(code="training", what="it diverged", where="step 4", problems=("a", "b"), next="lower the rate")
    done = store.jobs.settle("one", "failed", said="it diverged", next="lower the rate", error=failed)
    assert (done.state, done.error, done.left) == ("failed", failed, None)
    assert done.ended
    assert store.jobs.settle("one", "done", said="no").state == "failed", "what is settled stays"
    store.jobs.release("one", held)
    assert store.jobs.one("one").state == "failed"
    assert not list((store.folder / "locks").glob("job-*")), "its lock file goes with it"


def test_two_jobs_of_one_project_exclude_each_other(store: Store) -> None:
    held = store.jobs.begin(job("one"))
    with pytest.raises(LockedError, match="'support' is being worked on by ada: run, since") as told:
        store.jobs.begin(job("two"))
    assert "whytune jobs stop one" in told.value.next
    other = store.jobs.begin(job("three", "other"))
    store.jobs.settle("one", "done")
    after = store.jobs.begin(job("two"))
    for id, descriptor in (("one", held), ("two", after), ("three", other)):
        store.jobs.release(id, descriptor)


def test_a_job_whose_process_is_killed_is_lost_and_the_next_may_begin(store: Store) -> None:
    held = store.jobs.begin(job("one"))
    # The lock goes on with whoever inherited it, here a process that only waits.
    heir = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=(held,), stdin=subprocess.PIPE)
    os.close(held)
    assert store.jobs.one("one").state == "waiting"
    with pytest.raises(LockedError):
        store.jobs.begin(job("two"))
    heir.kill()
    heir.communicate()
    listed, total = store.jobs.listed(["support"])
    assert (listed[0].state, total) == ("lost", 1)
    assert "start it again" in listed[0].next
    assert store.jobs.one("one") == listed[0]
    store.jobs.release("two", store.jobs.begin(job("two")))


def test_only_one_process_takes_a_job_up(store: Store) -> None:
    held = store.jobs.begin(job("one"))
    store.jobs.take_up("one", held)
    with pytest.raises(RefusedError, match="not waiting to be begun"):
        store.jobs.take_up("one", os.dup(held))
    with pytest.raises(LockedError):
        store.jobs.take_up("one")
    store.jobs.release("one", held)


def test_points_come_in_order_and_from_a_number_on(store: Store) -> None:
    store.jobs.note("one", None, [point(number, part=1, step=number, loss=1.0) for number in range(1, 4)])
    store.jobs.note("one", None, [point(4, "log", text="said"), point(5, part=1, step=3, dev_loss=2.0)])
    store.jobs.note("two", None, [point(1, part=1, step=1, loss=9.0)])
    assert [each.seq for each in store.jobs.points("one")] == [1, 2, 3, 4, 5]
    assert [each.seq for each in store.jobs.points("one", after=3)] == [4, 5]
    assert [each.seq for each in store.jobs.points("one", after=1, limit=2)] == [2, 3]
    assert store.jobs.last_seq("one") == 5
    assert store.jobs.last_seq("none") == 0
    assert [each.values["text"] for each in store.jobs.log("one")] == ["said"]


def test_a_long_curve_is_thinned_but_keeps_every_look_at_dev(store: Store) -> None:
    many = [point(seq, part=1, step=seq, **({"dev_loss": 1.0} if seq % 997 == 0 else {"loss": 1.0})) for seq in range(1, 5001)]
    store.jobs.note("one", None, many)
    drawn = store.jobs.curve("one", most=100)
    assert [each.seq for each in drawn if "dev_loss" in each.values] == [997, 1994, 2991, 3988, 4985]
    assert len([each for each in drawn if "loss" in each.values]) == 100
    assert len(store.jobs.curve("one", most=10_000)) == 5000


def test_asking_to_stop_and_to_end(store: Store) -> None:
    held = store.jobs.begin(job("one"))
    assert not store.jobs.asked_to_stop("one")
    store.jobs.ask_to_end("one", "bo")
    assert store.jobs.ending_file("one").read_text() == "bo"
    assert store.jobs.ask_to_stop("one").state == "stopping"
    assert store.jobs.asked_to_stop("one")
    store.jobs.take_up("one", held)
    assert store.jobs.one("one").state == "stopping", "who was asked before it began knows it when it begins"
    store.jobs.settle("one", "stopped")
    store.jobs.release("one", held)
    assert not store.jobs.ending_file("one").exists()
    for ask in (store.jobs.ask_to_stop, lambda id: store.jobs.ask_to_end(id, "bo")):
        with pytest.raises(RefusedError, match="has ended already: stopped"):
            ask("one")
    with pytest.raises(NotFoundError):
        store.jobs.ask_to_stop("none")


def test_lists_are_newest_first_by_page_and_by_project(store: Store) -> None:
    for number in range(5):
        id = f"j{number}"
        held = store.jobs.begin(job(id, "a" if number % 2 else "b"))
        store.jobs.settle(id, "done")
        store.jobs.release(id, held)
    found, total = store.jobs.listed(["a", "b"], offset=1, limit=2)
    assert ([each.id for each in found], total) == (["j3", "j2"], 5)
    assert [each.id for each in store.jobs.listed(["a"])[0]] == ["j3", "j1"]
    assert store.jobs.listed([]) == ([], 0)


def test_asking_who_holds_a_lock_takes_it_from_nobody(store: Store) -> None:
    folder = store.folder / "locks"
    assert not locks.is_held(folder, "x")
    held = locks.hold(folder, "x")
    assert locks.is_held(folder, "x")
    with pytest.raises(LockedError):
        locks.hold(folder, "x")
    locks.let_go(held)
    assert not locks.is_held(folder, "x")
