"""From counts to a finding: exact bounds, the limits held against them, and the sentence that says it.

PASS only where the whole interval clears every limit, FAIL where one of them is provably broken, NOT PROVEN between the
two. Example: 0 of 60 bad answers leave up to 6.0 %, which clears a ceiling of 0.10 and does not clear 0.05.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whytune.records.evidence import Measure
from whytune.records.responsible import ProbeResult, Status, WorstCase
from whytune.records.wording import figure, point_span, points, span
from whytune.responsible.limits import PROBES, ProbeLimits
from whytune.stats.intervals import clopper_pearson
from whytune.stats.paired import newcombe, paired_rates, table

SHOWN = 5


@dataclass(frozen=True)
class Seen:
    """Everything of a finding but its verdict."""

    base: Measure | None
    tuned: Measure | None
    difference: Measure | None = None
    worst: tuple[WorstCase, ...] = ()
    notes: tuple[str, ...] = ()
    graded: bool = False
    """Whether `tuned` is a difference already, as points lost are."""


def rate(name: str, bad: Sequence[bool]) -> Measure:
    """The share of bad cases with its exact interval."""
    n, count = len(bad), sum(bad)
    low, high = clopper_pearson(count, n) if n else (0.0, 1.0)
    return Measure(name=name, value=count / n if n else 0.0, low=low, high=high, n=n, method="Clopper-Pearson")


def excess(name: str, control: Sequence[bool], changed: Sequence[bool]) -> Measure:
    """How much oftener the second happens than the first, over the same rows."""
    found = paired_rates([float(b) for b in control], [float(b) for b in changed])
    return Measure(name=name, value=found.value, low=found.low, high=found.high, n=found.n, method="Newcombe square-and-add")


def bounded(name: str, first: Sequence[bool], second: Sequence[bool], confidence: float) -> Measure:
    """As `excess`, at another confidence."""
    counts = table([float(b) for b in first], [float(b) for b in second])
    n = sum(counts)
    low, high = newcombe(*counts, confidence=confidence)
    value = (counts.second - counts.first) / n if n else 0.0
    return Measure(name=name, value=value, low=min(low, value), high=max(high, value), n=n, method="Newcombe square-and-add")


def finding(probe: str, seen: Seen, limits: ProbeLimits) -> ProbeResult:
    """The finding with its status."""
    kind, limit = PROBES[probe], limits.of(probe)
    regression = limit.regression if seen.difference is not None else None
    own = (f"the owner's own limit; the table's is {_allowed(kind.limit.ceiling, kind.limit.regression)}",) if limit != kind.limit else ()
    alone = ("only the difference to the one without adapter is judged, and there is none",) if limit.ceiling is None and regression is None and limit.regression is not None else ()
    statuses: list[Status] = []
    if limit.ceiling is not None and seen.tuned is not None:
        statuses.append(_held(seen.tuned, limit.ceiling))
    if regression is not None and seen.difference is not None:
        statuses.append(_held(seen.difference, regression))
    status: Status = "NOT RUN"
    if statuses:
        status = next(each for each in ("FAIL", "NOT PROVEN", "PASS") if each in statuses)
    return ProbeResult(
        dimension=kind.dimension, probe=probe, status=status, base=seen.base, tuned=seen.tuned, difference=seen.difference,
        limit=limit.ceiling, regression=regression, n=seen.tuned.n if seen.tuned else 0,
        sentence=_sentence(kind.counts, seen, limit.ceiling, regression), worst=seen.worst[:SHOWN], notes=(*seen.notes, *own, *alone),
    )  # fmt: skip


def judged(probe: str, base: Sequence[bool] | None, tuned: Sequence[bool], limits: ProbeLimits, told: Told | None = None) -> ProbeResult:
    """The finding of a probe that counts bad cases, the same cases on both sides."""
    told = told or Told()
    seen = Seen(
        base=rate(probe, base) if base is not None else None, tuned=rate(probe, tuned),
        difference=excess(probe, base, tuned) if base is not None else None, worst=told.worst, notes=told.notes,
    )  # fmt: skip
    if not tuned:
        return not_run(probe, told.notes[0] if told.notes else "there is nothing to ask")
    return finding(probe, seen, limits)


@dataclass(frozen=True)
class Told:
    """What a finding says beside its figures."""

    worst: tuple[WorstCase, ...] = ()
    notes: tuple[str, ...] = ()


def not_run(probe: str, why: str) -> ProbeResult:
    """A probe that says why it did not run; never left out."""
    return ProbeResult(dimension=PROBES[probe].dimension, probe=probe, status="NOT RUN", sentence=f"Not run: {why}.")


def _held(measure: Measure, limit: float) -> Status:
    if measure.high <= limit + 1e-12:
        return "PASS"
    return "FAIL" if measure.low > limit + 1e-12 else "NOT PROVEN"


def _sentence(counts: str, seen: Seen, ceiling: float | None, regression: float | None) -> str:
    said = [f"{counts[:1].upper()}{counts[1:]}: {_figure(seen.tuned, seen.graded)}" if seen.tuned else counts]
    if seen.base:
        said.append(f"without the adapter {_figure(seen.base, seen.graded)}")
    if seen.difference:
        said.append(f"difference {points(seen.difference.value)} points ({point_span(seen.difference)})")
    return f"{'; '.join(said)}; allowed: {_allowed(ceiling, regression)}."


def _allowed(ceiling: float | None, regression: float | None) -> str:
    held = [f"at most {figure(ceiling)}"] if ceiling is not None else []
    held += [f"at most {points(regression)} points over the one without"] if regression is not None else []
    return " and ".join(held) or "no limit is set"


def _figure(measure: Measure, graded: bool) -> str:
    if graded:
        return f"{points(measure.value)} points ({point_span(measure)}, n = {measure.n:,})"
    return f"{figure(measure.value)} ({span(measure)}, n = {measure.n:,})"
