"""A workspace: the store found upwards from where you stand, its projects, its people, and the act.

Every change goes through `act`: the role is checked, what was read and written is named, and one event is chained to
the ledger in the same transaction as the records it wrote. So lineage, audit and permission are written once.
"""

from __future__ import annotations

import dataclasses
import getpass
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from whytune import settings as settings_module
from whytune.errors import NotFoundError
from whytune.records.ledger import Event, Person
from whytune.records.record import Record
from whytune.settings import Settings
from whytune.store.ledger import LedgerReport
from whytune.store.store import Store
from whytune.workspace import config, lately, people, privacy, roles

if TYPE_CHECKING:
    from whytune.workspace.project import Project

R = TypeVar("R", bound=Record)
FOLDER = ".whytune"
STORE = "store.db"
DEEPEST = 2
"""Folders below the workspace's own in which a project may lie."""
FOR_OTHERS = "project.created"
"""The one act on a private project that also somebody may do who will not see it."""


class Act:
    """What one act read and wrote, collected until it is done."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.records: list[Record] = []
        self.read: list[str] = []
        self.facts: dict[str, str] = {}

    def write(self, record: R) -> R:
        """Have this record written with the event."""
        self.records.append(record)
        return record


class Workspace:
    """Many projects, the people, the base models, one ledger. `root` is the folder that holds `.whytune`."""

    def __init__(self, root: Path, store: Store, settings: Settings) -> None:
        self.root = root
        self.store = store
        self.settings = settings
        self._vouched = False
        self._whole = False
        if settings.signing_key:
            store.key_file = Path(settings.signing_key).expanduser()

    @classmethod
    def open(cls, start: Path | str = ".", *, settings: Settings | None = None, create: bool = False) -> Workspace:
        """The workspace at WHYTUNE_HOME, or the nearest one upwards from `start`; made there where `create` says so."""
        settings = settings or settings_module.load()
        if settings.home:
            home = Path(settings.home).expanduser().resolve()
            folder = home if home.name == FOLDER else home / FOLDER
        else:
            here = Path(start).resolve()
            found = next((place / FOLDER for place in (here, *here.parents) if (place / FOLDER / STORE).exists()), None)
            folder = found or here / FOLDER
        if not create and not (folder / STORE).exists():
            raise NotFoundError(
                f"There is no workspace at or above {Path(start).resolve()}",
                next="whytune init NAME --task TASK --from FILE, or set WHYTUNE_HOME",
            )
        return cls(folder.parent, Store.open(folder, create=create), settings)

    @cached_property
    def person(self) -> Person:
        """Who acts now."""
        return people.acting(self, self.settings.person or _login(), vouched=self._vouched)

    def forget_person(self) -> None:
        """Have `person` read anew: roles have changed."""
        self.__dict__.pop("person", None)
        self.__dict__.pop("hidden", None)

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Keys of the private projects that whoever acts does not see."""
        return frozenset() if self._whole else privacy.hidden(self)

    def whole(self) -> Workspace:
        """The same for the same person with nothing hidden: for what must miss nothing, such as an erasure. Never for what shows."""
        other = Workspace(self.root, self.store, self.settings)
        other._vouched, other._whole = self._vouched, True
        return other

    def as_person(self, name: str) -> Workspace:
        """The same workspace acting as somebody whom the door has proved to be that person. It shares the open store."""
        other = Workspace(self.root, self.store, dataclasses.replace(self.settings, person=name))
        other._vouched = True
        return other

    def people(self) -> list[Person]:
        """Everybody the workspace knows, as last recorded."""
        return list({person.name: person for person in lately.standing(self.store, Person)}.values())

    def add_person(self, name: str, roles_held: Sequence[str]) -> Person:
        """Record a person and their roles. From then on nobody is solo, and only known people act; the first is admin."""
        return people.record(self, name, roles_held)

    @contextmanager
    def act(self, name: str, *, project: str = "", read: Sequence[str] = ()) -> Iterator[Act]:
        """Check the role, let the block work, then write its records and one event in one transaction."""
        roles.check(self.person, name)
        if project and name != FOR_OTHERS:
            privacy.check(self, project)
        act = Act(name)
        act.read.extend(read)
        yield act
        wrote = tuple(record.id for record in act.records)
        self.store.append_event(
            name, project=project, person=self.person, read=tuple(act.read), wrote=wrote, facts=act.facts, records=act.records
        )

    def events(self, project: str | None = None) -> list[Event]:
        """The ledger as whoever acts sees it, oldest first. What must miss nothing asks `whole().events()`."""
        return [event for event in self.store.events(project) if event.project not in self.hidden]

    def audit(self, head: str = "") -> LedgerReport:
        """Recompute every hash; `head` is the ledger head noted elsewhere."""
        return self.store.verify(head)

    def folders(self) -> list[Path]:
        """Folders of this workspace that hold a `whytune.toml`, by name."""
        return sorted(Path(place) for place in _places(os.fspath(self.root), DEEPEST))

    def projects(self) -> list[Project]:
        """Every project that whoever acts may see."""
        from whytune.workspace.project import Project

        return [Project(self, folder) for folder in self.folders() if self._whole or not privacy.hides(self, folder)]

    def project(self, name: str = "") -> Project:
        """A project by its name or folder; with no name, the one you stand in or the only one there is."""
        from whytune.workspace.project import Project

        folder = self._folder(name)
        if folder is None or (not self._whole and privacy.hides(self, folder)):
            raise privacy.not_there(self, name or (folder.name if folder else ""))
        return Project(self, folder)

    def _folder(self, name: str) -> Path | None:
        if not name:
            here = [folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / config.FILE).exists()]
            folders = here[:1] or [project.folder for project in self.projects()]
            if len(folders) != 1:
                names = ", ".join(folder.name for folder in folders) or "none yet"
                raise NotFoundError("Which project?", where=f"there are: {names}", next="name one, as in: whytune status NAME")
            return folders[0]
        for folder in (Path(name), self.root / name):
            if (folder / config.FILE).exists():
                return folder.resolve()
        return next((folder for folder in self.folders() if folder.name == name or privacy.of(folder).key == name), None)


def _places(place: str, deeper: int) -> Iterator[str]:
    """Folders from here on that hold a project file; hidden ones and what may not be read are passed over."""
    try:
        with os.scandir(place) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
    except OSError:
        return
    if any(entry.name == config.FILE for entry in entries):
        yield place
    for entry in entries if deeper else ():
        with suppress(OSError):  # such as a link that leads round in a circle
            if entry.is_dir():
                yield from _places(entry.path, deeper - 1)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
