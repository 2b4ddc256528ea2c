"""What an open blind round holds back from whoever may still judge in it: the words about its items, at every other door.

A round that shows answers without names is worth nothing where the same answers stand with their names one page further
on. So for somebody who may be asked in such a round, its items are left out of the case explorer, the decision's
examples, the worst cases of probes and the box to try a model, and it is said which round does that and until when.
Other items stay, and who cannot judge sees everything.

It ends when the round is closed, for everybody, somebody alone in all roles too. Having judged everything is not enough:
an opinion can be taken back and given anew as long as the round is open. Figures over many items are not held back.

    blind = held_back(project)              # for whoever acts
    blind.items.get("example:4f...")        # the round that asks about it, or None
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from whytune.errors import NotAllowedError
from whytune.records.data import Dataset
from whytune.records.decision import Decision
from whytune.records.record import Record
from whytune.records.responsible import ResponsibleReport
from whytune.records.review import HumanEvaluation, Queue
from whytune.workspace.case_memory import MEMORY
from whytune.workspace.reviewing import Round
from whytune.workspace.roles import ACTS

if TYPE_CHECKING:
    from whytune.workspace.project import Project

R = TypeVar("R", bound=Record)
BLIND = ("pairs", "rubric")
"""Purposes of rounds about answers; whose they are is hidden."""


@dataclass(frozen=True)
class BlindRound:
    """An open round that holds something back."""

    id: str
    number: int
    question: str
    closes: str
    """What has to happen, in words."""

    @property
    def said(self) -> str:
        """Its name and when it ends, in a sentence."""
        return f"Round {self.number} of review asks you about it blind ({self.question}) and is open {self.closes}."


@dataclass(frozen=True)
class HeldBack:
    """What is held back from one person in one project. items: id to the round that asks about it."""

    items: Mapping[str, BlindRound] = field(default_factory=dict)

    def among(self, items: Sequence[str]) -> tuple[BlindRound, ...]:
        """The rounds that ask about any of these, each once."""
        return tuple({found.id: found for item in items if (found := self.items.get(item))}.values())

    def note(self, items: Sequence[str], what: str) -> str:
        """How many of these are held back and why, in a sentence; empty where none is."""
        count, rounds = sum(item in self.items for item in items), self.among(items)
        return f"{count:,} {what}{'s are' if count > 1 else ' is'} held back from you. {' '.join(each.said for each in rounds)}" if count else ""

    def check(self, item: str, project: Project) -> None:
        """Raise NotAllowedError where this item is held back."""
        if found := self.items.get(item):
            raise NotAllowedError("This case is held back from you", problems=[found.said], next=f"judge it first: whytune review {project.name}; it is shown again once the round is closed")


def held_back(project: Project) -> HeldBack:
    """What open blind rounds hold back from whoever acts."""
    rounds = _rounds(project)
    if not rounds:
        return HeldBack()  # the usual case; it asks nobody who they are
    person = project.workspace.person
    if not set(person.roles) & set(ACTS["opinion.given"]):
        return HeldBack()
    items: dict[str, BlindRound] = {}
    for queue in rounds:
        if person.name not in queue.excluded:
            # Planted items too: those that were missing here would be known as planted.
            items |= dict.fromkeys((item.example for item in Round(project, queue).items.values()), _told(queue))
    return HeldBack(items)


def decision(project: Project) -> Decision | None:
    """The newest decision as whoever acts may read it: without examples that are held back. Its id stays that of the record."""
    made = project.decision
    if made is None:
        return None
    blind, items = held_back(project), [shown.item for shown in made.examples]
    note = blind.note(items, "example")
    return _shown(made, examples=tuple(shown for shown in made.examples if shown.item not in blind.items), limits=(*made.limits, note)) if note else made


def report(project: Project, made: ResponsibleReport) -> ResponsibleReport:
    """A responsible-AI report as whoever acts may read it: without worst cases that are held back. Its id stays that of the record."""
    blind, results = held_back(project), []
    if not blind.items:
        return made
    for result in made.results:
        note = blind.note([worst.item for worst in result.worst], "worst case")
        kept = tuple(worst for worst in result.worst if worst.item not in blind.items)
        results.append(result.model_copy(update={"worst": kept, "notes": (*result.notes, note)}) if note else result)
    return _shown(made, results=tuple(results)) if tuple(results) != made.results else made


def check_question(project: Project, text: str) -> None:
    """Raise NotAllowedError where this text is what a held-back item asks: a released model would answer it under its name."""
    blind, wanted = held_back(project), _folded(text)
    if not blind.items:
        return
    store = project.workspace.store
    for queue in _rounds(project):
        for split in queue.split:
            for item, row in MEMORY.rows(store, store.get(Dataset, queue.dataset), split).items():
                if item in blind.items and _folded(row.input) == wanted:
                    blind.check(item, project)


def _rounds(project: Project) -> list[Queue]:
    """Open rounds about answers whose names are hidden."""
    found = [queue for queue in project.records(Queue) if queue.purpose in BLIND and queue.blind]
    closed = {made.queue for made in project.records(HumanEvaluation)} if found else set()
    return [queue for queue in found if queue.id not in closed]


def _told(queue: Queue) -> BlindRound:
    done = f"{queue.planned:,} decisive votes are in" if queue.planned else "every item is judged"
    return BlindRound(queue.id, queue.number, queue.form.question, f"until somebody closes it, as planned once {done}")


def _shown(made: R, **changed: Any) -> R:
    """A copy to be read, under the id of the record that it is of."""
    copy = made.model_copy(update=changed)
    copy.__dict__["id"] = made.id
    return copy


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
