"""ROUGE against rouge-score (on ASCII, where it is right), chrF against figures of sacreBLEU, unsupported claims."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.evaluation.overlap import chrf, claims, compression, contains, rouge_l, rouge_n, unsupported
from whytune.evaluation.words import words

PROSE = st.lists(
    st.sampled_from(
        ["the", "cat", "sat", "on", "a", "mat,", "1,000", "dogs", "don't", "Run", "well_done", "."]
    ),
    max_size=25,
).map(" ".join)


@cache
def oracle() -> Any:
    """Made when it is first asked: it loads a language toolkit, and every process of the tests reads this file."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2", "rougeL"])


@given(PROSE, PROSE)
def test_rouge_agrees_with_rouge_score(wanted: str, said: str) -> None:
    expected = oracle().score(wanted, said)
    one, two = words(wanted), words(said)
    assert rouge_n(one, two, 1) == pytest.approx(expected["rouge1"].fmeasure)
    assert rouge_n(one, two, 2) == pytest.approx(expected["rouge2"].fmeasure)
    assert rouge_l(one, two) == pytest.approx(expected["rougeL"].fmeasure)


@pytest.mark.parametrize("text", ["今天天气很好", "مرحبا بالعالم", "हिन्दी में एक वाक्य", "Größe naïve"])
def test_identical_text_is_perfect_in_any_script(text: str) -> None:
    assert rouge_n(words(text), words(text), 1) == rouge_l(words(text), words(text)) == 1
    assert chrf(text, text) == pytest.approx(1)


@pytest.mark.parametrize(
    ("said", "wanted", "expected"),
    [
        ("The dog bit the man.", "The dog had bit the man.", 0.676471),
        ("It was not unexpected.", "No one was surprised.", 0.169758),
        ("The man bit him first.", "The man had bitten the dog.", 0.260902),
        ("今天天气好", "今天天气很好", 0.474482),
        ("abc", "xyz", 0.0),
        ("ab", "abcdefgh", 0.234043),
    ],
)
def test_chrf_agrees_with_sacrebleu_2_6(said: str, wanted: str, expected: float) -> None:
    assert chrf(wanted, said) == pytest.approx(expected, abs=1e-6)


@given(st.text(max_size=40), st.text(max_size=40))
def test_overlaps_lie_between_nought_and_one(one: str, two: str) -> None:
    for value in (
        chrf(one, two),
        rouge_n(words(one), words(two), 1),
        rouge_l(words(one), words(two)),
        unsupported([one], two)[0],
        compression(words(one), words(two)),
    ):
        assert 0 <= value <= 1 + 1e-12


def test_contains_wants_the_words_in_a_row() -> None:
    assert contains(["red", "card"], ["the", "red", "card"])
    assert not contains(["red", "card"], ["red", "old", "card"])
    assert not contains([], ["red"])


def test_claims_are_numbers_and_names() -> None:
    assert claims("Yesterday Ann Lee met Bob. The IPL paid 1,000 dollars. NASA won.") == [
        "1000",
        "ann",
        "lee",
        "bob",
        "ipl",
        "nasa",
    ]


def test_unsupported_claims_are_those_in_no_source() -> None:
    sources = ["Ann met Bob's sister in 2019.", "It cost 1000 euro."]
    assert unsupported(sources, "In 2019 Ann met Bob. It cost 1,000 euro.") == (0.0, [])
    assert unsupported(sources, "Then Ann met Carla in 2020.") == (2 / 3, ["2020", "carla"])
    assert unsupported(sources, "they met") == (0.0, [])
    assert unsupported(["#Person1# calls."], "#Person1# calls #Person2#.")[1] == ["person2"]
