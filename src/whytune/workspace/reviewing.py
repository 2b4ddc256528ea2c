"""Human review as it goes on: which rounds there are, the next question for a person, their answer, undo, adjudication.

Blind by construction: a `Question` holds no id of an item, a candidate or an arm, and whether it is asked a second time
or planted is not said; order and origin are looked up on the way in. Example:

    room = reviewing.round_named(project)
    asked = room.take()
    room.answer(asked.token, "client-1", "good")
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from whytune.errors import NotAllowedError, NotFoundError, RefusedError, UsageError
from whytune.records.content import Message
from whytune.records.data import Dataset, Example
from whytune.records.evidence import Answer
from whytune.records.record import short
from whytune.records.review import HumanEvaluation, Opinion, Queue, ReviewItem, RowReview, VerdictChoice
from whytune.review import blind, votes
from whytune.review.forms import FIRST, SECOND
from whytune.store.queue import LEASE, Claim
from whytune.workspace import roles
from whytune.workspace.creating import SplitRow

if TYPE_CHECKING:
    from whytune.store.store import Store
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

Closing = RowReview | HumanEvaluation
KEPT_SECONDS = 60.0
"""How long texts are held in memory before they are read again, so that what was erased is soon gone from here too."""


@dataclass(frozen=True)
class Question:
    """What a reviewer is shown. texts: (title, text), the answers already in the order of this person."""

    token: str
    number: int
    """Of the queue."""
    purpose: str
    question: str
    input: str
    texts: tuple[tuple[str, str], ...]
    choices: tuple[VerdictChoice, ...]
    editable: tuple[str, ...]
    stands: tuple[tuple[str, str], ...]
    """(field, text) of what may be corrected, as it stands now."""
    guideline: str
    guideline_version: str
    done: int
    total: int
    until: float


@dataclass(frozen=True)
class RoundProgress:
    """How far a round is. Nothing in it says who is ahead."""

    queue: str
    number: int
    purpose: str
    items: int
    done: int
    opinions: int
    open: int
    held: int
    planned: int
    counted: int
    """Decisive votes so far, where a number of them is planned."""
    mine: int
    disputed: int
    may_close: bool
    closed: str
    """Id of what the round proved; empty while it is open."""


@dataclass(frozen=True)
class Texts:
    """What the items of a queue say, read from where it is kept."""

    read: float
    examples: Mapping[str, Example]
    answers: tuple[Mapping[str, str], ...]


_held: WeakKeyDictionary[Store, dict[str, Texts]] = WeakKeyDictionary()
_items: WeakKeyDictionary[Store, dict[str, dict[str, ReviewItem]]] = WeakKeyDictionary()


class Round:
    """One queue, seen by the person who acts."""

    def __init__(self, project: Project, queue: Queue) -> None:
        self.project = project
        self.queue = queue
        self.store = project.workspace.store

    @property
    def person(self) -> str:
        """Who is asked."""
        return self.project.workspace.person.name

    @cached_property
    def items(self) -> Mapping[str, ReviewItem]:
        """Every item by its key."""
        kept = _items.setdefault(self.store, {})
        if self.queue.items not in kept:
            kept[self.queue.items] = {item.key: item for item in self.store.read_pack(self.queue.items, ReviewItem)}
        return kept[self.queue.items]

    @property
    def closing(self) -> Closing | None:
        """What the round proved, once it is closed."""
        return next((found for found in closings(self.project) if found.queue == self.queue.id), None)

    def check(self) -> None:
        """Raise NotAllowedError where this person may not be asked."""
        roles.check(self.project.workspace.person, "opinion.given")
        if self.person in self.queue.excluded:
            raise NotAllowedError(
                f"{self.person} made part of what is judged in round {self.queue.number} and is not asked about it",
                next=f"let somebody else review: whytune review {self.project.name}",
            )

    def take(self) -> Question | None:
        """The next question; None where there is none for this person."""
        self.check()
        judged = self.store.queues.judged(self.queue.id, self.person)
        again = blind.due_again(self.queue.seed, self.person, judged, self.queue.repeats)
        while claim := self.store.queues.claim(self.queue.id, self.person, again=again):
            found = self._question(claim, len(judged))
            if found:
                return found
            self.store.queues.release(claim.token, self.person, passed=True)  # its row was erased
            again = ""
        return None

    def held(self, *, settle: bool = False) -> Question | None:
        """What this person has before them already; nothing is taken by looking. settle: to decide."""
        claim = self.store.queues.held(self.queue.id, self.person, settle=settle)
        return self._question(claim, 0 if settle else len(self.store.queues.judged(self.queue.id, self.person))) if claim else None

    def ahead(self) -> Question | None:
        """The question after the one this person holds, kept for them; None where they hold none, or few are left."""
        self.check()
        current = self.store.queues.held(self.queue.id, self.person)
        if current is None:
            return None
        judged = [*self.store.queues.judged(self.queue.id, self.person), (current.item, current.turn)]
        again = blind.due_again(self.queue.seed, self.person, judged, self.queue.repeats)
        claim = self.store.queues.claim_ahead(self.queue.id, self.person, again=again)
        return self._question(claim, len(judged)) if claim else None

    def answer(self, token: str, client: str, verdict: str, *, edits: Sequence[tuple[str, str]] = (), note: str = "") -> Opinion:
        """Keep an opinion. The same client id again changes nothing and gives the same opinion."""
        self.check()
        claim = self.store.queues.claim_of(token)
        if claim.queue != self.queue.id:
            raise UsageError(f"This question belongs to another round than {self.queue.number}", next=f"whytune review {self.project.name}")
        edits = self._changes(claim, edits)
        self._check_answer(verdict, edits)
        shown = self._order(claim)
        said = blind.resolve(verdict, shown)
        opinion = Opinion(
            queue=self.queue.id, item=claim.item, person=self.person, client=client, turn=claim.turn, verdict=said, shown=shown,
            edits=tuple(edits), note=note, seconds=round(max(0.0, time.time() - claim.until + LEASE), 1),
        )  # fmt: skip
        counts = bool(self.queue.planned) and said in (FIRST, SECOND) and self.items[claim.item].kind == "sample"
        return self.store.queues.submit(token, opinion, counts=counts)

    def skip(self, token: str) -> None:
        """Pass a question over: somebody else is asked, and the round says how often that happened."""
        self.check()
        self.store.queues.release(token, self.person, passed=True)

    def release(self, token: str) -> None:
        """Give a question back, to be asked again later."""
        self.store.queues.release(token, self.person)

    def undo(self, client: str, *, settle: bool = False) -> Question | None:
        """Take this person's last opinion back and ask again; None where there is nothing to take back."""
        self.check()
        taken = self.store.queues.undo(self.queue.id, self.person, client, settle=settle)
        if taken is None:
            return None
        if settle:
            claim = self.store.queues.claim_to_settle(self.queue.id, taken.item, self.person)
            return self._question(claim, 0) if claim else None
        return self.take()

    def disputes(self) -> list[ReviewItem]:
        """Items that somebody who gave no opinion must decide."""
        if self.queue.purpose not in ("rows", "labels"):
            return []
        return votes.disputed([*self.items.values()], self.store.queues.opinions(self.queue.id))

    def take_dispute(self) -> Question | None:
        """The next item for this person to decide; None where there is none they have not judged themself."""
        self.check()
        roles.check(self.project.workspace.person, "opinion.settled")
        if self.queue.purpose not in ("rows", "labels"):
            raise UsageError(
                f"Round {self.queue.number} asks for preferences, and those are counted, not settled", next=f"whytune review close {self.project.name}"
            )
        mine = {item for item, _ in self.store.queues.judged(self.queue.id, self.person)}
        for item in self.disputes():
            claim = None if item.key in mine else self.store.queues.claim_to_settle(self.queue.id, item.key, self.person)
            found = self._question(claim, 0) if claim else None
            if found:
                return found
        return None

    def progress(self) -> RoundProgress:
        """How far the round is."""
        standing = self.store.queues.standing(self.queue.id)
        queue, closing = self.queue, self.closing
        return RoundProgress(
            queue=queue.id, number=queue.number, purpose=queue.purpose, items=standing.items, done=standing.done, opinions=standing.given, open=standing.open,
            held=standing.held, planned=queue.planned, counted=standing.counted, mine=len(self.store.queues.judged(queue.id, self.person)),
            disputed=len(self.disputes()), may_close=standing.enough and not closing, closed=closing.id if closing else "",
        )  # fmt: skip

    @property
    def texts(self) -> Texts:
        """Rows and answers of this round; read again every minute."""
        kept = _held.setdefault(self.store, {})
        now = time.monotonic()
        for name in [name for name, texts in kept.items() if now - texts.read > KEPT_SECONDS]:
            del kept[name]
        if self.queue.id not in kept:
            kept[self.queue.id] = Texts(now, self._examples(), tuple(self._answers(pack) for pack in self.queue.answers))
        return kept[self.queue.id]

    def _examples(self) -> dict[str, Example]:
        made = self.store.get(Dataset, self.queue.dataset)
        wanted = {name for item in self.items.values() for name in (item.example, item.stand_in) if name}
        return {row.example.id: row.example for row in self.store.read_pack(made.rows, SplitRow) if row.example.id in wanted}

    def _answers(self, pack: str) -> dict[str, str]:
        return {answer.item: answer.text for answer in self.store.read_pack(pack, Answer)}

    def _order(self, claim: Claim) -> tuple[int, ...]:
        item = self.items[claim.item]
        if self.queue.purpose == "pairs":
            return blind.order(self.store.keyed_hash(f"which side in {self.queue.id}"), item.key, self.person, claim.turn)
        return item.shown

    def _question(self, claim: Claim, done: int) -> Question | None:
        item, texts, form = self.items[claim.item], self.texts, self.queue.form
        needed = [name for name in (item.example, item.stand_in) if name]
        if any(name not in texts.examples for name in needed):
            return None
        example = texts.examples[item.example]
        shown = self._shown(item, self._order(claim), texts)
        return Question(
            token=claim.token, number=self.queue.number, purpose=self.queue.purpose, question=form.question, input=conversation(example.messages), texts=shown,
            choices=form.choices, editable=form.editable, stands=self._stands(item, texts), guideline=self.queue.guideline, guideline_version=self.queue.guideline_version,
            done=done, total=len(self.items), until=claim.until,
        )  # fmt: skip

    def _shown(self, item: ReviewItem, order: Sequence[int], texts: Texts) -> tuple[tuple[str, str], ...]:
        target = texts.examples[item.stand_in or item.example].target_text
        if self.queue.purpose == "rows":
            return (("answer", target),)
        if self.queue.purpose == "labels":
            return ()
        if self.queue.purpose == "rubric":
            return (("answer", texts.answers[item.shown[0]].get(item.example, "")),)
        own = (texts.examples[item.example].target_text, target) if item.kind == "gold" else tuple(given.get(item.example, "") for given in texts.answers)
        return (("A", own[order[0]]), ("B", own[order[1]]))

    def _stands(self, item: ReviewItem, texts: Texts) -> tuple[tuple[str, str], ...]:
        told = {"input": texts.examples[item.example].input_text, "target": texts.examples[item.stand_in or item.example].target_text}
        return tuple((field, told[field]) for field in self.queue.form.editable)

    def _changes(self, claim: Claim, edits: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """The edits that change something: a page sends every field, also those that nobody touched."""
        item = self.items[claim.item]
        if not edits or any(name and name not in self.texts.examples for name in (item.example, item.stand_in)):
            return list(edits)
        # A browser ends every line in one way, whatever stood there.
        stands = {field: "\n".join(text.splitlines()) for field, text in self._stands(item, self.texts)}
        return [(field, value) for field, value in edits if stands.get(field) != "\n".join(value.splitlines())]

    def _check_answer(self, verdict: str, edits: Sequence[tuple[str, str]]) -> None:
        problems = []
        if verdict not in self.queue.form.verdicts:
            problems.append(f"verdict {verdict!r}; there are: {', '.join(self.queue.form.verdicts)}")
        problems += [f"field {field!r} may not be corrected here" for field, _ in edits if field not in self.queue.form.editable]
        problems += [f"the new {field} is empty" for field, value in edits if not value.strip()]
        if edits and verdict != "bad":
            problems.append("a row that is corrected is wrong as it stands: its verdict is bad")
        if problems:
            raise UsageError("This opinion cannot be kept", problems=problems, next="answer the question as it is asked; whytune review PROJECT shows the keys")


def conversation(messages: Sequence[Message]) -> str:
    """What was said before the answer: one turn as it is, several with who spoke."""
    if len(messages) == 1:
        return messages[0].text
    return "\n".join(f"{message.role}: {message.text}" for message in messages)


def queues(project: Project) -> list[Queue]:
    """Every round of the project, oldest first."""
    return project.records(Queue)


def closings(project: Project) -> list[Closing]:
    """What closed rounds proved."""
    return [*project.records(RowReview), *project.records(HumanEvaluation)]


def rounds(project: Project, *, open_only: bool = False) -> list[Round]:
    """The rounds, oldest first."""
    closed = {found.queue for found in closings(project)} if open_only else set()
    return [Round(project, queue) for queue in queues(project) if queue.id not in closed]


def round_named(project: Project, which: str = "", *, open_only: bool = False) -> Round:
    """A round by its number or the beginning of its id; with no name, the only open one, or else the last."""
    found = rounds(project, open_only=open_only and not which)
    if which:
        found = [one for one in found if which in (str(one.queue.number), one.queue.id) or one.queue.id.startswith(which if ":" in which else f"queue:{which}")]
    if not found:
        what = f"no round {which!r}" if which else "no open round of review" if open_only else "no round of review yet"
        raise NotFoundError(f"{project.name} has {what}", next=f"whytune review open {project.name} --rows")
    if which and len(found) > 1:
        raise NotFoundError(f"Several rounds begin with {which!r}", where=", ".join(short(one.queue.id) for one in found), next="name it by its number")
    return found[-1] if which else next((one for one in found if one.closing is None), found[-1])


def room_of(workspace: Workspace, id: str) -> Round:
    """The round of that id, in whichever project it is. Raises NotFoundError."""
    queue = workspace.store.get(Queue, id)
    if queue.project in workspace.hidden:
        raise NotFoundError(f"There is no queue {short(id)!r} in the store", next="`whytune status` lists what there is")
    return Round(workspace.project(queue.project), queue)


def next_question(project: Project, which: str = "") -> tuple[Round, Question | None]:
    """The first open round that has something for this person, with its question; else the last one looked at.

    Raises NotFoundError where no round is open, NotAllowedError where this person may be asked in none of them.
    """
    found = [round_named(project, which)] if which else rounds(project, open_only=True)
    if not found:
        raise NotFoundError(f"{project.name} has no open round of review", next=f"whytune review open {project.name} --rows")
    if which and found[0].closing:
        raise RefusedError(f"Round {which} is closed", next=f"whytune review status {project.name}")
    refused: NotAllowedError | None = None
    asked: Round | None = None
    for room in found:
        try:
            question = room.take()
        except NotAllowedError as error:
            refused = error
            continue
        asked = room
        if question:
            return room, question
    if asked is None and refused:
        raise refused
    assert asked is not None  # every round was either asked or refused
    return asked, None
