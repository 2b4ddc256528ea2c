"""Responsible AI: what each probe found of a candidate beside the same candidate without its adapter, and who waived what.

A report never changes. Whether a finding counts as waived is worked out when it is looked at, from the waivers there are
and the day it is. No text of the user's rows stands in these records: ids, counts and what was changed.
Example: `report.statuses(waivers, date.today())["privacy"]` is `"NOT PROVEN"`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import ClassVar, Literal

from pydantic import Field

from whytune.records.evidence import Measure
from whytune.records.record import Record, Value

Status = Literal["PASS", "FAIL", "NOT PROVEN", "NOT RUN", "WAIVED"]
DIMENSIONS: dict[str, str] = {
    "fairness": "Does it serve some groups or classes worse?",
    "counterfactual_bias": "Does the answer change with a name or a gendered word alone?",
    "safety": "Does it still decline what it should, and only that?",
    "privacy": "Does it give its training rows away?",
    "robustness": "Do typing mistakes and the like make it wrong?",
    "security": "Can a text it reads take it over?",
    "unsafe_output": "Do answers hold what a page or terminal would run?",
    "truthfulness": "Does it say so when it cannot know?",
    "transparency": "Is it written down where it comes from?",
}
TRAINED_ONLY: frozenset[str] = frozenset({"loss_gap", "canaries"})
"""Probes that have nothing to ask of a candidate for which nothing was trained."""
_WORST_FIRST: tuple[Status, ...] = ("FAIL", "NOT PROVEN", "WAIVED", "PASS")


class WorstCase(Value):
    """One of the cases that speak most against the candidate. item is the id of the row it was built from, or of an
    item of the authored suite; what was changed and what came of it, never the row's own text."""

    item: str
    change: str
    result: str = ""


class ProbeResult(Value):
    """What one probe found. Figures are rates of what should not happen, so less is better, unless `sentence` says otherwise."""

    dimension: str
    probe: str
    status: Status
    base: Measure | None = None
    """The same candidate without its adapter; None where it has none, or the probe could not run."""
    tuned: Measure | None = None
    """The candidate itself, tuned or not."""
    difference: Measure | None = None
    """Candidate minus the one without adapter, over the same cases."""
    limit: float | None = None
    """The whole interval of the candidate must lie at or below it; None where only the difference is judged."""
    regression: float | None = None
    """The whole interval of the difference must lie at or below it; None where it is not judged."""
    n: int = 0
    sentence: str
    worst: tuple[WorstCase, ...] = ()
    """At most five."""
    notes: tuple[str, ...] = ()


class ResponsibleReport(Record):
    """Every probe over one candidate on one dataset version."""

    KIND: ClassVar[str] = "responsible"
    # How long it took is measured, not what was found.
    UNHASHED: ClassVar[frozenset[str]] = frozenset({"seconds"})
    project: str
    dataset: str
    candidate: str
    arm: str
    reference: str
    """The same candidate without its adapter; the candidate itself where it has none."""
    results: tuple[ProbeResult, ...]
    seed: int
    items: int
    """Most rows of the user's that a probe was built from."""
    suites: dict[str, str]
    """Name of an authored suite to its version."""
    limits: str
    """Digest of the limits that were held against."""
    answers: str = ""
    """Digest of the pack of answers, each with the row it goes back to."""
    seconds: float = 0.0

    def statuses(self, waivers: Iterable[Waiver] = (), today: date | None = None) -> dict[str, Status]:
        """Each dimension's worst status among the probes that ran, waivers of the day counted; NOT RUN where none ran."""
        held = self.waived(waivers, today)
        found: dict[str, Status] = {}
        for dimension in DIMENSIONS:
            seen = [result.status for result in held if result.dimension == dimension]
            found[dimension] = next((status for status in _WORST_FIRST if status in seen), "NOT RUN")
        return found

    def waived(self, waivers: Iterable[Waiver] = (), today: date | None = None) -> tuple[ProbeResult, ...]:
        """The results as they stand on that day: what is waived says so; a PASS needs no waiver."""
        live = [waiver for waiver in waivers if waiver.candidate == self.candidate and (today or date.today()) <= waiver.until]
        return tuple(
            result.model_copy(update={"status": "WAIVED"})
            if result.status != "PASS" and any(waiver.covers(result) for waiver in live)
            else result
            for result in self.results
        )


class Waiver(Record):
    """A named person accepts a finding until a date. probe: one of the dimension's, or empty for all of them."""

    KIND: ClassVar[str] = "waiver"
    project: str
    candidate: str
    report: str
    """The report in which the finding stands."""
    dimension: str
    probe: str = ""
    person: str
    role: str
    reason: str = Field(min_length=1)
    until: date
    """The last day on which it counts."""
    solo: bool = False

    def covers(self, result: ProbeResult) -> bool:
        """Whether this finding is meant."""
        return result.dimension == self.dimension and self.probe in ("", result.probe)


PLANTED_FEWEST, PLANTED_USUALLY, PLANTED_MOST = 4, 12, 64
"""Secrets that a privacy run plants once each."""


class CanaryExposure(Value):
    """One planted secret: how often it stood in the rows, and how far above chance the model ranks it, in bits."""

    canary: str
    """Its number; the secret itself is made from the seed and kept nowhere."""
    repeats: int
    rank: int
    """Among `references` secrets of the same shape, by loss; 1 is the likeliest."""
    references: int
    exposure: float
    base_exposure: float


class CanaryRun(Record):
    """A privacy run: the recipe once more, on a copy of the training rows with secrets planted; its adapter is thrown away."""

    KIND: ClassVar[str] = "canary_run"
    UNHASHED: ClassVar[frozenset[str]] = frozenset({"seconds"})
    project: str
    dataset: str
    adapter: str
    """The adapter whose recipe was run again."""
    planted: tuple[CanaryExposure, ...]
    unplanted: tuple[CanaryExposure, ...]
    """Secrets that were made the same way and planted nowhere: what chance looks like."""
    seed: int
    seconds: float
