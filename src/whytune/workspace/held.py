"""What the records say, read once for many pages: a workspace to look at, and projects that answer from memory.

Every change is an event of the ledger. So what was read of a project holds until the ledger has another event of that
project, and looking costs one small query however many use cases there are. Acts never go through here: who may sign,
and what is written, is read from the store itself at that moment.

    room = held.looking(workspace)
    for project in room.projects(): project.records(Trial)      # one query a project, and none the next time
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

from whytune.errors import SettingsError
from whytune.records.candidate import Adapter, Base
from whytune.records.choice import Forgetting, ModelChoice
from whytune.records.data import Dataset, Validation
from whytune.records.decision import Attribution, Decision
from whytune.records.evidence import Look, Power, Protocol, Trial
from whytune.records.ledger import Event, Person
from whytune.records.project import Triage, UseCase
from whytune.records.proposal import AcceptedRows, DatasetApproval, Proposal
from whytune.records.record import Record
from whytune.records.release import Acceptance, AliasMove, Approval, Policy, Release, Retirement
from whytune.records.responsible import CanaryRun, ResponsibleReport, Waiver
from whytune.records.review import HumanEvaluation, Queue, RowReview
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

if TYPE_CHECKING:
    from whytune.store.records import Gathered
    from whytune.store.store import Store

R = TypeVar("R", bound=Record)
V = TypeVar("V")
KINDS: tuple[type[Record], ...] = (
    UseCase, Dataset, Validation, AcceptedRows, Proposal, DatasetApproval, Triage, Power, Attribution, Adapter, Base, ModelChoice, Forgetting, Protocol,
    Trial, Look, Decision, Queue, RowReview, HumanEvaluation, ResponsibleReport, CanaryRun, Waiver, Policy, Approval, Acceptance, Release, Retirement, AliasMove,
)  # fmt: skip
TRAFFIC = frozenset({"feedback.received"})
"""Acts that come in great numbers and say nothing of how far a use case is: their events are not held."""
MOST = 500
"""Projects whose records are held at once."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """Who wrote a record, when, by which act."""

    when: str
    person: str
    act: str


@dataclasses.dataclass(frozen=True)
class Kept:
    """What was read of one project. stamp: the number of its last event then."""

    stamp: int
    records: dict[type[Record], Gathered]


class Shelf:
    """What is held of one store. Safe for threads; another process's writing is seen at the next look."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._number, self._head = 0, ""
        self._projects: dict[str, Kept] = {}
        self._worked_out: dict[tuple[str, str], tuple[Hashable, Any]] = {}
        self._clear()

    def _clear(self) -> None:
        self._number, self._head = 0, ""
        self.events: list[Event] = []
        self.of_project: dict[str, list[Event]] = {}
        self.last: dict[str, int] = {}
        """Project to the number of its last event; under "" that of the whole workspace's own events."""
        self.pieces: dict[str, dict[str, Piece]] = {}
        self._projects.clear()
        self._worked_out.clear()

    def catch_up(self, store: Store) -> None:
        """Take in what the ledger has gained; begin anew where it is not the ledger that was read."""
        with self._lock:
            number, head = store.head()
            if (number, head) == (self._number, self._head):
                return
            new = list(store.events(after=self._number)) if number > self._number else []
            if not new or new[0].previous != self._head:
                self._clear()
                new = list(store.events())
            for event in new:
                self._take(event)

    def _take(self, event: Event) -> None:
        self._number, self._head = event.number, event.id
        self.last[event.project] = event.number
        if event.act == "subject.erased":
            # What was erased may stand in records of any project.
            self._projects.clear()
            self._worked_out.clear()
        if event.act in TRAFFIC:
            return
        self.events.append(event)
        self.of_project.setdefault(event.project, []).append(event)
        wrote = self.pieces.setdefault(event.project, {})
        for id in event.wrote:
            wrote[id] = Piece(event.when, event.person, event.act)

    def gathered(self, store: Store, project: str) -> dict[type[Record], Gathered]:
        """The project's records."""
        with self._lock:
            stamp, known = self.last.get(project, 0), self._projects.get(project)
            if known is None or known.stamp != stamp:
                if len(self._projects) >= MOST:
                    self._projects.pop(next(iter(self._projects)))
                known = self._projects[project] = Kept(stamp, store.gather(KINDS, project))
            return known.records

    def worked_out(self, project: str, what: str, stamp: Hashable, make: Callable[[], V]) -> V:
        """What was worked out for a project, until one of its events, the workspace's own, or the stamp says otherwise."""
        now = (self.last.get(project, 0), self.last.get("", 0), stamp)
        known = self._worked_out.get((project, what))
        if known is None or known[0] != now:
            known = self._worked_out[project, what] = (now, make())
        return cast(V, known[1])


_shelves: WeakKeyDictionary[Store, Shelf] = WeakKeyDictionary()
_making = threading.Lock()


def looking(workspace: Workspace) -> LookingRoom:
    """The workspace as it is now, to be looked at by the person who asks."""
    if isinstance(workspace, LookingRoom):
        return workspace
    with _making:
        shelf = _shelves.setdefault(workspace.store, Shelf())
    shelf.catch_up(workspace.store)
    return LookingRoom(workspace, shelf)


def project(of: Project) -> HeldProject:
    """A project that answers from what is held."""
    return of if isinstance(of, HeldProject) else HeldProject(looking(of.workspace), of.folder)


class LookingRoom(Workspace):
    """A workspace for the length of one look by one person. It changes nothing."""

    def __init__(self, workspace: Workspace, shelf: Shelf) -> None:
        super().__init__(workspace.root, workspace.store, workspace.settings)
        self._vouched, self._whole = workspace._vouched, workspace._whole
        if "person" in workspace.__dict__:  # known already; at the sign-in page nobody is there
            self.__dict__["person"] = workspace.person
        self.shelf = shelf

    def whole(self) -> LookingRoom:
        """The same for the same person with nothing hidden: for what must miss nothing, such as who made what."""
        other = LookingRoom(self, self.shelf)
        other._whole = True
        return other

    def folders(self) -> list[Path]:
        """Folders that hold a `whytune.toml`, looked for once."""
        return list(self._folders)

    def people(self) -> list[Person]:
        """Everybody the workspace knows, as last recorded."""
        return list(self._people)

    @cached_property
    def _people(self) -> list[Person]:
        return super().people()

    @cached_property
    def _folders(self) -> list[Path]:
        return super().folders()

    def events(self, project: str | None = None) -> list[Event]:
        """The ledger but for what consumers send in, oldest first."""
        held = self.shelf.events if project is None else self.shelf.of_project.get(project, [])
        return [event for event in held if event.project not in self.hidden]

    def projects(self) -> list[Project]:
        """Every project that this person may see and whose file can be read."""
        return list(self.held)

    def project(self, name: str = "") -> Project:
        """A project by its name or folder."""
        known = next((one for one in self.__dict__.get("held", ()) if one.key == name), None)
        return known or HeldProject(self, super().project(name).folder)

    @cached_property
    def tally(self) -> list[tuple[str, str, int, str]]:
        """(project, state, pieces of feedback, when the oldest of them came)."""
        return self.store.traffic.tally()

    @cached_property
    def held(self) -> list[HeldProject]:
        """The same as `projects`; they are looked for once. A slip in one project's file must not hide the others."""
        return [one for one in self._found if not one.trouble]

    @cached_property
    def judged(self) -> dict[str, tuple[int, int]]:
        """Of every open round of every project: (items judged, items), by one query."""
        return self.store.queues.judged_of([queue.id for one in self.held for queue in one.open_rounds])

    @cached_property
    def broken(self) -> list[tuple[str, str]]:
        """(folder, what is wrong) of every project whose file cannot be read."""
        return [(one.folder.name, one.trouble) for one in self._found if one.trouble]

    @cached_property
    def _found(self) -> list[HeldProject]:
        return [HeldProject(self, one.folder) for one in super().projects()]


class HeldProject(Project):
    """A project whose records are read once."""

    def __init__(self, room: LookingRoom, folder: Path) -> None:
        super().__init__(room, folder)
        self.room = room

    def records(self, kind: type[R]) -> list[R]:
        """All records of a kind, oldest first."""
        if kind not in KINDS:
            return super().records(kind)
        return [cast(R, one) for one in self._of(kind).records]

    def newest(self, kind: type[R]) -> R | None:
        """The newest record of a kind, if there is one."""
        return cast("R | None", self._of(kind).newest) if kind in KINDS else super().newest(kind)

    @cached_property
    def trouble(self) -> str:
        """Why its file cannot be read; empty where it can."""
        try:
            _ = self.file
        except SettingsError as error:
            return "; ".join((error.what, *error.problems))
        return ""

    @property
    def today(self) -> str:
        """The day by which waivers hold."""
        return datetime.now(UTC).date().isoformat()

    @cached_property
    def policy_text(self) -> str:
        """What `policy.toml` says now, whether it is fixed or not."""
        try:
            return (self.folder / "policy.toml").read_text("utf-8", "replace")
        except (FileNotFoundError, IsADirectoryError):
            return ""

    @cached_property
    def tally(self) -> list[tuple[str, int, str]]:
        """(state, pieces of feedback, when the oldest of them came)."""
        return [(state, number, since) for project, state, number, since in self.room.tally if project == self.key]

    @cached_property
    def open_rounds(self) -> list[Queue]:
        """Rounds of review that are not closed."""
        closed = {one.queue for one in self.records(RowReview)} | {one.queue for one in self.records(HumanEvaluation)}
        return [one for one in self.records(Queue) if one.id not in closed]

    def judged(self, queue: Queue) -> tuple[int, int]:
        """(items judged, items) of a round."""
        known = self.room.__dict__.get("judged")  # where all are looked at, they were asked for at once
        return (self._judged if known is None else known).get(queue.id, (0, 0))

    @cached_property
    def _judged(self) -> dict[str, tuple[int, int]]:
        return self.workspace.store.queues.judged_of([queue.id for queue in self.open_rounds])

    def piece(self, id: str) -> Piece | None:
        """Who wrote this record, and when."""
        return self.room.shelf.pieces.get(self.key, {}).get(id)

    def worked_out(self, what: str, stamp: Hashable, make: Callable[[], V]) -> V:
        """What `make` gives, worked out once for what is recorded now."""
        return self.room.shelf.worked_out(self.key, what, (stamp, self.file.stamp), make)

    def _of(self, kind: type[Record]) -> Gathered:
        return self.room.shelf.gathered(self.workspace.store, self.key)[kind]
