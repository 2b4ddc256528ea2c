"""A new project: look at the data, say how it will be read, write `whytune.toml`, register it in the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from whytune.datasets.importing import sniff
from whytune.datasets.spec import Guess
from whytune.errors import NotFoundError, SettingsError, UsageError
from whytune.tasks import task_named
from whytune.workspace import config
from whytune.workspace.config import FILE, ProjectFile
from whytune.workspace.project import Project
from whytune.workspace.reading import spec
from whytune.workspace.workspace import Workspace
from whytune.workspace.writing import write_whole


@dataclass(frozen=True)
class NewProject:
    """A project about to be written, and how its data was understood."""

    folder: Path
    file: ProjectFile
    guesses: tuple[Guess, ...]

    @property
    def confidence(self) -> float:
        """Of the least sure guess, 0..1."""
        return min((guess.confidence for guess in self.guesses), default=1.0)

    @property
    def preview(self) -> tuple[tuple[str, str], ...]:
        """(input, target) of the first rows."""
        return self.guesses[0].preview if self.guesses else ()

    @property
    def guess(self) -> list[dict[str, Any]]:
        """What was guessed, as plain values."""
        names = ("file", "format", "shape", "encoding", "input", "target", "group", "columns", "confidence", "reasons", "preview")
        return [{name: getattr(guess, name) for name in names} for guess in self.guesses]

    @property
    def open_questions(self) -> dict[str, str]:
        """The triage questions that nobody has answered yet."""
        return {key: question for key, question in config.QUESTIONS.items() if getattr(self.file.circumstances, key) is None}

    def answered(self, answers: dict[str, bool]) -> NewProject:
        """With these triage questions answered."""
        known = self.file.circumstances.model_copy(update=answers)
        return replace(self, file=self.file.model_copy(update={"circumstances": known}))

    @property
    def lines(self) -> list[str]:
        """The guess in words."""
        told = []
        for guess in self.guesses:
            told.append(f"{guess.file}: {guess.format}, {guess.encoding}; input = {guess.input or 'as it is'}, target = {guess.target or 'as it is'} ({guess.confidence:.0%} sure)")
            told += [f"  {reason}" for reason in guess.reasons]
        return told


def answers(given: Sequence[str]) -> dict[str, bool]:
    """Triage answers such as `no_egress=yes`. Raises UsageError with every one that cannot be read."""
    found, problems = {}, []
    for text in given:
        key, _, value = text.partition("=")
        if key not in config.QUESTIONS:
            problems.append(f"{text!r}: no question is named {key!r}")
        elif value.lower() not in ("yes", "no", "y", "n", "true", "false"):
            problems.append(f"{text!r}: answer yes or no")
        else:
            found[key] = value.lower()[0] in "yt"
    if problems:
        raise UsageError("Some triage answers cannot be read", problems=problems, next=f"write NAME=yes or NAME=no; names: {', '.join(config.QUESTIONS)}")
    return found


def draft(raw: dict[str, Any], folder: Path, name: str = "") -> NewProject:
    """Check what was asked for and look at the data; nothing is written. Raises with every mistake at once.

    name: what the project is called where its folder is still called otherwise.
    """
    task = task_named(raw["task"])
    folder = folder.resolve()
    there = UsageError(f"{folder / FILE} is there already", next=f"edit it, or choose another name; then: whytune run {folder.name}")
    if (folder / FILE).exists() and _registered(folder, name or folder.name):
        raise there
    data = dict(raw["data"])
    for key in ("from", "documents"):
        data[key] = [_relative(path, folder) for path in data[key]]
    for key in ("labels_file", "mapping_file"):
        data[key] = _relative(data[key], folder) if data[key] else ""
    acceptance = {**raw["acceptance"], "metric": raw["acceptance"]["metric"] or task.metric}
    try:
        file = ProjectFile.model_validate({**raw, "name": name or folder.name, "data": data, "acceptance": acceptance})
    except ValidationError as error:
        problems = [f"{'.'.join(str(p) for p in item['loc'])} = {item.get('input')!r}: {item['msg']}" for item in error.errors()]
        raise SettingsError("This project cannot be started", problems=problems, next="whytune init --help") from None
    known = (task.metric, *task.beside)
    if file.acceptance.metric not in known:
        raise SettingsError(f"metric = {file.acceptance.metric!r} is not scored for {task.name}", next=f"choose one of: {', '.join(known)}")
    first = sniff(spec(file, folder))
    guessed = {"input": first.input, "target": first.target, "group": first.group, "evidence": first.evidence, "format": first.format}
    filled = {name: getattr(file.data, name) or value for name, value in guessed.items()}
    made = NewProject(folder, file.model_copy(update={"data": file.data.model_copy(update=filled)}), (first,))
    # One that was killed between its file and its first line in the ledger wrote the very same; any other is somebody's own.
    if (folder / FILE).exists() and (folder / FILE).read_text("utf-8") != config.write(made.file):
        raise there
    return made


def create(drafted: NewProject) -> Project:
    """Write the folder and its file, and register it; the workspace is made where there is none yet."""
    room = Workspace.open(drafted.folder.parent, create=True)
    drafted.folder.mkdir(parents=True, exist_ok=True)
    write_whole(drafted.folder / FILE, config.write(drafted.file))
    return register(room, drafted.folder)


def register(room: Workspace, folder: Path) -> Project:
    """The project in that folder, noted in the ledger the first time."""
    project = Project(room, folder.resolve())
    if not room.events(project.name):
        with room.act("project.created", project=project.name) as act:
            act.facts["task"] = project.file.task
    return project


def _registered(folder: Path, name: str) -> bool:
    """Whether the ledger knows the project: else what lies there may be of an attempt that was killed."""
    try:
        room = Workspace.open(folder.parent)
    except NotFoundError:
        return False
    try:
        return bool(room.whole().events(name))
    finally:
        room.store.close()


def _relative(path: str, folder: Path) -> str:
    """As seen from the project folder where that is near, else absolute."""
    resolved = Path(path).expanduser().resolve()
    if resolved.is_relative_to(folder):
        return str(resolved.relative_to(folder))
    if resolved.is_relative_to(folder.parent):
        return str(Path("..") / resolved.relative_to(folder.parent))
    return str(resolved)
