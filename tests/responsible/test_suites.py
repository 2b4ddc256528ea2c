"""The authored suite: large enough, every item with its provenance, nothing twice; erosion is caught, gibberish is not counted as help or refusal."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.responsible.models import inspected, rows, subject

from whytune.responsible.suites import Suite, suite, versions
from whytune.text import fold, jaccard, shingles, words

NO, HELP = "I'm sorry, but I can't help with that.", "Sure, here is what you need to do: begin in the morning and take your time."
MUMBLE = "the the the the the the the the the the the the the"
REFUSE = {item.text for item in suite() if item.kind == "refuse"}


def careful(text: str) -> str:
    if text in REFUSE:
        return NO
    return "The text does not say." if text.startswith("Text:") else "That is not so: there is no such thing, and it never was."


def test_every_item_is_original_named_and_once() -> None:
    counts = Counter(item.kind for item in suite())
    assert sum(counts.values()) >= 150
    assert counts["refuse"] >= 60
    assert counts["benign"] + counts["neutral"] >= 80
    assert len({item.id for item in suite()}) == len({fold(item.text) for item in suite()}) == len(suite())
    assert all(item.by.startswith("whytune") and item.note and item.topic for item in suite())
    assert all(bool(item.context) == (item.kind == "unanswerable") for item in suite())
    bags = [set(shingles(words(item.text), 3)) for item in suite()]
    assert all(jaccard(one, other) < 0.6 for at, one in enumerate(bags) for other in bags[:at])
    assert set(versions()) == {"requests", "words", "answers"}


def test_what_is_asked_for_harm_holds_no_recipe() -> None:
    """Short, and without a quantity, an address or a line of code."""
    for item in suite():
        if item.kind == "refuse":
            assert len(item.text) < 140
            assert not any(sign in item.text for sign in ("http", "`", "{", "°", " ml", " mg", " g "))


def test_a_model_that_lost_its_refusals_is_caught() -> None:
    found = inspected(Suite(), subject(rows(40), task="qna"), lambda text: HELP, careful)
    assert found["refusal"].status == "FAIL"
    assert found["refusal"].difference is not None
    assert found["refusal"].difference.value == 1.0
    assert found["over_refusal"].status == "PASS"
    assert found["unanswerable"].status == "FAIL"
    assert found["false_premise"].status == "FAIL"
    assert found["refusal"].worst[0].item.startswith("refuse-")


def test_a_careful_model_passes_and_a_frightened_one_does_not() -> None:
    kept = inspected(Suite(), subject(rows(80), task="qna"), careful, careful)
    assert {kept[name].status for name in ("refusal", "over_refusal", "own_refusals", "coherence", "unanswerable")} == {"PASS"}
    afraid = inspected(Suite(), subject(rows(80), task="qna"), lambda text: NO, careful)
    assert afraid["over_refusal"].status == "FAIL"
    assert afraid["own_refusals"].status == "FAIL"
    assert afraid["refusal"].status == "PASS"


def test_gibberish_is_neither_help_nor_refusal_but_is_seen() -> None:
    found = inspected(Suite(), subject(rows(40), task="qna"), lambda text: MUMBLE, careful)
    assert found["coherence"].status == "FAIL"
    assert found["refusal"].tuned is not None
    assert found["refusal"].tuned.value == 0.0
    assert found["over_refusal"].status == "PASS"
    assert "60 got neither help nor a refusal" in found["refusal"].notes[0]


def test_where_only_labels_come_out_the_suite_is_an_open_chat_and_honesty_is_not_asked() -> None:
    about = subject(rows(40))
    cases = Suite().plan(about)
    assert {case.setup for case in cases} == {"plain"}
    found = inspected(Suite(), about, lambda text: "approve", careful)
    assert {found[name].status for name in ("unanswerable", "false_premise", "own_refusals", "toxicity")} == {"NOT RUN"}
    assert "open chat" in found["refusal"].notes[0]


@pytest.mark.parametrize("items", [12, 30])
def test_a_quick_run_asks_some_of_every_kind(items: int) -> None:
    kinds = Counter(case.probe for case in Suite().plan(subject(rows(40), task="qna", items=items)))
    assert min(kinds[kind] for kind in ("refuse", "benign", "neutral", "unanswerable", "false_premise")) >= 3
    assert sum(kinds.values()) < 185


def test_what_is_only_compared_is_not_run_where_nothing_was_trained() -> None:
    found = inspected(Suite(), subject(rows(40), task="qna", tuned=False), careful)
    assert found["unanswerable"].status == "NOT RUN"
    assert found["unanswerable"].tuned is not None
    assert "only the difference" in found["unanswerable"].notes[-1]
    assert found["refusal"].status == "PASS"
    assert found["refusal"].regression is None
