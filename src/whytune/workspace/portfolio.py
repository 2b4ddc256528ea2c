"""All use cases at once, for those who answer for many: how far each is, for whom it waits, what it cost and is worth, its risk.

    whole = portfolio(workspace)
    whole.lines[0].waiting_for, whole.stages["Accepted?"]

Money is what records and the owner's prices say; nothing is estimated here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whytune.records.candidate import Adapter
from whytune.records.decision import ArmCost, Decision
from whytune.records.evidence import Trial
from whytune.records.responsible import ResponsibleReport, Waiver
from whytune.workspace import held, mapping, teams
from whytune.workspace.mapping import BoxState

if TYPE_CHECKING:
    from whytune.records.job import Job
    from whytune.workspace.held import HeldProject
    from whytune.workspace.workspace import Workspace

DOTS = (
    ("Use case", ("usecase",)), ("Data", ("find", "create")), ("Checks", ("validate",)), ("RAG?", ("rag",)), ("Fine-tune", ("train",)),
    ("Test", ("test",)), ("People", ("review",)), ("Responsible AI", ("responsible",)), ("Accepted?", ("accepted",)), ("Live", ("registry",)),
)  # fmt: skip
"""The stage dots: title and boxes."""
GRAVE = ("stopped", "due", "at work", "not started", "done", "not needed")
"""Of several boxes under one dot, the first of these words that one of them has is shown."""


@dataclass(frozen=True)
class StageDot:
    """One of the dots in a line of use cases."""

    title: str
    word: str


@dataclass(frozen=True)
class UseCaseLine:
    """One use case in a list. since: since when it waits; empty where it waits for nobody."""

    name: str
    task: str
    purpose: str
    headline: str
    """The verdict, or where it stands."""
    stage: str
    dots: tuple[StageDot, ...]
    waiting_for: tuple[str, ...]
    roles: tuple[str, ...]
    what: str
    """What is due."""
    place: str
    since: str
    next: str
    """The command that goes on."""
    private: bool = False
    working: str = ""
    """What goes on in it now: the words of its job."""


@dataclass(frozen=True)
class MoneyLine:
    """What a use case took and may bring, in its own currency. None: it cannot be said, and `why` says why."""

    currency: str
    spent: float
    budget: float
    """0: no limit was set."""
    hours: float
    budget_hours: float
    saving: float | None
    why: str

    @property
    def over(self) -> bool:
        """Whether more was spent than the owner allowed."""
        return bool((self.budget and self.spent > self.budget) or (self.budget_hours and self.hours > self.budget_hours))


@dataclass(frozen=True)
class RiskLine:
    """What could go wrong. responsible: status to how many dimensions; empty where nothing was probed."""

    responsible: dict[str, int]
    solo: bool
    gaps: int
    """Duties that nobody can fill and conflicts of duty."""
    looks: int
    stopped: tuple[str, ...]
    """Titles of boxes in which it stopped."""


@dataclass(frozen=True)
class PortfolioLine:
    """One use case with money and risk."""

    case: UseCaseLine
    money: MoneyLine
    risk: RiskLine
    over: bool


@dataclass(frozen=True)
class Portfolio:
    """All of them, what waits longest first. stages: title to how many stand there; totals by currency."""

    lines: tuple[PortfolioLine, ...]
    stages: dict[str, int]
    spent: dict[str, float]
    saving: dict[str, float]
    live: int
    waiting: int


def use_cases(workspace: Workspace) -> list[UseCaseLine]:
    """Every use case that this person may see, what waits longest first; those that wait for nobody stand at the end."""
    room = held.looking(workspace)
    jobs, _ = mapping.working(room, [one.key for one in room.held]), room.judged
    return _ordered([_line(one, mapping.with_jobs(mapping.recorded(one), jobs, one.key), jobs.get(one.key)) for one in room.held])


def portfolio(workspace: Workspace) -> Portfolio:
    """All of them with money and risk."""
    room = held.looking(workspace)
    cases = {line.name: line for line in use_cases(room)}
    by_name = {one.name: one for one in room.held}
    lines = tuple(_full(by_name[name], line) for name, line in cases.items())
    spent: dict[str, float] = {}
    saving: dict[str, float] = {}
    for line in lines:
        spent[line.money.currency] = spent.get(line.money.currency, 0.0) + line.money.spent
        saving[line.money.currency] = saving.get(line.money.currency, 0.0) + (line.money.saving or 0.0)
    stages = Counter(line.case.stage for line in lines)
    live = sum(any(dot.title == "Live" and dot.word == "done" for dot in line.case.dots) for line in lines)
    return Portfolio(lines, dict(stages.most_common()), spent, {name: value for name, value in saving.items() if value}, live, sum(bool(line.case.since) for line in lines))


def _line(one: HeldProject, boxes: tuple[BoxState, ...], job: Job | None) -> UseCaseLine:
    by_key = {box.key: box for box in boxes}
    dots = tuple(StageDot(title, min((by_key[key].word for key in keys), key=GRAVE.index)) for title, keys in DOTS)
    first = next(iter(mapping.due(boxes)), None)
    stage = mapping.stage(boxes)
    decided = one.decision if by_key["test"].word == "done" else None
    headline = decided.verdict.headline if decided else f"at {stage}"
    command = first.cli if first else f"whytune report {one.name} -o report.html" if decided else f"whytune status {one.name}"
    return UseCaseLine(
        name=one.name, task=one.file.task, purpose=one.file.purpose, headline=headline, stage=stage, dots=dots,
        waiting_for=first.who if first else (), roles=first.roles if first else (), what=first.detail if first else "", place=first.key if first else "",
        since=first.since if first else "", next=command, private=one.file.access.private, working=f"{job.kind}: {job.phase or job.state}" if job else "",
    )  # fmt: skip


def _ordered(lines: Sequence[UseCaseLine]) -> list[UseCaseLine]:
    return sorted(lines, key=lambda line: (not line.place, line.since or "9", line.name))


def _full(one: HeldProject, line: UseCaseLine) -> PortfolioLine:
    money = one.worked_out("money", "", lambda: _money(one))
    risk = one.worked_out("risk", one.today, lambda: _risk(one))
    stopped = tuple(dot.title for dot in line.dots if dot.word == "stopped")
    return PortfolioLine(line, money, RiskLine(risk.responsible, risk.solo, risk.gaps, risk.looks, stopped), money.over)


def _money(one: HeldProject) -> MoneyLine:
    prices, budget = one.file.prices, one.file.budget
    adapters = one.records(Adapter)
    seconds = sum(each.cost.seconds if each.cost else each.seconds for each in adapters)
    trained = sum(each.cost.money if each.cost else each.seconds * prices.compute_hour / 3600 for each in adapters)
    asked = sum(trial.spending.cost_per_1000 * trial.spending.answers / 1000 for trial in one.records(Trial))
    saving, why = saving_of(one.decision)
    return MoneyLine(prices.currency, trained + asked, budget.money, seconds / 3600, budget.hours, saving, why)


def saving_of(decision: Decision | None) -> tuple[float | None, str]:
    """(money, how it is meant): a month of the arm that was chosen, against a month of the dearest arm that also reaches the bar."""
    if decision is None:
        return None, "there is no decision yet"
    lines = {line.arm: line for line in decision.arms if line.reaches_bar == "yes" and not line.closed_by}
    winner = decision.verdict.winner
    if winner not in lines:
        return None, "no arm is proven to reach the bar"
    answers = decision.answers_per_month
    dearest = max(lines, key=lambda arm: _month(lines[arm].cost, answers))
    if dearest == winner:
        return None, "no dearer arm reaches the bar" if len(lines) == 1 else "the chosen arm is the dearest that reaches the bar"
    saved = _month(lines[dearest].cost, answers) - _month(lines[winner].cost, answers)
    return saved, f"against {lines[dearest].title}, which reaches the bar too, at {answers:,} answers a month"


def _month(cost: ArmCost, answers: int) -> float:
    return cost.monthly + answers * cost.per_1000 / 1000


def _risk(one: HeldProject) -> RiskLine:
    report = one.newest(ResponsibleReport)
    statuses: Counter[str] = Counter(report.statuses(one.records(Waiver)).values() if report else ())
    decision = one.decision
    gaps = sum(gap.kind in ("duty", "conflict") for gap in teams.gaps(one))
    return RiskLine(dict(statuses), bool(decision and decision.solo), gaps, one.looks, ())
