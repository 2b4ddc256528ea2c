"""Where projects are looked for, and that what is remembered of the workspace itself follows every act."""

from __future__ import annotations

from pathlib import Path

from whytune.records.ledger import Person
from whytune.settings import Settings
from whytune.workspace import lately, people
from whytune.workspace.config import FILE
from whytune.workspace.workspace import Workspace


def test_projects_lie_in_the_workspace_or_two_folders_below_and_never_in_hidden_ones(tmp_path: Path) -> None:
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    for place in ("b", "a", "a/inner", "a/inner/too-deep", ".hidden", "a/.hidden", "elsewhere"):
        (tmp_path / place).mkdir()
        (tmp_path / place / FILE).write_text("", "utf-8")
    (tmp_path / "elsewhere" / FILE).unlink()
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    (tmp_path / "a" / "round").symlink_to(tmp_path / "a" / "round")
    assert room.folders() == [tmp_path / place for place in ("a", "a/inner", "b", "linked")]
    (tmp_path / FILE).write_text("", "utf-8")
    assert room.folders()[0] == tmp_path
    room.store.close()


def test_people_are_read_again_after_an_act_of_another_process_and_only_then(tmp_path: Path) -> None:
    room, other = (Workspace.open(tmp_path, settings=Settings(person="root"), create=True) for _ in range(2))
    assert lately.standing(room.store, Person) == ()
    people.add(other, "root", ["admin"])
    first = lately.standing(room.store, Person)
    assert [person.name for person in first] == ["root"]
    assert lately.standing(room.store, Person) is first
    people.add(other.as_person("root"), "tess", ["tester"])
    assert [person.name for person in room.people()] == ["root", "tess"]
    people.change(other.as_person("root"), "tess", take=["tester"])
    assert [(person.name, person.roles) for person in room.people() if person.name == "tess"] == [("tess", ())]
    for one in (room, other):
        one.store.close()
