"""Words and numbers of any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.evaluation.words import folded, numbers, squeezed, stem, tokens, words


def test_words_of_many_scripts() -> None:
    assert words("Right-Handed: José’s naïve_test") == ["right", "handed", "jose", "s", "naive", "test"]
    assert words("हिन्दी भाषा") == ["हिन्दी", "भाषा"]
    assert words("北京 abc東京") == ["北", "京", "abc", "東", "京"]
    assert words("مرحبا بالعالم") == ["مرحبا", "بالعالم"]
    assert words("... !?") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,000 and 1000.0", ["1000", "1000"]),
        ("1.234,50 €", ["1234.5"]),
        ("3,5 or 0.50", ["3.5", "0.5"]),
        ("10:00 a.m. and 10:30", ["10", "10", "30"]),
        ("twenty-two", ["20", "2"]),
        ("-5 but 5-10", ["-5", "5", "10"]),
        ("the 1st of 3", ["1", "3"]),
        ("version 1.2.3", ["1.2.3"]),
        ("mp3 A4", []),
        ("November 05, 2002", ["5", "2002"]),
        ("0.0 -0", ["0", "0"]),
        ("٣٥", ["35"]),
    ],
)
def test_numbers_by_value(text: str, expected: list[str]) -> None:
    assert numbers(text) == expected


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("plays", "played"),
        ("centuries", "century"),
        ("taken", "took"),
        ("boxes", "box"),
        ("scored", "scoring"),
        ("handed", "hand"),
        ("stopped", "stop"),
    ],
)
def test_stems_meet(one: str, two: str) -> None:
    assert stem(one) == stem(two)


@pytest.mark.parametrize(
    ("one", "two"), [("red", "read"), ("bus", "but"), ("process", "procession"), ("string", "str")]
)
def test_stems_do_not_meet(one: str, two: str) -> None:
    assert stem(one) != stem(two)


def test_contractions_deny() -> None:
    assert tokens("can't don’t cannot") == ["can", "not", "do", "not", "can", "not"]


@given(st.text(max_size=80))
def test_folding_is_final(text: str) -> None:
    assert words(squeezed(text)) == words(text)
    assert folded(folded(text)) == folded(text)
    assert all(token for token in tokens(text))
