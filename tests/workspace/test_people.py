"""People and roles: who may change whom, how somebody proves who they are, what breaking the glass gives and does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from whytune.errors import NotAllowedError, NotFoundError, UsageError
from whytune.records.candidate import Candidate, Prompt
from whytune.records.team import BreakGlass
from whytune.settings import Settings
from whytune.store import accounts as accounts_module
from whytune.workspace import duties, people
from whytune.workspace.workspace import Workspace

GOOD = "correct horse battery"
PROJECT: Any = SimpleNamespace(name="support")


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    monkeypatch.delenv(people.TOKEN_VARIABLE, raising=False)
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    people.add(room, "ada", ["business_owner"])
    people.add(room, "bo", ["tester"])
    return room


def again(room: Workspace, name: str) -> Workspace:
    return Workspace.open(room.root, settings=Settings(person=name))


def test_the_first_person_becomes_admin_and_nobody_changes_themself(room: Workspace) -> None:
    assert room.person.roles == ("business_owner", "admin")
    with pytest.raises(NotAllowedError, match="ada may not change their own roles"):
        people.change(room, "ada", give=["tester"])
    with pytest.raises(NotAllowedError, match="ada may not change their own roles"):
        room.add_person("ada", ["tester"])
    with pytest.raises(NotAllowedError, match="may not do 'person.changed'"):
        people.change(again(room, "bo"), "ada", take=["admin"])
    assert people.change(room, "bo", give=["admin"], take=["tester"]).roles == ("admin",)
    assert people.change(again(room, "bo"), "ada", give=["legal"]).roles == ("business_owner", "legal", "admin")


def test_the_last_word_about_a_person_counts_though_it_was_said_before(room: Workspace) -> None:
    people.change(room, "bo", give=["legal"])
    people.change(room, "bo", take=["legal"])
    assert again(room, "bo").person.roles == ("tester",)
    assert {person.name: person.roles for person in room.people()}["bo"] == ("tester",)


def test_all_mistakes_of_a_name_at_once(room: Workspace) -> None:
    with pytest.raises(UsageError, match="cannot be a name") as caught:
        people.add(room, " B\u200bo/", ["tester"])
    assert len(caught.value.problems) == 2
    with pytest.raises(UsageError) as caught:
        people.add(room, "\uff22\uff4f", ["tester"])  # full-width letters that read "Bo"
    assert caught.value.problems == ("it reads like bo, who is here already",)
    with pytest.raises(UsageError, match="a person of this workspace already"):
        people.add(room, "bo", ["tester"])
    with pytest.raises(UsageError, match="given and taken at once"):
        people.change(room, "bo", give=["legal"], take=["legal"])
    with pytest.raises(NotFoundError, match="'cy' is not a person"):
        people.change(room, "cy", give=["legal"])
    with pytest.raises(UsageError, match="No role is named boss"):
        people.change(room, "bo", give=["boss"])


@pytest.mark.slow
def test_a_name_is_enough_until_there_is_a_password_or_a_token(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    bo = again(room, "bo")
    people.set_password(bo, "bo", GOOD)
    with pytest.raises(NotAllowedError, match="the name alone is not enough"):
        _ = again(room, "bo").person
    with pytest.raises(NotAllowedError, match="name or the password is wrong"):
        people.prove(room, "bo", "wrong password")
    token = people.make_token(people.prove(again(room, "bo"), "bo", GOOD), "bo", "laptop")
    monkeypatch.setenv(people.TOKEN_VARIABLE, token)
    assert again(room, "bo").person.name == "bo"
    assert again(room, "").person.name == "bo"
    with pytest.raises(NotAllowedError, match="is not ada's"):
        _ = again(room, "ada").person
    monkeypatch.setenv(people.TOKEN_VARIABLE, token + "x")
    with pytest.raises(NotAllowedError, match="unknown, expired or revoked"):
        _ = again(room, "bo").person


def test_only_oneself_or_an_admin_touches_how_somebody_signs_in(room: Workspace) -> None:
    bo = again(room, "bo")
    with pytest.raises(NotAllowedError, match="bo may not change how ada signs in"):
        people.make_token(bo, "ada")
    with pytest.raises(NotAllowedError, match="bo may not change how ada signs in"):
        people.set_password(bo, "ada", GOOD)
    people.make_token(room, "ada", "mine")
    people.make_token(room, "bo", "given")
    ada, bo = room.as_person("ada"), room.as_person("bo")
    assert [note.label for note in people.tokens(ada)] == ["mine", "given"]
    assert [note.label for note in people.tokens(bo)] == ["given"]
    with pytest.raises(NotFoundError):
        people.revoke(bo, people.tokens(ada)[0].id)
    people.revoke(bo, people.tokens(bo)[0].id)
    secured = [event for event in room.events() if event.act == "person.secured"]
    assert [(event.person, event.facts["what"]) for event in secured] == [("ada", "token made"), ("ada", "token made"), ("bo", "token revoked")]


def test_who_has_no_role_left_is_shut_out(room: Workspace) -> None:
    token = people.make_token(room, "bo")
    people.change(room.as_person("ada"), "bo", take=["tester"])
    assert room.store.accounts.person_of_token(token) is None


def test_breaking_the_glass_gives_the_operators_role_for_a_while_and_signs_nothing(room: Workspace) -> None:
    with pytest.raises(UsageError) as caught:
        people.break_glass(room, "oh", 48)
    assert len(caught.value.problems) == 2
    with pytest.raises(NotAllowedError):
        people.break_glass(again(room, "bo"), "the server is down", 2)
    item = Candidate(base="base:" + "0" * 64, prompt=Prompt())
    people.change(room, "bo", give=["data_scientist"])
    with room.as_person("bo").act("dev.measured") as act:
        act.write(item)
    people.break_glass(room, "the server is down", 2)
    assert "operator" in room.person.roles
    with room.act("alias.set") as act:
        act.facts["alias"] = "champion"
    assert room.events()[-1].roles == ("business_owner", "admin", "operator")
    with pytest.raises(NotAllowedError, match="may not sign") as caught:
        duties.check_signature(room, PROJECT, room.person, "operator", [item.id])
    assert caught.value.problems[0].startswith("ada is not operator")
    assert [glass.person for glass in people.open_glass(room)] == ["ada"]


def test_a_broken_glass_expires(room: Workspace) -> None:
    past = datetime.now(UTC) - timedelta(hours=3)
    with room.act("break_glass.used") as act:
        act.write(BreakGlass(person="ada", role="operator", reason="the server is down", since=past.isoformat(), until=(past + timedelta(hours=2)).isoformat(timespec="seconds")))
    assert people.open_glass(room) == []
    assert "operator" not in again(room, "ada").person.roles


def test_a_person_alone_breaks_no_glass(tmp_path: Path) -> None:
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    with pytest.raises(UsageError, match="not broken"):
        people.break_glass(room, "the server is down", 2)
