"""Records: frozen, strict, and known by what they hold."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from whytune.records.candidate import Prompt, Recipe
from whytune.records.data import Example, Origin
from whytune.records.record import canonical_json, short

ORIGIN = Origin(source="0" * 64, file="rows.csv", line=2)


@given(system=st.text(), rank=st.integers(1, 512))
def test_the_same_content_has_the_same_id_after_a_round_trip(system: str, rank: int) -> None:
    prompt, recipe = Prompt(system=system), Recipe(rank=rank)
    assert Prompt.model_validate_json(prompt.model_dump_json()).id == prompt.id
    assert Recipe.model_validate(recipe.model_dump()).id == recipe.id


def test_the_id_is_the_same_in_another_process() -> None:
    code = "from whytune.records.candidate import Prompt; print(Prompt(system='Answer briefly.').id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == Prompt(system="Answer briefly.").id


def test_where_a_row_came_from_does_not_change_what_it_is() -> None:
    one = Example.of("a", "b", origin=ORIGIN)
    other = Example.of("a", "b", origin=ORIGIN.model_copy(update={"line": 9}))
    assert one.id == other.id
    assert one != other


def test_a_changed_copy_has_its_own_id() -> None:
    recipe = Recipe()
    before = recipe.id
    assert recipe.model_copy(update={"rank": 4}).id == Recipe(rank=4).id != before
    assert recipe.id == before


def test_unknown_fields_and_changes_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Recipe.model_validate({"rankk": 4})
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().rank = 4  # type: ignore[misc]
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"x": float("nan")})


def test_an_id_as_people_read_it() -> None:
    assert short("prompt:" + "a" * 64) == "prompt:aaaaaaaaaa"
    assert short("b" * 64) == "bbbbbbbbbb"
