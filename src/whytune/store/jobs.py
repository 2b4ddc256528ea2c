"""Long work: its state, its points, who asked it to stop. Operational: it may change, evidence never rests on it.

Each job has a lock that its process holds from the instant it exists: whether it lives is asked of the kernel, not of a
heartbeat, so a killed one is known as lost at once, and a busy machine loses none. What a job says is written without
waiting for the disk: a kill takes none of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from whytune.errors import LockedError, NotFoundError, RefusedError
from whytune.records.job import LIVE, Job, JobFailure, JobPoint
from whytune.records.record import canonical_json
from whytune.store import locks
from whytune.store.database import Database
from whytune.store.failures import told
from whytune.store.tables import metadata

MOST_POINTS = 5_000
"""Points of one answer; there may be more after them."""
LOST = "the process that worked on it is gone: it was killed, or the machine stopped"

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("project", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("person", String, nullable=False),
    Column("state", String, nullable=False),
    Column("created", String, nullable=False),
    Column("started", String, nullable=False),
    Column("ended", String, nullable=False),
    Column("phase", String, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("unit", String, nullable=False),
    Column("left", Float, nullable=True),
    Column("note", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("next", Text, nullable=False),
    Column("link", String, nullable=False),
    Column("error", Text, nullable=False),
    Index("jobs_by_project", "project", "number"),
    Index("jobs_by_state", "state"),
)
points = Table(
    "job_points",
    metadata,
    Column("job", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("when", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("content", Text, nullable=False),
    Index("job_points_by_kind", "job", "kind", "seq"),
    sqlite_with_rowid=False,
)
# Written out: these are run many times a minute beside a training run, and must cost it nothing.
_ADD_POINT = 'INSERT INTO job_points (job, seq, "when", kind, content) VALUES (?, ?, ?, ?, ?)'
_STANDING = 'UPDATE jobs SET phase = ?, done = ?, total = ?, unit = ?, "left" = ?, note = ? WHERE id = ?'


class Jobs:
    """The store's part for long work."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._shortcut = database.shortcut()
        self._locks = folder / "locks"
        self.folder = folder / "jobs"
        """What each job's process wrote to its outputs, and the files by which it is asked to end early."""

    def begin(self, job: Job) -> int:
        """Keep a new job and take its lock; gives the lock's descriptor. LockedError where another works on the project."""
        descriptor = locks.hold(self._locks, _lock(job.id))
        try:
            with self._database.writing("begin a job") as connection:
                going = select(jobs).where(jobs.c.project == job.project, jobs.c.state.in_(LIVE))
                for row in connection.execute(going).all():
                    if locks.is_held(self._locks, _lock(row.id)):
                        raise LockedError(
                            f"{job.project!r} is being worked on by {row.person}: {row.kind}, since {row.started or row.created}", where=f"job {row.id}",
                            next=f"wait until it is done, or stop it: whytune jobs stop {row.id}",
                        )  # fmt: skip
                connection.execute(insert(jobs), _row(job))
        except BaseException:
            locks.let_go(descriptor)
            raise
        return descriptor

    def take_up(self, id: str, descriptor: int | None = None) -> int:
        """Be the process that works on a new job, with the lock handed over or a new one. RefusedError where it was begun before."""
        if descriptor is None:
            descriptor = locks.hold(self._locks, _lock(id))
        locks.adopt(descriptor)
        with self._database.writing("take up a job") as connection:
            # Who was asked to stop before beginning begins, and stops by itself.
            state = case((jobs.c.state == "waiting", "running"), else_=jobs.c.state)
            taken = connection.execute(update(jobs).where(jobs.c.id == id, jobs.c.state.in_(LIVE), jobs.c.started == "").values(state=state, started=_now()))
            if not taken.rowcount:
                raise RefusedError(f"Job {id} is not waiting to be begun", next=f"whytune jobs show {id}")
        return descriptor

    def note(self, id: str, standing: Mapping[str, Any] | None, new: Sequence[JobPoint]) -> None:
        """Write how far it is, and what happened since, in one transaction."""
        statements: list[tuple[str, Sequence[Sequence[Any]]]] = []
        if new:
            statements.append((_ADD_POINT, [(id, point.seq, point.when, point.kind, canonical_json(point.values)) for point in new]))
        if standing:
            now = [standing[name] for name in ("phase", "done", "total", "unit", "left", "note")]
            statements.append((_STANDING, [(*now, id)]))
        if statements:
            self._shortcut.write("note how a job goes", statements)

    def move(self, id: str, project: str) -> None:
        """From now on it is a job of this project: what it worked on has become one."""
        with self._database.writing("move a job to its project") as connection:
            connection.execute(update(jobs).where(jobs.c.id == id).values(project=project))

    def settle(self, id: str, state: str, **words: Any) -> Job:
        """How it ended: said, next, link, error. What is settled already stays as it is."""
        failure: JobFailure | None = words.pop("error", None)
        values = {**words, "state": state, "ended": _now(), "left": None, "error": failure.model_dump_json() if failure else ""}
        with self._database.writing("end a job") as connection:
            connection.execute(update(jobs).where(jobs.c.id == id, jobs.c.state.in_(LIVE)).values(**values))
        return self.one(id)

    def release(self, id: str, descriptor: int) -> None:
        """Let go of a job that is settled."""
        locks.let_go(descriptor)
        self._forget(id)

    def asked_to_stop(self, id: str) -> bool:
        """Whether somebody asked the job's process to stop."""
        return self._shortcut.value("SELECT 1 FROM jobs WHERE id = ? AND state = 'stopping'", (id,)) is not None

    def ask_to_stop(self, id: str) -> Job:
        """Ask a living job to stop. Raises RefusedError where it has ended."""
        self._alive(id)
        with self._database.writing("ask a job to stop") as connection:
            connection.execute(update(jobs).where(jobs.c.id == id, jobs.c.state.in_(LIVE)).values(state="stopping"))
        return self.one(id)

    def ask_to_end(self, id: str, person: str) -> Job:
        """Ask a living job to end its training and keep the best. A file says so: several processes may be at it."""
        found = self._alive(id)
        with told("ask a job to end its training", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.ending_file(id).write_text(person, "utf-8")
        return found

    def ending_file(self, id: str) -> Path:
        """While it is there, training ends at the next step; it holds the name of who asked."""
        return self.folder / f"{id}.enough"

    def one(self, id: str) -> Job:
        """The job of that id, as it is now. Raises NotFoundError."""
        with self._database.reading("read a job") as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == id)).first()
        if row is None:
            raise NotFoundError(f"There is no job {id!r}", next="whytune jobs")
        return self._checked([row])[0]

    def listed(self, projects: Sequence[str], offset: int = 0, limit: int = 50) -> tuple[list[Job], int]:
        """Jobs of these projects, newest first, and how many there are in all."""
        mine = jobs.c.project.in_(list(projects))
        with self._database.reading("list jobs") as connection:
            rows = connection.execute(select(jobs).where(mine).order_by(jobs.c.number.desc()).offset(offset).limit(limit)).all()
            total = connection.scalar(select(func.count()).select_from(jobs).where(mine)) or 0
        return self._checked(rows), total

    def going(self, projects: Sequence[str]) -> list[Job]:
        """Jobs of these projects that a process works on now, oldest first."""
        with self._database.reading("list jobs") as connection:
            rows = connection.execute(select(jobs).where(jobs.c.state.in_(LIVE)).order_by(jobs.c.number)).all()
        wanted = set(projects)
        return [job for job in self._checked([row for row in rows if row.project in wanted]) if job.live]

    def points(self, id: str, after: int = 0, limit: int = MOST_POINTS) -> list[JobPoint]:
        """What happened after point number `after`, oldest first."""
        query = select(points).where(points.c.job == id, points.c.seq > after).order_by(points.c.seq).limit(limit)
        with self._database.reading("read a job's points") as connection:
            return [_point(row) for row in connection.execute(query)]

    def curve(self, id: str, most: int = 600) -> list[JobPoint]:
        """Points of the curve, oldest first: every look at dev, and evenly as many steps as `most` allows."""
        mine = (points.c.job == id, points.c.kind == "curve")
        with self._database.reading("read a job's curve") as connection:
            count = connection.scalar(select(func.count()).select_from(points).where(*mine)) or 0
            each = max(1, -(-count // most))
            query = select(points).where(*mine).order_by(points.c.seq)
            if each > 1:
                query = query.where(or_(points.c.seq % each == 0, points.c.content.like('%"dev_loss"%')))
            return [_point(row) for row in connection.execute(query)]

    def log(self, id: str, most: int = 300) -> list[JobPoint]:
        """The newest lines of its log, oldest first."""
        query = select(points).where(points.c.job == id, points.c.kind.in_(["phase", "progress", "log"])).order_by(points.c.seq.desc()).limit(most)
        with self._database.reading("read a job's log") as connection:
            return [_point(row) for row in connection.execute(query)][::-1]

    def last_seq(self, id: str) -> int:
        """Number of the newest point; 0 where there is none."""
        return int(self._shortcut.value("SELECT max(seq) FROM job_points WHERE job = ?", (id,)) or 0)

    def _alive(self, id: str) -> Job:
        found = self.one(id)
        if not found.live:
            raise RefusedError(f"Job {id} has ended already: {found.state}", next=f"whytune jobs show {id}")
        return found

    def close(self) -> None:
        """Give the file back."""
        self._shortcut.close()

    def _checked(self, rows: Sequence[Any]) -> list[Job]:
        """Rows as jobs; those whose process is gone become lost."""
        gone = [row.id for row in rows if row.state in LIVE and not locks.is_held(self._locks, _lock(row.id))]
        if not gone:
            return [_job(row) for row in rows]
        with self._database.writing("note that a job is lost") as connection:
            # Only now that nobody holds the lock is the state final: a job that has just ended by itself stays so.
            lost = {"state": "lost", "ended": _now(), "left": None, "said": LOST, "next": "start it again: what was kept is still there"}
            for id in gone:
                connection.execute(update(jobs).where(jobs.c.id == id, jobs.c.state.in_(LIVE)).values(**lost))
            anew = {row.id: row for row in connection.execute(select(jobs).where(jobs.c.id.in_(gone)))}
        for id in gone:
            self._forget(id)
        return [_job(anew.get(row.id, row)) for row in rows]

    def _forget(self, id: str) -> None:
        locks.lock_file(self._locks, _lock(id)).unlink(missing_ok=True)
        self.ending_file(id).unlink(missing_ok=True)


def _lock(id: str) -> str:
    return f"job-{id}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _row(job: Job) -> dict[str, Any]:
    fields = job.model_dump(exclude={"arguments", "error"})
    return {**fields, "arguments": canonical_json(job.arguments), "error": job.error.model_dump_json() if job.error else ""}


def _point(row: Any) -> JobPoint:
    return JobPoint(seq=row.seq, when=row.when, kind=row.kind, values=json.loads(row.content))


def _job(row: Any) -> Job:
    fields = {name: value for name, value in row._mapping.items() if name not in ("number", "arguments", "error")}
    return Job(**fields, arguments=json.loads(row.arguments), error=JobFailure.model_validate_json(row.error) if row.error else None)
