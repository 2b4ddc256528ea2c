"""One search over everything a person may see: use cases, dataset versions, rounds of review, releases, people, the documentation.

Every word that is asked for must stand somewhere in what is told of a thing. What is private to others is not found.

    for hit in search(workspace, "refund 3"):
        print(hit.kind, hit.title)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from whytune.records.data import Dataset
from whytune.records.review import Queue
from whytune.workspace import held, manual, registering, teams

if TYPE_CHECKING:
    from whytune.workspace.held import LookingRoom
    from whytune.workspace.workspace import Workspace

HitKind = Literal["use case", "dataset", "review", "release", "person", "documentation"]
KINDS: tuple[HitKind, ...] = ("use case", "dataset", "review", "release", "person", "documentation")
LONGEST = 200
MOST_PAGES = 20


@dataclass(frozen=True)
class SearchHit:
    """One thing that was found. key: what its page is called by; about: a line of what it is."""

    kind: HitKind
    title: str
    about: str
    key: str
    project: str = ""


def search(workspace: Workspace, text: str) -> list[SearchHit]:
    """Everything in which all the words stand, kind by kind; nothing where no word is given."""
    words = text[:LONGEST].casefold().split()
    if not words:
        return []
    room = held.looking(workspace)
    told = [*_use_cases(room), *_datasets(room), *_reviews(room), *_people(room)]
    found = [hit for hit, said in told if all(word in said.casefold() for word in words)]
    found += _releases(room, text[:LONGEST])
    found += [SearchHit("documentation", f"{hit.title}: {hit.heading}" if hit.heading and hit.heading != hit.title else hit.title, hit.excerpt, f"{hit.page}#{hit.anchor}" if hit.anchor else hit.page) for hit in manual.search(text[:LONGEST], MOST_PAGES)]
    return sorted(found, key=lambda hit: KINDS.index(hit.kind))


def _use_cases(room: LookingRoom) -> Iterator[tuple[SearchHit, str]]:
    for one in room.held:
        owners = ", ".join(f"{role.replace('_', ' ')}: {name}" for role, name in one.file.owners.items())
        about = " · ".join(part for part in (one.file.task, one.file.purpose, owners) if part)
        yield SearchHit("use case", one.name, about, one.name, one.name), f"{one.name} {about}"


def _datasets(room: LookingRoom) -> Iterator[tuple[SearchHit, str]]:
    for one in room.held:
        for made in one.records(Dataset):
            files = ", ".join(source.file for source in made.sources)
            about = f"{sum(made.counts.values()):,} rows from {files}"
            yield SearchHit("dataset", f"{one.name} version {made.number}", about, str(made.number), one.name), f"dataset {one.name} version v{made.number} {made.number} {files} {made.id} {' '.join(made.labels)}"


def _reviews(room: LookingRoom) -> Iterator[tuple[SearchHit, str]]:
    for one in room.held:
        waiting = {queue.id for queue in one.open_rounds}
        for queue in one.records(Queue):
            state = "open" if queue.id in waiting else "closed"
            about = f"{queue.form.question} ({state})"
            yield SearchHit("review", f"{one.name} round {queue.number}: {queue.purpose}", about, queue.id, one.name), f"review {one.name} round {queue.number} {queue.purpose} {about} {queue.id}"


def _people(room: LookingRoom) -> Iterator[tuple[SearchHit, str]]:
    declared = teams.declared(room)
    for person in room.people():
        own = declared.get(person.name)
        skills = ", ".join((*own.functions, *own.skills, *own.domains)) if own else ""
        held_roles = ", ".join(role.replace("_", " ") for role in person.roles) or "no role"
        about = f"{held_roles}; {skills}" if skills else held_roles
        yield SearchHit("person", person.name, about, person.name), f"{person.name} {about} {' '.join(person.roles)}"


def _releases(room: LookingRoom, text: str) -> Iterator[SearchHit]:
    for listed in registering.search(room, text):
        manifest = listed.release.manifest
        names = f" as {', '.join(listed.aliases)}" if listed.aliases else ""
        about = f"{listed.state}{names}; {manifest.arm} on {manifest.base.name}"
        yield SearchHit("release", f"{manifest.project}/{manifest.number}", about, listed.release.id, manifest.project)
