"""Each change keeps the numbers and the length of a row about as they are; a brittle model is caught, a sturdy one cleared."""

from __future__ import annotations

import random
import re
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.responsible.models import LABELS, inspected, rows, subject

from whytune.responsible.robustness import CHANGES, Robustness, disguised, typed
from whytune.text import words

TEXT = "The parcel with number 4711 was sent on Monday, and nobody has opened it since then."


def sturdy(text: str) -> str:
    return LABELS[int(re.findall(r"\d+", text)[0]) % 2]


@settings(max_examples=30)
@given(st.sampled_from(sorted(CHANGES)), st.integers(0, 30), st.text(max_size=60))
def test_changes_are_seeded_and_small(name: str, seed: int, text: str) -> None:
    for whole in (TEXT, text):
        once = CHANGES[name](whole, random.Random(seed))
        assert once == CHANGES[name](whole, random.Random(seed))
        assert len(once) <= 3 * len(whole) + 16
    assert re.findall(r"\d+", CHANGES[name](TEXT, random.Random(seed))) == ["4711"]


def test_what_each_change_does() -> None:
    assert sum(a != b for a, b in zip(words(TEXT), words(typed(TEXT, random.Random(1))), strict=True)) == 2
    masked = disguised(TEXT, random.Random(1))
    assert len(masked) == len(TEXT)
    assert "CYRILLIC" in {unicodedata.name(letter).split()[0] for letter in masked if letter.isalpha()}
    assert words(CHANGES["whitespace"](TEXT, random.Random(1))) == words(TEXT)
    assert {CHANGES["case"](TEXT, random.Random(seed)) for seed in range(9)} == {TEXT.upper(), TEXT.lower()}


def test_a_brittle_model_is_caught_and_a_sturdy_one_cleared() -> None:
    about = subject(rows(70))
    plain = {row.input_text for row in about.dev}
    brittle = inspected(Robustness(), about, lambda text: sturdy(text) if text in plain else "approve", sturdy)
    assert {brittle[name].status for name in CHANGES} == {"FAIL"}
    assert brittle["typos"].worst[0].result == "score 1.00 became 0.00"
    assert "the score" not in brittle["typos"].sentence
    cleared = inspected(Robustness(), about, sturdy)
    assert {cleared[name].status for name in CHANGES} == {"PASS"}


def test_the_order_of_labels_is_changed_only_where_the_prompt_lists_them() -> None:
    about = subject(rows(60))
    assert {case.setup for case in Robustness().plan(about) if case.probe == "option_order"} == {"reordered"}
    assert inspected(Robustness(), subject(rows(60), system="Choose."), sturdy)["option_order"].status == "NOT RUN"


def test_a_gain_is_no_loss() -> None:
    """A model that is wrong as it stands and right once changed passes: nothing is lost."""
    about = subject(rows(70))
    plain = {row.input_text for row in about.dev}
    assert inspected(Robustness(), about, lambda text: "nonsense" if text in plain else sturdy(text))["typos"].status == "PASS"
