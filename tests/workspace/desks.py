"""Small projects for tests of the workspace: questions over a handbook, or tickets with labels; no model is loaded."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cli.living import WORDS, handbook, tickets

from whytune.workspace import setup
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

Staff = tuple[tuple[str, tuple[str, ...]], ...]
"""Everybody with their roles."""
NOT_ASKED = ("Nyon", "Olten", "Payerne", "Rolle", "Sion", "Thun", "Uster", "Vevey")
"""Places of the handbook that no question of the dataset is about."""


def desk(folder: Path) -> Project:
    """60 questions about ten documents, and eight documents that nobody asks about."""
    return _copied("desk", folder)


def labelled(folder: Path) -> Project:
    """Tickets with three labels."""
    return _copied("labelled", folder)


def staffed(folder: Path, **roles: Sequence[str]) -> Project:
    """The same in a workspace that had people before it had data: root is its admin, the first data creator made the rows."""
    return _copied("staffed", folder, tuple((name, tuple(held)) for name, held in roles.items()))


def _copied(kind: str, folder: Path, staff: Staff = ()) -> Project:
    """A project of its own, from one that is made once a process."""
    shutil.copytree(_first(kind, staff), folder, dirs_exist_ok=True)
    return Workspace.open(folder).project("desk")


@functools.cache
def _first(kind: str, staff: Staff) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="whytune-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = _desk(folder) if kind == "desk" else _labelled(folder, dict(staff))
    made.workspace.store.close()
    return folder


def _desk(folder: Path) -> Project:
    questions, documents = handbook(folder)
    for number, place in enumerate(NOT_ASKED):
        facts = "".join(f"The {WORDS[(3 * number + 5 * k) % 30]} room is on floor {20 + 7 * number + k}. " for k in range(4))
        (documents / f"{place.lower()}.md").write_text(f"# {place}\n\n{facts}\n", "utf-8")
    return _project(folder, "qna", questions, evidence="source", documents=[str(documents)])


def _labelled(folder: Path, staff: Mapping[str, Sequence[str]]) -> Project:
    return _project(folder, "categorization", tickets(folder / "rows.csv"), evidence="", documents=[], staff=staff)


def _project(folder: Path, task: str, source: Path, *, evidence: str, documents: Sequence[str], staff: Mapping[str, Sequence[str]] | None = None) -> Project:
    data = {"from": [str(source)], "input": "", "target": "", "group": "", "evidence": evidence, "labels_file": "", "mapping_file": "", "format": "", "encoding": ""}
    draft = setup.draft(
        {
            "name": "desk", "task": task, "purpose": "", "data": {**data, "documents": list(documents)},
            "acceptance": {"metric": "", "bar": 0.5, "margin": 0.05}, "model": {"base": "bundled"}, "split": {},
        },
        folder / "desk",
    )  # fmt: skip
    project = setup.create(draft)
    if staff:
        people(project, **staff)
        owner, creator = (acting(project, next(name for name, held in staff.items() if role in held)) for role in ("business_owner", "data_creator"))
        owner.once(owner.file.usecase, "usecase.fixed", beside=[owner.file.acceptance])
        project = creator
    project.run(until="data")
    return project


def acting(project: Project, name: str) -> Project:
    """The same project, as another person works on it."""
    from whytune.settings import Settings

    room = project.workspace
    return Workspace(room.root, room.store, Settings(person=name)).project("desk")


def people(project: Project, **roles: Sequence[str]) -> None:
    """The workspace gets people; the first is its admin."""
    room = project.workspace
    room.add_person("root", ("admin",))
    admin = Workspace(room.root, room.store, type(room.settings)(person="root"))
    for name, held in roles.items():
        admin.add_person(name, held)
