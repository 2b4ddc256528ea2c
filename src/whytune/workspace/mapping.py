"""The flowchart of one use case, box by box: how it stands, on what evidence, whose it is, who acts next.

Read from records and the project's own file, and once. What is due is due to a role, named with the people who hold it;
somebody's work in a box, or a job's, is told too.

    for box in boxes(project):
        print(box.title, box.word, box.detail)
    due(boxes(project))[0].who          # who acts next
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from whytune.records.job import Job
from whytune.records.release import Approval, Policy
from whytune.workspace import held, permissions, roles
from whytune.workspace.box_places import PLACES, BoxFace, Word
from whytune.workspace.boxing import Looker

if TYPE_CHECKING:
    from whytune.workspace.held import HeldProject, LookingRoom
    from whytune.workspace.project import Project


@dataclass(frozen=True)
class BoxState:
    """One box. `short` fits into the picture, `detail` is the whole sentence; the rest says whose it is."""

    key: str
    title: str
    word: Word
    short: str
    detail: str
    owner: str
    """Who answers for this box: the person whom the use case names, or those who hold its roles."""
    by: str = ""
    """Who did it, where it is done."""
    since: str = ""
    """When it was done, or since when it is due; UTC."""
    act: str = ""
    """What is due, as the table of roles names it; empty where nothing is."""
    roles: tuple[str, ...] = ()
    who: tuple[str, ...] = ()
    """Names of those who may do what is due; empty where nobody may yet."""
    evidence: tuple[str, ...] = ()
    """Ids of the records it stands on."""
    cli: str = ""
    job: str = ""
    """Id of the work that goes on in it."""


BY_KIND = {"train": "train", "check": "validate", "responsible": "responsible", "canaries": "responsible", "forgetting": "test", "release": "registry"}
"""Which box a job works on; a run works on whichever box is due."""


def boxes(project: Project) -> tuple[BoxState, ...]:
    """Every box of the flowchart, in its order."""
    one = held.project(project)
    return with_jobs(recorded(one), working(one.room, [one.key]))


def recorded(one: HeldProject) -> tuple[BoxState, ...]:
    """The boxes as the records have them, without the work that goes on now. Worked out once for what is recorded."""
    operational = (one.today, one.policy_text, tuple(one.tally), tuple((queue.id, one.judged(queue)) for queue in one.open_rounds))
    return one.worked_out("boxes", operational, lambda: _drawn(one))


def _drawn(one: HeldProject) -> tuple[BoxState, ...]:
    looker = Looker(one)
    drawn = [(key, looker.box(key)) for key in PLACES]
    pieces = [one.piece(each.evidence[-1]) for _, each in drawn if each.word == "done" and each.evidence]
    policy = one.newest(Policy)
    pieces += [one.piece(policy.id)] if policy else []
    signed = [one.piece(each.id) for each in one.records(Approval)]
    events = one.room.events(one.key)
    begun = events[0].when if events else ""
    last = max((piece.when for piece in pieces if piece), default=begun)
    signed_last = max((piece.when for piece in signed if piece), default=last)
    return tuple(_state(one, key, each, max(last, signed_last) if each.act == "acceptance.decided" else last) for key, each in drawn)


def _state(one: HeldProject, key: str, drawn: BoxFace, since: str) -> BoxState:
    piece = one.piece(drawn.evidence[-1]) if drawn.evidence else None
    own = roles.ACTS[drawn.act] if drawn.act else PLACES[key].roles
    who = drawn.who if drawn.who is not None else holding(one.room, own, one.file.owners) if drawn.act else ()
    return BoxState(
        key=key, title=PLACES[key].title, word=drawn.word, short=drawn.short, detail=drawn.detail, owner=_named(holding(one.room, PLACES[key].roles, one.file.owners)),
        by=piece.person if piece and drawn.word != "due" else "", since=(drawn.since or since) if drawn.act else piece.when if piece else "",
        act=drawn.act, roles=drawn.roles or (own if drawn.act else ()), who=tuple(who), evidence=drawn.evidence,
        cli=(drawn.cli or PLACES[key].cli).format(name=one.name),
    )  # fmt: skip


def holding(room: LookingRoom, wanted: Sequence[str], owners: dict[str, str] | None = None) -> tuple[str, ...]:
    """Names of those who hold one of these roles, whom the use case names for it first; alone, it is always the one."""
    if not room.people():
        return (room.person.name,)
    found = permissions.who_hold(room, tuple(wanted))
    named = [name for role, name in (owners or {}).items() if role in wanted and name in found]
    return tuple(dict.fromkeys(named)) or found


def due(found: Iterable[BoxState]) -> list[BoxState]:
    """The boxes in which somebody must do something, first things first: what stopped comes before what is next."""
    waiting = [box for box in found if box.act]
    return sorted(waiting, key=lambda box: box.word != "stopped")


def stage(found: Sequence[BoxState]) -> str:
    """One word for how far a use case is: the title of the box that is due, or what it ended with."""
    by_key = {box.key: box for box in found}
    if first := next(iter(due(found)), None):
        return first.title
    if by_key["registry"].word == "done":
        return "Live"
    if by_key["enough"].word == "done":
        return by_key["enough"].title
    return next((box.title for box in found if box.word == "at work"), "Closed")


STAGES = (*(place.title for place in PLACES.values()), "Live", "Closed")
"""What `stage` may say."""


def working(room: LookingRoom, projects: Sequence[str]) -> dict[str, Job]:
    """The work that goes on now, by project."""
    return {job.project: job for job in room.store.jobs.going(projects)}


def with_jobs(found: tuple[BoxState, ...], jobs: dict[str, Job], project: str = "") -> tuple[BoxState, ...]:
    """The boxes with the job that works in one of them."""
    job = jobs.get(project) if project else next(iter(jobs.values()), None)
    if job is None:
        return found
    first = next(iter(due(found)), None)
    at = BY_KIND.get(job.kind, first.key if first else "test")
    share = f"{job.done / job.total:.0%}" if job.total else "running"
    return tuple(
        replace(box, word="at work", short=f"{job.phase or job.kind}: {share}", detail=f"{job.person} started {job.kind}; {job.phase or 'it begins'}: {share}", act="", who=(), roles=(), since=job.started or job.created, job=job.id)
        if box.key == at else box
        for box in found
    )  # fmt: skip


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "nobody yet"
