"""From scores to figures: the method fits the metric, clusters are found, every item counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.answered import row, scores

from whytune.errors import DataError, UsageError
from whytune.evaluation.measures import clusters_of, measure
from whytune.evaluation.scorers import score_item
from whytune.stats.intervals import wilson

SENTIMENTS = ("negative", "neutral", "positive")


def sentiment(pairs: list[tuple[str, str]], metric: str) -> tuple[list, list]:
    examples = [row(f"text {place}", target) for place, (target, _) in enumerate(pairs)]
    return examples, [
        score_item(metric, each, text, labels=SENTIMENTS)
        for each, (_, text) in zip(examples, pairs, strict=True)
    ]


def test_yes_no_goes_by_wilson() -> None:
    seen = measure("facts", scores({str(i): float(i % 4 > 0) for i in range(20)}))
    assert (seen.value, seen.n, seen.clusters) == (0.75, 20, 0)
    assert (seen.low, seen.high) == pytest.approx(wilson(15, 20))
    assert seen.method == "Wilson"


def test_graded_goes_by_bca_and_t() -> None:
    seen = measure("rouge1", scores({str(i): i / 20 for i in range(20)}))
    assert "BCa" in seen.method
    assert seen.low < seen.value < seen.high


def test_clusters_widen() -> None:
    values = {str(i): float(i // 5 % 2) for i in range(60)}
    groups = {item: str(int(item) // 5) for item in values}
    plain, clustered = measure("accuracy", scores(values)), measure("accuracy", scores(values), groups)
    assert clustered.clusters == 12
    assert "effective" in clustered.method
    assert clustered.high - clustered.low > plain.high - plain.low


def test_shared_documents_and_groups_are_one_cluster() -> None:
    one, two = row("a", "x", evidence=("d1",)), row("b", "x", evidence=("d1", "d2"))
    three, four = row("c", "x", evidence=("d2",), group="g"), row("d", "x", group="g")
    five = row("e", "x", evidence=("d9",))
    found = clusters_of([one, two, three, four, five])
    assert len({found[each.id] for each in (one, two, three, four)}) == 1
    assert found[five.id] != found[one.id]
    assert clusters_of([one, five]) == {}


def test_macro_f1_and_kappa_are_over_all_items() -> None:
    pairs = [
        ("negative", "negative"),
        ("neutral", "neutral"),
        ("positive", "neutral"),
        ("positive", "positive"),
    ] * 10
    examples, marked = sentiment(pairs, "macro_f1")
    seen = measure("macro_f1", marked, examples=examples, labels=SENTIMENTS)
    assert seen.value == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert 0 < seen.low < seen.value < seen.high < 1
    kappa = measure("quadratic_kappa", marked, examples=examples, labels=SENTIMENTS)
    assert 0 < kappa.low < kappa.value < kappa.high <= 1
    error = measure("mean_absolute_error", marked, examples=examples, labels=SENTIMENTS)
    assert error.value == pytest.approx(0.25)


def test_an_invalid_answer_costs_as_much_as_the_worst() -> None:
    examples, marked = sentiment([("negative", "who knows"), ("positive", "positive")], "mean_absolute_error")
    assert measure("mean_absolute_error", marked, examples=examples, labels=SENTIMENTS).value == 1.0


def test_all_right_is_not_certain() -> None:
    examples, marked = sentiment([("negative", "negative"), ("positive", "positive")] * 15, "macro_f1")
    seen = measure("macro_f1", marked, examples=examples, labels=SENTIMENTS)
    assert (seen.value, seen.high) == (1.0, 1.0)
    assert seen.low < 0.95


def test_a_metric_over_labels_needs_labels() -> None:
    with pytest.raises(UsageError, match="needs a label set"):
        measure("macro_f1", scores({"a": 1.0}))


def test_a_right_answer_outside_the_label_set_is_an_error() -> None:
    examples, marked = sentiment([("joyful", "positive")], "macro_f1")
    with pytest.raises(DataError, match="joyful"):
        measure("macro_f1", marked, examples=examples, labels=SENTIMENTS)


@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(st.sampled_from(SENTIMENTS), st.sampled_from([*SENTIMENTS, "?", ""])),
        min_size=1,
        max_size=25,
    ),
    st.sampled_from(["macro_f1", "quadratic_kappa", "mean_absolute_error", "accuracy"]),
)
def test_every_figure_lies_in_its_interval(pairs: list[tuple[str, str]], metric: str) -> None:
    examples, marked = sentiment(pairs, metric)
    for clusters in ({}, {each.id: str(place % 4) for place, each in enumerate(examples)}):
        seen = measure(metric, marked, clusters, examples=examples, labels=SENTIMENTS)
        assert seen.low - 1e-9 <= seen.value <= seen.high + 1e-9
        assert seen.high > seen.low
        assert seen.n == len(pairs)
