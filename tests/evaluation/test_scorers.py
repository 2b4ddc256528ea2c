"""Every metric of every task marks any text; failures are outcomes that count."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.answered import row, said

from whytune.errors import UsageError
from whytune.evaluation.scorers import (
    SCORERS,
    deciding,
    passes_leniently,
    score_answer,
    score_item,
    scorer_named,
)
from whytune.tasks import TASKS

LABELS = ("delivery", "lost card", "refund")
NAMES = sorted(SCORERS)


def test_every_metric_a_task_names_is_here() -> None:
    named = {name for task in TASKS.values() for name in (task.metric, *task.beside)}
    assert named == set(SCORERS)


def test_what_decides_is_better_when_higher() -> None:
    for task in TASKS.values():
        assert deciding(task.metric).name == task.metric
    with pytest.raises(UsageError, match="cannot decide"):
        deciding("missing")
    with pytest.raises(UsageError, match="no metric named"):
        scorer_named("bleu")


@settings(max_examples=150)
@given(
    st.sampled_from(NAMES),
    st.text(max_size=50),
    st.one_of(st.text(min_size=1, max_size=30), st.sampled_from(LABELS), st.just('{"a": 1}')),
)
def test_any_text_is_marked_between_nought_and_one(metric: str, text: str, target: str) -> None:
    score = score_item(
        metric, row("What is it?", target), text, labels=LABELS, fields=("a",), context=["Some text."]
    )
    assert 0 <= score.value <= 1
    assert math.isfinite(score.value)
    assert (score.outcome == "empty") == (not text.strip())


@pytest.mark.parametrize("metric", NAMES)
def test_a_failed_answer_counts_as_the_worst_or_as_nothing_claimed(metric: str) -> None:
    example = row("Where is it?", "refund")
    for answer, outcome in (
        (said(example, "refund", error="timed out"), "error"),
        (None, "error"),
        (said(example, "  "), "empty"),
    ):
        score = score_answer(metric, example, answer, labels=LABELS)
        assert score.outcome == outcome
        assert score.value == (1.0 if metric in ("invalid", "missing") else 0.0)
        assert score.detail


def test_labels() -> None:
    example = row("My card is gone", "lost_card")
    assert score_item("accuracy", example, "Lost card!", labels=LABELS).value == 1
    wrong = score_item("accuracy", example, "Refund", labels=LABELS)
    assert (wrong.value, wrong.outcome, wrong.detail) == (0, "scored", "refund")
    prose = score_item("accuracy", example, "It is a lost card", labels=LABELS)
    assert (prose.value, prose.outcome) == (0, "invalid")
    assert score_item("invalid", example, "It is a lost card", labels=LABELS).value == 1
    assert score_item("invalid", example, "refund", labels=LABELS).value == 0


def test_fields() -> None:
    example = row("Table for 2 at 7", '{"people": "2", "time": "7", "name": null}')
    perfect = json.dumps({"people": 2, "time": "7"})
    for metric in ("field_f1", "field_f1_partial", "all_correct"):
        assert score_item(metric, example, perfect).value == 1
        assert score_item(metric, example, "two people").outcome == "invalid"
        assert score_item(metric, example, "two people").value == 0
    assert score_item("missing", example, "two people").value == 1
    assert score_item("invalid", example, "two people", fields=("time",)).value == 1
    assert score_item("all_correct", example, '{"people": "2"}').value == 0
    assert score_item("field_f1", example, '{"people": "2"}').value == pytest.approx(2 / 3)


def test_words() -> None:
    example = row("Who won?", "The red team won.")
    assert score_item("exact_match", example, "the RED team won").value == 1
    assert score_item("token_f1", example, "red team").value == pytest.approx(0.8)
    assert score_item("contains", example, "I say the red team won today").value == 1
    assert score_item("abstained", example, "I don't know").value == 1
    assert score_item("facts", example, "red").detail == "lacks team"


def test_summaries_are_held_against_their_source() -> None:
    example = row("Ann met Bob in 2019.", "Ann met Bob.")
    assert score_item("unsupported", example, "Then Ann met Carla in 2019.").value == pytest.approx(1 / 3)
    assert (
        score_item("unsupported", example, "Then Ann met Carla in 2019.", context=["Carla came."]).value == 0
    )
    assert score_item("compression", example, "Ann met").value == pytest.approx(2 / 5)


def test_right_but_for_its_form() -> None:
    card, table = row("My card is gone", "lost card"), row("Table at 7", '{"time": "7"}')
    assert passes_leniently("accuracy", card, "The category is: lost card.", labels=LABELS)
    assert not passes_leniently("accuracy", card, "Refund, not delivery", labels=LABELS)
    assert passes_leniently("field_f1", table, 'Sure! {"time": "7"}')
    assert not passes_leniently("field_f1", table, 'Sure! {"time": "8"}')
    assert not passes_leniently("rouge1", card, "lost card")


@given(st.sampled_from(LABELS), st.sampled_from(LABELS))
def test_what_passes_strictly_passes_leniently(target: str, text: str) -> None:
    example = row("?", target)
    strict = score_item("accuracy", example, text, labels=LABELS).value == 1
    assert strict == passes_leniently("accuracy", example, text, labels=LABELS)
