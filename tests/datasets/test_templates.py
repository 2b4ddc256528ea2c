"""Questions from a table's rows: filled, found again in the row, told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from whytune.datasets import templates
from whytune.errors import DataError

TABLE = """Name,Team,Wickets,Born,Url,Best
Ann Lee,Reds,12,"May 1, 1990",http://x/1,3/12
Bo Park,Reds,7,"June 2, 1991",http://x/2,
Cy Young,Blues,-,,http://x/3,1/9
"""
TEMPLATES = """
title = "Name"
[[template]]
name = "team"
ask = ["What is the team of {Name}?", "Which team does {Name} play for?"]
answer = "{Name} plays for {Team}."
[[template]]
name = "wickets"
ask = ["How many wickets does {Name} have?"]
answer = "{Name} has {Wickets} wickets."
tags = {topic = "bowling"}
skip = ["7"]
[[template]]
name = "of the team"
ask = ["Who plays for {Team}?"]
answer = "{Name} plays for {Team}."
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "players.csv"
    path.write_text(TABLE, "utf-8")
    return path


def read(folder: Path, text: str = TEMPLATES) -> templates.TemplateFile:
    path = folder / "templates.toml"
    path.write_text(text, "utf-8")
    return templates.read_templates(path)


def test_each_value_of_an_answer_stands_in_its_row(table: Path, tmp_path: Path) -> None:
    made = templates.fill(table, read(tmp_path))
    said = {(one.template.name, one.row.title): one for one in made.rows}
    assert set(said) == {("team", "Ann Lee"), ("team", "Bo Park"), ("team", "Cy Young"), ("wickets", "Ann Lee"), ("of the team", "Cy Young")}
    for one in made.rows:
        for (start, end), name in zip(one.spans, one.template.answered_by, strict=True):
            assert one.row.text[start:end] == one.row.values[name]
            assert one.row.values[name] in one.answer
    wickets = said["wickets", "Ann Lee"]
    assert wickets.answer == "Ann Lee has 12 wickets."
    start, _ = wickets.spans[1]
    assert wickets.row.text[:start].endswith("Wickets: "), "the cell of its own column, not the first 12 there is"


def test_what_is_not_asked_is_counted(table: Path, tmp_path: Path) -> None:
    made = templates.fill(table, read(tmp_path))
    assert made.left_out == {"ambiguous": 2, "empty_cell": 1, "skipped_value": 1}
    assert made.ambiguous == ("of the team",)


def test_phrasings_are_drawn_by_the_seed(table: Path, tmp_path: Path) -> None:
    one = [row.question for row in templates.fill(table, read(tmp_path)).rows]
    assert one == [row.question for row in templates.fill(table, read(tmp_path)).rows]
    both = templates.fill(table, read(tmp_path, "phrasings = 2\n" + TEMPLATES))
    assert sum(row.template.name == "team" for row in both.rows) == 6


def test_a_cell_that_does_not_stand_in_the_document_makes_no_row(table: Path, tmp_path: Path) -> None:
    made = templates.fill(table, read(tmp_path, 'text = "Born"\n' + TEMPLATES))
    assert not made.rows
    assert made.left_out["not_in_document"] > 0


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ('[[template]]\nname = "a"\nask = []\nanswer = ""\nextra = 1', 4),
        ('[[template]]\nname = "a"\nask = ["x"]\nanswer = "y"\n[[template]]\nname = "a"\nask = ["x"]\nanswer = "{A}"', 2),
        ("[[template", 0),
    ],
)
def test_every_mistake_of_a_template_file_is_told(tmp_path: Path, text: str, problems: int) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert len(caught.value.problems) == problems


def test_columns_that_are_not_there_are_told_with_the_nearest(table: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        templates.fill(table, read(tmp_path, TEMPLATES.replace("{Wickets}", "{Wicket}").replace("{Team}", "{Club}")))
    assert len(caught.value.problems) == 4
    assert any("did you mean 'Wickets'" in problem for problem in caught.value.problems)


def test_a_first_file_of_templates_can_be_used_as_it_is(table: Path, tmp_path: Path) -> None:
    text = templates.draft(table)
    assert "{Url}" not in text, "addresses tell nothing"
    file = read(tmp_path, text)
    assert file.title == "Name"
    asked = {template.name: template.ask[0] for template in file.template}
    assert asked["wickets"] == "How many wickets does {Name} have?"
    assert asked["team"] == "What is the team of {Name}?"
    assert templates.fill(table, file).rows


@pytest.mark.parametrize(("column", "words"), [("MatchPlayed", "match played"), ("BattingAVG", "batting AVG"), ("R/O", "R/O"), ("100s", "100s"), ("Full Name", "full name"), ("run_rate", "run rate")])
def test_a_columns_name_as_words(column: str, words: str) -> None:
    assert templates.spelled(column) == words
