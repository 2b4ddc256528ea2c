"""Which label an answer names: strictly, leniently, and how labels are ordered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.evaluation.labels import found_label, numbered, ordered, said_label

BANK = ("card_arrival", "top_up", "top_up_failed", "lost_or_stolen_card")


@pytest.mark.parametrize("text", ["card_arrival", " Card arrival.", "CARD-ARRIVAL", '"card_arrival"'])
def test_the_label_and_nothing_else(text: str) -> None:
    assert said_label(text, BANK) == "card_arrival"


@pytest.mark.parametrize("text", ["card", "The category is card_arrival", "card_arrival top_up", "", "none"])
def test_anything_else_is_no_label(text: str) -> None:
    assert said_label(text, BANK) is None


def test_found_in_longer_text_if_it_is_the_only_one() -> None:
    assert found_label("The category is card_arrival.", BANK) == "card_arrival"
    assert found_label("Category: top up failed", BANK) == "top_up_failed"
    assert found_label("top_up, or rather card_arrival", BANK) is None
    assert found_label("nothing fits", BANK) is None


def test_labels_that_look_alike_need_their_own_spelling() -> None:
    labels = ("C++", "C#", "Rust")
    assert said_label("c++", labels) == "C++"
    assert said_label("C#", labels) == "C#"
    assert said_label("C", labels) is None
    assert said_label("+", ("+", "-")) == "+"
    assert found_label("in rust", labels) == "Rust"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("neutral", "positive", "negative"), ("negative", "neutral", "positive")),
        (("Positive", "Negative", "Mixed"), ("Negative", "Mixed", "Positive")),
        (("10", "9", "1"), ("1", "9", "10")),
        (("high", "low", "medium"), ("low", "medium", "high")),
        (("b", "a"), ("a", "b")),
    ],
)
def test_order(labels: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert ordered(labels) == expected


def test_places_on_the_scale() -> None:
    assert numbered(["b", None, "a", "z"], ("a", "b")) == [1, -1, 0, -1]


@given(
    st.lists(
        st.text(min_size=1, max_size=8),
        min_size=1,
        max_size=6,
        unique_by=lambda text: text.strip().casefold(),
    ),
    st.data(),
)
def test_every_label_is_itself(labels: list[str], data: st.DataObject) -> None:
    from whytune.evaluation.words import folded

    if len({folded(label).strip() for label in labels}) < len(labels) or not all(
        label.strip() for label in labels
    ):
        return
    label = data.draw(st.sampled_from(labels))
    assert said_label(label, tuple(labels)) == label
    assert found_label(label, tuple(labels)) == label
