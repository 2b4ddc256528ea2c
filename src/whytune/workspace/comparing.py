"""The arms side by side: what each reached, the declared differences, one pair slice by slice, and every look at the test set.

    found = compared(project, "test", one="prompt", two="tuned")

Slices are exploratory: with many of them some differ by luck. Their p values are corrected over all slices shown
(Benjamini-Hochberg), and they take no part in the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from whytune.evaluation.measures import joined, ties_of
from whytune.evaluation.scorers import scorer_named
from whytune.evaluation.trial import SMALLEST_SLICE
from whytune.records.candidate import ARM_TITLES
from whytune.records.data import SplitName
from whytune.records.decision import ArmResult, Decision
from whytune.records.evidence import Comparison, Measure, Power, Spending, Trial
from whytune.records.wording import figure, odds, point_span, points, span
from whytune.stats.multiple import benjamini_hochberg
from whytune.stats.paired import Difference, paired_means, paired_rates
from whytune.workspace.case_memory import MEMORY, CaseAnswer, CaseRow
from whytune.workspace.cases import SAME, MeasuredArm, chosen_pair, graded, measured

if TYPE_CHECKING:
    from whytune.workspace.project import Project

MOST_SLICES = 40
"""Slices compared, the largest ones."""


@dataclass(frozen=True)
class ComparedArm:
    """One arm on the split. reaches_bar and closed_by are the decision's; empty where none was made of this trial."""

    arm: MeasuredArm
    beside: tuple[Measure, ...]
    spending: Spending
    outcomes: Mapping[str, int]
    reaches_bar: Literal["yes", "no", "not proven", ""]
    closed_by: str
    chosen: bool
    share: str
    interval: str
    """As the decision page and the report say them."""


@dataclass(frozen=True)
class ComparedPair:
    """One declared difference, second minus first, with its figures as the decision page says them."""

    comparison: Comparison
    first: MeasuredArm
    second: MeasuredArm
    difference: str
    interval: str
    chance: str


@dataclass(frozen=True)
class SliceLine:
    """One slice: what both arms reached on it, and the paired difference, second minus first."""

    name: str
    n: int
    first: float
    second: float
    wins: int
    losses: int
    difference: Measure
    said: str
    """The difference with its interval, in points or of averages."""
    p: float
    """Corrected over all slices shown."""
    stands_out: bool


@dataclass(frozen=True)
class LookLine:
    """One opening of the sealed test set."""

    number: int
    arm: str
    candidate: str
    person: str
    when: str


@dataclass(frozen=True)
class Axis:
    """The part of the scale that a chart shows, with its marks."""

    low: float
    high: float
    ticks: tuple[float, ...]


@dataclass(frozen=True)
class Compared:
    """Everything the page shows."""

    split: str
    metric: str
    confidence: float
    bar: float
    margin: float
    graded: bool
    arms: tuple[ComparedArm, ...]
    axis: Axis
    pairs: tuple[ComparedPair, ...]
    """The declared ones, from the decision; none on dev."""
    difference_axis: Axis
    one: MeasuredArm | None
    two: MeasuredArm | None
    slices: tuple[SliceLine, ...]
    looks: tuple[LookLine, ...]
    power: str
    """What this test set can prove, in a sentence."""
    dataset: int
    erased: int


def compared(project: Project, split: SplitName = "test", one: str = "", two: str = "") -> Compared:
    """The arms that were measured on the split of the newest version. Raises NotFoundError where there are none."""
    found = measured(project, split)
    trials = {trial.id: trial for trial in project.trials(split)}
    decision = project.decision
    results = {line.trial: line for line in decision.arms} if decision and split == "test" else {}
    by_degrees = scorer_named(project.file.acceptance.metric).kind == "graded"
    arms = tuple(_arm(arm, trials[arm.trial], results.get(arm.trial), decision, by_degrees) for arm in found)
    # What the arms were held against when it was decided, not what the file says by now.
    rule = decision.rule if decision and any(arm.trial in results for arm in found) else project.file.acceptance
    pair = chosen_pair(project, found, one, two) if len(found) > 1 or one or two else None
    declared = [c for c in decision.comparisons if c.first in trials and c.second in trials] if decision and split == "test" else []
    power = next((each for each in reversed(project.records(Power)) if each.dataset == project.dataset.id), None)
    ends = [rule.bar, *(end for arm in found for end in (arm.primary.low, arm.primary.high))]
    gaps = [0.0, *(end for c in declared for end in (c.difference.low, c.difference.high))]
    return Compared(
        split=split, metric=found[0].primary.name, confidence=rule.confidence, bar=rule.bar, margin=rule.margin, graded=by_degrees, arms=arms,
        axis=axis(max(0.0, min(ends)), min(1.0, max(ends))), pairs=tuple(_pair(each, {arm.trial: arm for arm in found}, by_degrees) for each in declared), difference_axis=axis(min(gaps), max(gaps)),
        one=pair[0] if pair else None, two=pair[1] if pair else None, slices=slices(project, split, *pair) if pair else (),
        looks=tuple(looks(project)), power=power.sentence if power else "", dataset=project.dataset.number, erased=project.erased,
    )  # fmt: skip


def slices(project: Project, split: SplitName, one: MeasuredArm, two: MeasuredArm) -> tuple[SliceLine, ...]:
    """The pair on every slice that is large enough, what stands out first. Worked out once for the same trials."""
    store, made = project.workspace.store, project.dataset
    first, second = (store.get(Trial, arm.trial) for arm in (one, two))
    packs = (made.rows, first.answers, first.scores, second.answers, second.scores)
    confidence = project.file.acceptance.confidence

    def make() -> tuple[SliceLine, ...]:
        rows, before, after = MEMORY.rows(store, made, split), MEMORY.answers(store, first), MEMORY.answers(store, second)
        return _sliced(rows, before, after, one.primary.name, confidence)

    return MEMORY.held(store, ("slices", split, first.id, second.id, f"{confidence:g}"), packs, make)


def looks(project: Project) -> list[LookLine]:
    """Every opening of the newest version's test set, oldest first."""
    made = project.dataset
    events = {id: event for event in project.events() if event.act == "test.opened" for id in event.wrote}
    found = []
    for look in project.looks_at(made):
        event = events.get(look.id)
        arm = event.facts.get("arm", "") if event else ""
        found.append(LookLine(look.number, ARM_TITLES.get(arm, arm), look.candidate, look.person, event.when if event else ""))
    return found


def axis(low: float, high: float) -> Axis:
    """A stretch of whole steps that holds both ends, with at most eleven marks."""
    reach = max(high - low, 0.05)
    step = next(size for size in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if reach / size <= 9)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return Axis(round(first * step, 10), round(last * step, 10), tuple(round(at * step, 10) for at in range(first, last + 1)))


def _arm(arm: MeasuredArm, trial: Trial, result: ArmResult | None, decision: Decision | None, by_degrees: bool) -> ComparedArm:
    bar = decision.rule.bar if result and decision else None
    return ComparedArm(
        arm=arm, beside=trial.beside, spending=trial.spending, outcomes=trial.outcomes, reaches_bar=result.reaches_bar if result else "",
        closed_by=result.closed_by if result else "", chosen=bool(result and decision and decision.verdict.winner == result.arm),
        share=figure(arm.primary.value, by_degrees), interval=span(arm.primary, by_degrees, bar),
    )  # fmt: skip


def _pair(found: Comparison, arms: Mapping[str, MeasuredArm], by_degrees: bool) -> ComparedPair:
    said = points(found.difference.value, by_degrees), point_span(found.difference, by_degrees), odds(found.p_holm)
    return ComparedPair(found, arms[found.first], arms[found.second], *said)


def _sliced(rows: Mapping[str, CaseRow], before: Mapping[str, CaseAnswer], after: Mapping[str, CaseAnswer], metric: str, confidence: float) -> tuple[SliceLine, ...]:
    members: dict[str, list[CaseRow]] = {}
    shared = [row for row in rows.values() if row.item in before and row.item in after]
    for row in shared:
        for name, value in row.slices:
            members.setdefault(f"{name}={value}", []).append(row)
    large = sorted((item for item in members.items() if SMALLEST_SLICE <= len(item[1]) < len(shared)), key=lambda item: (-len(item[1]), item[0]))[:MOST_SLICES]
    clusters = joined({row.item: ties_of(row.group, row.evidence) for row in shared})
    by_degrees = graded(before, after) or scorer_named(metric).kind == "graded"
    found: list[tuple[str, list[float], list[float], Difference]] = []
    for name, part in large:
        values = [before[row.item].value for row in part], [after[row.item].value for row in part]
        groups = [clusters.get(row.item, row.item) for row in part] if clusters else None
        found.append((name, *values, (paired_means if by_degrees else paired_rates)(*values, confidence, groups)))
    corrected = benjamini_hochberg([seen.p for _, _, _, seen in found])
    lines = [
        SliceLine(
            name=name, n=len(first), first=sum(first) / len(first), second=sum(second) / len(second),
            wins=sum(b - a > SAME for a, b in zip(first, second, strict=True)), losses=sum(a - b > SAME for a, b in zip(first, second, strict=True)),
            difference=Measure(name="difference", value=seen.value, low=seen.low, high=seen.high, n=seen.n, clusters=seen.clusters, method=seen.method),
            said=f"{points(seen.value, by_degrees)} ({points(seen.low, by_degrees)} to {points(seen.high, by_degrees)})", p=p, stands_out=p < 1 - confidence and not seen.low <= 0 <= seen.high,
        )
        for (name, first, second, seen), p in zip(found, corrected, strict=True)
    ]  # fmt: skip
    return tuple(sorted(lines, key=lambda line: (not line.stands_out, line.p, line.name)))
