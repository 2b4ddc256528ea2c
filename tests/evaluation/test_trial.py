"""One candidate marked: nothing dropped, money from measured tokens and seconds, slices of ten or more."""

from __future__ import annotations

import pytest
from tests.evaluation.answered import row, said

from whytune.errors import DataError, UsageError
from whytune.evaluation.trial import Scoring, spending, trial
from whytune.records.project import Prices
from whytune.tasks import TASKS

LABELS = ("delivery", "refund")


def marked(**options: object):  # type: ignore[no-untyped-def]
    examples = [
        row(f"text {i}", LABELS[i % 2], channel="mail" if i < 12 else "chat", one="x") for i in range(20)
    ]
    texts = ["refund"] * 16 + ["Refund, I think", "", "refund", "refund"]
    answers = {each.id: said(each, text) for each, text in zip(examples, texts, strict=True)}
    answers[examples[18].id] = said(examples[18], "", error="timed out")
    del answers[examples[19].id]
    scoring = Scoring(task=TASKS["categorization"], labels=LABELS, **options)  # type: ignore[arg-type]
    return examples, trial(examples, answers, scoring)


def test_every_item_counts() -> None:
    examples, seen = marked()
    assert [score.item for score in seen.scores] == [each.id for each in examples]
    assert seen.primary.n == 20
    assert seen.primary.value == 8 / 20
    assert seen.outcomes == {"scored": 16, "invalid": 1, "error": 2, "empty": 1}
    beside = {each.name: each for each in seen.beside}
    assert set(beside) == {"macro_f1", "invalid"}
    assert beside["invalid"].value == 4 / 20


def test_slices_of_ten_or_more() -> None:
    _, seen = marked()
    assert [(name, part.n) for name, part in seen.slices] == [("channel=mail", 12)]


def test_another_metric_can_decide() -> None:
    _, seen = marked(metric="macro_f1")
    assert seen.primary.name == "macro_f1"
    assert {each.name for each in seen.beside} == {"accuracy", "invalid"}
    with pytest.raises(UsageError, match="cannot decide"):
        marked(metric="invalid")


def test_money_is_measured() -> None:
    example = row("a", "b")
    prices = Prices(compute_hour=3.6, input_million=10, output_million=100)
    seen = spending([said(example, "x", seconds=2.0), said(example, "x", seconds=4.0)], prices)
    assert (seen.seconds, seen.tokens_in, seen.tokens_computed, seen.tokens_out, seen.answers) == (
        6.0,
        200,
        80,
        20,
        2,
    )
    assert seen.cost_per_1000 == pytest.approx(1000 / 2 * (6 * 3.6 / 3600 + 200 * 10e-6 + 20 * 100e-6))
    assert spending([said(example, "x")], prices, hosted=True).cost_per_1000 == pytest.approx(
        1000 * (100 * 10e-6 + 10 * 100e-6)
    )
    assert seen.median_seconds == 3.0
    assert spending([], prices).cost_per_1000 == 0


def test_passages_support_a_summary() -> None:
    example = row("Ann came.", "Ann came.")
    answer = said(example, "Then Ann met Bob.").model_copy(update={"passages": ("passage:1",)})
    scoring = Scoring(task=TASKS["summarization"])
    for passages, share in (({}, 0.5), ({"passage:1": "Bob was there."}, 0.0)):
        beside = {
            each.name: each.value for each in trial([example], {example.id: answer}, scoring, passages).beside
        }
        assert beside["unsupported"] == share


def test_nothing_to_mark() -> None:
    with pytest.raises(DataError, match="no examples"):
        trial([], {}, Scoring(task=TASKS["qna"]))
