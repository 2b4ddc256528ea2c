"""A Progress that keeps what it is told beside the job: how far it is, every point of the curve, every phase.

A thread of its own writes, a few times a second, so that the work never waits for the database; it also listens whether
somebody asked the job to stop, and then interrupts the work as Ctrl-C would: what was begun is saved, nothing is lost.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from whytune.errors import StoreError
from whytune.jobs.progress import CurveProgress, Progress, Recorder, Standing
from whytune.records.job import JobPoint, PointKind

if TYPE_CHECKING:
    from whytune.store.jobs import Jobs

EVERY = 0.3
"""Seconds between two writes; so much of what was said may be lost with a killed process, and nothing of what was done."""
QUIET = 2.0
"""A line of the log for each tenth of a phase, but not more often than so many seconds."""
TRAINING = "training"
"""The phase in which steps are made; each is one part of the job, with a curve of its own."""


class JobNotes:
    """Use it as a context manager around the work; `beside` is told everything too."""

    def __init__(self, jobs: Jobs, id: str, beside: Progress) -> None:
        self._jobs = jobs
        self._id = id
        self._beside = beside
        self._lock = threading.Lock()
        self._seq = jobs.last_seq(id)
        self._new: list[JobPoint] = []
        self._standing: dict[str, Any] | None = None
        self._recorder = Recorder(self._stand, every=EVERY)
        self._part = 0
        self._tenth, self._told = 0, time.monotonic()
        self._over = threading.Event()
        self._trouble: StoreError | None = None
        self._thread = threading.Thread(target=self._write_on, name="whytune-job-notes", daemon=True)

    def __enter__(self) -> JobNotes:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._write()
        if self._trouble and error is None:
            raise self._trouble  # what the database refused to keep is not kept silent

    def phase(self, name: str, total: int, unit: str = "") -> None:
        """A phase begins."""
        self._beside.phase(name, total, unit)
        if name == TRAINING:
            self._part += 1
        self._tenth = 0
        self._point("phase", {"name": name, "total": total, "unit": unit})
        self._recorder.phase(name, total, unit)

    def advance(self, n: int = 1, note: str = "") -> None:
        """n more are done."""
        self._beside.advance(n, note)
        self._recorder.advance(n, note)

    def curve(self, values: Mapping[str, float | int | None]) -> None:
        """A point of the curve."""
        if isinstance(self._beside, CurveProgress):
            self._beside.curve(values)
        self._point("curve", {"part": self._part, **{name: value for name, value in values.items() if value is not None}})

    def log(self, text: str) -> None:
        """A line of the log."""
        self._point("log", {"text": text})

    def _stand(self, standing: Standing) -> None:
        with self._lock:
            self._standing = asdict(standing)
        tenth = 10 * standing.done // standing.total if standing.total else 0
        if tenth > self._tenth and time.monotonic() - self._told >= QUIET:
            self._tenth, self._told = tenth, time.monotonic()
            self._point("progress", {"done": standing.done, "total": standing.total, "unit": standing.unit, "left": standing.left, "note": standing.note})

    def _point(self, kind: PointKind, values: dict[str, Any]) -> None:
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._lock:
            self._seq += 1
            self._new.append(JobPoint(seq=self._seq, when=when, kind=kind, values=values))

    def _write_on(self) -> None:
        interrupted = False
        while not self._over.wait(EVERY):
            self._write()
            if not interrupted and self._asked():
                interrupted = True
                os.kill(os.getpid(), signal.SIGINT)

    def _write(self) -> None:
        with self._lock:
            standing, self._standing = self._standing, None
            new, self._new = self._new, []
        try:
            self._jobs.note(self._id, standing, new)
            self._trouble = None
        except StoreError as error:
            self._trouble = error
            with self._lock:  # tried again with the next ones: the database may only have been busy
                self._new = [*new, *self._new]
                self._standing = self._standing or standing

    def _asked(self) -> bool:
        try:
            return self._jobs.asked_to_stop(self._id)
        except StoreError as error:
            self._trouble = error
            return False
