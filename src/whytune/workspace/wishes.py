"""What somebody typed for a new use case, made into a project file; every mistake is told, and none stops the others from being found.

Everything typed is text and is kept as it came. A name of a file on this machine is never taken from here: files are
those that were uploaded, and a model folder must lie in the workspace.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whytune.datasets.spec import FORMATS
from whytune.errors import WhytuneError
from whytune.records.drafted import USES, DraftFile
from whytune.records.ledger import ROLES
from whytune.tasks import TASKS
from whytune.text import clip
from whytune.workspace import config, setup

if TYPE_CHECKING:
    from whytune.workspace.setup import NewProject
    from whytune.workspace.workspace import Workspace

DATA = "data"
"""Below the project's folder: where uploaded files lie."""
TEXTS = ("name", "purpose", "task", "metric", "input", "target", "group", "evidence", "format", "encoding", "base", "model_name", "labels")
NUMBERS: dict[str, tuple[type[int] | type[float], str]] = {
    "bar": (float, "0.8"), "margin": (float, "0.05"), "confidence": (float, "0.95"), "limit": (int, "0"), "hours": (float, "0"), "money": (float, "0"),
    "answers_per_month": (int, "10000"), "row": (float, "0.5"),
}  # fmt: skip
MARKS = ("private",)
"""`yes` or empty."""
OWNERS = tuple(f"owners.{role}" for role in ROLES)
TRIAGE = tuple(f"triage.{question}" for question in config.QUESTIONS)
FIELDS = (*TEXTS, *NUMBERS, *MARKS, *OWNERS, *TRIAGE)
LONGEST = 2_000
RESERVED = ("new",)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BASES = ("hub:", "endpoint:", "folder:")


def choices(workspace: Workspace) -> dict[str, Any]:
    """What a form may offer: tasks with their metrics, formats, roles, people, triage questions, uses of a file."""
    return {
        "tasks": [{"name": task.name, "title": task.title, "metrics": [task.metric, *task.beside]} for task in TASKS.values()],
        "metrics": sorted({metric for task in TASKS.values() for metric in (task.metric, *task.beside)}),
        "formats": list(FORMATS),
        "roles": dict(ROLES),
        "people": sorted(person.name for person in workspace.people()) or [workspace.person.name],
        "questions": dict(config.QUESTIONS),
        "uses": dict(USES),
    }


def blank() -> dict[str, str]:
    """Every field, empty or with what is usual."""
    return dict.fromkeys(FIELDS, "") | {name: usual for name, (_, usual) in NUMBERS.items()} | {"base": "bundled"}


def first(workspace: Workspace, files: Sequence[DraftFile]) -> dict[str, str]:
    """What is filled in before anybody typed: what the files look like, and the usual figures."""
    wishes = blank()
    fits = [fit for file in files if file.use == "rows" for found in file.found for fit in found.fits]
    rows = next((file for file in files if file.use == "rows"), files[0] if files else None)
    wishes["task"] = max(fits, key=lambda fit: fit.confidence).task if fits else next(iter(TASKS))
    wishes["name"] = free_name(workspace, Path(rows.name).stem if rows else "")
    person = workspace.person
    if "business_owner" in person.roles:
        wishes["owners.business_owner"] = person.name
    return wishes


def free_name(workspace: Workspace, like: str) -> str:
    """A name for a project, like this one, that nothing in the workspace has yet."""
    plain = unicodedata.normalize("NFKD", like).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()[:40] or "use-case"
    taken = _taken(workspace)
    return next(name for name in (stem, *(f"{stem}-{number}" for number in range(2, 10_000))) if name not in taken)


def understood(workspace: Workspace, wishes: Mapping[str, str], files: Sequence[DraftFile], folder: Path) -> tuple[NewProject | None, list[str]]:
    """The project that this would become, and everything that stands in its way; nothing is written.

    folder: where the files lie, below `data/`. Even with mistakes the data is looked at, so that the guess can be shown:
    where there are problems, the project is only good for that.
    """
    problems = _problems(workspace, wishes)
    figures: dict[str, Any] = {}
    for name, (kind, usual) in NUMBERS.items():
        try:
            figures[name] = kind(_figure(wishes.get(name, "") or usual))
        except ValueError:
            problems.append(f"{name} = {clip(wishes[name], 40)!r} is not a {'whole ' if kind is int else ''}number")
            figures[name] = kind(float(usual))
    raw = _raw(workspace, wishes, figures, files, folder / DATA)
    try:
        made = setup.draft(raw, folder, raw["name"])
    except WhytuneError as error:
        told = [without(line, folder, workspace.root) for line in error.problems or (error.what,)]
        return _looked_at(raw, folder), [*problems, *told]
    return made, problems


def _looked_at(raw: Mapping[str, Any], folder: Path) -> NewProject | None:
    """How the data would be read, whatever else is wrong; None where that is what is wrong."""
    kept = {name: raw[name] for name in ("name", "task", "data")}
    try:
        return setup.draft({**kept, "acceptance": {"metric": "", "bar": 0.5, "margin": 0.05}}, folder, raw["name"])
    except WhytuneError:
        return None  # told already


def _raw(workspace: Workspace, wishes: Mapping[str, str], figures: Mapping[str, Any], files: Sequence[DraftFile], data: Path) -> dict[str, Any]:
    """As `setup.draft` takes it. What was told as a problem already is put right here, so that it is told once."""

    def used(use: str) -> list[str]:
        return [str(data / file.name) for file in files if file.use == use]

    task = wishes.get("task", "")
    name, base = wishes.get("name", "").strip(), wishes.get("base", "").strip() or "bundled"
    words = {key: wishes.get(key, "").strip() for key in ("input", "target", "group", "evidence", "format", "encoding")}
    chosen = TASKS.get(task, next(iter(TASKS.values())))
    metric = wishes.get("metric", "").strip()
    return {
        "name": name if _NAME.fullmatch(name) else "unnamed", "task": chosen.name, "purpose": wishes.get("purpose", "").strip(),
        "owners": {role: who for role in ROLES if (who := wishes.get(f"owners.{role}", "").strip())},
        "circumstances": {key: {"yes": True, "no": False}.get(wishes.get(f"triage.{key}", "")) for key in config.QUESTIONS},
        "data": {
            **words, "format": words["format"] if words["format"] in FORMATS else "", "from": used("rows"), "documents": used("documents"),
            "labels_file": (used("labels") or [""])[0], "mapping_file": (used("names") or [""])[0],
        },
        "acceptance": {"metric": metric if metric in (chosen.metric, *chosen.beside) else "", "bar": figures["bar"], "margin": figures["margin"], "confidence": figures["confidence"]},
        "model": {"base": _base(workspace, base), "name": wishes.get("model_name", "").strip()},
        "access": {"private": True, "people": [workspace.person.name]} if wishes.get("private") == "yes" else {},
        "split": {"limit": figures["limit"], "labels": [line.strip() for line in wishes.get("labels", "").splitlines() if line.strip()]},
        "budget": {"hours": figures["hours"], "money": figures["money"]},
        "prices": {"answers_per_month": figures["answers_per_month"], "row": figures["row"]},
    }  # fmt: skip


def _problems(workspace: Workspace, wishes: Mapping[str, str]) -> list[str]:
    """What can be told without looking at the data."""
    problems = [f"{name}: more than {LONGEST:,} characters" for name, text in wishes.items() if len(text) > LONGEST]
    problems += [f"{name}: holds a control character" for name, text in wishes.items() if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\r\t" for sign in text)]
    name, task, metric = (wishes.get(key, "").strip() for key in ("name", "task", "metric"))
    if not _NAME.fullmatch(name):
        problems.append(f"name = {clip(name, 80)!r}: 1 to 64 letters, digits, dots, dashes or underscores; it begins with a letter or digit")
    elif name.casefold() in _taken(workspace):
        problems.append(f"name = {name!r} is taken in this workspace; {free_name(workspace, name)!r} is free")
    if task not in TASKS:
        problems.append(f"task = {clip(task, 40)!r}; there are: {', '.join(TASKS)}")
    elif metric and metric not in (TASKS[task].metric, *TASKS[task].beside):
        problems.append(f"metric = {clip(metric, 40)!r} is not scored for {task}; there are: {', '.join((TASKS[task].metric, *TASKS[task].beside))}")
    if (format := wishes.get("format", "").strip()) and format not in FORMATS:
        problems.append(f"format = {clip(format, 40)!r}; there are: {', '.join(FORMATS)}, or empty to have it guessed")
    known = {person.name for person in workspace.people()}
    for role in ROLES:
        who = wishes.get(f"owners.{role}", "").strip()
        if who and known and who not in known:
            problems.append(f"owners.{role} = {clip(who, 64)!r} is not a person of this workspace")
    problems += [f"triage.{key} = {clip(said, 20)!r}: yes, no or empty" for key in config.QUESTIONS if (said := wishes.get(f"triage.{key}", "")) not in ("", "yes", "no")]
    base = wishes.get("base", "").strip()
    if base.startswith("endpoint:") and not wishes.get("model_name", "").strip():
        problems.append("model_name: an endpoint needs the name of its model")
    return problems + _of_base(workspace, base)


def _of_base(workspace: Workspace, base: str) -> list[str]:
    if base in ("", "bundled"):
        return []
    if not base.startswith(_BASES) or not base.partition(":")[2].strip():
        return [f"model = {clip(base, 80)!r}: bundled, hub:ORG/NAME, endpoint:URL or folder:PATH"]
    if base.startswith("folder:"):
        # Whoever uploads need not be whoever runs this machine: other folders are named in whytune.toml.
        place = (workspace.root / base.removeprefix("folder:")).resolve()
        if not place.is_relative_to(workspace.root.resolve()) or not place.is_dir():
            return [f"model = {clip(base, 80)!r}: from here, only a folder inside the workspace; name another one in whytune.toml"]
    return []


def _base(workspace: Workspace, base: str) -> str:
    """As the project's file names it: a folder from the project's own, which stands in the workspace's."""
    if not base.startswith("folder:") or _of_base(workspace, base):
        return base
    place = (workspace.root / base.removeprefix("folder:")).resolve()
    return f"folder:../{place.relative_to(workspace.root.resolve()).as_posix()}"


def _taken(workspace: Workspace) -> set[str]:
    """Names that no new project may have, in lower case: what stands in the workspace's folder, and every project."""
    return {*RESERVED, *(path.name.casefold() for path in workspace.root.iterdir()), *(folder.name.casefold() for folder in workspace.folders())}


def _figure(text: str) -> str:
    """A number as people type it: a comma may stand for the point."""
    plain = text.strip()
    if len(plain) > 20:
        raise ValueError("too long")
    return plain.replace(",", ".") if plain.count(",") == 1 and "." not in plain else plain


def without(line: str, folder: Path, root: Path) -> str:
    """A message about an uploaded file without where it lies on this machine."""
    for prefix in (f"{folder / DATA}/", f"{folder}/", f"{root}/", f"{DATA}/"):
        line = line.replace(prefix, "")
    return line
