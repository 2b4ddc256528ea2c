"""Every verdict once, by a case that must give it; the words beside the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from tests.sample_decision import (
    COSTS,
    SHARES,
    comparisons,
    dataset,
    dev,
    evidence,
    imprint,
    scored,
    typical,
    usecase,
)

from whytune.acceptance.attribution import attribute
from whytune.acceptance.decision import decide
from whytune.acceptance.saying import VERDICTS
from whytune.acceptance.triage import Facts
from whytune.errors import DataError
from whytune.records.data import Certificate
from whytune.records.decision import Decision, VerdictCode
from whytune.records.evidence import Measure
from whytune.records.project import Prices


def decided(shares: dict[str, float], n: int = 400, **more: Any) -> Decision:
    case = more.pop("case", None) or usecase()
    return decide(evidence(scored(n, shares), case, **more), imprint())


def test_the_simplest_arm_that_reaches_the_bar_is_enough() -> None:
    assert decided({"prompt": 0.85, "rag": 0.86, "tuned": 0.87}).verdict.code == "PROMPT_ENOUGH"
    assert decided({"prompt": 0.5, "few_shot": 0.85, "rag": 0.86}).verdict.code == "PROMPT_ENOUGH"
    assert decided({"prompt": 0.5, "full_context": 0.85, "rag": 0.86}).verdict.winner == "full_context"
    found = typical().verdict
    assert (found.code, found.winner) == ("RAG_ENOUGH", "rag")
    assert "answered 240 of 300 right" in found.sentence
    assert "won 29 and lost 23; such a gap is luck as often as not" in found.sentence
    assert "Nothing simpler is proven to reach it" in found.sentence


def test_fine_tuning_for_quality() -> None:
    alone = decided({"prompt": 0.5, "rag": 0.6, "tuned": 0.88}).verdict
    assert (alone.code, alone.winner) == ("FINETUNE_FOR_QUALITY", "tuned")
    better = decided({"prompt": 0.81, "tuned": 0.96}).verdict
    assert (better.code, better.winner) == ("FINETUNE_FOR_QUALITY", "tuned")
    assert "reaches it too, but the tuned model beats it by 15.0 points" in better.sentence
    close = decided({"prompt": 0.81, "tuned": 0.86}).verdict
    assert close.code == "PROMPT_ENOUGH", "better, but not provably by the margin"


def test_both() -> None:
    assert decided({"prompt": 0.4, "rag": 0.6, "tuned": 0.6, "tuned_rag": 0.88}).verdict.code == "BOTH"


def test_fine_tuning_for_cost() -> None:
    prices = Prices(answers_per_month=2_000_000)
    shares, costs = {"rag": 0.85, "tuned": 0.855}, {"rag": 3.0, "tuned": 0.1}
    found = decided(shares, 1_500, case=usecase(prices=prices), costs=costs).verdict
    assert (found.code, found.winner) == ("FINETUNE_FOR_COST", "tuned")
    assert "over 12 months against" in found.sentence
    assert (
        decided(shares, 1_500, case=usecase(prices=Prices(answers_per_month=1_000)), costs=costs).verdict.code
        == "RAG_ENOUGH"
    )
    worse = decided({"rag": 0.93, "tuned": 0.80}, 1_500, case=usecase(prices=prices), costs=costs).verdict
    assert worse.code == "RAG_ENOUGH", "cheap, but provably worse than the margin allows"


def test_mend_the_search_the_format_or_the_labels_first() -> None:
    shares = {"prompt": 0.3, "rag": 0.6}
    attribution = attribute(dev({"prompt": 0.3, "rag": 0.6, "oracle": 0.9}), usecase().rule)
    assert decided(shares, attribution=attribution).verdict.code == "FIX_RETRIEVAL_FIRST"
    shape = attribute(dev({"prompt": 0.3, "rag": 0.6}, lenient={"rag": 0.85}), usecase().rule)
    assert decided(shares, attribution=shape).verdict.code == "FIX_FORMAT_FIRST"
    noise = Measure(name="noise", value=0.14, low=0.09, high=0.2, n=200, method="double labels")
    assert decided(shares, label_noise=noise).verdict.code == "FIX_LABELS_FIRST"
    assert decided({"prompt": 0.9}, label_noise=noise).verdict.code == "PROMPT_ENOUGH", (
        "noise does not undo what is proven"
    )


def test_fine_tuning_cannot_pay() -> None:
    shares = {"prompt": 0.55, "rag": 0.66}
    attribution = attribute(
        dev({"prompt": 0.55, "rag": 0.68, "oracle": 0.72}, n=900), usecase(bar=0.9, margin=0.32).rule
    )
    assert not attribution.can_pay
    case = usecase(bar=0.9, margin=0.32)
    found = decided(
        shares, case=case, attribution=attribution, applicable=("prompt", "rag", "tuned", "tuned_rag")
    ).verdict
    assert found.code == "CANNOT_PAY"
    assert not found.so_far, "what is missing is training, and that is what was ruled out"
    tried = decided({**shares, "tuned": 0.6}, case=case, attribution=attribution).verdict
    assert tried.code == "NONE_ACCEPTABLE", "a measurement is stronger than arithmetic"


def test_nothing_reaches_the_bar() -> None:
    final = decided({"prompt": 0.3, "rag": 0.5, "tuned": 0.6}).verdict
    assert final.code == "NONE_ACCEPTABLE"
    assert not final.so_far
    partial = decided({"prompt": 0.3, "rag": 0.5}, applicable=("prompt", "rag", "tuned")).verdict
    assert partial.code == "NONE_ACCEPTABLE"
    assert partial.so_far
    assert "so far" in partial.headline
    assert "Not measured yet: the tuned model." in partial.sentence


def test_inconclusive_names_the_items_and_their_price() -> None:
    found = decided({"prompt": 0.3, "rag": 0.78}, 200).verdict
    assert found.code == "INCONCLUSIVE"
    assert found.items_needed > 200
    assert found.price_of_items == pytest.approx(found.items_needed * 0.5)
    assert "would prove that it reaches the bar" in found.sentence
    nothing = decide(evidence({}, usecase(), applicable=("prompt",)), imprint()).verdict
    assert (nothing.code, nothing.so_far) == ("INCONCLUSIVE", True)


def test_blocked_by_a_gate() -> None:
    found = decided({"prompt": 0.3, "rag": 0.5, "tuned": 0.9}, case=usecase(facts_change=True)).verdict
    assert found.code == "BLOCKED"
    assert "Facts change faster" in found.sentence
    hosted = decided({"prompt": 0.9}, case=usecase(no_egress=True), facts=Facts(endpoint=True)).verdict
    assert hosted.code == "BLOCKED"
    none = decide(evidence({}, usecase(no_egress=True), facts=Facts(endpoint=True)), imprint()).verdict
    assert none.code == "BLOCKED"
    free = decided({"prompt": 0.3, "rag": 0.9, "tuned": 0.99}, case=usecase(facts_change=True)).verdict
    assert free.code == "RAG_ENOUGH", "a closed arm neither wins nor takes the win away"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"certificate": Certificate(same_group=0, exact=2, near=1, purged=0, pairs_verified=3, components=9, method="m")}, "3 test cases"),
        ({"n": 19}, "19 cases, fewer than 20"),
        ({"clusters": 9}, "9 groups, fewer than 10"),
        ({"opened_early": True}, "before the protocol"),
    ],
)  # fmt: skip
def test_an_invalid_test_decides_nothing(change: dict[str, Any], says: str) -> None:
    n = change.get("n", 100)
    data = dataset(n, certificate=change["certificate"]) if "certificate" in change else dataset(n)
    parts: dict[str, Any] = {"data": data, "opened_early": change.get("opened_early", False)}
    if "clusters" in change:
        base = evidence(scored(n, {"prompt": 1.0}), usecase(), data=data)
        parts["power"] = base.power.model_copy(update={"clusters": change["clusters"]})
    found = decided({"prompt": 1.0}, n, **parts).verdict
    assert found.code == "INVALID_TEST"
    assert says in found.sentence
    assert not found.winner


def test_graded_scores_are_told_as_averages() -> None:
    scores = {
        arm: {item: value * 0.8 for item, value in items.items()}
        for arm, items in scored(300, {"prompt": 0.5, "tuned": 0.98}).items()
    }
    case = usecase(bar=0.7)
    found = decide(evidence(scores, case), imprint())
    assert found.graded
    assert found.verdict.winner == "tuned"
    assert "scored 0.784 on average over 300 cases" in found.verdict.sentence
    assert "right" not in found.verdict.sentence


def test_trials_that_cannot_stand_in_one_table_are_refused_all_at_once() -> None:
    parts = evidence(scored(50, {"prompt": 0.5}), usecase())
    one = parts.trials[0]
    odd = one.model_copy(update={"arm": "oracle", "split": "dev", "dataset": "dataset:other"})
    with pytest.raises(DataError) as caught:
        decide(type(parts)(**{**parts.__dict__, "trials": (one, one, odd)}), imprint())
    assert len(caught.value.problems) == 4


def test_the_record_carries_what_the_page_needs() -> None:
    found = typical()
    assert [arm.arm for arm in found.arms] == list(SHARES), "simplest first"
    assert found.answers_per_month == 10_000
    assert {"rule", "dataset", "base model", "protocol"} <= set(found.hashes)
    assert any("solo" in line for line in found.limits)
    assert found.id == typical().id, "the same evidence gives the same decision"
    missing = decide(evidence(scored(300, SHARES), usecase(), costs=COSTS), imprint())
    without = type(missing).model_validate(missing.model_dump() | {"comparisons": ()})
    assert without.id != missing.id
    assert len(comparisons(scored(300, SHARES), 0.05)) == 15


def test_every_verdict_is_explained_in_the_docs_in_the_same_words() -> None:
    text = " ".join(
        (Path(__file__).parents[2] / "docs" / "reference" / "verdicts.md").read_text("utf-8").split()
    )
    assert set(VERDICTS) == set(get_args(VerdictCode))
    for code, words in VERDICTS.items():
        assert f"### {code} {words}" in text


def test_a_saving_counts_only_where_the_loss_is_provably_within_the_margin() -> None:
    case, costs = usecase(bar=0.5, prices=Prices(answers_per_month=2_000_000)), {"rag": 3.0, "tuned": 0.1}
    assert decided({"rag": 0.85, "tuned": 0.84}, 100, case=case, costs=costs).verdict.code == "RAG_ENOUGH"
    assert (
        decided({"rag": 0.85, "tuned": 0.84}, 2_000, case=case, costs=costs).verdict.code
        == "FINETUNE_FOR_COST"
    )
