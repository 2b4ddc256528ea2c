"""Two arms over the same items: conclusions, Holm, items needed, flips, and the items shown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.answered import row, scores

from whytune.errors import DataError
from whytune.evaluation.compare import Contender, compare, flips
from whytune.evaluation.scorers import score_item
from whytune.records.evidence import Comparison, Protocol
from whytune.records.project import AcceptanceRule

SENTIMENTS = ("negative", "neutral", "positive")
EXAMPLES = [row(f"question {i}", "answer") for i in range(300)]
CONTRASTS = (("prompt", "rag"), ("rag", "tuned"))


def protocol(metric: str = "facts", contrasts: tuple[tuple[str, str], ...] = CONTRASTS) -> Protocol:
    return Protocol(
        project="p",
        usecase="u",
        rule="r",
        dataset="d",
        candidates=(),
        arms=("prompt", "rag", "tuned"),
        contrasts=contrasts,
        metric=metric,
    )


def arm(name: str, values: list[float]) -> Contender:
    ids = [each.id for each in EXAMPLES[: len(values)]]
    return Contender(
        name,
        f"trial:{name}",
        scores(dict(zip(ids, values, strict=True))),
        dict.fromkeys(ids, f"{name} says"),
    )


def run(
    arms: list[Contender],
    n: int,
    *,
    metric: str = "facts",
    margin: float = 0.05,
    clusters: dict[str, str] | None = None,
) -> list[Comparison]:
    rule = AcceptanceRule(metric=metric, bar=0.5, margin=margin)
    return compare(arms, protocol(metric), rule, examples=EXAMPLES[:n], clusters=clusters)


def test_better_and_not_proven() -> None:
    prompt, rag = [1.0] * 120 + [0.0] * 180, [1.0] * 225 + [0.0] * 75
    tuned = [0.0] * 16 + [1.0] * 209 + [1.0] * 21 + [0.0] * 54
    up, open_ = run([arm("prompt", prompt), arm("rag", rag), arm("tuned", tuned)], 300, margin=0.02)
    assert (up.first_arm, up.second_arm, up.conclusion, up.wins, up.losses, up.items_needed) == (
        "prompt",
        "rag",
        "better",
        105,
        0,
        0,
    )
    assert up.difference.value == pytest.approx(0.35)
    assert "McNemar" in up.difference.method
    assert (open_.conclusion, open_.wins, open_.losses) == ("not_proven", 21, 16)
    assert open_.difference.value == pytest.approx(5 / 300)
    assert open_.items_needed > 1000
    assert open_.p_holm >= open_.p
    assert up.p_holm == pytest.approx(2 * up.p)


def test_not_worse_and_worse() -> None:
    same, less = [1.0, 0.0] * 150, [0.0] * 150 + [1.0, 0.0] * 75
    equal, worse = run([arm("prompt", same), arm("rag", same), arm("tuned", less)], 300)
    assert (equal.conclusion, equal.items_needed) == ("not_worse", 0)
    assert worse.conclusion == "worse"
    assert worse.difference.high < 0


def test_a_contrast_that_was_planned_but_not_run_still_counts() -> None:
    prompt, rag = [0.0] * 30, [1.0] * 9 + [0.0] * 21
    (only,) = run([arm("prompt", prompt), arm("rag", rag)], 30)
    assert only.p_holm == pytest.approx(2 * only.p)


def test_clustered_items_go_by_clusters() -> None:
    prompt, rag = [0.0] * 60, [1.0] * 20 + [0.0] * 40
    groups = {each.id: str(place // 10) for place, each in enumerate(EXAMPLES[:60])}
    (plain,), (grouped,) = (
        run([arm("prompt", prompt), arm("rag", rag)], 60),
        run([arm("prompt", prompt), arm("rag", rag)], 60, clusters=groups),
    )
    assert plain.conclusion == "better"
    assert grouped.conclusion == "not_proven"
    assert grouped.difference.clusters == 6
    assert "only 6 clusters" in grouped.difference.method


def test_graded_scores() -> None:
    prompt, rag = [0.2 + (i % 5) / 10 for i in range(80)], [0.3 + (i % 7) / 10 for i in range(80)]
    (seen,) = run([arm("prompt", prompt), arm("rag", rag)], 80, metric="rouge1")
    assert seen.conclusion == "better"
    assert "paired t" in seen.difference.method


def test_macro_f1_of_two_arms() -> None:
    targets = [SENTIMENTS[i % 3] for i in range(90)]
    examples = [row(f"text {i}", target) for i, target in enumerate(targets)]
    rule = AcceptanceRule(metric="macro_f1", bar=0.5, margin=0.05)

    def contender(name: str, texts: list[str]) -> Contender:
        return Contender(
            name,
            name,
            [
                score_item("macro_f1", one, text, labels=SENTIMENTS)
                for one, text in zip(examples, texts, strict=True)
            ],
        )

    weak = contender("prompt", ["neutral"] * 90)
    strong = contender("rag", [target if i % 6 else "?" for i, target in enumerate(targets)])
    up, none = compare(
        [weak, strong, contender("tuned", [target if i % 6 else "?" for i, target in enumerate(targets)])],
        protocol("macro_f1"), rule, examples=examples, labels=SENTIMENTS,
    )  # fmt: skip
    assert up.conclusion == "better"
    assert up.difference.low > 0.3
    assert none.difference.value == 0
    assert none.p == 1.0
    assert none.difference.low < 0 < none.difference.high


def test_other_items_cannot_be_compared() -> None:
    with pytest.raises(DataError) as caught:
        run([arm("prompt", [1.0] * 10), arm("rag", [1.0] * 9)], 10)
    assert caught.value.problems == ("rag: 1 of 10 items have no score",)
    twice = arm("rag", [1.0] * 10)
    with pytest.raises(DataError, match="1 items scored twice"):
        run([arm("prompt", [1.0] * 10), Contender("rag", "t", [*twice.scores, twice.scores[0]])], 10)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=60),
    st.booleans(),
)
def test_a_conclusion_agrees_with_interval_p_and_counts(
    pairs: list[tuple[float, float]], clustered: bool
) -> None:
    n = len(pairs)
    groups = {each.id: str(place % 12) for place, each in enumerate(EXAMPLES[:n])} if clustered else None
    (seen,) = run(
        [arm("prompt", [one for one, _ in pairs]), arm("rag", [two for _, two in pairs])], n, clusters=groups
    )
    difference = seen.difference
    assert difference.value == pytest.approx((seen.wins - seen.losses) / n)
    assert difference.low <= difference.value <= difference.high
    assert (seen.conclusion == "better") == (difference.low > 0 and seen.p_holm < 0.05)
    assert seen.conclusion != "worse" or difference.high < 0
    assert seen.conclusion != "not_worse" or difference.low > -0.05
    assert (seen.items_needed > 0) == (seen.conclusion == "not_proven")


def test_flips() -> None:
    seen = flips(scores({"a": 0, "b": 1, "c": 0.5, "d": 1}), scores({"d": 1, "c": 0.7, "b": 0, "a": 1}))
    assert (seen.improved, seen.regressed, seen.same) == (("a", "c"), ("b",), 1)
