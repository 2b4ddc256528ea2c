"""Private projects: who sees them. One rule for every door.

`[access] private = true` in `whytune.toml` hides a project from everybody but the people named in its `[owners]` and
`[access] people`, and auditors. It is no part of the use case, so a project may become private or open at any time. To
all others it is as though there were none: not found, never not allowed. Administrators learn its name and no more.

`Workspace.projects`, `project`, `events` and `act` ask here, and so does whatever lists things of many projects.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.errors import NotAllowedError, NotFoundError, SettingsError
from whytune.records.ledger import ROLES
from whytune.workspace import config, permissions, roles

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

_PRIVATE = re.compile(r"(?m)^\s*private\s*=\s*true\b")
_NAME = re.compile(r"(?m)^\s*name\s*=\s*[\"']([^\"']+)[\"']")
_OWNER = re.compile(rf"(?m)^\s*(?:{'|'.join(ROLES)})\s*=\s*[\"']([^\"']+)[\"']")


@dataclass(frozen=True)
class Seclusion:
    """What a project's file says of who sees it. people: whom it names; they matter only where it is private."""

    key: str
    private: bool
    people: frozenset[str]


def of(folder: Path) -> Seclusion:
    """What the file in this folder says; as much of it as can be understood where it is broken."""
    try:
        file = config.read(folder)
    except SettingsError:
        return _of_broken(folder)
    except NotFoundError:
        return Seclusion(folder.name, False, frozenset())
    return Seclusion(file.name, file.access.private, frozenset({*file.owners.values(), *file.access.people}))


def hidden(workspace: Workspace) -> frozenset[str]:
    """Keys of the projects that whoever acts does not see. Who cannot say who they are sees no private one."""
    private = [found for folder in workspace.folders() if (found := of(folder)).private]
    if not private:
        return frozenset()  # the usual case; it asks nobody who they are
    return frozenset(found.key for found in private if not _named(workspace, found))


def hides(workspace: Workspace, folder: Path) -> bool:
    """Whether the project in this folder is hidden from whoever acts; a folder outside the workspace too."""
    found = of(folder)
    # By its key: records are kept under it, so another folder of the same name must not open them.
    return found.key in workspace.hidden or (found.private and not _named(workspace, found))


def check(workspace: Workspace, key: str) -> None:
    """Raise NotFoundError where this project is hidden from whoever acts, in the words of a project that is not there."""
    if key in workspace.hidden:
        raise not_there(workspace, key)


def not_there(workspace: Workspace, name: str) -> NotFoundError:
    """The error for a project that is not there, and for one that is not to be seen."""
    there = ", ".join(sorted(of(folder).key for folder in workspace.folders() if not hides(workspace, folder))) or "none yet"
    return NotFoundError(f"There is no project {name!r}", where=f"in {workspace.root} there are: {there}", next=f"whytune init {name} --task TASK --from FILE")


def named(workspace: Workspace) -> list[Seclusion]:
    """Every private project by name and people, for who keeps order here. Raises NotAllowedError."""
    permissions.require_read(workspace, "names of private projects")
    return sorted((found for folder in workspace.folders() if (found := of(folder)).private), key=lambda found: found.key)


def _named(workspace: Workspace, found: Seclusion) -> bool:
    try:
        person = workspace.person
    except NotAllowedError:  # nobody in particular
        return False
    return roles.reads(person, "private projects") or person.name in found.people


def _of_broken(folder: Path) -> Seclusion:
    """A slip of the pen must not open what is private, nor shut its owners out of mending it."""
    try:
        text = (folder / config.FILE).read_text("utf-8", "replace")
    except OSError:
        text = ""
    people, private = set(_OWNER.findall(text)), bool(_PRIVATE.search(text))
    name = found.group(1) if (found := _NAME.search(text)) else folder.name
    try:
        access = tomllib.loads(text).get("access", {})
    except tomllib.TOMLDecodeError:
        access = {}
    if isinstance(access, dict) and isinstance(more := access.get("people", []), list):
        people |= {one for one in more if isinstance(one, str)}
    return Seclusion(name, private, frozenset(people))
