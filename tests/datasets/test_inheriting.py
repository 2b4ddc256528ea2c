"""Rows with other words keep their place: no exam question becomes a lesson because somebody mended a comma."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from whytune.datasets.inheriting import inherited
from whytune.records.data import SPLITS, Example, Origin, SplitName

HERE = Origin(source="0" * 64, file="rows.csv")
TEXTS = [f"the {thing} in house {word} is stuck again since early this morning" for thing in ("lift", "door", "gate") for word in ("ash", "birch", "cedar", "elm")]


def row(text: str, answer: str = "delay") -> Example:
    return Example.of(text, answer, origin=HERE)


def test_a_longer_wording_stands_where_the_old_one_stood() -> None:
    before: list[tuple[Example, SplitName]] = [(row(text), SPLITS[place % 3]) for place, text in enumerate(TEXTS)]
    after = [row(f"{text} please") for text in TEXTS]
    found = inherited(after, before, 0.8)
    assert found == {new.id: split for new, (_, split) in zip(after, before, strict=True)}


def test_another_answer_to_the_same_words_stands_there_too_without_any_threshold() -> None:
    assert inherited([row(TEXTS[0].upper(), "loss")], [(row(TEXTS[0]), "test")], 0.0) == {row(TEXTS[0].upper(), "loss").id: "test"}


def test_what_says_something_else_inherits_nothing() -> None:
    assert inherited([row("where can I park a bicycle near the town hall")], [(row(TEXTS[0]), "test")], 0.8) == {}


def test_of_equal_claims_the_test_row_has_it_and_rows_that_are_still_there_claim_nothing() -> None:
    new = row(TEXTS[0], "loss")
    assert inherited([new], [(row(TEXTS[0], "a"), "train"), (row(TEXTS[0], "b"), "test")], 0.8) == {new.id: "test"}
    there = row(TEXTS[0], "a")
    assert inherited([new, there], [(there, "test")], 0.8) == {}


@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(SPLITS)), unique_by=lambda pair: pair[0]), st.lists(st.sampled_from(TEXTS)))
def test_only_new_rows_and_only_splits_that_were_there(stood: list[tuple[str, SplitName]], now: list[str]) -> None:
    before = [(row(text), split) for text, split in stood]
    after = [row(text, answer) for text, answer in zip(now, ("delay", "loss", "else") * len(now), strict=False)]
    found = inherited(after, before, 0.8)
    assert found.keys() <= {example.id for example in after} - {example.id for example, _ in before}
    assert set(found.values()) <= {split for _, split in stood}
