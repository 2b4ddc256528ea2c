"""A workspace: the store found upwards from where you stand, its projects, its people, and the act.

Every change goes through `act`: the role is checked, what was read and written is named, and one event is chained to
the ledger in the same transaction as the records it wrote. So lineage, audit and permission are written once.
"""

from __future__ import annotations

import dataclasses
import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from whytune.workspace import config, people, roles

if TYPE_CHECKING:
    from whytune.workspace.project import Project

R = TypeVar("R", bound=Record)
FOLDER = ".whytune"
STORE = "store.db"


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

    def as_person(self, name: str) -> Workspace:
        """The same workspace acting as somebody whom the door has proved to be that person. It shares the open store."""
        other = Workspace(self.root, self.store, dataclasses.replace(self.settings, person=name))
        other._vouched = True
        return other

    def people(self) -> list[Person]:
        """Everybody the workspace knows, as last recorded."""
        return list({person.name: person for person in self.store.standing(Person)}.values())

    def add_person(self, name: str, roles_held: Sequence[str]) -> Person:
        """Record a person and their roles. From then on nobody is solo, and only known people act; the first is admin."""
        return people.record(self, name, roles_held)

    @contextmanager
    def act(self, name: str, *, project: str = "", read: Sequence[str] = ()) -> Iterator[Act]:
        """Check the role, let the block work, then write its records and one event in one transaction."""
        roles.check(self.person, name)
        act = Act(name)
        act.read.extend(read)
        yield act
        wrote = tuple(record.id for record in act.records)
        self.store.append_event(
            name, project=project, person=self.person, read=tuple(act.read), wrote=wrote, facts=act.facts, records=act.records
        )

    def events(self, project: str | None = None) -> list[Event]:
        """The ledger, oldest first."""
        return list(self.store.events(project))

    def audit(self, head: str = "") -> LedgerReport:
        """Recompute every hash; `head` is the ledger head noted elsewhere."""
        return self.store.verify(head)

    def folders(self) -> list[Path]:
        """Folders of this workspace that hold a `whytune.toml`, by name."""
        found = {path.parent for depth in ("", "*/", "*/*/") for path in self.root.glob(f"{depth}{config.FILE}")}
        return sorted(folder for folder in found if not any(part.startswith(".") for part in folder.relative_to(self.root).parts))

    def projects(self) -> list[Project]:
        """Every project whose file can be read."""
        return [self.project(str(folder)) for folder in self.folders()]

    def project(self, name: str = "") -> Project:
        """A project by its name or folder; with no name, the one you stand in or the only one there is."""
        from whytune.workspace.project import Project

        if not name:
            here = [folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / config.FILE).exists()]
            folders = here[:1] or self.folders()
            if len(folders) != 1:
                names = ", ".join(folder.name for folder in folders) or "none yet"
                raise NotFoundError("Which project?", where=f"there are: {names}", next="name one, as in: whytune status NAME")
            return Project(self, folders[0])
        for folder in (Path(name), self.root / name):
            if (folder / config.FILE).exists():
                return Project(self, folder.resolve())
        for folder in self.folders():
            if folder.name == name or config.read(folder).name == name:
                return Project(self, folder)
        names = ", ".join(folder.name for folder in self.folders()) or "none yet"
        raise NotFoundError(f"There is no project {name!r}", where=f"in {self.root} there are: {names}", next=f"whytune init {name} --task TASK --from FILE")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
