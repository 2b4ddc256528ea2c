"""The walk from use case to verdict: eight steps, in order, each of which does only what is missing.

The names are the boxes of the flowchart. A step that cannot go on raises an error that says who must do what.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from whytune.errors import RefusedError
from whytune.jobs.progress import Progress
from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.data import SPLITS, Dataset, Validation
from whytune.records.decision import Attribution
from whytune.records.evidence import Power, Protocol, Trial
from whytune.records.project import Triage, UseCase
from whytune.records.proposal import AcceptedRows
from whytune.workspace import creating, proposing, teams

if TYPE_CHECKING:
    from whytune.workspace.arms import Makings
    from whytune.workspace.measuring import Bench
    from whytune.workspace.project import Project

STEPS = ("usecase", "data", "check", "triage", "dev", "train", "test", "decide")
BOXES = {
    "usecase": "Use case, task", "data": "Find data, create dataset", "check": "Validate dataset", "triage": "RAG?",
    "dev": "RAG? (measured)", "train": "Fine-tune train", "test": "Validation, test, evaluation", "decide": "Model test results",
}  # fmt: skip


class FlowRun:
    """One run of one project. Holds what later steps need of earlier ones."""

    def __init__(self, project: Project, progress: Progress, *, stop_at_gate: bool = True, how: str = "", prepared: creating.Prepared | None = None) -> None:
        self.project = project
        self.progress = progress
        self.stop_at_gate = stop_at_gate
        self.how = how
        self.prepared = prepared
        """The data as it was read a moment ago, where it was."""
        self.candidates: dict[str, Candidate] = {}

    def to(self, last: str) -> None:
        """Take every step up to and including this one."""
        try:
            gaps = teams.gaps(self.project)
            for step in STEPS[: STEPS.index(last) + 1]:
                for line in teams.said(gaps, step):
                    self.progress.phase(f"team: {line}", 0)
                getattr(self, f"_{step}")()
        finally:
            if "bench" in self.__dict__:
                self.bench.close()

    def _usecase(self) -> None:
        self.project.once(self.project.file.usecase, "usecase.fixed", beside=[self.project.file.acceptance])

    def _data(self) -> None:
        self.dataset: Dataset = creating.dataset(self.project, self.progress, self.prepared)

    def _check(self) -> None:
        validation = creating.validate(self.project, self.dataset, self.progress)
        if self.stop_at_gate:
            creating.gate(self.project, validation)

    def _triage(self) -> None:
        from whytune.workspace import deciding

        self.triage: Triage = deciding.triage(self.project, self.makings)
        power = deciding.power(self.project, self.bench)
        # Said before anything is spent, so that nobody waits for what this test set cannot show.
        self.progress.phase(power.sentence, 0)
        for gate in self.triage.gates:
            self.progress.phase(f"{gate.name} closes {', '.join(gate.closes)}: {gate.reason}", 0)
        self.arms = deciding.open_arms(self.project, self.triage, self.makings)
        if not self.arms:
            raise RefusedError(
                "No arm may be measured", problems=[f"{gate.name} closes {', '.join(gate.closes)}: {gate.reason}" for gate in self.triage.gates],
                next="look at [arms], [circumstances] and [model] in whytune.toml",
            )  # fmt: skip

    def _dev(self) -> None:
        from whytune.workspace import deciding

        self.attribution, self.candidates = deciding.attribute(self.project, self.bench, self.arms, self.progress)
        self.progress.phase(self.attribution.sentence, 0)

    def _train(self) -> None:
        wanted = [arm for arm in ("tuned", "tuned_rag") if arm in self.arms]
        if not wanted or not self.attribution.can_pay:
            return
        from whytune.workspace import candidates, learning
        from whytune.workspace.estimating import within_budget
        from whytune.workspace.measuring import Bench

        bench = self.bench
        if self.project.file.candidates:
            _, finalist = candidates.choice(self.project, bench, wanted[0], self.progress, self.how)
            bench = Bench(self.project, finalist.makings)
            bench.retriever = self.bench.retriever
            wanted_now = wanted[1:]  # what the first one takes was weighed before it was chosen
        else:
            wanted_now = wanted
        if wanted_now:
            within_budget(self.project, bench, wanted_now)
        for arm in wanted:
            trained = learning.adapter(bench, self.makings.retrieval if arm == "tuned_rag" else None, self.progress)
            self.candidates[arm] = self.makings.tuned(trained)

    def _test(self) -> None:
        from whytune.workspace import deciding

        final = {arm: candidate for arm, candidate in self.candidates.items() if arm != "oracle"}
        self.protocol: Protocol = deciding.protocol(self.project, self.bench, final)
        self.trials: list[Trial] = deciding.test(self.project, self.bench, self.protocol, final, self.progress)

    def _decide(self) -> None:
        from whytune.workspace import deciding

        self.progress.phase("deciding", 0)
        deciding.decide(self.project, self.bench, self.protocol, self.trials, self.triage)

    @cached_property
    def makings(self) -> Makings:
        """Base model, index and dataset, made ready when a step first needs them."""
        from whytune.workspace import bases, deciding
        from whytune.workspace.arms import Makings
        from whytune.workspace.measuring import Bench

        project = self.project
        self.progress.phase("preparing the base model", 0)
        base = bases.resolve(project.file.model, project.folder, project.workspace.settings)
        if base.id not in {held.id for held in project.records(Base)}:  # several may be in use: [[candidates]] bring their own
            with project.act("base.chosen") as act:
                act.write(base)
        index = creating.index(project, self.dataset, self.progress)
        makings = Makings(project.file, project.task, base, self.dataset, index)
        self.bench: Bench = Bench(project, makings)
        if deciding.hybrid_is_better(self.bench):
            makings = Makings(project.file, project.task, base, self.dataset, index, hybrid=True)
            self.bench.makings = makings
        return makings


@dataclass(frozen=True)
class StepStatus:
    """One step: done, ready, waiting or skipped, and what there is to say about it."""

    name: str
    box: str
    state: str
    detail: str

    @property
    def mark(self) -> str:
        """A sign for the state, beside its word."""
        return {"done": "[x]", "ready": "[>]", "waiting": "[ ]", "skipped": "[-]"}[self.state]


@dataclass(frozen=True)
class Status:
    """Where a project stands."""

    project: str
    task: str
    headline: str
    steps: tuple[StepStatus, ...]
    next: str
    hints: tuple[str, ...] = ()
    """What the team lacks, which glass is broken, which rows wait for a second person; none of it blocks."""


def status(project: Project) -> Status:
    """Read from records alone; no model, no file of data is opened."""
    details = standing(project)
    steps, open_yet = [], False
    for name in STEPS:
        detail = details.get(name, "")
        state = "done" if detail and not open_yet else "ready" if not open_yet else "waiting"
        if detail.startswith("skipped"):
            state = "skipped"
        elif state != "done":
            open_yet, detail = True, ""
        steps.append(StepStatus(name, BOXES[name], state, detail or state))
    hints = (*teams.hints(project, next((step.name for step in steps if step.state == "ready"), "")), *proposing.hints(project))
    decision = project.decision
    finished = decision is not None and not open_yet
    headline = decision.verdict.headline if finished and decision else next(f"at {step.name} ({step.box})" for step in steps if step.state == "ready")
    if any(not v.passed for v in project.records(Validation)[-1:]):
        return Status(project.name, project.file.task, "the dataset does not pass its checks", tuple(steps), f"whytune data check {project.name}", hints)
    command = f"whytune report {project.name} -o report.html" if finished else f"whytune run {project.name}"
    return Status(project.name, project.file.task, headline, tuple(steps), command, hints)


def standing(project: Project) -> dict[str, str]:
    """Step name to what its newest record says; missing where there is none for today's use case and dataset."""
    found: dict[str, str] = {}
    usecase = project.newest(UseCase)
    if usecase is None or usecase.id != project.file.usecase.id:
        return found
    rule = project.file.acceptance
    found["usecase"] = f"{rule.metric} must provably reach {rule.bar:g}, dearer arms be better by {rule.margin:g}"
    made = project.latest_dataset
    if made is None:
        return found
    if [one.id for one in project.records(AcceptedRows)] != json.loads(made.reading.get("accepted", "[]")):
        return found  # rows were accepted since: the next run makes a version of them
    found["data"] = f"version {made.number}: " + ", ".join(f"{split} {made.counts.get(split, 0):,}" for split in SPLITS)
    validation = next((v for v in reversed(project.records(Validation)) if v.dataset == made.id), None)
    if validation:
        counts = {state: sum(f.status == state for f in validation.findings) for state in ("pass", "warn", "fail")}
        found["check"] = ", ".join(f"{count} {state}" for state, count in counts.items())
    power = next((p for p in reversed(project.records(Power)) if p.dataset == made.id), None)
    triage = next((t for t in reversed(project.records(Triage)) if t.dataset == made.id and t.usecase == usecase.id), None)
    if triage and power:
        found["triage"] = (f"closed: {', '.join(g.name for g in triage.gates)}; " if triage.gates else "no gate closed; ") + f"can prove {100 * power.smallest_difference:.1f} points"
    attribution = next((a for a in reversed(project.records(Attribution)) if a.dataset == made.id), None)
    if attribution:
        found["dev"] = attribution.sentence
        adapters = [a for a in project.records(Adapter) if a.dataset == made.id]
        if adapters:
            found["train"] = f"{len(adapters)} adapter{'s' if len(adapters) > 1 else ''}, " + ", ".join(f"{a.rows:,} rows" for a in adapters)
            if project.choice and project.file.candidates:
                found["train"] += f"; {project.choice.finalist} was taken of {len(project.choice.rungs)} candidates"
        elif not attribution.can_pay:
            found["train"] = "skipped: training cannot pay here"
        elif not {"tuned", "tuned_rag"} & set(project.file.arms.use) or (triage and any("tuned" in gate.closes for gate in triage.gates)):
            found["train"] = "skipped: closed or not wanted"
    trials = project.trials("test")
    decision = project.decision
    current = decision is not None and decision.hashes.get("dataset") == made.id and decision.rule.id == rule.id
    if trials and (current or _all_measured(project, trials)):
        found["test"] = ", ".join(f"{t.arm} {t.primary.value:.3f}" for t in trials)
    if decision is not None and current:
        found["decide"] = decision.verdict.code
    return found


def _all_measured(project: Project, trials: list[Trial]) -> bool:
    fixed = project.newest(Protocol)
    return fixed is not None and set(fixed.candidates) <= {trial.candidate for trial in trials}
