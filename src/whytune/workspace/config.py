"""`whytune.toml`: the project file, read with every mistake told at once, and written with a comment for each key.

It holds no result. What an owner fixes beforehand (use case, rule, prices) becomes the `UseCase` record; the rest says
where the data is and what may be tried.
"""

from __future__ import annotations

import difflib
import json
import os
import time
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from whytune.errors import NotFoundError, SettingsError
from whytune.records.candidate import Recipe
from whytune.records.data import SplitPlan
from whytune.records.ledger import ROLES
from whytune.records.project import AcceptanceRule, Budget, Circumstances, Prices, UseCase
from whytune.records.record import Value, digest
from whytune.tasks import TASKS

FILE = "whytune.toml"
MEASURED_ARMS = ("prompt", "few_shot", "full_context", "rag", "tuned", "tuned_rag")


class DataSection(Value):
    """Where rows and documents come from. Paths are relative to the project folder."""

    from_: tuple[str, ...] = Field(default=(), alias="from")
    format: str = ""
    encoding: str = ""
    input: str = ""
    target: str = ""
    group: str = ""
    evidence: str = ""
    labels_file: str = ""
    mapping_file: str = ""
    documents: tuple[str, ...] = ()
    access: dict[str, tuple[str, ...]] = {}


class ModelSection(Value):
    """Which base model. `bundled`, `folder:PATH`, `hub:ORG/NAME` or `endpoint:URL`."""

    base: str = "bundled"
    revision: str = ""
    name: str = ""
    """The model's name at an endpoint."""
    key_env: str = ""
    """The environment variable that holds the endpoint's key."""
    context: int = Field(default=0, ge=0)
    concurrency: int = Field(default=8, ge=1, le=256)
    timeout: float = Field(default=60.0, gt=0)
    licences: tuple[str, ...] = ()
    """Licences that a base model may have; empty: any."""


class ArmsSection(Value):
    """What may be tried."""

    use: tuple[Literal["prompt", "few_shot", "full_context", "rag", "tuned", "tuned_rag"], ...] = (
        "prompt", "few_shot", "full_context", "rag", "tuned", "tuned_rag",
    )
    shots: int = Field(default=4, ge=1, le=64)
    system: str = ""
    """Replaces the task's default prompt; `{labels}` and `{fields}` are filled in."""


class RunSection(Value):
    """How training is run; nothing here is part of the recipe."""

    launcher: Literal["local", "torchrun"] = "local"
    processes: int = Field(default=1, ge=1, le=1024)
    order: Literal["all", "ladder"] = "all"
    """Where there are several candidates: train all of them, or climb from the smallest while it provably falls short."""


class CandidateSection(Value):
    """One more way to tune: what is left out is that of [model] and [training]."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    base: str = ""
    revision: str = ""
    training: dict[str, str | int | float] = {}


class RetrievalSection(Value):
    """How documents are cut and searched. hybrid: auto means where it is measured better on dev."""

    words: int = Field(default=120, ge=20)
    overlap: int = Field(default=15, ge=0)
    k: int = Field(default=3, ge=1, le=50)
    hybrid: Literal["auto", "on", "off"] = "auto"
    access: tuple[str, ...] = ()


class AccessSection(Value):
    """Who sees the project. It is no part of the use case: changing it changes no rule."""

    private: bool = False
    """Only the people named in [owners] and here, and auditors, see it."""
    people: tuple[str, ...] = ()


class ProjectFile(Value):
    """The whole file."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    purpose: str = ""
    task: str
    owners: dict[str, str] = {}
    acceptance: AcceptanceRule
    data: DataSection = DataSection()
    split: SplitPlan = SplitPlan()
    circumstances: Circumstances = Circumstances()
    model: ModelSection = ModelSection()
    arms: ArmsSection = ArmsSection()
    training: Recipe = Recipe()
    training_run: RunSection = RunSection()
    candidates: tuple[CandidateSection, ...] = ()
    retrieval: RetrievalSection = RetrievalSection()
    budget: Budget = Budget()
    prices: Prices = Prices()
    access: AccessSection = AccessSection()

    def recipe(self, candidate: CandidateSection) -> Recipe:
        """The recipe of a candidate: [training] with its own keys."""
        return Recipe.model_validate({**self.training.model_dump(), **candidate.training})

    @cached_property
    def stamp(self) -> str:
        """What stands for everything it says."""
        return digest(self.model_dump_json())

    @cached_property
    def usecase(self) -> UseCase:
        """What is hashed before any result."""
        return UseCase(
            name=self.name, purpose=self.purpose, task=self.task, owners=self.owners, rule=self.acceptance,
            budget=self.budget, prices=self.prices, circumstances=self.circumstances,
        )


_held: dict[str, tuple[tuple[int, ...], ProjectFile]] = {}
SETTLED, MOST_HELD = 2_000_000_000, 1_000
"""Nanoseconds after which a file's time tells it from a later one, and how many files are held."""


def read(folder: Path) -> ProjectFile:
    """As `parse`, held in memory until the file changes: a page about all projects reads every one of them."""
    path = os.path.join(folder, FILE)
    try:
        now = os.stat(path)
    except OSError:
        return parse(folder)  # which says what is wrong
    stamp = (now.st_mtime_ns, now.st_ctime_ns, now.st_ino, now.st_size)
    held = _held.get(path)
    if held and held[0] == stamp:
        return held[1]
    found = parse(folder)
    if time.time_ns() - max(stamp[:2]) > SETTLED and os.path.isabs(path):
        if len(_held) >= MOST_HELD:
            _held.clear()
        _held[path] = (stamp, found)
    return found


def parse(folder: Path) -> ProjectFile:
    """Read and check a project's file. Raises NotFoundError or a SettingsError that lists every mistake with its line."""
    path = folder / FILE
    try:
        text = path.read_text("utf-8")
        raw = tomllib.loads(text)
    except FileNotFoundError:
        raise NotFoundError(f"There is no {FILE} in {folder}", next="whytune init NAME --task TASK --from FILE") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{FILE} cannot be read: {error}", where=str(path), next=f"mend {path}") from None
    problems: list[str] = []
    parsed: ProjectFile | None = None
    try:
        parsed = ProjectFile.model_validate(raw)
    except ValidationError as error:
        problems += [_said(dict(item), text) for item in error.errors()]
    problems += _beyond_types(raw, text)
    if parsed is not None:
        problems += _of_candidates(parsed, text)
    if problems or parsed is None:
        raise SettingsError(
            f"{FILE} has {len(problems)} mistake{'s' if len(problems) > 1 else ''}",
            where=str(path), problems=problems, next=f"mend {path}, then: whytune status",
        )
    return parsed


def _beyond_types(raw: dict[str, Any], text: str) -> list[str]:
    problems = []
    task = raw.get("task")
    if isinstance(task, str) and task not in TASKS:
        problems.append(f"line {line_of(text, ('task',))}: task = {task!r}; there are: {', '.join(TASKS)}")
    acceptance = raw.get("acceptance")
    metric = acceptance.get("metric") if isinstance(acceptance, dict) else None
    if isinstance(task, str) and task in TASKS and isinstance(metric, str):
        known = (TASKS[task].metric, *TASKS[task].beside)
        if metric not in known:
            at = line_of(text, ("acceptance", "metric"))
            problems.append(f"line {at}: acceptance.metric = {metric!r} is not scored for {task}; there are: {', '.join(known)}")
    owners = raw.get("owners")
    for role in owners if isinstance(owners, dict) else ():
        if role not in ROLES:
            problems.append(f"line {line_of(text, ('owners', role))}: no role is named {role!r}; there are: {', '.join(ROLES)}")
    split = raw.get("split")
    if isinstance(split, dict):
        shares = [split.get(name, SplitPlan.model_fields[name].default) for name in ("train", "dev", "test")]
        if all(isinstance(share, int | float) for share in shares):
            at = line_of(text, ("split",))
            if any(share <= 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
                problems.append(f"line {at}: split shares {shares} must each be above 0 and add up to 1")
    return problems


def _of_candidates(file: ProjectFile, text: str) -> list[str]:
    problems, names = [], [each.name for each in file.candidates]
    problems += [f"line {line_of(text, ('candidates',))}: two candidates are named {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    for each in file.candidates:
        try:
            file.recipe(each)
        except ValidationError as error:
            for item in error.errors():
                key = str(item["loc"][0])
                near = difflib.get_close_matches(key, Recipe.model_fields, n=1) if item["type"] == "extra_forbidden" else []
                why = f"unknown key; did you mean {near[0]}?" if near else item["msg"]
                problems.append(f"candidate {each.name}: training.{key} = {json.dumps(each.training.get(key), default=str)}: {why}")
    run = file.training_run
    if run.processes > 1 and run.launcher == "local":
        problems.append(f"line {line_of(text, ('training_run', 'processes'))}: training_run.processes = {run.processes} needs launcher = \"torchrun\"")
    return problems


def _said(item: dict[str, Any], text: str) -> str:
    path = tuple(str(part) for part in item["loc"] if not isinstance(part, int))
    name, at = ".".join(path), line_of(text, path)
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _known(path[:-1]), n=1)
        return f"line {at}: unknown key {name}" + (f"; did you mean {near[0]}?" if near else "")
    if item["type"] == "missing":
        return f"{name} is missing"
    value = item.get("input")
    shown = json.dumps(value, default=str) if not isinstance(value, dict) else "a table"
    return f"line {at}: {name} = {shown}: {item['msg']}"


def _known(path: tuple[str, ...]) -> list[str]:
    model: Any = ProjectFile
    for part in path:
        model = model.model_fields[part].annotation
    return [field.alias or name for name, field in getattr(model, "model_fields", {}).items()]


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line on which a key stands, 1 where it cannot be told."""
    section, found = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped.strip("[] ")
            if path == (section,):
                return number
        elif "=" in stripped and not stripped.startswith("#"):
            key = stripped.split("=", 1)[0].strip().strip("\"'")
            if (*(tuple(section.split(".")) if section else ()), key) == path:
                return number
            if key == path[0] and len(path) > 1 and not section:
                found = number
    return found


def toml_value(value: Any) -> str:
    """A value as TOML; JSON's spelling of text, numbers, booleans and lists is TOML's too."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def write(file: ProjectFile) -> str:
    """The commented file. Reading it back gives the same `ProjectFile`."""
    data, rule, split = file.data, file.acceptance, file.split
    metrics = ", ".join((TASKS[file.task].metric, *TASKS[file.task].beside))
    lines = [
        "# What this use case is, what counts as good enough, and what may be spent.",
        "# The use case, rule, budget and prices are hashed before any result; changing them makes a new, visible rule.",
        f"name = {toml_value(file.name)}",
        f"purpose = {toml_value(file.purpose)}   # one sentence: who will use it, for what",
        f"task = {toml_value(file.task)}   # one of: {', '.join(TASKS)}",
        "",
        "[owners]   # role = person; roles: " + ", ".join(ROLES),
        *(f"{role} = {toml_value(person)}" for role, person in file.owners.items()),
        "",
        "[acceptance]",
        f"metric = {toml_value(rule.metric)}   # one of: {metrics}",
        f"bar = {toml_value(rule.bar)}   # an arm must provably reach this (0..1)",
        f"margin = {toml_value(rule.margin)}   # a dearer arm must provably be this much better to be worth it",
        f"confidence = {toml_value(rule.confidence)}",
        "",
        "[data]   # paths are relative to this folder",
        f"from = {toml_value(data.from_)}",
    ]
    said = {
        "format": "csv, tsv, json, jsonl, parquet, text, inst; empty: guessed",
        "encoding": "empty: guessed",
        "input": "column or field that the model is given; empty: guessed",
        "target": "column or field that it should answer",
        "group": "rows with the same value are never parted by the split",
        "evidence": "column that names the document holding the answer",
        "labels_file": "a file with one label a line, beside a text file",
        "mapping_file": "a file that names the labels",
        "documents": "files, folders or archives that answers may be looked up in",
    }
    lines += [f"{name} = {toml_value(getattr(data, name))}   # {comment}" for name, comment in said.items()]
    if data.access:
        lines.append(f"access = {toml_value(data.access)}   # folder = labels that may read it")
    lines += [
        "",
        "[split]",
        f"train = {toml_value(split.train)}",
        f"dev = {toml_value(split.dev)}",
        f"test = {toml_value(split.test)}   # sealed: every look is counted",
        f"seed = {toml_value(split.seed)}",
        f"near = {toml_value(split.near)}   # similarity from which two inputs are the same; 0: not looked for",
        f"limit = {toml_value(split.limit)}   # keep a stratified sample of this many rows; 0: all",
        f"labels = {toml_value(split.labels)}   # keep only these labels; empty: all",
        "",
        "[circumstances]   # triage: true or false; leave a line out if you do not know yet",
    ]
    for name in Circumstances.model_fields:
        value = getattr(file.circumstances, name)
        lines.append(f"{'# ' if value is None else ''}{name} = {toml_value(bool(value))}   # {QUESTIONS[name]}")
    lines += ["", "[model]", f"base = {toml_value(file.model.base)}   # bundled, folder:PATH, hub:ORG/NAME, endpoint:URL"]
    lines += _changed(file.model, ModelSection(), skip=("base",))
    lines += ["", "[arms]", f"use = {toml_value(file.arms.use)}", f"shots = {toml_value(file.arms.shots)}   # training rows shown in the few-shot prompt"]
    lines += _changed(file.arms, ArmsSection(), skip=("use", "shots"))
    lines += ["", "[retrieval]"]
    lines += [f"{name} = {toml_value(getattr(file.retrieval, name))}" for name in RetrievalSection.model_fields]
    lines += ["", "[training]   # every key changes what is trained; method: lora, qlora, dora, rslora, full"]
    lines += [f"{name} = {toml_value(getattr(file.training, name))}" for name in Recipe.model_fields]
    run = file.training_run
    lines += ["", "[training_run]", f"launcher = {toml_value(run.launcher)}   # local, torchrun", f"processes = {run.processes}"]
    lines.append(f"order = {toml_value(run.order)}   # several [[candidates]]: all, or ladder (the smallest first)")
    lines += ["", "[budget]   # 0: no limit", f"hours = {toml_value(file.budget.hours)}", f"money = {toml_value(file.budget.money)}", "", "[prices]   # yours: nothing here is looked up anywhere"]
    lines += [f"{name} = {toml_value(getattr(file.prices, name))}" for name in Prices.model_fields]
    lines += ["", "[access]   # private = true: seen only by the people named in [owners] and here, and by auditors"]
    lines += [f"{name} = {toml_value(getattr(file.access, name))}" for name in AccessSection.model_fields]
    for each in file.candidates:
        lines += ["", "[[candidates]]", f"name = {toml_value(each.name)}", *_changed(each, CandidateSection(name=each.name), skip=("name",))]
    return "\n".join(lines) + "\n"


def _changed(section: Value, default: Value, skip: tuple[str, ...]) -> list[str]:
    names = [name for name in type(section).model_fields if name not in skip]
    return [f"{name} = {toml_value(getattr(section, name))}" for name in names if getattr(section, name) != getattr(default, name)]


QUESTIONS = {
    "no_egress": "data may not leave this machine or network",
    "citations": "answers must cite their source",
    "erasure": "a person's data must be removable at once",
    "per_user_rights": "not everybody may see every document",
    "facts_change": "facts change faster than a model would be retrained",
    "may_train": "we have the right to train on this data",
}
