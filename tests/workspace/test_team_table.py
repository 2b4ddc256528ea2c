"""The table of teams: the one that comes with whytune is whole, what is written is read again, every mistake is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whytune.errors import UsageError
from whytune.records.ledger import ROLES
from whytune.records.team import BoxDuty, Branch, TeamFunction, TeamTable
from whytune.workspace import flow, team_table

WORDS = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=8).map(lambda text: text.replace("/", "")).filter(str.strip)


def test_the_table_that_comes_with_whytune_has_the_five_branches_and_covers_every_role() -> None:
    table = team_table.default()
    assert [branch.name for branch in table.branches] == ["Business", "IT", "Architects", "Data Science", "Customer Success"]
    assert [len(branch.functions) for branch in table.branches] == [4, 5, 3, 7, 5]
    assert {role for function in team_table.functions(table).values() for role in function.roles} == set(ROLES)
    assert set(flow.STEPS) <= set(team_table.STAGES)
    assert table.head == "Chief AI Officer"


@settings(max_examples=20)
@given(head=WORDS, names=st.lists(WORDS, min_size=1, max_size=3, unique=True), functions=st.lists(WORDS, min_size=1, max_size=3, unique=True), years=st.floats(0, 80), skill=WORDS)
def test_what_is_written_is_read_again(head: str, names: list[str], functions: list[str], years: float, skill: str) -> None:
    made = [TeamFunction(name=name, roles=("tester",)) for name in functions]
    whole = f"{names[0]}/{functions[0]}"
    duty = BoxDuty(box=head, stage="train", roles=("tester",), responsible=(whole,), accountable=(whole,), skills=(skill,), years=years)
    table = TeamTable(head=head, branches=tuple(Branch(name=name, functions=tuple(made)) for name in names), duties=(duty,), signatures=("legal",), domains=(skill,))
    assert team_table.read(team_table.write(table)) == table


def test_the_default_survives_writing_and_reading() -> None:
    assert team_table.read(team_table.write(team_table.default())).id == team_table.default().id


def test_every_mistake_is_told_at_once() -> None:
    text = """
        head = "Boss"
        signatures = ["king"]
        [branches.IT]
        "Ops" = ["operators"]
        [[duties]]
        box = "Train"
        stage = "trian"
        roles = ["tester"]
        responsible = ["IT/Oops"]
        accountable = ["IT/Ops", "IT/Ops"]
        [[duties]]
        box = "Train"
        stage = "train"
        accountable = ["IT/Ops"]
    """
    with pytest.raises(UsageError, match="cannot be used") as caught:
        team_table.read(text)
    found = "\n".join(caught.value.problems)
    for word in ("IT/Ops: no role is named operators", "signatures: no role is named king", "stands there twice", "no stage 'trian'", "'IT/Oops', which no branch has", "not 2", "somebody must be responsible"):
        assert word in found
    with pytest.raises(UsageError, match="cannot be read"):
        team_table.read("head = ")
    with pytest.raises(UsageError) as caught:
        team_table.read('heat = 1\nduties = [{box = 1}]')
    assert len(caught.value.problems) >= 3
    with pytest.raises(UsageError, match=r"\[branches.NAME\]"):
        team_table.read('branches = 3')


def test_mistakes_of_content_are_told_beside_fields_that_are_missing() -> None:
    text = team_table.write(team_table.default()).replace('head = "Chief AI Officer"\n', "").replace('stage = "usecase"', 'stage = "dawn"').replace('["auditor"]', '["boss"]', 1)
    with pytest.raises(UsageError) as told:
        team_table.read(text)
    said = "\n".join(told.value.problems)
    for word in ("head: Field required", "no role is named boss", "there is no stage 'dawn'"):
        assert word in said
