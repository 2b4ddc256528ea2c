"""Gaps are paired differences with intervals; training is ruled out only when its upper bound is below the margin."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sample_decision import dev, usecase

from whytune.acceptance.attribution import DevScores, attribute, noise_from
from whytune.errors import NotProvenError
from whytune.records.data import Finding
from whytune.records.evidence import Measure

RULE = usecase().rule


def gaps(scores: DevScores) -> dict[str, Measure]:
    return {gap.name: gap.measure for gap in attribute(scores, RULE).gaps}


def test_the_four_gaps_by_hand() -> None:
    found = gaps(dev({"prompt": 0.4, "rag": 0.7, "oracle": 0.9}, lenient={"rag": 0.8}))
    assert found["knowledge"].value == pytest.approx(0.5)
    assert found["retrieval"].value == pytest.approx(0.2)
    assert found["behaviour"].value == pytest.approx(0.1)
    assert found["format"].value == pytest.approx(0.1)
    assert all(
        measure.low <= measure.value <= measure.high and measure.n == 150 for measure in found.values()
    )


def test_without_documents_the_behaviour_gap_is_what_the_best_arm_lacks() -> None:
    found = attribute(dev({"prompt": 0.4, "few_shot": 0.6}), RULE)
    assert [gap.name for gap in found.gaps] == ["behaviour"]
    assert found.best_untrained == "few_shot"
    assert found.gaps[0].measure.value == pytest.approx(0.4)
    assert found.most_training_can_add.value == pytest.approx(0.4)


def test_training_cannot_pay_where_only_search_is_missing() -> None:
    items = [f"i{n}" for n in range(300)]
    right = dict.fromkeys(items, 1.0)
    half = {item: float(n % 2) for n, item in enumerate(items)}
    scores = {"prompt": dict.fromkeys(items, 0.0), "rag": half, "oracle": right}
    found = attribute(DevScores("p", "d", scores), RULE)
    assert not found.can_pay
    assert found.most_training_can_add.high < RULE.margin
    assert "cannot pay" in found.sentence
    handed = attribute(DevScores("p", "d", scores, found=dict.fromkeys(items, True)), RULE)
    assert handed.can_pay, "search did hand the passage over, so training could mend these"
    assert handed.most_training_can_add.value == pytest.approx(0.5)


def test_label_noise_is_room_that_nobody_can_fill() -> None:
    plain = dev({"prompt": 0.9})
    noise = Measure(name="noise", value=0.06, low=0.04, high=0.09, n=500, method="double labels")
    noisy = DevScores(plain.project, plain.dataset, plain.scores, label_noise=noise)
    assert attribute(noisy, RULE).most_training_can_add.value == pytest.approx(0.04)
    assert (
        attribute(noisy, RULE).most_training_can_add.high < attribute(plain, RULE).most_training_can_add.high
    )


def test_nothing_measured_is_an_error_with_a_next_step() -> None:
    with pytest.raises(NotProvenError, match="next:"):
        attribute(DevScores("p", "d", {"oracle": {"a": 1.0}}), RULE)


def test_noise_from_the_check_that_counted_it() -> None:
    line = Finding(
        check="conflicts", status="warn", message="12 rows", count=12, of=400, low=0.017, high=0.052
    )
    found = noise_from([Finding(check="empty", status="pass", message="none", of=400), line])
    assert found is not None
    assert (found.value, found.n) == (0.03, 400)
    assert noise_from([]) is None


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(2, 60), graded=st.booleans())
def test_bounds_hold_for_any_scores(data: st.DataObject, n: int, graded: bool) -> None:
    one = st.floats(0, 1) if graded else st.sampled_from([0.0, 1.0])
    arms = data.draw(st.sets(st.sampled_from(["prompt", "few_shot", "rag", "oracle"])))
    arms.add("prompt")
    scores = {arm: {f"i{at}": data.draw(one) for at in range(n)} for arm in sorted(arms)}
    found = attribute(DevScores("p", "d", scores), RULE)
    most = found.most_training_can_add
    assert 0 <= most.low <= most.value + 1e-9
    assert most.value <= most.high + 1e-9 <= 1 + 2e-9
    assert found.can_pay == (most.high >= RULE.margin)
    best = scores[found.best_untrained]
    assert most.value <= 1 - sum(best.values()) / n + 1e-9
    for gap in found.gaps:
        assert gap.measure.low - 1e-9 <= gap.measure.value <= gap.measure.high + 1e-9


def test_it_is_the_upper_bound_that_rules_training_out() -> None:
    few, many = attribute(dev({"prompt": 1.0}, n=40), RULE), attribute(dev({"prompt": 1.0}, n=400), RULE)
    assert few.most_training_can_add.value == many.most_training_can_add.value == 0
    assert few.can_pay, "40 right answers do not prove that fewer than 5 points are missing"
    assert not many.can_pay
