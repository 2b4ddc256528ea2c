"""Strings: the normal form, words of any script, sentences, numbers, cutting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune import text


@pytest.mark.parametrize(
    ("given_text", "normal"),
    [
        ("  The CARD,  costs 1,000 €! it’s", "the card costs 1,000 € it's"),
        ("rock-n-roll a_b «c»", "rock n roll a b c"),
        ("C++ at 12:30.", "c++ at 12:30"),
        (":)", ":)"),
        ("ﬁne Straße", "fine strasse"),
        ("", ""),
    ],
)
def test_normal_form(given_text: str, normal: str) -> None:
    assert text.normalise(given_text) == normal


@given(st.text())
def test_normal_form_is_stable(anything: str) -> None:
    once = text.normalise(anything)
    assert text.normalise(once) == once


@given(st.text())
def test_every_letter_is_in_a_word(anything: str) -> None:
    letters = sum(1 for c in text.fold(anything) if c.isalpha() and c.isascii())
    assert sum(1 for word in text.words(anything) for c in word if c.isalpha() and c.isascii()) == letters


@pytest.mark.parametrize(
    ("given_text", "words"),
    [
        ("我的卡 isn't here", ["我", "的", "卡", "isn't", "here"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("23.41 runs, 0/13", ["23.41", "runs", "0", "13"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("한국어 문장", ["한국어", "문장"]),
    ],
)
def test_words_of_any_script(given_text: str, words: list[str]) -> None:
    assert text.words(given_text) == words


def test_shingles_of_short_texts_are_the_text() -> None:
    assert text.shingles(["a", "b"], 3) == ["a b"]
    assert text.shingles(["a", "b", "c", "d"], 3) == ["a b c", "b c d"]
    assert text.shingles([], 3) == []
    assert text.character_shingles("Abcd", 3) == ["abc", "bcd"]


def test_jaccard() -> None:
    assert text.jaccard("ab", "bc") == pytest.approx(1 / 3)
    assert text.jaccard("", "") == 1.0


def test_sentences_end_where_people_end_them() -> None:
    assert text.sentences("Mr. Smith paid 3.5 euro. Really? Yes!") == [
        "Mr. Smith paid 3.5 euro.",
        "Really?",
        "Yes!",
    ]
    assert text.sentences("今日は。元気です。") == ["今日は。", "元気です。"]
    assert text.sentences("no full stop") == ["no full stop"]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1,000.50", "1000.5"),
        ("12.00", "12"),
        ("1.234,5", "1234.5"),
        ("1,200", "1200"),
        ("-5", "-5"),
        ("007", "7"),
        ("0.250", "0.25"),
    ],
)
def test_numbers_have_one_spelling(written: str, number: str) -> None:
    assert text.numbers(f"it is {written} in all") == [number]


@given(st.text(), st.integers(min_value=1, max_value=60))
def test_clipped_text_fits_on_a_line(anything: str, width: int) -> None:
    line = text.clip(anything, width)
    assert len(line) <= width
    assert "\n" not in line


@given(st.text(alphabet=st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010)))
def test_printable_text_can_be_written(anything: str) -> None:
    assert len(text.printable(anything).encode("utf-8")) >= len(anything)


def test_did_you_mean() -> None:
    assert text.nearest("catgory", ["text", "Category"]) == "Category"
    assert text.nearest("zzz", ["text", "Category"]) == ""


def test_what_no_record_can_hold_is_named_with_its_place() -> None:
    assert text.unkeepable({"a": ["whole", 1, 2.5, True, None, {"b": 2**63 - 1}]}) == []
    assert text.unkeepable({"a": ["\ud800", {"b": float("nan")}], "c": -(2**63) - 1, "\udfff": 1}) == [
        r"'\udfff': a name that holds half a letter (a lone surrogate)",
        "a[0]: holds half a letter (a lone surrogate), which is no text", "a[1].b: nan is not a number", "c: a number of more than 64 bits",
    ]  # fmt: skip
