"""What the rounds of review look like from outside: how far they are, who may act, what they ask of a person.

Nothing in it says who is ahead or which arm a round is about before the round is closed; agreement says only whether
people say the same. Example:

    for asked in review_board.asking(workspace):
        print(asked.project, asked.number, asked.waiting)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from whytune.errors import NotFoundError
from whytune.records.candidate import ARM_TITLES
from whytune.records.evidence import Measure
from whytune.records.review import HumanEvaluation, Opinion, Queue, RowReview
from whytune.review import votes
from whytune.workspace import concluding, permissions, reviewing
from whytune.workspace.permissions import Permission
from whytune.workspace.reviewing import Closing, Round, RoundProgress

if TYPE_CHECKING:
    from whytune.store.store import Store
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

TITLES = {"rows": "rows: are they right?", "labels": "rows: which label?", "pairs": "answers: which of two is better?", "rubric": "answers: how good is each?"}
SETTLED = ("rows", "labels")
"""Purposes whose disputes somebody decides; preferences are counted."""
MOST_KEPT = 50
"""Rounds whose agreement is remembered until somebody says more."""


@dataclass(frozen=True)
class BoardRound:
    """One round as everybody may see it. people: opinions by person, while it is open; agreement: so far, or as the round proved."""

    id: str
    number: int
    purpose: str
    title: str
    question: str
    guideline: str
    guideline_version: str
    split: tuple[str, ...]
    population: int
    solo: bool
    progress: RoundProgress
    share: float
    """How much of it is done, 0 to 1."""
    people: tuple[tuple[str, int], ...]
    agreement: tuple[Measure, ...]
    double_rated: int
    waiting: int
    """Items there are for the person who asks."""
    to_settle: int
    """Items on which others differ, for the person who asks."""
    why_not: str
    """Why this person is not asked; empty where they are."""
    arms: tuple[str, ...] = ()
    """Named only once the round is closed."""
    outcome: Closing | None = None
    corrections: int = 0
    preferences: bool = False
    """Whether its votes may be taken as preferences."""


@dataclass(frozen=True)
class RoundAsk:
    """An open round that has something for this person. since: when it was opened."""

    id: str
    project: str
    number: int
    purpose: str
    title: str
    question: str
    waiting: int
    to_settle: int
    mine: int
    since: str


@dataclass(frozen=True)
class Openable:
    """What a round could be about: rows, labels, and the arms whose answers are measured, by split."""

    rows: bool
    labels: bool
    arms: tuple[tuple[str, str], ...]
    """(arm, title), simplest first; empty where fewer than two are measured on one split."""
    splits: tuple[str, ...]


_agreed: WeakKeyDictionary[Store, dict[str, tuple[int, tuple[Measure, ...], int]]] = WeakKeyDictionary()


def board(project: Project, offset: int = 0, limit: int = 5) -> tuple[list[BoardRound], int]:
    """(some rounds of the project, newest first; how many there are)."""
    rooms = reviewing.rounds(project)[::-1]
    return [_shown(room) for room in rooms[offset : offset + limit]], len(rooms)


def asking(workspace: Workspace, project: Project | None = None) -> list[RoundAsk]:
    """Open rounds that have something for the person who asks, of one project or of all, the oldest round first."""
    if not permissions.may(workspace, "opinion.given").allowed:
        return []
    found = []
    for queues in _open_queues(workspace, project):
        try:
            one = project or workspace.project(queues[0].project)
        except NotFoundError:  # gone, or not for this person's eyes: then it asks nothing of them
            continue
        rooms = [room for room in (Round(one, queue) for queue in queues) if not why_not(room)]
        opened = _opened(one) if rooms else {}
        for room in rooms:
            queue, waiting, settle = room.queue, room.store.queues.waiting(room.queue.id, room.person), to_settle(room)
            if waiting or settle:
                mine = len(room.store.queues.judged(queue.id, room.person))
                since = opened.get(queue.id, "")
                found.append(RoundAsk(queue.id, one.name, queue.number, queue.purpose, TITLES[queue.purpose], queue.form.question, waiting, settle, mine, since))
    return sorted(found, key=lambda ask: ask.since)


def why_not(room: Round) -> str:
    """Why the person who asks is not asked in this round; empty where they are."""
    permission = permissions.may(room.project.workspace, "opinion.given")
    if not permission.allowed:
        return permission.said
    if room.person in room.queue.excluded:
        return f"{room.person} made part of what is judged here and is not asked about it."
    return ""


def to_settle(room: Round) -> int:
    """Items on which others differ and that this person has not judged."""
    if room.queue.purpose not in SETTLED:
        return 0
    mine = {item for item, _ in room.store.queues.judged(room.queue.id, room.person)}
    return sum(item.key not in mine for item in room.disputes())


def may_act(project: Project) -> dict[str, Permission]:
    """What the person who asks may do with rounds."""
    acts = {"open": "queue.opened", "close": "queue.closed", "review": "opinion.given", "settle": "opinion.settled", "propose": "rows.proposed"}
    return {name: permissions.may(project.workspace, act) for name, act in acts.items()}


def openable(project: Project) -> Openable:
    """What there is to open a round about. Raises NotFoundError where there is no dataset yet."""
    made = project.dataset
    by_split = {split: {trial.arm for trial in project.trials(split)} for split in ("dev", "test")}
    splits = tuple(split for split, arms in by_split.items() if len(arms) > 1)
    arms = set().union(*(by_split[split] for split in splits)) if splits else set()
    return Openable(bool(made.counts), len(made.labels) > 1, tuple((arm, title) for arm, title in ARM_TITLES.items() if arm in arms), splits)


def preferences_file(room: Round) -> list[dict[str, object]]:
    """Rows of chosen and rejected answers of a closed round. Raises what `concluding.preferences` raises, and NotFoundError where there are none."""
    rows = list(concluding.preferences(room))
    if not rows:
        raise NotFoundError("No answer was preferred to another in this round", next=f"whytune review status {room.project.name}")
    return rows


def _open_queues(workspace: Workspace, project: Project | None) -> list[list[Queue]]:
    """Open rounds, those of one project together; read at once, however many projects there are."""
    store, key = workspace.store, project.key if project else None
    closed = {made.queue for made in store.list(RowReview, key)} | {made.queue for made in store.list(HumanEvaluation, key)}
    found: dict[str, list[Queue]] = {}
    for queue in store.list(Queue, key):
        if queue.id not in closed:
            found.setdefault(queue.project, []).append(queue)
    return list(found.values())


def _opened(project: Project) -> dict[str, str]:
    """Round to when it was opened."""
    return {id: event.when for event in project.events() if event.act == "queue.opened" for id in event.wrote}


def _shown(room: Round) -> BoardRound:
    queue, closing, progress, barrier = room.queue, room.closing, room.progress(), why_not(room)
    said = [] if closing else room.store.queues.opinions(queue.id)
    agreement, twice = (closing.agreement, closing.double_rated) if closing else _agreement(room, said)
    free = not closing and not barrier
    counted = progress.planned and min(1.0, progress.counted / progress.planned)
    return BoardRound(
        id=queue.id, number=queue.number, purpose=queue.purpose, title=TITLES[queue.purpose], question=queue.form.question, guideline=queue.guideline,
        guideline_version=queue.guideline_version, split=queue.split, population=queue.population, solo=queue.solo, progress=progress,
        share=1.0 if closing else max(counted, progress.done / max(1, progress.items)), people=_people(said), agreement=agreement, double_rated=twice,
        waiting=room.store.queues.waiting(queue.id, room.person) if free else 0, to_settle=to_settle(room) if free and progress.disputed else 0, why_not=barrier,
        arms=queue.arms if closing else (), outcome=closing, corrections=_corrections(room, closing), preferences=_preferable(queue, closing),
    )  # fmt: skip


def _people(said: Sequence[Opinion]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(opinion.person for opinion in votes.counted(said)).items()))


def _agreement(room: Round, said: Sequence[Opinion]) -> tuple[tuple[Measure, ...], int]:
    """How far people agree so far: computed anew only when more was said."""
    kept = _agreed.setdefault(room.store, {})
    known = kept.get(room.queue.id)
    if known is None or known[0] != len(said):
        scale = {choice.verdict: choice.score or 0.0 for choice in room.queue.form.choices} if room.queue.purpose == "rubric" else None
        measures, twice = votes.agreements([item for item in room.items.values() if item.kind == "sample"], votes.by_item(said), scale)
        known = kept[room.queue.id] = (len(said), measures, twice)
        while len(kept) > MOST_KEPT:
            del kept[next(iter(kept))]
    return known[1], known[2]


def _corrections(room: Round, closing: Closing | None) -> int:
    return len({edit.example for edit in concluding.edits(room)}) if isinstance(closing, RowReview) else 0


def _preferable(queue: Queue, closing: Closing | None) -> bool:
    return isinstance(closing, HumanEvaluation) and closing.form == "pairwise" and "test" not in queue.split

