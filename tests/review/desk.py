"""A project with rows, people and measured answers, as a review finds it; no model is run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from whytune.jobs.progress import Silent
from whytune.records.candidate import Candidate, Prompt
from whytune.records.data import Example, SplitName
from whytune.records.evidence import Answer, Measure, Spending, Trial
from whytune.settings import Settings
from whytune.workspace import creating
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

WORDS = ("card", "loan", "rate", "door", "lamp", "rain", "fish", "gold", "moon", "salt", "tree", "wind", "book", "snow")
TOML = """
name = "desk"
task = "categorization"
[acceptance]
metric = "accuracy"
bar = 0.8
margin = 0.05
[data]
from = ["rows.csv"]
input = "text"
target = "category"
[split]
near = 0
"""
PEOPLE = {"root": ["admin", "data_scientist"], "dana": ["data_creator"], "ann": ["tester"], "bo": ["business_owner"], "cy": ["customer_success"], "di": ["legal"]}
BASE = "base:" + "0" * 64


def rows(count: int) -> str:
    """Two categories, no two rows alike."""
    lines = ["text,category"]
    for number in range(count):
        some = [WORDS[(number * k + k * k) % len(WORDS)] for k in (1, 3, 5, 9)]
        lines.append(f"the {' '.join(some)} number {number} went away,{'delay' if number % 2 else 'loss'}")
    return "\n".join(lines) + "\n"


_made: dict[tuple[int, str], tempfile.TemporaryDirectory[str]] = {}


def desk(folder: Path, *, count: int = 60, people: Mapping[str, list[str]] | None = None) -> Project:
    """A project with one dataset version, made by dana where there are people, else by somebody alone; made once, then copied."""
    key = (count, str(people))
    if key not in _made:
        _made[key] = tempfile.TemporaryDirectory()
        project = _build(Path(_made[key].name), count, people or {})
        project.workspace.store.close()
    shutil.copytree(_made[key].name, folder, dirs_exist_ok=True)
    return Project(Workspace.open(folder, settings=Settings(person="root")), folder / "desk")


def _build(folder: Path, count: int, people: Mapping[str, list[str]]) -> Project:
    home = folder / "desk"
    home.mkdir()
    (home / "whytune.toml").write_text(TOML, "utf-8")
    (home / "rows.csv").write_text(rows(count), "utf-8")
    workspace = Workspace.open(folder, settings=Settings(person="root"), create=True)
    for name, roles in people.items():
        workspace.add_person(name, roles)
    project = Project(workspace, home)
    creating.dataset(project if not people else seen_by(project, "dana"), Silent())
    return project


def seen_by(project: Project, name: str) -> Project:
    """The same project, with somebody else acting."""
    return Project(project.workspace.as_person(name), project.folder)


def examples(project: Project, split: SplitName) -> list[Example]:
    """Rows of one split."""
    return creating.examples_of(project, project.dataset, split)


def measured(project: Project, arm: str, say: Callable[[Example], str], split: SplitName = "dev", by: str = "") -> Trial:
    """A trial of an arm whose answers are what `say` gives."""
    acting = seen_by(project, by) if by else project
    store, made = project.workspace.store, project.dataset
    candidate = Candidate(base=BASE, prompt=Prompt(system=f"{arm}, answer"), adapter="adapter:" + "1" * 64 if arm == "tuned" else "")
    shown = examples(project, split)
    answers = [Answer(candidate=candidate.id, item=row.id, text=say(row), tokens_in=1, tokens_computed=1, tokens_out=1, seconds=0.1) for row in shown]
    figure = Measure(name="accuracy", value=0.5, low=0.1, high=0.9, n=len(shown), method="Wilson")
    spent = Spending(seconds=1, tokens_in=1, tokens_computed=1, tokens_out=1, answers=len(shown), cost_per_1000=0.1, median_seconds=0.1)
    trial = Trial(
        project=project.key, candidate=candidate.id, arm=arm, dataset=made.id, split=split, primary=figure, outcomes={"scored": len(shown)}, spending=spent,
        answers=store.put_pack(answers, "answers"), scores=store.put_pack([{"item": row.id, "value": 1.0} for row in shown], "scores"),
    )  # fmt: skip
    with acting.act("trial.measured" if split == "test" else "dev.measured", read=[candidate.id, made.id]) as act:
        act.write(candidate)
        act.write(trial)
    return trial

