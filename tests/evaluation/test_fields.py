"""JSON answers: what counts as the same value, what is hallucinated or missing, what is no answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.evaluation.fields import Fields, field_f1, field_f1_partial, find, hallucinated, missing, read

OBJECTS = st.dictionaries(
    st.sampled_from(["time", "date", "name", "people"]),
    st.one_of(
        st.none(),
        st.integers(-5, 5),
        st.booleans(),
        st.text(max_size=8),
        st.lists(st.text(max_size=4), max_size=3),
    ),
    max_size=4,
)


def fields(**values: object) -> Fields:
    found = read(json.dumps(values))
    assert found is not None
    return found


def test_values_are_the_same_after_folding() -> None:
    assert fields(time="  Half  PAST 7 ", people=5, vip=True, note=None, tags=[], empty=" ") == fields(
        time="half past 7", people="5", vip="true"
    )
    assert fields(people=5.0) == fields(people=5)
    assert field_f1(fields(tags=["a", "b"]), fields(tags=["B", "a"])) == 1


@pytest.mark.parametrize(
    "text",
    ["", "7 pm", "[1]", '"a"', '{"a": NaN}', '{"a": 1} done', '{"a": ', "```json\n{}\n```", "[" * 100_000],
)
def test_no_object_no_answer(text: str) -> None:
    assert read(text) is None


def test_an_object_in_prose_is_found_leniently() -> None:
    assert find('Here you are:\n```json\n{"time": "7"}\n``` Bye {x}') == fields(time="7")
    assert find("Use {braces} wisely") is None
    assert find("{" * 10_000) is None


def test_counted_by_hand() -> None:
    wanted, said = (
        fields(time="7 pm", date="monday", people="2"),
        fields(time="7 pm", date="friday", name="ann"),
    )
    assert field_f1(wanted, said) == pytest.approx(2 * 1 / 6)
    assert hallucinated(wanted, said) == pytest.approx(1 / 3)
    assert missing(wanted, said) == pytest.approx(1 / 3)
    assert field_f1_partial(fields(time="at 7 pm"), fields(time="7 pm")) == pytest.approx(0.8)


def test_nothing_to_find_and_nothing_found_is_perfect() -> None:
    nothing = fields(time=None)
    assert field_f1(nothing, nothing) == field_f1_partial(nothing, fields()) == 1
    assert field_f1(nothing, fields(time="7")) == 0
    assert hallucinated(nothing, fields(time="7")) == 1
    assert missing(nothing, fields(time="7")) == 0


@given(OBJECTS, OBJECTS)
def test_ranges_and_order(one: dict[str, object], two: dict[str, object]) -> None:
    wanted, said = read(json.dumps(one)), read(json.dumps(two))
    assert wanted is not None
    assert said is not None
    assert 0 <= field_f1(wanted, said) <= field_f1_partial(wanted, said) + 1e-12 <= 1 + 1e-11
    assert field_f1(wanted, wanted) == field_f1_partial(wanted, wanted) == 1
    assert 0 <= hallucinated(wanted, said) <= 1
    assert 0 <= missing(wanted, said) <= 1
    assert hallucinated(wanted, wanted) == missing(wanted, wanted) == 0
