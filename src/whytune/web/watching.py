"""One look into the store for everybody who watches the same job: one more open page costs no more queries.

While somebody watches, a task of the server's loop reads what is new every `EVERY` seconds; it ends with the last of
them. Who comes late, or was behind for long, reads what is missing from the store first. It knows nothing of permission.

    async with watched(workspace, id, after) as run:
        await run.wait(after, "", most=10)
        text, after = await run.after(after)       # what happened since, as server-sent events
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.concurrency import run_in_threadpool

from whytune.records.job import Job, JobPoint
from whytune.workspace import following
from whytune.workspace.workspace import Workspace

EVERY = 1.5
"""Seconds between two looks into the store."""
HELD = 2_000
"""Points that are held for those who were not there at the moment of a look."""


class Watched:
    """A job that somebody watches; it belongs to one event loop."""

    def __init__(self, workspace: Workspace, id: str, after: int) -> None:
        self._workspace, self._id = workspace, id
        self._held: deque[tuple[int, str]] = deque(maxlen=HELD)
        self._before, self._newest = after, after  # of the points held: the number before the first, and the last
        self._looked = asyncio.Event()
        self._over = False
        self._trouble: Exception | None = None
        self.standing = ""
        """Where the job stands, as an event; empty until the first look."""
        self.watchers = 0
        self.task = asyncio.create_task(self._look_on())

    async def wait(self, number: int, standing: str, most: float) -> None:
        """Wait, at most so many seconds, until there is more to tell than a point and where the job stood. Raises what reading came to."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most):
                while number >= self._newest and standing == self.standing and not self._over and self._trouble is None:
                    await self._looked.wait()
        if self._trouble is not None:
            raise self._trouble

    async def after(self, number: int) -> tuple[str, int]:
        """What is known to have happened after a point, or the first part of it, and the number to go on from."""
        if number >= self._before:
            return "".join(text for seq, text in self._held if seq > number), max(number, self._newest)
        _, new = await run_in_threadpool(following.since, self._workspace, self._id, number)
        return "".join(map(_event, new)), new[-1].seq if new else self._before

    def over(self, number: int) -> bool:
        """Whether the job has ended, and nothing happened after this point."""
        return self._over and number >= self._newest

    async def _look_on(self) -> None:
        try:
            while not self._over:
                job, new = await run_in_threadpool(following.since, self._workspace, self._id, self._newest)
                for point in new:
                    if len(self._held) == HELD:
                        self._before = self._held[0][0]
                    self._held.append((point.seq, _event(point)))
                    self._newest = point.seq
                self.standing = f"event: job\ndata: {json.dumps(standing(job))}\n\n"
                self._over = not job.live and not new  # where there was something there may be more
                self._tell()
                if job.live:
                    await asyncio.sleep(EVERY if len(new) < following.AT_ONCE else 0)
        except Exception as error:  # each of those who watch is told, by their own stream
            self._trouble = error
            self._tell()

    def _tell(self) -> None:
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()


_watched: dict[tuple[asyncio.AbstractEventLoop, str, str], Watched] = {}


@asynccontextmanager
async def watched(workspace: Workspace, id: str, after: int) -> AsyncIterator[Watched]:
    """The job as everybody watches it who asks this server; for who has been let in already."""
    key = (asyncio.get_running_loop(), str(workspace.store.folder), id)
    run = _watched.get(key) or _watched.setdefault(key, Watched(workspace, id, after))
    run.watchers += 1
    try:
        yield run
    finally:
        run.watchers -= 1
        if not run.watchers:
            run.task.cancel()
            del _watched[key]


def standing(job: Job) -> dict[str, Any]:
    """What of a job changes while one looks."""
    return {
        "state": job.state, "phase": job.phase, "done": job.done, "total": job.total, "unit": job.unit,
        "left": None if job.left is None else round(job.left), "note": job.note,
    }  # fmt: skip


def _event(point: JobPoint) -> str:
    return f"id: {point.seq}\nevent: point\ndata: {json.dumps({'kind': point.kind, 'when': point.when, **point.values})}\n\n"
