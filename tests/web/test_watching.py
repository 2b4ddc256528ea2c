"""Many who watch one job cost one look each time, nobody misses a point, and the last one to leave ends the looking."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from whytune.errors import StoreError
from whytune.records.job import Job, JobPoint
from whytune.settings import Settings
from whytune.web import watching
from whytune.workspace import following
from whytune.workspace.workspace import Workspace

T = TypeVar("T")
SECONDS = 20.0
"""After so long something is wrong, however busy the machine is."""


class Work:
    """A job of which a test says how far it is, in place of what the store has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.points, self.state, self.asked = 0, "running", [0]
        self.asked.clear()
        monkeypatch.setattr(following, "since", self.since)

    def since(self, workspace: Workspace, id: str, after: int) -> tuple[Job, list[JobPoint]]:
        self.asked.append(after)
        job = Job.model_validate({"id": id, "project": "support", "kind": "train", "person": "ada", "state": self.state, "created": "", "done": self.points})
        return job, [JobPoint(seq=seq, when="", kind="log", values={"text": "two\nlines"}) for seq in range(after + 1, min(self.points, after + following.AT_ONCE) + 1)]


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run in a thread of its own: the browser of other tests in this process keeps a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture
def room(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setattr(watching, "EVERY", 0.05)
    return Work(monkeypatch)


async def heard(room: Workspace, after: int, until: int) -> list[int]:
    """Numbers of the points that somebody hears who watches from one point to another."""
    numbers: list[int] = []
    async with watching.watched(room, "job", after) as run, asyncio.timeout(SECONDS):
        while after < until:
            await run.wait(after, run.standing, SECONDS)
            text, after = await run.after(after)
            numbers += map(int, re.findall(r"(?m)^id: (\d+)$", text))
    return numbers


def test_ten_who_watch_ask_the_store_as_often_as_one(room: Workspace, work: Work) -> None:
    async def watch() -> list[list[int]]:
        async def go_on() -> None:
            for _ in range(5):
                await asyncio.sleep(0.1)
                work.points += 4

        told = await asyncio.gather(*(heard(room, 0, 20) for _ in range(10)), go_on())
        return [numbers for numbers in told if numbers is not None]

    assert apart(watch()) == [list(range(1, 21))] * 10
    assert work.asked == sorted(work.asked), "each look goes on from the one before: nobody asked on their own"
    assert not watching._watched


def test_who_comes_late_or_was_away_misses_nothing(room: Workspace, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "HELD", 10)
    work.points = 1_234

    async def watch() -> tuple[list[int], list[int]]:
        async with watching.watched(room, "job", 1_000) as run, asyncio.timeout(SECONDS):
            await run.wait(1_000, "", SECONDS)  # of all these points ten are held
            return await heard(room, 0, 1_234), await heard(room, 1_230, 1_234)

    assert apart(watch()) == (list(range(1, 1_235)), [1_231, 1_232, 1_233, 1_234])


def test_the_end_comes_after_the_last_point(room: Workspace, work: Work) -> None:
    work.points, work.state = 3, "done"

    async def watch() -> tuple[bool, str, bool]:
        async with watching.watched(room, "job", 0) as run, asyncio.timeout(SECONDS):
            await run.wait(0, "", SECONDS)
            before = run.over(0)
            text, after = await run.after(0)
            while not run.over(after):
                await run.wait(after, run.standing, SECONDS)
            return before, text, '"state": "done"' in run.standing

    before, text, done = apart(watch())
    assert (before, done, text.count("\n\n")) == (False, True, 3)


def test_what_reading_came_to_is_told_to_everybody(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(workspace: Workspace, id: str, after: int) -> None:
        raise StoreError("The disk is gone", next="find it")

    monkeypatch.setattr(following, "since", broken)

    async def watch() -> list[BaseException | list[int]]:
        return await asyncio.gather(heard(room, 0, 1), heard(room, 5, 9), return_exceptions=True)

    assert [str(error).splitlines()[0] for error in apart(watch())] == ["The disk is gone"] * 2
    assert not watching._watched
