"""Which base models there are and which fit: a short list of the package's own, and the workspace's `models.toml`.

Facts are those of the publisher's page or of the model's files; what is not known is said to be unknown. Nothing is
fetched to make the list. Memory is a calculation from the number of weights, not a measurement.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from whytune.errors import SettingsError, UsageError
from whytune.records.candidate import Recipe
from whytune.records.catalogue import ModelEntry, ModelFit
from whytune.records.data import Dataset, Example
from whytune.tasks import TASKS
from whytune.workspace.bases import is_near
from whytune.workspace.config import toml_value
from whytune.workspace.writing import write_whole

if TYPE_CHECKING:
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

FILE = "models.toml"
METHODS = ("lora", "qlora", "full")
"""Methods whose memory is told; rslora takes what lora takes, dora more for what passes through."""
_CHARACTERS_A_TOKEN = 3.0
"""Cautious for English; other languages take more tokens."""


@dataclass(frozen=True)
class Needs:
    """What a project asks of a model. longest: tokens of its longest row with prompt and answer, about; 0: not known."""

    task: str = ""
    licences: tuple[str, ...] = ()
    longest: int = 0
    no_egress: bool = False


def entries(room: Workspace) -> list[tuple[ModelEntry, str]]:
    """(model, who listed it), the workspace's own entries in the place of the package's of the same name."""
    own = _read((room.root / FILE).read_text("utf-8"), str(room.root / FILE)) if (room.root / FILE).exists() else []
    named = {entry.name for entry in own}
    listed = _read(files("whytune.workspace").joinpath("catalogue.toml").read_text("utf-8"), "the package's catalogue.toml")
    return [*((entry, "whytune") for entry in listed if entry.name not in named), *((entry, "workspace") for entry in own)]


def add(room: Workspace, entry: ModelEntry) -> ModelEntry:
    """List a model in the workspace. What a folder says of itself fills what was left out."""
    kind, _, rest = entry.base.partition(":")
    if unknown := [task for task in entry.tasks if task not in TASKS]:
        raise UsageError(f"No task is named {', '.join(unknown)}", next=f"choose from: {', '.join(TASKS)}")
    if kind == "folder":
        from whytune.answering.backends.folder import inspect_folder

        folder = Path(rest).expanduser().resolve()
        seen = inspect_folder(folder, room.settings.cache_folder)
        entry = entry.model_copy(
            update={"base": f"folder:{folder}", "parameters": entry.parameters or seen.parameters, "context": entry.context or seen.context, "licence": entry.licence or seen.licence}
        )
    own = [held for held, who in entries(room) if who == "workspace" and held.name != entry.name]
    write_whole(room.root / FILE, _written([*own, entry]))
    return entry


def fits(room: Workspace, project: Project | None = None, free: int = 0) -> list[ModelFit]:
    """Every listed model with the reasons for and against it: what fits first, small first. free: bytes of memory, 0 asks."""
    if not free:
        from whytune.training.machine import free_memory

        free = free_memory()
    needs = needs_of(project) if project else Needs()
    found = [fit(entry, who, needs, free) for entry, who in entries(room)]
    return sorted(found, key=lambda each: (not each.fits, not each.trainable, each.entry.parameters or 10**15, each.entry.name))


def fit(entry: ModelEntry, listed: str, needs: Needs, free: int) -> ModelFit:
    """One model against what is needed and the memory that is free."""
    kind, _, rest = entry.base.partition(":")
    here = kind != "endpoint"
    answer = _memory(entry.parameters, "") if here and entry.parameters else 0
    train = {method: _memory(entry.parameters, method) for method in METHODS} if here and entry.parameters else {}
    against, training, unknown = [], [], []
    if needs.task and entry.tasks and needs.task not in entry.tasks:
        against.append(f"it is listed for {', '.join(entry.tasks)}, not for {needs.task}")
    if needs.licences and entry.licence and entry.licence.lower() not in {name.lower() for name in needs.licences}:
        against.append(f"its licence {entry.licence} is not among those allowed: {', '.join(needs.licences)}")
    if needs.longest and entry.context and needs.longest > entry.context:
        against.append(f"it reads {entry.context:,} tokens, the longest row takes about {needs.longest:,}")
    if answer > free:
        against.append(f"answering takes about {_gb(answer)}, {_gb(free)} are free")
    if kind == "folder" and not Path(rest).expanduser().is_dir():
        against.append(f"there is no folder {rest}")
    if not here:
        training.append("it is an endpoint: its weights are not here")
        if needs.no_egress and not is_near(rest):
            against.append("the data may not leave this machine or network, and it is hosted elsewhere")
    elif train and min(train.values()) > free:
        training.append(f"training takes about {_gb(min(train.values()))} even with qlora, {_gb(free)} are free")
    elif train and train["lora"] > free:
        training.append(f"lora takes about {_gb(train['lora'])}, {_gb(free)} are free: only qlora fits")
    unknown += [name for name, value in (("parameters", entry.parameters), ("context", entry.context), ("licence", entry.licence)) if not value and (here or name != "parameters")]
    return ModelFit.model_validate(
        {
            "entry": entry, "listed": listed, "fits": not against, "trainable": here and not against and not (train and min(train.values()) > free),
            "answer_bytes": answer, "train_bytes": train, "against": against, "against_training": training, "unknown": unknown,
        }
    )  # fmt: skip


def needs_of(project: Project) -> Needs:
    """What a project asks for, from its file and, where there is one, its dataset."""
    file = project.file
    longest, made = 0, project.latest_dataset
    if made:
        longest = max((_tokens(project, made, row) for _, row in project.sample(2000)), default=0)
    return Needs(file.task, file.model.licences, longest, file.circumstances.no_egress is True)


def _tokens(project: Project, made: Dataset, row: Example) -> int:
    prompt = project.task.prompt(labels=made.labels, fields=made.fields)
    said = sum(len(message.text) for message in row.messages) + len(prompt.system)
    return round(said / _CHARACTERS_A_TOKEN) + prompt.decoding.max_new_tokens + 16


def _memory(parameters: int, method: str) -> int:
    """About: a model of that many weights in usual proportions, float32 on a CPU; answering where no method is named."""
    from whytune.training.memory import PROCESS_BYTES, ModelShape, StepSize, at_rest, peak

    layers, vocabulary = 28, 50_000
    hidden = max(64, round(sqrt(parameters / (12 * layers))))
    shape = ModelShape(layers, hidden, round(8 * hidden / 3), vocabulary, max(1, parameters - hidden * vocabulary), parameters)
    if not method:
        return PROCESS_BYTES + at_rest(shape, Recipe(), 4)
    return peak(shape, Recipe.model_validate({"method": method}), "float32", StepSize(1024, 256, 8, 128))


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _read(text: str, where: str) -> list[ModelEntry]:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The list of models cannot be read: {error}", where=where, next=f"mend {where}") from None
    found, problems = [], [f"unknown key {key}" for key in raw if key != "models"]
    for number, given in enumerate(raw.get("models", []), 1):
        try:
            found.append(ModelEntry.model_validate(given))
        except ValidationError as error:
            name = given.get("name", f"number {number}") if isinstance(given, dict) else f"number {number}"
            problems += [f"model {name}: {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    if problems:
        raise SettingsError(f"The list of models has {len(problems)} mistake{'s' if len(problems) > 1 else ''}", where=where, problems=problems, next=f"mend {where}")
    return found


def _written(own: Sequence[ModelEntry]) -> str:
    lines = ["# Base models of this workspace, beside those that whytune lists; `whytune models add` writes here, so may you."]
    for entry in own:
        given: dict[str, Any] = entry.model_dump(exclude_defaults=True)
        lines += ["", "[[models]]", *(f"{key} = {toml_value(value)}" for key, value in given.items())]
    return "\n".join(lines) + "\n"
