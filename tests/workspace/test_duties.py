"""Separation of duties: whatever people are granted and whatever they do, no author signs, nobody signs twice, no role given to oneself counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from whytune.errors import NotAllowedError, NotFoundError, UsageError
from whytune.records.candidate import Candidate, Prompt, Retrieval
from whytune.records.ledger import Event, Person
from whytune.settings import Settings
from whytune.workspace import duties, people
from whytune.workspace.duties import Book, OpenItem
from whytune.workspace.workspace import Workspace

NAMES = ("ada", "bo", "cy", "dee")
ROLES = ("tester", "legal")
PROJECT: Any = SimpleNamespace(name="support")


@dataclass(frozen=True)
class Signed:
    person: str
    role: str
    id: str = ""


def rid(kind: str, number: int) -> str:
    return f"{kind}:{number:064x}"


@dataclass
class World:
    """A ledger in memory, with what an onlooker would note about it beside."""

    events: list[Event] = field(default_factory=list)
    persons: dict[str, Person] = field(default_factory=dict)
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)
    given_by: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    gave: list[tuple[int, str, str, str]] = field(default_factory=list)
    """(event number, giver, person, role, or "" for a way to sign in)."""
    signatures: dict[str, list[tuple[int, Signed]]] = field(default_factory=dict)

    def write(self, act: str, by: str, wrote: Sequence[str] = (), read: Sequence[str] = (), **facts: str) -> int:
        number = len(self.events) + 1
        self.events.append(Event(number=number, previous="", when="", act=act, project="", person=by, roles=(), solo=number == 1, read=tuple(read), wrote=tuple(wrote), facts=facts))
        return number

    def person(self, by: str, name: str, roles: set[str]) -> None:
        person = Person(name=name, roles=tuple(sorted(roles)))
        self.persons[person.id] = person
        number = self.write("person.changed", by, [person.id])
        for role in roles - self.held.get(name, set()):
            self.given_by[name, role] = (number, by)
            self.gave.append((number, by, name, role))
        self.held[name] = set(roles)

    def secure(self, by: str, name: str) -> None:
        number = self.write("person.secured", by, read=[next(id for id, person in self.persons.items() if person.name == name)], what="token made")
        if by != name:
            self.gave.append((number, by, name, ""))

    def hands(self, name: str, role: str, opened: int, before: int = 0) -> set[str]:
        """Everybody who could have made this signature, found the slow way: who gave the role or a way in since it was open, and who gave to them before."""
        now = [gift for gift in self.gave if gift[2] == name and (not before or gift[0] < before)]
        counted = [gift for gift in now if gift[3] == ""] + [gift for gift in now if gift[3] == role][-1:]
        found = set()
        for number, by, _, _ in counted:
            if number > opened:
                found |= {by} | self.hands(by, "admin", opened, number)
        return found

    def named_in(self, ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
        return {id: self.names[id] for id in ids if id in self.names}

    @property
    def book(self) -> Book:
        return Book(self.events, self.named_in, self.persons)

    def made_by(self, item: str) -> set[str]:
        """Everybody who made a part of it, found the slow way."""
        parts, before = {item}, set[str]()
        while parts != before:
            before = set(parts)
            for part in before:
                parts |= self.names.get(part, frozenset())
                parts |= {read for e in self.events if part in e.wrote and e.act in duties.AUTHORING for read in e.read}
        return {e.person for e in self.events if e.act in duties.AUTHORING and parts & set(e.wrote)}


def steps_of(chance: Random, count: int) -> Iterator[tuple[str, str, Any, Any]]:
    """Random acts of random people. Signing is tried most often, and mostly on what is newest."""
    for _ in range(count):
        what = chance.choices(("role", "make", "sign", "secure"), (2, 2, 9, 1))[0]
        who = chance.choice(NAMES)
        if what == "role":
            yield what, who, chance.choice(NAMES), {role for role in (*ROLES, "admin") if chance.random() < 0.7}
        elif what == "make":
            yield what, who, chance.choice(("adapter.trained", "rows.accepted", "trial.measured")), chance.randrange(6)
        elif what == "secure":
            yield what, who, chance.choice(NAMES), None
        else:
            yield what, who, chance.choice(ROLES), chance.choice((0, 0, 1))


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_whatever_people_do_no_signature_is_wrong(seed: int) -> None:
    chance = Random(seed)
    world = World()
    world.person("root", "chief", {"admin"})
    for name in NAMES:
        world.person("chief", name, {role for role in ROLES if chance.random() < 0.7})
    items: list[str] = []
    for what, who, one, other in steps_of(chance, 60):
        if what == "role":
            world.person(who, one, set(other))  # a role given to oneself too: the ledger may hold one, the rules must not heed it
        elif what == "make":
            made = rid("candidate", len(items))
            if items and other % 2:
                world.names[made] = frozenset({items[-1]})
            world.write(one, who, [made], [items[-1]] if items and other % 3 == 0 else [])
            items.append(made)
        elif what == "secure":
            world.secure(who, one)
        elif items:
            item = items[-1 - other % min(2, len(items))]
            given = world.signatures.setdefault(item, [])
            if not OpenItem.of(world.book, [item]).reasons(who, one, [signed for _, signed in given]):
                begun = next(e.number for e in world.events if item in e.wrote)
                hands = world.hands(who, one, begun)
                assert not hands & world.made_by(item), "an author has a hand in it"
                for signed in (signed for _, signed in given if signed.person != who):
                    theirs = world.hands(signed.person, signed.role, begun)
                    assert not (hands | {who}) & (theirs | {signed.person}), "two signatures of one hand"
                assert not [s for _, s in given if s.person != who and world.given_by[s.person, s.role] > (begun, who) and world.given_by[s.person, s.role][1] == who]
                given.append((world.write("approval.signed", who), Signed(who, one)))
                number, by = world.given_by[who, one]
                assert one in world.held[who]
                assert by != who
                opened = next(e.number for e in world.events if item in e.wrote)
                assert number < opened or by not in {signed.person for _, signed in given}
                assert not [w for (w, role), (n, giver) in world.given_by.items() if giver == who and role == one and n > opened and w != who]
    for item, given in world.signatures.items():
        event(f"{min(len({signed.person for _, signed in given}), 3)} people signed an item")
        for _, signed in given:
            assert signed.person not in world.made_by(item)
        assert len({(s.person, s.role) for _, s in given}) >= len({s.person for _, s in given})
        assert all(len({s.role for _, s in given if s.person == name}) == 1 for name in {s.person for _, s in given})
        opened = next(e.number for e in world.events if item in e.wrote)
        signers = {signed.person for _, signed in given}
        lent = {(e.person, world.persons[id].name) for e in world.events[opened:] if e.act == "person.secured" for id in e.read}
        late = [number for number, _ in given]
        # Whoever could sign in as somebody did not sign beside them, unless that came after both signatures.
        for giver, whose in lent:
            if giver != whose and {giver, whose} <= signers:
                when = max(e.number for e in world.events if e.act == "person.secured" and e.person == giver)
                assert when > min(late)


def open_room(folder: Path) -> Workspace:
    room = Workspace.open(folder, settings=Settings(person="ada"), create=True)
    room.add_person("ada", ["admin"])
    for name, held in (("dan", "data_scientist"), ("tess", "tester"), ("bo", "business_owner"), ("root", "legal")):
        people.add(room, name, [held])
    return room


def tried(room: Workspace, act: str, by: str, system: str = "") -> Candidate:
    made = Candidate(base="base:" + "0" * 64, prompt=Prompt(system=system))
    with room.as_person(by).act(act) as doing:
        doing.write(made)
    return made


def test_the_author_is_named_and_somebody_else_may_sign(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    people.change(room, "dan", give=["tester"])
    item = tried(room, "dev.measured", "dan")
    dan = room.as_person("dan").person
    with pytest.raises(NotAllowedError, match="may not sign for support as tester") as caught:
        duties.check_signature(room, PROJECT, dan, "tester", [item.id], [Signed("dan", "legal")], policy_solo=True)
    assert caught.value.problems == ("dan made part of it (dev.measured)", "dan has signed it as legal; nobody gives two signatures")
    assert "ask tess" in caught.value.next
    assert duties.who_may(room, PROJECT, "tester", [item.id]) == ["tess"]
    duties.check_signature(room, PROJECT, room.as_person("tess").person, "tester", [item.id])
    assert duties.authors(room, [item.id]) == {"dan": {"dev.measured"}}


def test_lineage_goes_through_events_and_through_what_records_name(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    first = tried(room, "dev.measured", "dan")
    people.change(room, "bo", give=["data_scientist"])
    named = Candidate(base="base:" + "0" * 64, prompt=Prompt(system="second"), adapter=first.id)
    read = Candidate(base="base:" + "0" * 64, prompt=Prompt(system="third"))
    with room.as_person("bo").act("dev.measured") as act:
        act.write(named)
    with room.as_person("bo").act("model.chosen", read=[named.id]) as act:
        act.write(read)
    assert duties.authors(room, [read.id]) == {"bo": {"dev.measured", "model.chosen"}, "dan": {"dev.measured"}}
    assert duties.authors(room, ["candidate:" + "9" * 64]) == {}
    searching = Candidate(base="base:" + "0" * 64, prompt=Prompt(), retrieval=Retrieval(index="index:" + "5" * 64))
    room.store.put(searching)
    with room.as_person("bo").act("index.built", read=[first.id]) as act:
        act.facts["index"] = "index:" + "5" * 64
    # An index is no record: its builder is known by the event's fact.
    assert duties.authors(room, [searching.id]) == {"bo": {"index.built"}, "dan": {"dev.measured"}}


def test_what_was_done_alone_counts_for_the_first_person(tmp_path: Path) -> None:
    alone = Workspace.open(tmp_path, settings=Settings(person="login"), create=True)
    item = Candidate(base="base:" + "0" * 64, prompt=Prompt())
    with alone.act("dev.measured") as act:
        act.write(item)
    duties.check_signature(alone, PROJECT, alone.person, "tester", [item.id], policy_solo=True)
    with pytest.raises(NotAllowedError, match="asks for independent signatures"):
        duties.check_signature(alone, PROJECT, alone.person, "tester", [item.id], policy_solo=False)
    alone.add_person("ada", ["tester"])
    ada = Workspace.open(tmp_path, settings=Settings(person="ada"))
    with pytest.raises(NotAllowedError) as caught:
        duties.check_signature(ada, PROJECT, ada.person, "tester", [item.id], policy_solo=True)
    assert "ada made part of it (dev.measured)" in caught.value.problems
    assert "nobody may as things stand" in caught.value.next


def test_who_hands_out_a_role_or_a_token_cannot_use_it_on_what_is_open(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    people.change(room, "bo", give=["admin"])
    people.change(room.as_person("bo"), "ada", give=["tester", "legal"])
    item = tried(room, "dev.measured", "dan")
    people.change(room, "root", give=["tester"])
    token = people.make_token(room, "tess")
    assert room.store.accounts.person_of_token(token) == "tess"
    assert duties.who_may(room, PROJECT, "tester", [item.id]) == ["root", "tess"]
    assert duties.who_may(room, PROJECT, "legal", [item.id]) == ["ada", "root"]
    # ada signs as legal: then neither the role she gave root nor the token she gave tess counts here any more.
    assert duties.who_may(room, PROJECT, "tester", [item.id], [Signed("ada", "legal")]) == []
    # And the other way round: once root has signed with that role, she may not sign at all.
    assert duties.who_may(room, PROJECT, "legal", [item.id], [Signed("root", "tester")]) == []


def test_an_author_brings_in_no_signer_not_even_through_somebody_else(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    people.change(room, "dan", give=["admin"])
    item = tried(room, "dev.measured", "dan")
    people.add(room.as_person("dan"), "puppet", ["tester"])
    people.add(room.as_person("dan"), "helper", ["admin"])
    people.add(room.as_person("helper"), "second", ["tester"])
    people.add(room, "fair", ["tester"])
    assert duties.who_may(room, PROJECT, "tester", [item.id]) == ["fair", "tess"]
    with pytest.raises(NotAllowedError) as caught:
        duties.check_signature(room, PROJECT, room.as_person("second").person, "tester", [item.id])
    assert caught.value.problems == ("dan, who made it, made helper admin while it was open",)
    later = tried(room, "dev.measured", "dan", "another")
    assert duties.who_may(room, PROJECT, "tester", [later.id]) == ["fair", "puppet", "second", "tess"], "what is made from then on they may sign"


def test_one_admin_brings_in_one_signer_while_it_is_open(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    people.add(room, "cora", ["admin"])
    item = tried(room, "dev.measured", "dan")
    people.add(room, "new", ["tester"])
    people.make_token(room, "bo")
    assert duties.who_may(room, PROJECT, "tester", [item.id]) == ["new", "tess"]
    assert duties.who_may(room, PROJECT, "business_owner", [item.id], [Signed("new", "tester")]) == []
    assert duties.who_may(room, PROJECT, "business_owner", [item.id], [Signed("tess", "tester")]) == ["bo"]
    with pytest.raises(NotAllowedError) as caught:
        duties.check_signature(room, PROJECT, room.as_person("bo").person, "business_owner", [item.id], [Signed("new", "tester")])
    assert caught.value.problems == ("ada gave bo a way to sign in while it was open, and had a hand in the signature of new (tester), who signed it, too",)
    people.add(room.as_person("cora"), "other", ["business_owner"])
    assert duties.who_may(room, PROJECT, "business_owner", [item.id], [Signed("new", "tester")]) == ["other"]


def test_nothing_is_signed_that_the_ledger_does_not_know(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    with pytest.raises(NotFoundError, match="knows nothing of"):
        duties.check_signature(room, PROJECT, room.person, "tester", ["candidate:" + "7" * 64])
    with pytest.raises(UsageError, match="No role is named boss"):
        duties.who_may(room, PROJECT, "boss", ["candidate:" + "7" * 64])
