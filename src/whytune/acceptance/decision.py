"""Puts the decision together: the table from trials and prices, the verdict from the table, the page's record from both.

It computes no verdict of its own (`verdict.judge` does) and reads nothing: the caller hands over records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from whytune.acceptance.cost import cost
from whytune.acceptance.table import Standings, reaches
from whytune.acceptance.triage import ARMS
from whytune.acceptance.verdict import judge
from whytune.errors import DataError
from whytune.records.candidate import ARM_TITLES, Base
from whytune.records.data import Dataset
from whytune.records.decision import ArmResult, Attribution, Decision, Shown
from whytune.records.evidence import Comparison, Measure, Power, Trial
from whytune.records.ledger import Person
from whytune.records.project import Triage, UseCase


@dataclass(frozen=True)
class Evidence:
    """Everything measured that the verdict stands on. One trial an arm, all on the sealed test set."""

    usecase: UseCase
    dataset: Dataset
    triage: Triage
    power: Power
    trials: tuple[Trial, ...]
    comparisons: tuple[Comparison, ...] = ()
    """Declared contrasts, (simpler, dearer): `table.contrasts(arms)` names all that the rules can ask for."""
    attribution: Attribution | None = None
    label_noise: Measure | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Arm to item to primary score on the test set; tells a count of right answers from an average."""
    training_seconds: Mapping[str, float] = field(default_factory=dict)
    """Arm to measured seconds of training, all seeds and retries."""
    applicable: tuple[str, ...] = ()
    """Arms that apply to this task and these documents; those without a trial make the verdict one `so far`."""
    opened_early: bool = False


@dataclass(frozen=True)
class Imprint:
    """What stands at the page's edges: who, with what, when, and how to do it again."""

    person: Person
    base: Base
    looks: int
    command: str
    when: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    shown: tuple[Shown, ...] = ()
    limits: tuple[str, ...] = ()
    """Limits only the caller knows of; the general ones are written here."""


def decide(evidence: Evidence, imprint: Imprint) -> Decision:
    """The decision record: the table, the verdict read from it, and everything else the page shows."""
    table = tabulate(evidence)
    usecase, dataset = evidence.usecase, evidence.dataset
    hashes = {
        "rule": usecase.rule.id,
        "use case": usecase.id,
        "dataset": dataset.id,
        "base model": imprint.base.digest,
    }
    return Decision(
        project=dataset.project,
        title=usecase.name,
        task=usecase.task,
        purpose=usecase.purpose,
        rule=usecase.rule,
        currency=usecase.prices.currency,
        verdict=judge(table),
        arms=table.arms,
        comparisons=table.comparisons,
        attribution=evidence.attribution,
        gates=evidence.triage.gates,
        priors=evidence.triage.priors,
        power=evidence.power,
        certificate=dataset.certificate,
        looks=imprint.looks,
        examples=imprint.shown,
        limits=(*_limits(evidence, table, imprint), *imprint.limits),
        solo=imprint.person.solo,
        person=imprint.person.name,
        base=f"{imprint.base.name} ({imprint.base.licence or 'licence not stated'})",
        price_source=usecase.prices.source,
        hashes={**hashes, **imprint.hashes},
        command=imprint.command,
        when=imprint.when,
        graded=table.graded,
        label_noise=evidence.label_noise,
        opened_early=evidence.opened_early,
        answers_per_month=usecase.prices.answers_per_month,
        months=usecase.prices.months,
    )


def tabulate(evidence: Evidence) -> Standings:
    """The table that the page shows and `judge` reads."""
    _check(evidence)
    rule, prices = evidence.usecase.rule, evidence.usecase.prices
    bars = {trial.arm: reaches(trial.primary, rule.bar) for trial in evidence.trials}
    closed = {arm: gate.name for gate in reversed(evidence.triage.gates) for arm in gate.closes}
    costs = cost(
        {trial.arm: trial.spending for trial in evidence.trials},
        prices,
        training_seconds=evidence.training_seconds,
        accepted=[arm for arm, bar in bars.items() if bar == "yes" and arm not in closed],
    )
    arms = tuple(
        ArmResult(
            arm=trial.arm,
            title=ARM_TITLES[trial.arm],
            candidate=trial.candidate,
            trial=trial.id,
            primary=trial.primary,
            beside=trial.beside,
            spending=trial.spending,
            cost=costs[trial.arm],
            right=round(trial.primary.value * trial.primary.n),
            reaches_bar=bars[trial.arm],
            closed_by=closed.get(trial.arm, ""),
        )
        for trial in evidence.trials
    )
    return Standings(
        rule=rule,
        prices=prices,
        arms=arms,
        comparisons=evidence.comparisons,
        gates=evidence.triage.gates,
        certificate=evidence.dataset.certificate,
        items=max((arm.primary.n for arm in arms), default=evidence.dataset.counts.get("test", 0)),
        clusters=evidence.power.clusters,
        attribution=evidence.attribution,
        label_noise=evidence.label_noise,
        unmeasured=tuple(arm for arm in evidence.applicable if arm not in bars),
        opened_early=evidence.opened_early,
        graded=_graded(evidence),
    )


def _check(evidence: Evidence) -> None:
    counts = Counter(trial.arm for trial in evidence.trials)
    problems = [
        f"{arm}: {times} trials, the protocol allows one" for arm, times in counts.items() if times > 1
    ]
    problems += [f"{arm}: not an arm that can be the final answer" for arm in counts if arm not in ARMS]
    for trial in evidence.trials:
        if trial.split != "test":
            problems.append(f"{trial.arm}: measured on {trial.split}, not on the sealed test set")
        if trial.dataset != evidence.dataset.id:
            problems.append(f"{trial.arm}: measured on another dataset version")
    if problems:
        raise DataError(
            "These trials cannot stand in one table",
            next="hand over one trial per arm, on the test split of one dataset version",
            problems=problems,
        )


def _graded(evidence: Evidence) -> bool:
    """Whether any arm's figure is something else than a count of right answers divided by the number of items."""
    for trial in evidence.trials:
        scores = evidence.scores.get(trial.arm, {})
        if any(value not in (0, 1) for value in scores.values()):
            return True
        right = trial.primary.value * trial.primary.n
        if abs(right - (sum(scores.values()) if scores else round(right))) > 1e-6:
            return True
    return False


def _limits(evidence: Evidence, table: Standings, imprint: Imprint) -> list[str]:
    lines = [evidence.power.sentence]
    looks = "once" if imprint.looks == 1 else f"{imprint.looks} times"
    lines.append(f"The sealed test set has been opened {looks}, each time for one candidate.")
    names = [arm.arm for arm in table.open]
    missing = [
        f"{ARM_TITLES[first]} and {ARM_TITLES[second]}"
        for at, first in enumerate(names)
        for second in names[at + 1 :]
        if table.comparison(first, second) is None
    ]
    if missing:
        lines.append(f"Not compared, so neither can beat the other: {'; '.join(missing)}.")
    lines.append("Seconds and costs are of the machine that measured, answering in batches.")
    if imprint.person.solo:
        lines.append("One person held every role (solo): nobody else has checked this.")
    if evidence.triage.unanswered:
        lines.append(f"Not answered at triage: {', '.join(evidence.triage.unanswered).replace('_', ' ')}.")
    return lines
