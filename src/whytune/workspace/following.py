"""What a page shows of long work: where a job stands with its curve and log, the adapters of a project, two of them beside each other.

Everything is read; nothing here starts or stops anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whytune.errors import NotFoundError
from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.data import Dataset
from whytune.records.evidence import Trial
from whytune.records.job import Job, JobPoint
from whytune.workspace import working
from whytune.workspace.noting import TRAINING

if TYPE_CHECKING:
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

EARLY = 1e-6
AT_ONCE = 500
"""Points that `since` gives at most."""


@dataclass(frozen=True)
class Curve:
    """Train loss at steps and dev loss at looks of one training of a job. part counts from 1; 0: nothing was trained yet."""

    part: int = 0
    parts: int = 0
    total: int = 0
    """Steps planned."""
    train: tuple[tuple[int, float], ...] = ()
    dev: tuple[tuple[int, float], ...] = ()
    metric: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Followed:
    """A job as its page shows it. after: number of the newest point that is in it."""

    job: Job
    curve: Curve
    log: tuple[JobPoint, ...]
    after: int
    ending: str
    """Who asked its training to end early, while that is to come."""
    may_stop: bool
    training: bool


@dataclass(frozen=True)
class TrainedLine:
    """An adapter as lists show it."""

    id: str
    base: str
    recipe: dict[str, Any]
    dataset: str
    version: int
    current: bool
    """Whether it was trained on the newest version of the dataset."""
    retrieval: bool
    rows: int
    best_step: int
    dev_loss: float
    dev_metric: float | None
    metric: str
    epochs: float
    """Made, of those planned in the recipe."""
    ended_early: bool
    seconds: float
    money: float | None
    currency: str


def follow(workspace: Workspace, id: str, part: int = 0) -> Followed:
    """A job with its log and the curve of one of its trainings, the newest where none is named."""
    found = working.job(workspace, id)
    kept = workspace.store.jobs
    after = kept.last_seq(id)  # before the points are read: what comes in between is told again, not left out
    return Followed(
        found, curve_of(kept.curve(id), part), tuple(kept.log(id)), after, working.ending(workspace, found),
        found.live and working.may_stop(workspace, found), found.live and found.phase == TRAINING,
    )  # fmt: skip


def since(workspace: Workspace, id: str, after: int) -> tuple[Job, list[JobPoint]]:
    """Where a job stands and what happened after a point; for who has been let in already."""
    kept = workspace.store.jobs
    found = kept.one(id)
    return found, kept.points(id, after, limit=AT_ONCE)


def curve_of(points: list[JobPoint], part: int = 0) -> Curve:
    """The curve of one part. Raises NotFoundError for a part that is not there."""
    parts = max((point.values["part"] for point in points), default=0)
    if part > parts:
        raise NotFoundError(f"There is no training number {part} in this job", next=f"choose 1 to {parts}" if parts else "nothing was trained in it")
    part = part or parts
    mine = [point.values for point in points if point.values["part"] == part]
    return Curve(
        part, parts, max((each["total"] for each in mine if "total" in each), default=0),
        tuple((each["step"], each["loss"]) for each in mine if "loss" in each),
        tuple((each["step"], each["dev_loss"]) for each in mine if "dev_loss" in each),
        tuple((each["step"], each["dev_metric"]) for each in mine if "dev_metric" in each),
    )  # fmt: skip


def trained(project: Project) -> list[TrainedLine]:
    """Every adapter of a project, newest first."""
    made = project.latest_dataset
    versions = {dataset.id: dataset.number for dataset in project.records(Dataset)}
    bases = {base.id: base.name for base in project.records(Base)}
    return [_line(project, adapter, versions, bases, made.id if made else "") for adapter in reversed(project.records(Adapter))]


def beside(project: Project, one: str, two: str) -> dict[str, Any]:
    """Two adapters beside each other: what differs in how they were trained, their curves, and how they did on the test set.

    one and two: an adapter's id, or six digits or more that it begins with.
    """
    lines = {line.id: line for line in trained(project)}
    one, two = _named(project, lines, one), _named(project, lines, two)
    by_adapter = {candidate.adapter: trial for trial in project.records(Trial) if trial.split == "test" and (candidate := _candidate(project, trial)).adapter}
    found: list[dict[str, Any]] = []
    every: list[dict[str, str]] = []
    for id in (one, two):
        adapter = project.workspace.store.get(Adapter, id)
        trial = by_adapter.get(id)
        every.append(_facts(adapter, lines[id]))
        found.append({"line": lines[id], "curve": adapter.curve, "result": trial.primary if trial else None, "arm": trial.arm if trial else "", "beside": trial.beside if trial else ()})
    names = list(dict.fromkeys([*every[0], *every[1]]))
    settings = [{"name": name, "one": every[0].get(name, ""), "two": every[1].get(name, "")} for name in names]
    same_test = lines[one].dataset == lines[two].dataset
    return {
        "one": found[0], "two": found[1], "differ": [each for each in settings if each["one"] != each["two"]],
        "same": [each for each in settings if each["one"] == each["two"]], "same_test": same_test,
    }  # fmt: skip


def _named(project: Project, lines: Mapping[str, TrainedLine], asked: str) -> str:
    digits = asked.rpartition(":")[2]
    fitting = [id for id in lines if id == asked or (len(digits) >= 6 and id.rpartition(":")[2].startswith(digits))]
    if len(fitting) != 1:
        told = f"Several adapters begin with {asked[:60]!r}" if fitting else f"There is no adapter {asked[:60]!r}"
        raise NotFoundError(f"{told} in {project.name}", next=f"choose two of the list of runs: whytune jobs compare {project.name}")
    return fitting[0]


def _candidate(project: Project, trial: Trial) -> Candidate:
    return project.workspace.store.get(Candidate, trial.candidate)


def _line(project: Project, adapter: Adapter, versions: Mapping[str, int], bases: Mapping[str, str], current: str) -> TrainedLine:
    best = next(look for look in adapter.curve if look.step == adapter.best_step)
    made = adapter.curve[-1].epoch
    cost = adapter.cost
    return TrainedLine(
        id=adapter.id, base=bases.get(adapter.base, adapter.base), recipe=adapter.recipe.model_dump(), dataset=adapter.dataset,
        version=versions.get(adapter.dataset, 0), current=adapter.dataset == current, retrieval=adapter.retrieval is not None,
        rows=adapter.rows, best_step=adapter.best_step, dev_loss=best.dev_loss, dev_metric=best.dev_metric, metric=project.file.acceptance.metric,
        epochs=made, ended_early=made < adapter.recipe.epochs * (1 - EARLY), seconds=adapter.seconds, money=cost.money if cost else None,
        currency=cost.currency if cost else "",
    )  # fmt: skip


def _facts(adapter: Adapter, line: TrainedLine) -> dict[str, str]:
    recipe = {name.replace("_", " "): f"{value:g}" if isinstance(value, float) else str(value) for name, value in adapter.recipe.model_dump().items()}
    return {
        "base model": line.base, "dataset version": str(line.version), "prompt": adapter.prompt[:18],
        "passages while training": "yes" if line.retrieval else "no", **recipe, "number format used": adapter.dtype,
        "rows": f"{adapter.rows:,}", "tokens trained": f"{adapter.trained_tokens:,}", "epochs made": f"{line.epochs:.2f}" + (" (ended early)" if line.ended_early else ""),
        "best step": str(adapter.best_step), **{f"library {name}": version for name, version in adapter.versions.items()},
    }  # fmt: skip
