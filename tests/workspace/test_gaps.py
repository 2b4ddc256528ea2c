"""What a team lacks: each gap is found where it is planted, and none where there is none."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from whytune.records.ledger import Person
from whytune.records.team import BoxDuty, Branch, Skills, TeamFunction, TeamTable
from whytune.workspace import gaps, team_table
from whytune.workspace.gaps import Team

SIGNS = ("tester", "legal", "business_owner")


def person(name: str, *roles: str) -> Person:
    return Person(name=name, roles=roles)


def small(**more: object) -> TeamTable:
    duty = BoxDuty(box="Train", stage="train", roles=("data_scientist",), responsible=("DS/Scientists",), accountable=("DS/Scientists",), skills=("fine-tuning",), years=3)
    accepted = BoxDuty(box="Accepted?", stage="accept", roles=("business_owner",), responsible=("Biz/Owner",), accountable=("Biz/Owner",))
    branches = (Branch(name="DS", functions=(TeamFunction(name="Scientists"),)), Branch(name="Biz", functions=(TeamFunction(name="Owner"),)))
    return TeamTable.model_validate({"head": "x", "branches": branches, "duties": (accepted, duty), "signatures": ("tester", "business_owner"), **more})


FULL = (person("dan", "data_scientist"), person("bo", "business_owner"), person("tess", "tester"))
SKILLED = {
    "dan": Skills(person="dan", functions=("DS/Scientists",), skills=("Fine-Tuning ",), years=3),
    "bo": Skills(person="bo", functions=("Biz/Owner",), domains=("banking",)),
}


def kinds(team: Team) -> list[tuple[str, str]]:
    return [(gap.stage, gap.kind) for gap in gaps.find(team)]


def test_a_full_team_has_no_gap() -> None:
    assert gaps.find(Team(small(domains=("Banking",)), FULL, SKILLED)) == ()


def test_each_thing_missing_is_told_before_the_stage_that_needs_it() -> None:
    team = Team(small(domains=("law",)), FULL[1:], {"bo": SKILLED["bo"], "dan": SKILLED["dan"]})
    # dan declares skills but is no longer here: they do not count.
    assert kinds(team) == [("train", "duty"), ("train", "skill"), ("train", "experience"), ("train", "branch"), ("train", "domain")]
    assert "nobody is data_scientist" in gaps.find(team)[0].sentence
    team = Team(small(), FULL, {"dan": Skills(person="dan", functions=("DS/Scientists",), skills=("fine-tuning",), years=2), "bo": SKILLED["bo"]})
    assert [gap.sentence for gap in gaps.find(team)] == ["3 years of experience are asked for; the most experienced has 2"]


def test_signatures_that_cannot_be_given() -> None:
    def said(people: tuple[Person, ...], authors: dict[str, set[str]] | None = None) -> str:
        return "; ".join(gap.sentence for gap in gaps.find(Team(small(), people, SKILLED, authors or {})) if gap.kind == "conflict")

    assert said(FULL) == ""
    assert said(FULL[:2]) == "nobody is tester, whose signature is needed"
    both = (FULL[0], person("bo", "business_owner", "tester"))
    assert "one person may not give two signatures: bo would have to sign as business_owner and as tester" in said(both)
    assert said((*both, FULL[2])) == ""
    assert "tess would have to sign as tester, but made part of it (adapter.trained)" in said(FULL, {"tess": {"adapter.trained"}})
    maker = (FULL[0], FULL[1], person("tess", "tester", "data_scientist"))
    assert "tess would have to sign as tester, and holds a maker's role too" in said(maker)
    assert said(maker, {"dan": {"adapter.trained"}}) == ""


@settings(max_examples=40)
@given(held=st.lists(st.sets(st.sampled_from(SIGNS)), min_size=1, max_size=4), made=st.sets(st.integers(0, 3)))
def test_no_conflict_is_told_exactly_where_different_people_can_sign(held: list[set[str]], made: set[int]) -> None:
    people = [person(f"p{i}", *sorted(roles)) for i, roles in enumerate(held)]
    authors = {f"p{i}": {"adapter.trained"} for i in made}
    table = small(signatures=SIGNS)
    found = [gap for gap in gaps.find(Team(table, people, {}, authors)) if gap.kind == "conflict"]
    free = [p for p in people if p.name not in authors]
    possible = any(all(role in p.roles for role, p in zip(SIGNS, chosen, strict=True)) for chosen in itertools.permutations(free, len(SIGNS)))
    assert (not found) == possible


def test_the_default_table_is_filled_by_one_person_a_role() -> None:
    table = team_table.default()
    people = [person(role, role) for role in {role for duty in table.duties for role in duty.roles} | set(table.signatures)]
    assert {gap.kind for gap in gaps.find(Team(table, people))} == {"skill", "branch"}
