"""The first start of the server: what is made, who gets a link, and when nobody does."""

from __future__ import annotations

from pathlib import Path

import pytest

from whytune.errors import NotFoundError, RefusedError, UsageError
from whytune.records.ledger import ROLES
from whytune.settings import Settings
from whytune.store import accounts as accounts_module
from whytune.workspace import opening, people
from whytune.workspace.workspace import Workspace

GOOD = "correct horse battery"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WHYTUNE_PERSON", "ada")
    return tmp_path


def room(place: Path) -> Workspace:
    return Workspace.open(place, settings=Settings(person="ada"))


def test_the_first_start_makes_a_workspace_and_its_first_person_with_every_role(place: Path) -> None:
    begun = opening.begin(place)
    assert (begun.root, begun.person, begun.made, begun.founded) == (place, "ada", True, True)
    with room(place).store as store:
        made = Workspace(place, store, Settings(person="ada"))
        assert [(one.name, set(one.roles)) for one in made.people()] == [("ada", set(ROLES))]
        acting = people.welcomed(made, begun.link, GOOD)
        assert acting.person.name == "ada"
        assert store.accounts.check_password("ada", GOOD)


def test_the_first_person_may_be_named(place: Path) -> None:
    assert opening.begin(place, first="Olga Owner").person == "Olga Owner"
    with pytest.raises(RefusedError, match="people in this workspace already"):
        opening.begin(place, first="somebody else")


def test_a_name_that_cannot_be_is_refused_and_nothing_is_made(place: Path) -> None:
    with pytest.raises(UsageError):
        opening.begin(place, first="../x")
    with room(place).store as store:
        assert Workspace(place, store, Settings(person="ada")).people() == []


def test_whoever_starts_it_and_has_no_password_gets_another_link_and_nobody_else_does(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opening.begin(place)
    second = opening.begin(place)
    assert (second.person, second.founded, second.made) == ("ada", False, False)
    assert second.link not in ("", first.link)
    with room(place).store as store:
        people.welcomed(Workspace(place, store, Settings(person="ada")), second.link, GOOD)
    assert opening.begin(place).link == ""
    monkeypatch.setenv("WHYTUNE_PERSON", "stranger")
    assert opening.begin(place) == opening.Opening(place)


def test_alone_nobody_is_made_and_with_people_nobody_is_alone(place: Path) -> None:
    assert opening.begin(place, alone=True) == opening.Opening(place, made=True)
    with room(place).store as store:
        assert Workspace(place, store, Settings(person="ada")).people() == []
    with pytest.raises(RefusedError, match="Either"):
        opening.begin(place, alone=True, first="ada")
    opening.begin(place)
    with pytest.raises(RefusedError, match="people in this workspace already"):
        opening.begin(place, alone=True)


def test_a_session_is_ended_by_its_person_or_an_admin_and_by_nobody_else(place: Path) -> None:
    opening.begin(place)
    with room(place).store as store:
        chief = Workspace(place, store, Settings(person="ada"))
        for name in ("bo", "cy"):
            people.add(chief, name, ["tester"])
        store.accounts.open_session("bo")
        (note,) = people.sessions(chief.as_person("bo"))
        assert people.sessions(chief.as_person("cy")) == []
        with pytest.raises(NotFoundError):
            people.end_session(chief.as_person("cy"), note.id)
        assert people.end_session(chief, note.id).person == "bo"
        assert store.accounts.sessions() == []
