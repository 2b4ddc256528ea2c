"""Private projects: the people they name and auditors see them, to all others they are not there, at every door."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from whytune.errors import NotAllowedError, NotFoundError, RefusedError
from whytune.settings import Settings
from whytune.workspace import checkpoints, config, people, privacy
from whytune.workspace.workspace import Workspace

FILE = 'name = "{name}"\ntask = "categorization"\n[owners]\nbusiness_owner = "olga"\n[data]\nfrom = ["rows.csv"]\n[acceptance]\nmetric = "accuracy"\nbar = 0.8\nmargin = 0.05\n'
SECLUDED = '[access]\nprivate = true\npeople = ["remy"]\n'
ROLES = {"olga": "business_owner", "remy": "tester", "audrey": "auditor", "stan": "data_scientist", "omar": "operator"}


def folder(room: Workspace, name: str, more: str = "") -> Path:
    place = room.root / name
    place.mkdir()
    (place / config.FILE).write_text(FILE.format(name=name) + more, "utf-8")
    return place


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    with Workspace.open(tmp_path, settings=Settings(person="ada"), create=True).store as store:
        room = Workspace(tmp_path, store, Settings(person="ada"))
        folder(room, "open")
        folder(room, "merger", SECLUDED)
        people.add(room, "ada", ["admin"])
        for name, role in ROLES.items():
            people.add(room, name, [role])
        yield room


def names(room: Workspace, person: str) -> list[str]:
    return [project.name for project in room.as_person(person).projects()]


def test_the_people_it_names_and_auditors_see_it_and_nobody_else(room: Workspace) -> None:
    assert {person: names(room, person) for person in ("ada", *ROLES)} == {
        "olga": ["merger", "open"], "remy": ["merger", "open"], "audrey": ["merger", "open"], "stan": ["open"], "ada": ["open"], "omar": ["open"],
    }  # fmt: skip


def test_to_a_stranger_it_is_not_there_by_any_name(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    stan = room.as_person("stan")
    monkeypatch.chdir(room.root / "merger")
    for name in ("merger", str(room.root / "merger"), "../merger", ""):
        with pytest.raises(NotFoundError) as hidden:
            stan.project(name)
        assert "merger" not in hidden.value.where
    with pytest.raises(NotFoundError) as missing:
        stan.project("nothing")
    with pytest.raises(NotFoundError) as hidden:
        stan.project("merger")
    assert str(hidden.value).replace("merger", "nothing") == str(missing.value)
    assert room.as_person("remy").project("").name == "merger"


def test_nobody_writes_into_what_they_do_not_see(room: Workspace) -> None:
    with pytest.raises(NotFoundError), room.as_person("omar").act("release.retired", project="merger"):
        raise AssertionError("not reached")
    with pytest.raises(RefusedError, match="went through"), room.as_person("omar").act("release.retired", project="open"):
        raise RefusedError("it went through", next="nothing")


def test_its_events_are_not_shown_and_the_ledger_is_not_handed_out_in_part(room: Workspace, tmp_path: Path) -> None:
    for project in ("open", "merger"):
        with room.as_person("remy").act("dataset.approved", project=project):
            pass
    seen = {person: {event.project for event in room.as_person(person).events()} for person in ("stan", "audrey")}
    assert seen == {"stan": {"", "open"}, "audrey": {"", "open", "merger"}}
    assert room.as_person("stan").events("merger") == []
    with pytest.raises(NotAllowedError, match="private"):
        checkpoints.export(room.as_person("stan"), tmp_path / "events.jsonl")
    assert checkpoints.export(room.as_person("audrey"), tmp_path / "events.jsonl") == len(room.whole().events())


def test_a_second_folder_of_the_same_name_opens_nothing(room: Workspace) -> None:
    place = folder(room, "decoy")
    (place / config.FILE).write_text(FILE.format(name="merger"), "utf-8")
    stan = room.as_person("stan")
    assert [project.name for project in stan.projects()] == ["open"]
    with pytest.raises(NotFoundError):
        stan.project("decoy")


def test_a_broken_file_stays_shut_and_lets_its_owners_mend_it(room: Workspace) -> None:
    for slip in ("bar = ", 'surprise = "x"\n'):
        (room.root / "merger" / config.FILE).write_text(FILE.format(name="merger").replace("margin = 0.05\n", slip + "\n") + SECLUDED, "utf-8")
        assert names(room, "stan") == ["open"]
        with pytest.raises(NotFoundError):
            room.as_person("stan").project("merger")
        assert room.as_person("olga").project("merger").folder == room.root / "merger"
    assert room.as_person("remy").project("merger")  # a file that is TOML names its further people too


def test_a_project_becomes_private_and_open_again_at_once(room: Workspace) -> None:
    file = room.root / "open" / config.FILE
    for private, seen in ((True, []), (False, ["open"])):
        file.write_text(FILE.format(name="open") + f"[access]\nprivate = {str(private).lower()}\n", "utf-8")
        assert names(room, "stan") == seen


def test_privacy_is_no_part_of_the_use_case_and_is_written_back(room: Workspace) -> None:
    file = config.read(room.root / "merger")
    opened = file.model_copy(update={"access": config.AccessSection()})
    assert file.usecase.id == opened.usecase.id
    (room.root / "merger" / config.FILE).write_text(config.write(file), "utf-8")
    assert config.read(room.root / "merger").access == config.AccessSection(private=True, people=("remy",))


def test_a_person_alone_sees_everything(tmp_path: Path) -> None:
    with Workspace.open(tmp_path, settings=Settings(person="ada"), create=True).store as store:
        room = Workspace(tmp_path, store, Settings(person="ada"))
        folder(room, "merger", SECLUDED)
        assert [project.name for project in room.projects()] == ["merger"]


def test_who_keeps_order_learns_the_name_and_no_more(room: Workspace) -> None:
    assert [(one.key, sorted(one.people)) for one in privacy.named(room.as_person("ada"))] == [("merger", ["olga", "remy"])]
    with pytest.raises(NotAllowedError):
        privacy.named(room.as_person("stan"))


def test_a_file_is_read_anew_once_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / config.FILE
    file.write_text(FILE.format(name="one"), "utf-8")
    monkeypatch.setattr(config, "SETTLED", -(10**18))  # as though it had been written long ago
    first = config.read(tmp_path)
    assert config.read(tmp_path) is first
    later = time.time_ns() + 10**9
    file.write_text(FILE.format(name="two"), "utf-8")
    os.utime(file, ns=(later, later))
    assert config.read(tmp_path).name == "two"
