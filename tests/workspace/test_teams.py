"""Teams in a workspace: the table can be changed, people declare themselves, a run and the status say what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from whytune.errors import NotAllowedError, UsageError
from whytune.settings import Settings
from whytune.workspace import people, team_table, teams
from whytune.workspace.workspace import Workspace

PROJECT = """
name = "support"
task = "categorization"
[data]
from = ["rows.csv"]
[acceptance]
metric = "accuracy"
bar = 0.8
margin = 0.05
"""


@pytest.fixture
def room(tmp_path: Path) -> Workspace:
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "whytune.toml").write_text(PROJECT, "utf-8")
    return room


def test_a_person_alone_hears_of_no_gap(room: Workspace) -> None:
    assert teams.gaps(room.project("support")) == ()
    assert room.project("support").status().hints == ()
    assert teams.declare(room, "ada", skills=["statistics"]).skills == ("statistics",)
    with pytest.raises(UsageError, match="'bo' is not a person"):
        teams.declare(room, "bo", skills=["statistics"])


def test_the_table_in_force_is_the_one_put_there_last(room: Workspace) -> None:
    assert teams.table(room).id == team_table.default().id
    teams.edit(room, teams.as_text(room))
    assert room.events() == []  # the same table again is no change
    other = teams.as_text(room).replace("Chief AI Officer", "Head of AI")
    teams.edit(room, other)
    assert teams.table(room).head == "Head of AI"
    assert [event.act for event in room.events()] == ["team.changed"]


def test_one_declares_for_oneself_and_an_admin_for_all(room: Workspace) -> None:
    for name, role in (("ada", "business_owner"), ("bo", "tester")):
        people.add(room, name, [role])
    bo = room.as_person("bo")
    with pytest.raises(NotAllowedError, match="bo may not declare for ada"):
        teams.declare(bo, "ada", skills=["statistics"])
    teams.declare(bo, "bo", functions=["Data Science/Testing"], skills=["statistics", "statistics"], years=4)
    teams.declare(room, "bo", skills=["retrieval"])
    teams.declare(bo, "bo", functions=["Data Science/Testing"], skills=["statistics"], years=4)
    assert teams.declared(room)["bo"].skills == ("statistics",)
    with pytest.raises(UsageError) as caught:
        teams.declare(bo, "bo", functions=["Testing"], skills=[""], years=-1)
    assert len(caught.value.problems) == 3


def test_status_says_what_nobody_can_do_and_which_glass_is_broken(room: Workspace) -> None:
    people.add(room, "ada", ["business_owner"])
    people.break_glass(room, "the server is down", 2)
    hints = room.project("support").status().hints
    assert hints[0].startswith("ada broke the glass: operator until")
    assert "team: test (Validation, test, evaluation, leaderboard): nobody is tester, so nobody can do it" in hints
    assert "team: usecase (Use case): nobody of Business is declared" in hints
    assert not [hint for hint in hints if "statistics" in hint]  # a skill is asked for when its stage comes


def test_an_author_who_would_have_to_sign_is_a_gap_of_the_project(room: Workspace) -> None:
    people.add(room, "ada", ["business_owner"])
    said = teams.said(teams.gaps(room.project("support")), "accept")
    assert "accept (Accepted?): nobody is tester, whose signature is needed" in said
    people.add(room, "bo", ["tester", "data_creator"])
    said = teams.said(teams.gaps(room.project("support")), "accept")
    assert any(line.startswith("accept (Accepted?): bo would have to sign as tester, and holds a maker's role too") for line in said)


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def phase(self, name: str, total: int, unit: str = "") -> None:
        self.lines.append(name)

    def advance(self, n: int = 1, note: str = "") -> None:
        raise AssertionError("nothing is counted here")


def test_a_run_says_what_is_missing_before_the_stage_that_needs_it(room: Workspace) -> None:
    heard = Heard()
    room.project("support").run(heard, until="usecase")
    assert heard.lines == []
    people.add(room, "ada", ["business_owner"])
    room.project("support").run(heard, until="usecase")
    assert heard.lines == ["team: usecase (Use case): nobody has declared: use case analysis", "team: usecase (Use case): nobody of Business is declared"]
