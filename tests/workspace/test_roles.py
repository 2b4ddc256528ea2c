"""Who may do what: solo holds every role, nobody else is exempt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.errors import NotAllowedError, UsageError
from whytune.records.ledger import ROLES, Person
from whytune.settings import Settings
from whytune.workspace import roles
from whytune.workspace.workspace import Workspace


@given(held=st.sets(st.sampled_from(sorted(ROLES))), act=st.sampled_from(sorted(roles.ACTS)))
def test_an_act_is_allowed_exactly_to_those_who_hold_one_of_its_roles(held: set[str], act: str) -> None:
    person = Person(name="somebody", roles=tuple(held))
    if held & set(roles.ACTS[act]):
        roles.check(person, act)
    else:
        with pytest.raises(NotAllowedError):
            roles.check(person, act)


def test_every_role_of_the_table_exists() -> None:
    assert {role for held in roles.ACTS.values() for role in held} <= set(ROLES)


def test_a_person_alone_is_solo_and_every_event_says_so(tmp_path: Path) -> None:
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    assert room.person.solo
    room.add_person("bea", ["data_creator"])
    assert [event.solo for event in room.events()] == [True]


def test_once_people_are_known_only_they_act_and_only_in_their_roles(tmp_path: Path) -> None:
    Workspace.open(tmp_path, settings=Settings(person="ada"), create=True).add_person("chief", ["auditor"])
    with pytest.raises(NotAllowedError, match="'ada' is not a person"):
        _ = Workspace.open(tmp_path, settings=Settings(person="ada")).person
    Workspace.open(tmp_path, settings=Settings(person="chief")).add_person("bea", ["data_creator"])
    bea = Workspace.open(tmp_path, settings=Settings(person="bea"))
    with pytest.raises(NotAllowedError, match="may not do 'person.changed'"):
        bea.add_person("cem", ["admin"])
    with bea.act("dataset.created") as act:
        act.facts["rows"] = "0"
    with pytest.raises(UsageError, match="No role is named boss"):
        bea.add_person("cem", ["boss"])
    assert [event.act for event in bea.events()] == ["person.changed", "person.changed", "dataset.created"]
