"""The model ladder to look at: which bases fit and why others do not, what was tried smallest first, and why it stopped there.

Nothing is trained or fetched, and no model library is loaded. What it shows was decided by `candidates`, on dev alone.

    found = ladder(project)
    for step in found.steps: print(step.rung.name, step.onward)
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from whytune.errors import UnavailableError
from whytune.evaluation.scorers import scorer_named
from whytune.jobs.memory import free_memory
from whytune.records.catalogue import ModelFit
from whytune.records.choice import ModelChoice, Rung
from whytune.records.data import Dataset
from whytune.records.wording import figure, odds, point_span, points, span
from whytune.workspace import catalogue
from whytune.workspace.candidates import METHOD_ORDER
from whytune.workspace.comparing import Axis, axis

if TYPE_CHECKING:
    from whytune.workspace.config import ProjectFile
    from whytune.workspace.project import Project

PATIENCE = 60.0
REMEMBERED = 60.0
"""Seconds for which the free memory of a GPU is not asked again."""
_free: list[tuple[float, int]] = []


@dataclass(frozen=True)
class ListedCandidate:
    """A way to tune as `whytune.toml` lists it now."""

    name: str
    base: str
    method: str
    rank: int


@dataclass(frozen=True)
class LadderStep:
    """One rung with what came of it, in words. place: on dev, 1 is best; 0: not measured."""

    rung: Rung
    place: int
    chosen: bool
    reaches: Literal["yes", "no", "not proven", ""]
    share: str
    interval: str
    to_best: str
    chance: str
    onward: str
    """Why the next rung was tried, or was not; of a rung that was not tried itself, why."""


@dataclass(frozen=True)
class LadderView:
    """Everything there is to see of a project's candidates. steps: in the order of climbing; ranked: best on dev first."""

    listed: tuple[ListedCandidate, ...]
    order: str
    """What [training_run] order says."""
    choice: ModelChoice | None
    version: int
    newest: bool
    """Whether the choice is about the newest dataset version."""
    changed: bool
    """Whether `whytune.toml` names other candidates by now."""
    graded: bool
    steps: tuple[LadderStep, ...]
    ranked: tuple[LadderStep, ...]
    axis: Axis | None
    fits: tuple[ModelFit, ...]
    free: int
    """Bytes of memory that were free when this was asked."""
    longest: int
    """Tokens of the longest row with prompt and answer, about; 0: not known."""


def ladder(project: Project) -> LadderView:
    """The newest choice, what is listed now, and every known base model against this project and machine."""
    file, made = project.file, project.latest_dataset
    choice, free = project.newest(ModelChoice), free_here()
    steps = _steps(choice, file) if choice else ()
    ends = [choice.bar, *(end for step in steps if (found := step.rung.measure) for end in (found.low, found.high))] if choice else []
    about = project.workspace.store.get(Dataset, choice.dataset) if choice else None
    return LadderView(
        listed=tuple(_listed(file)), order=file.training_run.order, choice=choice, version=about.number if about else 0, newest=bool(choice and made and made.id == choice.dataset),
        changed=bool(choice and {step.rung.name for step in steps} != {each.name for each in _listed(file)}), graded=_graded(choice), steps=steps,
        ranked=tuple(sorted(steps, key=lambda step: step.place or len(steps) + 1)), axis=axis(max(0.0, min(ends)), min(1.0, max(ends))) if ends else None,
        fits=tuple(catalogue.fits(project.workspace, project, free)), free=free, longest=catalogue.needs_of(project).longest,
    )  # fmt: skip


def free_here() -> int:
    """Bytes of memory that are free, as `whytune models` counts them. Where there may be a GPU a process of its own asks it."""
    if sys.platform == "darwin" or (sys.platform == "linux" and not any(Path("/dev").glob("nvidia[0-9]*"))):
        return free_memory()
    now = time.monotonic()
    if not _free or now - _free[-1][0] > REMEMBERED:
        done = subprocess.run([sys.executable, "-c", "from whytune.training.machine import free_memory; print(free_memory())"], capture_output=True, text=True, check=False, timeout=PATIENCE)
        if not done.stdout.strip().isdigit():
            raise UnavailableError("The machine's memory could not be asked", where=done.stderr.strip()[-300:], next="whytune doctor")
        _free[:] = [(now, int(done.stdout))]
    return _free[-1][1]


def _listed(file: ProjectFile) -> list[ListedCandidate]:
    """Without [[candidates]] what [model] and [training] say is the only one."""
    found = [(section.name, section.base or file.model.base, file.recipe(section)) for section in file.candidates]
    return [ListedCandidate(name, base, recipe.method, recipe.rank) for name, base, recipe in found or [("training", file.model.base, file.training)]]


def _steps(choice: ModelChoice, file: ProjectFile) -> tuple[LadderStep, ...]:
    """The rungs in the order in which they are climbed; the record has them best first."""
    ranks = {file.recipe(section).id: file.recipe(section).rank for section in file.candidates}
    climbed = sorted(choice.rungs, key=lambda rung: (rung.parameters, METHOD_ORDER.index(rung.method), ranks.get(rung.recipe, 0)))
    best_first = [rung.name for rung in choice.rungs if rung.measure]
    return tuple(_step(choice, rung, best_first, climbed[number + 1 :]) for number, rung in enumerate(climbed))


def _step(choice: ModelChoice, rung: Rung, best_first: Sequence[str], above: Sequence[Rung]) -> LadderStep:
    graded, found = _graded(choice), rung.measure
    reaches: Literal["yes", "no", "not proven", ""] = "" if found is None else "yes" if found.low >= choice.bar else "no" if found.high < choice.bar else "not proven"
    return LadderStep(
        rung=rung, place=best_first.index(rung.name) + 1 if rung.name in best_first else 0, chosen=rung.name == choice.finalist, reaches=reaches,
        share=figure(found.value, graded) if found else "", interval=span(found, graded, choice.bar) if found else "",
        to_best=f"{points(rung.to_best.value, graded)} ({point_span(rung.to_best, graded)})" if rung.to_best else "", chance=odds(rung.p_holm) if rung.p_holm is not None else "",
        onward=_onward(choice, rung, reaches, above),
    )  # fmt: skip


def _onward(choice: ModelChoice, rung: Rung, reaches: str, above: Sequence[Rung]) -> str:
    if rung.state == "not_tried":
        return f"{rung.reason[:1].upper()}{rung.reason[1:]}."
    if not above:
        return "There is none above it."
    if choice.how == "all":
        return "All candidates are trained, whatever one reaches."
    following = above[0]
    if following.state == "not_tried":
        return f"Not climbed: {following.reason.replace('a smaller candidate', 'this one', 1)}."
    return "Climbed: it is provably below the bar." if reaches == "no" else "Climbed."


def _graded(choice: ModelChoice | None) -> bool:
    return bool(choice and scorer_named(choice.metric).kind == "graded")
