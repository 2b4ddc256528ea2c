"""Separation of duties: who made something, who may sign for it, and why somebody may not.

It is read from the ledger and the records alone, and decides for every door. Nobody is exempt, the administrator
included: who made a row, a run or a candidate does not sign for it; nobody gives two of the required signatures; a
role somebody gave themself does not count, and who hands out a role cannot use it on items that were open then. Who
gave a signer the role or a way to sign in while the item was open has a hand in that signature: an author's hand
spoils it, and two signatures with the same hand in them are one. Example:

    check_signature(workspace, project, workspace.person, "tester", [candidate.id, dataset.id], signed, policy_solo=False)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol, TypedDict, Unpack
from weakref import WeakKeyDictionary, proxy

from whytune.errors import NotAllowedError, NotFoundError
from whytune.records.ledger import Event, Person
from whytune.records.record import short
from whytune.workspace import roles

if TYPE_CHECKING:
    from whytune.store.store import Store
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

AUTHORING = frozenset({"dataset.created", "rows.proposed", "rows.accepted", "index.built", "adapter.trained", "dev.measured", "model.chosen"})
"""Acts that make somebody an author. Reviewing, measuring the test, signing and administration do not."""
JUDGING = frozenset({"approval", "acceptance", "decision", "protocol", "comparison"})
"""Kinds of records that judge others: what they name was judged together, not made together."""
GIVES_ACCESS = frozenset({"password set", "token made", "welcome made"})
"""What may be said of an act "person.secured" by which somebody could sign in as the person it is about."""
LASTING = frozenset({"usecase", "rule", "policy", "base"})
"""Kinds of records that are there before an item: an item is not open because of them."""


class SignatureGiven(Protocol):
    """Anything that says who signed in which role: an approval."""

    @property
    def id(self) -> str: ...
    @property
    def person(self) -> str: ...
    @property
    def role(self) -> str: ...


class SoloPolicy(TypedDict, total=False):
    """policy_solo: whether the policy lets a person who is alone in the workspace sign for everybody."""

    policy_solo: bool


@dataclass(frozen=True)
class Grant:
    """Somebody was given a role. number: of the event; founding: by the person who was alone until then."""

    number: int
    by: str
    founding: bool


@dataclass(frozen=True)
class Lent:
    """Somebody was given a way to sign in. number: of the event."""

    number: int
    by: str


@dataclass(frozen=True)
class Book:
    """What the rules are read from: all events, what each record names, every Person record by id."""

    events: Sequence[Event]
    named_in: Callable[[Sequence[str]], Mapping[str, frozenset[str]]]
    persons: Mapping[str, Person]

    def until(self, id: str) -> Book:
        """The book as it was when this record was written; whole where no event wrote it."""
        return replace(self, events=[*takewhile(lambda event: id not in event.wrote, self.events)])

    def authors(self, ids: Iterable[str]) -> dict[str, set[str]]:
        """Person to the acts by which they made something in the lineage of these ids."""
        found: dict[str, set[str]] = {}
        made, heir = self._made, self._heir
        seen: set[str] = set()
        wave = set(ids)
        while wave:
            seen |= wave
            following: set[str] = set()
            for id in wave:
                for event in made.get(id, ()):
                    following.update(event.read)
                    found.setdefault(event.person, set()).add(event.act)
                    if event.solo and heir:
                        found.setdefault(heir, set()).add(event.act)
            for names in self.named_in(sorted(wave)).values():
                following |= names
            wave = {id for id in following - seen if id.partition(":")[0] not in JUDGING}
        return found

    def opened(self, subject: Iterable[str]) -> int:
        """Number of the event by which the first part of this item came to be; 0 where nothing of it is known."""
        asked = set(subject)
        items = {id for id in asked if id.partition(":")[0] not in LASTING} or asked
        return next((event.number for event in self.events if items & _written(event)), 0)

    def grants(self) -> dict[tuple[str, str], list[Grant]]:
        """(person, role) to every time it was granted, oldest first."""
        found: dict[tuple[str, str], list[Grant]] = {}
        held: dict[str, set[str]] = {}
        for event in self.events:
            if event.act != "person.changed":
                continue
            for person in (self.persons[id] for id in event.wrote if id in self.persons):
                for role in set(person.roles) - held.get(person.name, set()):
                    found.setdefault((person.name, role), []).append(Grant(event.number, event.person, event.solo))
                held[person.name] = set(person.roles)
        return found

    def lent(self) -> dict[str, list[Lent]]:
        """Person to every time somebody else gave them a password, a token or a welcome link, oldest first."""
        found: dict[str, list[Lent]] = {}
        for event in self.events:
            if event.act == "person.secured" and event.facts.get("what") in GIVES_ACCESS:
                for name in {self.persons[id].name for id in event.read if id in self.persons} - {event.person}:
                    found.setdefault(name, []).append(Lent(event.number, event.person))
        return found

    def people(self) -> dict[str, Person]:
        """Everybody as the ledger last recorded them."""
        found: dict[str, Person] = {}
        for event in self.events:
            if event.act == "person.changed":
                found |= {self.persons[id].name: self.persons[id] for id in event.wrote if id in self.persons}
        return found

    @cached_property
    def _made(self) -> dict[str, list[Event]]:
        """Each thing that was made to the events that made it."""
        made: dict[str, list[Event]] = {}
        for event in self.events:
            if event.act in AUTHORING:
                for id in _written(event):
                    made.setdefault(id, []).append(event)
        return made

    @cached_property
    def _heir(self) -> str:
        """The first person recorded: whoever was alone before then goes on under that name."""
        return next((person.name for event in self.events if event.act == "person.changed" for id in event.wrote if (person := self.persons.get(id))), "")


@dataclass(frozen=True)
class OpenItem:
    """What is to be signed: its authors, and since which event it is open."""

    book: Book
    subject: tuple[str, ...]
    authors: Mapping[str, set[str]]
    opened: int
    grants: Mapping[tuple[str, str], list[Grant]]
    people: Mapping[str, Person]
    lent: Mapping[str, list[Lent]]

    @classmethod
    def of(cls, book: Book, subject: Sequence[str]) -> OpenItem:
        """The item these records make up. Raises NotFoundError where the ledger knows none of them."""
        opened = book.opened(subject)
        if not opened:
            raise NotFoundError(
                f"The ledger knows nothing of {', '.join(map(short, subject)) or 'an empty list'}", next="whytune status names what there is to sign"
            )
        return cls(book, tuple(subject), book.authors(subject), opened, book.grants(), book.people(), book.lent())

    def reasons(self, name: str, role: str, signed: Sequence[SignatureGiven] = ()) -> list[str]:
        """Every reason why this person may not sign this item in this role; none: they may."""
        person = self.people.get(name)
        if person is None:
            return [f"{name} is not a person of this workspace"]
        found = []
        if role not in person.roles:
            found.append(f"{name} is not {role} (holds {', '.join(person.roles) or 'no role'})")
        else:
            found += self._badly_granted(name, role)
        if name in self.authors:
            found.append(f"{name} made part of it ({', '.join(sorted(self.authors[name]))})")
        others = sorted({each.role for each in signed if each.person == name and each.role != role})
        if others:
            found.append(f"{name} has signed it as {', '.join(others)}; nobody gives two signatures")
        handed = sorted({who for (who, what), grants in self.grants.items() if what == role and who != name for g in grants if g.by == name and g.number > self.opened})
        if handed:
            found.append(f"{name} made {', '.join(handed)} {role} while it was open, and so may not use that role on it")
        return found + self._by_whose_hand(name, role, signed)

    def who_may(self, role: str, signed: Sequence[SignatureGiven] = ()) -> list[str]:
        """Names of those who may sign it in this role, given who has signed already; sorted."""
        return sorted(name for name in self.people if not self.reasons(name, role, signed))

    def signed_with(self, approval: str) -> OpenItem:
        """The item as it was for this signature: a way to sign in that was given after it has no part in it."""
        number = self.signed_at(approval)
        return replace(self, lent={name: [each for each in lent if each.number < number] for name, lent in self.lent.items()}) if number else self

    def signed_at(self, approval: str) -> int:
        """Number of the event that wrote this signature; 0 where there is none."""
        return next((event.number for event in reversed(self.book.events) if approval in event.wrote), 0)

    def hands(self, name: str, role: str) -> dict[str, str]:
        """Who, while it was open, gave this person the role or a way to sign in, or gave that to somebody who gave it; and what they gave."""
        found: dict[str, str] = {}
        waiting = [(name, role, 0)]
        asked = set(waiting)
        while waiting:
            who, what, before = waiting.pop()
            grant = self._last(who, what, before)
            given = [(grant.by, grant.number, f"made {who} {what}")] if grant else []
            given += [(each.by, each.number, f"gave {who} a way to sign in") for each in self.lent.get(who, ())]
            for giver, number, gift in given:
                if number <= self.opened or (before and number >= before):
                    continue
                if giver != name:
                    found.setdefault(giver, gift)
                # Whoever made the giver an admin before that could have given it through them.
                further = (giver, "admin", number)
                if further not in asked:
                    asked.add(further)
                    waiting.append(further)
        return found

    def _by_whose_hand(self, name: str, role: str, signed: Sequence[SignatureGiven]) -> list[str]:
        """A signature in which an author, or a person with another signature, had a hand is not one of its own."""
        hands = self.hands(name, role)
        signers = {each.person for each in signed} - {name}
        found = [f"{giver}, who {'made' if giver in self.authors else 'signed'} it, {hands[giver]} while it was open" for giver in sorted(hands) if giver in self.authors or giver in signers]
        for other in signed:
            if other.person == name:
                continue
            theirs = self.signed_with(other.id).hands(other.person, other.role)
            who = f"{other.person} ({other.role}), who signed it"
            if name in theirs:
                found.append(f"{name} {theirs[name]} while it was open, and so had a hand in the signature of {who}")
            found += [f"{giver} {hands[giver]} while it was open, and had a hand in the signature of {who}, too" for giver in sorted(hands.keys() & theirs.keys() - signers - self.authors.keys())]
        return found

    def _last(self, name: str, role: str, before: int = 0) -> Grant | None:
        """The grant that holds, or held before this event."""
        return next((grant for grant in reversed(self.grants.get((name, role), ())) if not before or grant.number < before), None)

    def _badly_granted(self, name: str, role: str) -> list[str]:
        grant = self._last(name, role)
        if grant is None:
            return [f"no event of the ledger gives {name} the role {role}"]
        if grant.founding:
            return [f"{name} became {role} when the workspace got its first person, after it was opened"] if grant.number > self.opened else []
        return [f"{name} gave themself the role {role}"] if grant.by == name else []


def book_of(workspace: Workspace) -> Book:
    """The workspace's events and records as they are now."""
    return _book(workspace.store)


def item_of(workspace: Workspace, subject: Sequence[str]) -> OpenItem:
    """What is to be signed, for many questions about it. Raises NotFoundError where the ledger knows nothing of it."""
    return OpenItem.of(book_of(workspace), subject)


def authors(workspace: Workspace, ids: Iterable[str]) -> dict[str, set[str]]:
    """Person to the acts by which they made anything in the lineage of these record ids.

    What was done before the workspace had people counts for the first person too: they were that one.
    """
    return book_of(workspace).authors(ids)


def who_may(workspace: Workspace, project: Project, role: str, subject: Sequence[str], signed: Sequence[SignatureGiven] = ()) -> list[str]:
    """Names of those who may sign this subject in this role, given who has signed already; sorted."""
    roles.check_roles((role,))
    item = item_of(workspace, subject)
    return item.who_may(role, signed)


def check_signature(
    workspace: Workspace, project: Project, person: Person, role: str, subject: Sequence[str], signed: Sequence[SignatureGiven] = (), **policy: Unpack[SoloPolicy]
) -> None:
    """Raise NotAllowedError, with every reason and with who may, unless this person may sign this subject in this role.

    signed: the signatures that count so far. policy_solo: whether the policy lets a person alone sign; it lifts
    nothing once the workspace has people, and who records the signature stamps it with `person.solo`.
    """
    roles.check_roles((role,))
    check_on(item_of(workspace, subject), project, person, role, signed, **policy)


def check_on(item: OpenItem, project: Project, person: Person, role: str, signed: Sequence[SignatureGiven] = (), **policy: Unpack[SoloPolicy]) -> None:
    """As `check_signature`, for an item that is at hand: many signatures on one item are checked by reading the ledger once."""
    if not item.people and person.solo:
        if policy.get("policy_solo", False):
            return
        raise NotAllowedError(
            f"{person.name} is alone in this workspace, and the policy of {project.name} asks for independent signatures",
            next="whytune user add NAME --role admin, or set solo = true in policy.toml (stamped: not independently approved)",
        )
    reasons = item.reasons(person.name, role, signed)
    if reasons:
        raise NotAllowedError(f"{person.name} may not sign for {project.name} as {role}", problems=reasons, next=_ask(item.who_may(role, signed), role))


_read: WeakKeyDictionary[Store, Book] = WeakKeyDictionary()
_reading = threading.Lock()


def _book(store: Store) -> Book:
    """All events, of every project: whoever acts, nothing may be missed here. An event never changes: those that this process has read and checked before are not read again."""
    with _reading:
        book = _read.get(store)
        known = book.events if book else ()
        number, id = store.head()
        last = known[-1] if known else None
        if book and last and (last.number, last.id) == (number, id):
            return book
        if last and last.number >= number:
            known = ()  # another ledger stands there now
        events = (*known, *store.events(after=known[-1].number if known else 0))
        asked = proxy(store)  # the book goes with the store, so it must not hold on to it

        def named_in(ids: Sequence[str]) -> dict[str, frozenset[str]]:
            found: dict[str, frozenset[str]] = asked.named_in(ids)
            return found

        made = _read[store] = Book(events, named_in, {person.id: person for person in store.list(Person)})
        return made


def _ask(may: Sequence[str], role: str) -> str:
    if may:
        return f"ask {' or '.join(may)}, who may as {role}: the same command, run by them"
    return f"nobody may as things stand: whytune user add NAME --role {role}, by an admin who neither made part of it nor signs; each such admin can bring in one signer"


def _written(event: Event) -> set[str]:
    """What an event made. An index is no record: its event names it among its facts."""
    index = event.facts.get("index", "") if event.act == "index.built" else ""
    return {*event.wrote, index} if index else set(event.wrote)
