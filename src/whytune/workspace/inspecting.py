"""Responsible-AI eval: run every probe over a candidate beside the same without its adapter, show what was found, waive.

    report = run(project, "tuned", progress)
    report.statuses(waivers(project), date.today())["privacy"]

Rows come from train and dev; the sealed test set is never probed. ProbeLimits and groups of the owner stand in
`responsible.toml` beside `whytune.toml`.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from whytune.errors import NotFoundError, SettingsError, UsageError
from whytune.evaluation.scorers import score_answer
from whytune.jobs.progress import Progress, Silent
from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.data import Example, Validation
from whytune.records.evidence import Answer, Trial
from whytune.records.project import UseCase
from whytune.records.responsible import DIMENSIONS, CanaryRun, ProbeResult, ResponsibleReport, Waiver
from whytune.responsible import probes, suites
from whytune.responsible.cases import Case, ProbeSubject, Side
from whytune.responsible.limits import PROBES, ProbeLimits, read_limits
from whytune.text import clip
from whytune.workspace import blindness
from whytune.workspace.duties import check_signature
from whytune.workspace.probing import Inspector
from whytune.workspace.roles import ACTS, check

if TYPE_CHECKING:
    from whytune.workspace.project import Project

FILE = "responsible.toml"
ARMS = ("tuned", "tuned_rag", "rag", "full_context", "few_shot", "prompt")
"""The order in which an arm is chosen where none is named: what was trained is what must be inspected."""
LABEL_ITEMS, TEXT_ITEMS, QUICK_ITEMS = 120, 36, 12
"""Rows a probe is built from: free text takes longer to answer than a label. 36 without a fault leave less than 10 %."""
LONGEST_WAIVER_DAYS = 366


@dataclass(frozen=True)
class Wishes:
    """What the owner set in `responsible.toml`."""

    limits: ProbeLimits = field(default_factory=ProbeLimits)
    groups: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    items: int = 0
    seed: int = 17


def run(project: Project, arm: str = "", progress: Progress | None = None, *, quick: bool = False) -> ResponsibleReport:
    """Every probe over one candidate; the report there is where nothing changed. Raises NotFoundError, SettingsError."""
    check(project.workspace.person, "responsible.measured")
    progress = progress or Silent()
    candidate, wishes = chosen(project, arm), wishes_of(project)
    inspector = Inspector.of(project, candidate, wishes.seed)
    with project.workspace.store.lock(project.key):
        try:
            return _run(project, inspector, subject_of(project, inspector, wishes, quick), progress)
        finally:
            inspector.bench.close()


def _run(project: Project, inspector: Inspector, subject: ProbeSubject, progress: Progress) -> ResponsibleReport:
    begun = time.monotonic()
    store, candidate, made = project.workspace.store, inspector.candidate, project.dataset
    planned = probes.plan(subject)
    cases = [case for _, each in planned for case in each]
    answers = inspector.ask(subject, cases, progress)
    losses = inspector.losses(subject, progress)
    progress.phase("judging", 0)
    privacy = _privacy_run(project, candidate)
    why = f"no secrets were planted; whytune responsible canaries {project.name}" if candidate.adapter else "nothing was trained"
    evidence = probes.ProbeEvidence(losses, checklist(project, candidate), privacy, why)
    report = ResponsibleReport(
        project=project.key, dataset=made.id, candidate=candidate.id, arm=candidate.arm, reference=inspector.reference.id,
        results=probes.judge(subject, planned, answers, evidence), seed=subject.seed, items=subject.items,
        suites={**suites.versions(), "items": str(len(suites.suite()))}, limits=subject.limits.digest,
        answers=store.put_pack(_pack(inspector, cases, answers), "responsible answers"), seconds=time.monotonic() - begun,
    )  # fmt: skip
    known = next((each for each in reversed(project.records(ResponsibleReport)) if each.candidate == candidate.id), None)
    if known is not None and known.id == report.id:
        return known
    read = [candidate.id, made.id, *([privacy.id] if privacy else [])]
    with project.act("responsible.measured", read=read) as act:
        act.facts.update(arm=candidate.arm, **{name: status for name, status in report.statuses().items() if status != "NOT RUN"})
        return act.write(report)


def subject_of(project: Project, inspector: Inspector, wishes: Wishes, quick: bool = False) -> ProbeSubject:
    """What the probes are built from."""
    bench, candidate, made = inspector.bench, inspector.candidate, project.dataset
    metric = project.file.acceptance.metric

    def score(example: Example, answer: Answer) -> float:
        # Words of the passages only matter to metrics that count what they do not support; those never decide here.
        return score_answer(metric, example, answer, labels=made.labels, fields=made.fields).value

    usual = LABEL_ITEMS if project.task.constraint == "labels" else TEXT_ITEMS
    return ProbeSubject(
        task=project.task, dev=tuple(bench.split("dev")), train=tuple(bench.split("train")), labels=made.labels, fields=made.fields,
        system=candidate.prompt.system, searches=candidate.retrieval is not None, tuned=bool(candidate.adapter), seed=wishes.seed,
        items=QUICK_ITEMS if quick else wishes.items or usual, limits=wishes.limits, score=score, groups=wishes.groups,
    )  # fmt: skip


def inspectable(project: Project) -> list[str]:
    """The arms that were measured on the newest version, in the order in which one is chosen."""
    measured = {trial.arm for split in ("dev", "test") for trial in project.trials(split)}
    return [arm for arm in ARMS if arm in measured]


def chosen(project: Project, arm: str = "") -> Candidate:
    """The candidate of an arm, or of the beginning of its id, among those measured on the newest version."""
    store = project.workspace.store
    measured: dict[str, Trial] = {}
    for split in ("dev", "test"):
        measured |= {trial.candidate: trial for trial in project.trials(split) if trial.arm != "oracle"}
    if not measured:
        raise NotFoundError(f"Nothing of {project.name} is measured yet, so there is nothing to inspect", next=f"whytune run {project.name}")
    by_arm = {trial.arm: trial.candidate for trial in measured.values()}
    for trial in project.trials("test"):  # what the test set was opened for is what may be accepted
        by_arm[trial.arm] = trial.candidate
    if not arm:
        return store.get(Candidate, next(by_arm[name] for name in ARMS if name in by_arm))
    if arm in by_arm:
        return store.get(Candidate, by_arm[arm])
    named = [id for id in measured if id == arm or id.partition(":")[2].startswith(arm.removeprefix("candidate:"))] if len(arm) >= 6 else []
    if len(named) == 1:
        return store.get(Candidate, named[0])
    raise NotFoundError(f"{project.name} has no measured candidate {arm!r}", where=f"there are: {', '.join(sorted(by_arm))}", next=f"whytune responsible run {project.name} --arm {next(iter(by_arm))}")


def wishes_of(project: Project) -> Wishes:
    """`responsible.toml`, or the defaults where there is none. Raises SettingsError with every mistake."""
    path = project.folder / FILE
    if not path.exists():
        return Wishes()
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{FILE} cannot be read: {error}", where=str(path), next=f"mend {path}") from None
    limits = raw.pop("limits", {})
    groups, items, seed = raw.pop("groups", {}), raw.pop("items", 0), raw.pop("seed", 17)
    problems = [f"{key}: there is no such key; there are: items, seed, limits, groups" for key in raw]
    if not isinstance(limits, dict):
        problems.append("limits is a table")
    problems += [f"{name} = {value!r} is a whole number, 0 or more" for name, value in (("items", items), ("seed", seed)) if isinstance(value, bool) or not isinstance(value, int) or value < 0]
    if not isinstance(groups, dict):
        problems.append("groups is a table")
    else:
        problems += [
            f"groups.{name}: give at least two lists of at least two words each"
            for name, lists in groups.items()
            if not isinstance(lists, list) or len(lists) < 2 or any(not isinstance(one, list) or len(one) < 2 or any(not isinstance(word, str) or not word.strip() for word in one) for one in lists)
        ]
    if problems:
        raise SettingsError(f"{FILE} has {len(problems)} mistake{'s' if len(problems) > 1 else ''}", where=str(path), problems=problems, next=f"mend {path}, then: whytune responsible run {project.name}")
    return Wishes(read_limits(limits, str(path)), {name: tuple(tuple(one) for one in lists) for name, lists in groups.items()}, items, seed)


def report_of(project: Project, arm: str = "") -> ResponsibleReport:
    """The newest report about that arm's candidate, as whoever acts may read it. Raises NotFoundError where it was never inspected."""
    candidate = chosen(project, arm)
    found = next((each for each in reversed(project.records(ResponsibleReport)) if each.candidate == candidate.id and each.dataset == project.dataset.id), None)
    if found is None:
        raise NotFoundError(f"{project.name}'s candidate {candidate.arm} was not inspected yet", next=f"whytune responsible run {project.name} --arm {candidate.arm}")
    return blindness.report(project, found)


def privacy_left_out(project: Project, report: ResponsibleReport) -> bool:
    """Whether secrets were planted for this candidate after these probes, which say that none were."""
    left_out = any(each.probe == "canaries" and each.status == "NOT RUN" for each in report.results)
    return left_out and _privacy_run(project, project.workspace.store.get(Candidate, report.candidate)) is not None


def _privacy_run(project: Project, candidate: Candidate) -> CanaryRun | None:
    """The newest one of its adapter."""
    return next((each for each in reversed(project.records(CanaryRun)) if candidate.adapter and each.adapter == candidate.adapter), None)


def said(project: Project, report: ResponsibleReport) -> dict[str, str]:
    """What the candidate said to the authored items, by item, clipped for display: kept beside the report, never in it."""
    rows = project.workspace.store.read_pack(report.answers) if report.answers else ()
    return {row["source"]: clip(row["text"], 90) for row in rows if row["side"] == "tuned" and not row["source"].startswith("example:")}


def waivers(project: Project) -> list[Waiver]:
    """Everything that was ever waived; whether it counts today is the report's to say."""
    return project.records(Waiver)


def standing(project: Project, report: ResponsibleReport, today: date | None = None) -> tuple[ProbeResult, ...]:
    """The findings as they stand today, waivers counted."""
    return report.waived(waivers(project), today or datetime.now(UTC).date())


@dataclass(frozen=True)
class Wish:
    """What somebody wants waived. probe: empty for the whole dimension."""

    dimension: str
    reason: str
    until: date
    probe: str = ""


def waive(project: Project, wish: Wish, arm: str = "") -> Waiver:
    """Accept a finding by name and until a date. Who made the candidate may not. Raises with every mistake at once."""
    person = project.workspace.person
    check(person, "responsible.waived")
    report = report_of(project, arm)
    today = datetime.now(UTC).date()
    problems = []
    if wish.dimension not in DIMENSIONS:
        problems.append(f"{wish.dimension!r} is no dimension; there are: {', '.join(DIMENSIONS)}")
    elif wish.probe and (wish.probe not in PROBES or PROBES[wish.probe].dimension != wish.dimension):
        problems.append(f"{wish.probe!r} is no probe of {wish.dimension}; there are: {', '.join(name for name, kind in PROBES.items() if kind.dimension == wish.dimension)}")
    elif all(result.status == "PASS" for result in report.results if result.dimension == wish.dimension and wish.probe in ("", result.probe)):
        problems.append("there is nothing to waive: it passed")
    if not wish.reason.strip():
        problems.append("a reason is needed")
    if not today <= wish.until <= today + timedelta(days=LONGEST_WAIVER_DAYS):
        problems.append(f"until {wish.until} must lie between today and a year from now: a waiver expires")
    if problems:
        raise UsageError("This cannot be waived", problems=problems, next=f"whytune responsible show {project.name}")
    role = next(role for role in ACTS["responsible.waived"] if role in person.roles)
    adapter = project.workspace.store.get(Candidate, report.candidate).adapter
    check_signature(project.workspace, project, person, role, [report.candidate, report.dataset, *([adapter] if adapter else [])], policy_solo=True)
    with project.act("responsible.waived", read=[report.id, report.candidate]) as act:
        act.facts.update(dimension=wish.dimension, probe=wish.probe or "all", until=wish.until.isoformat())
        return act.write(
            Waiver(
                project=project.key, candidate=report.candidate, report=report.id, dimension=wish.dimension, probe=wish.probe,
                person=person.name, role=role, reason=wish.reason.strip(), until=wish.until, solo=person.solo,
            )
        )  # fmt: skip


def checklist(project: Project, candidate: Candidate) -> dict[str, bool]:
    """What must be on record about where a candidate comes from."""
    store, made = project.workspace.store, project.dataset
    usecase, base = store.latest(UseCase, project.key), store.get(Base, candidate.base)
    validation = next((each for each in reversed(project.records(Validation)) if each.dataset == made.id), None)
    facts = {
        "the purpose of the use case": bool(usecase and usecase.purpose.strip()),
        "who owns it": bool(usecase and usecase.owners),
        "the licence of the base model": bool(base.licence),
        "the digest of the base model": bool(base.digest),
        "the sources of the rows": bool(made.sources) and all(source.sha256 for source in made.sources),
        "the checks of the dataset, passed": bool(validation and validation.passed),
    }
    if candidate.adapter:
        adapter = store.get(Adapter, candidate.adapter)
        facts["the libraries that trained it"] = bool(adapter.versions)
        facts["its training rows"] = adapter.dataset == made.id
    return facts


def _pack(inspector: Inspector, cases: Sequence[Case], answers: Mapping[Side, Mapping[tuple[str, str], Answer]]) -> Iterator[dict[str, str]]:
    for side, held in answers.items():
        for case in cases:
            answer = held.get(case.key)
            if answer:
                yield {
                    "side": side, "candidate": inspector.put(side, case.setup).id, "probe": case.probe, "variant": case.variant,
                    "source": case.source, "item": answer.item, "text": answer.text, "error": answer.error,
                }  # fmt: skip


def page(project: Project, report: ResponsibleReport) -> str:
    """The findings as a self-contained HTML page."""
    from whytune.report import responsible as pages

    return pages.page(report, standing(project, report), waivers(project))
