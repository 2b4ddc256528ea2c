"""How far a long piece of work has come, and when it will be done.

A stage tells a `Progress` which phase begins and how much of it is done; it does not know who listens. The doors
draw it, a log keeps it, a test counts it. Nothing here prints, and nothing is ever concluded from progress.

Example: a phase of 1,200 rows that advances by 40 rows every 2 seconds has `Pace.rate` 20.0 and, at 400 rows,
`Pace.left` 40.0 seconds.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Protocol, runtime_checkable

Clock = Callable[[], float]


class Progress(Protocol):
    """What every long stage function is given."""

    def phase(self, name: str, total: int, unit: str = "") -> None:
        """A phase begins; the one before it is over. total 0: how much there is to do is not known."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """n more units of the phase are done; `note` is one short thing worth seeing, such as the loss."""


@runtime_checkable
class CurveProgress(Progress, Protocol):
    """A Progress that is also told each point of a training's curve. Who draws none need not know of it."""

    def curve(self, values: Mapping[str, float | int | None]) -> None:
        """One step with its loss, or one look at dev."""


def draw(progress: Progress, **values: float | int | None) -> None:
    """Tell a point of the curve to who draws it."""
    if isinstance(progress, CurveProgress):
        progress.curve(values)


class Silent:
    """A Progress nobody listens to."""

    def phase(self, name: str, total: int, unit: str = "") -> None:
        """Nothing."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """Nothing."""


class Pace:
    """How fast a phase goes and how long it will still take.

    The rate is the median of the slopes between points of a sliding window (Theil-Sen), so one slow batch, a pause
    of the machine or a burst of cached answers does not throw the estimate about; a stall pulls it down as it lasts.
    """

    POINTS = 24
    """Points kept in the window: 276 slopes at most, some tens of microseconds."""

    def __init__(self, total: int = 0, *, window: float = 30.0, clock: Clock = time.monotonic) -> None:
        self.total = total
        self.done = 0
        self._window = window
        self._clock = clock
        self._start = clock()
        self._points: deque[tuple[float, int]] = deque([(self._start, 0)])

    def advance(self, n: int = 1) -> None:
        """n more are done."""
        self.done += n
        now = self._clock()
        # Points stand at least a POINTS-th of the window apart; otherwise a fast phase would remember only its last instants.
        if len(self._points) > 1 and now - self._points[-2][0] < self._window / self.POINTS:
            self._points.pop()
        self._points.append((now, self.done))
        while len(self._points) > 2 and now - self._points[1][0] > self._window:
            self._points.popleft()

    @property
    def seconds(self) -> float:
        """Since the phase began."""
        return self._clock() - self._start

    @property
    def rate(self) -> float | None:
        """Units a second; None while nothing can be said."""
        points = list(self._points)
        now = self._clock()
        if now - points[-1][0] > self._window:
            # Nothing for a whole window: a stall, which a median would not see.
            return (self.done - points[0][1]) / (now - points[0][0]) if self.done else None
        slopes = [
            (later[1] - earlier[1]) / (later[0] - earlier[0])
            for place, earlier in enumerate(points)
            for later in points[place + 1 :]
            if later[0] > earlier[0]
        ]
        if not slopes or not self.done:
            return None
        # Work that comes in few large batches has mostly flat slopes between its steps: the mean is what is left then.
        return median(slopes) or (self.done / (now - self._start) if now > self._start else None)

    @property
    def left(self) -> float | None:
        """Seconds until the phase is done; None while nothing can be said, 0 when it is."""
        if not self.total:
            return None
        if self.done >= self.total:
            return 0.0
        rate = self.rate
        return (self.total - self.done) / rate if rate else None


@dataclass(frozen=True)
class Standing:
    """Where a phase stands. seconds since it began; left is the estimate of `Pace`; unit is what is counted."""

    phase: str
    done: int
    total: int
    unit: str
    seconds: float
    left: float | None
    rate: float | None
    note: str = ""


class Recorder:
    """A Progress that hands its standing to a sink: a log, a database row, a list in a test.

    A standing goes out when a phase begins, when it is complete, and in between at most once in `every` seconds.
    """

    def __init__(
        self, sink: Callable[[Standing], None], *, every: float = 0.0, clock: Clock = time.monotonic
    ) -> None:
        self._sink = sink
        self._every = every
        self._clock = clock
        self._name = ""
        self._unit = ""
        self._note = ""
        self._told = clock()
        self._pace = Pace(clock=clock)

    def phase(self, name: str, total: int, unit: str = "") -> None:
        """A phase begins."""
        self._name, self._unit, self._note = name, unit, ""
        self._pace = Pace(total, clock=self._clock)
        self._tell()

    def advance(self, n: int = 1, note: str = "") -> None:
        """n more are done."""
        before = self._pace.done
        self._pace.advance(n)
        self._note = note or self._note
        complete = before < self._pace.total <= self._pace.done
        if complete or self._clock() - self._told >= self._every:
            self._tell()

    def _tell(self) -> None:
        self._told = self._clock()
        pace = self._pace
        self._sink(
            Standing(
                self._name, pace.done, pace.total, self._unit, pace.seconds, pace.left, pace.rate, self._note
            )
        )
