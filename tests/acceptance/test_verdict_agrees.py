"""The code, the sentence, the winner and the table never disagree, whatever was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.sample_decision import dev, evidence, imprint, scored, usecase

from whytune.acceptance.attribution import attribute
from whytune.acceptance.decision import Evidence, decide, tabulate
from whytune.acceptance.triage import ARMS, TRAINED
from whytune.acceptance.verdict import judge
from whytune.records.decision import ArmResult, Decision
from whytune.records.project import Prices, UseCase
from whytune.records.wording import ARM_PHRASES, span

WINNING = {"PROMPT_ENOUGH", "RAG_ENOUGH", "FINETUNE_FOR_QUALITY", "FINETUNE_FOR_COST", "BOTH"}
COUNTED = re.compile(r"answered ([\d,]+) of ([\d,]+) right")
FLIP = re.compile(r"A bar at or below ([\d.]+) %: then (.+?)(?:, which is simpler,)? would be proven")
LOST = re.compile(r"A bar above ([\d.]+) %: then (.+?) would no longer")

levels = st.sampled_from([0.0, 0.3, 0.5, 0.62, 0.7, 0.78, 0.82, 0.86, 0.9, 0.95, 1.0])
shares = st.fixed_dictionaries({}, optional=dict.fromkeys(ARMS, levels))
cases = st.builds(
    lambda bar, margin, volume, said: usecase(
        bar=bar / 100, margin=margin / 100, prices=Prices(answers_per_month=volume), **said
    ),
    st.one_of(st.sampled_from([50, 60, 70, 75, 80]), st.integers(1, 99)),
    st.sampled_from([1, 3, 5, 8, 15]),
    st.sampled_from([0, 10_000, 5_000_000]),
    st.sampled_from(
        [{}, {}, {"citations": True}, {"may_train": False}, {"facts_change": True}, {"no_egress": True}]
    ),
)
costs = st.fixed_dictionaries(dict.fromkeys(ARMS, st.sampled_from([0.01, 0.5, 4.0])))
on_dev = st.one_of(st.none(), st.tuples(levels, levels, levels, levels))
"""Shares on dev of prompt, rag, oracle, and rag read leniently."""
tests = st.tuples(st.sampled_from([18, 60, 150, 400, 400, 600]), shares, st.integers(0, 9), on_dev)
COSTLY = usecase(margin=0.15, prices=Prices(answers_per_month=5_000_000))
"""With rag at 4 per 1,000 and tuned at 0.01, fine-tuning pays for its cost."""
relaxed = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Drawn = tuple[int, dict[str, float], int, tuple[float, float, float, float] | None]


def build(test: Drawn, case: UseCase, paid: Mapping[str, float]) -> Evidence:
    n, wanted, seed, measured = test
    ordered = {arm: wanted[arm] for arm in ARMS if arm in wanted}
    attribution = None
    if measured is not None:
        prompt, rag, oracle, lenient = measured
        seen = dev(
            {"prompt": prompt, "rag": rag, "oracle": oracle}, lenient={"prompt": lenient, "rag": lenient}
        )
        attribution = attribute(seen, case.rule)
    return evidence(scored(n, ordered, seed), case, costs=paid, applicable=ARMS, attribution=attribution)


def arms(decision: Decision) -> dict[str, ArmResult]:
    return {arm.arm: arm for arm in decision.arms}


@relaxed
@example(test=(400, {"rag": 0.9, "tuned": 0.9}, 1, None), case=COSTLY, paid={"rag": 4.0, "tuned": 0.01})
@given(test=tests, case=cases, paid=costs)
def test_verdict_and_table_agree(test: Drawn, case: UseCase, paid: dict[str, float]) -> None:
    decision = decide(build(test, case, paid), imprint())
    verdict, table = decision.verdict, arms(decision)
    free = [arm for arm in decision.arms if not arm.closed_by]
    reaching = [arm for arm in free if arm.reaches_bar == "yes"]
    assert (verdict.winner != "") == (verdict.code in WINNING)
    if verdict.code == "INVALID_TEST":
        assert decision.arms == () or table[next(iter(table))].primary.n < 20 or decision.power.n < 20
        return
    assert (verdict.code in WINNING) == bool(reaching)
    if verdict.winner:
        row = table[verdict.winner]
        assert row.reaches_bar == "yes"
        assert row.primary.low >= case.rule.bar
        assert not row.closed_by
        assert verdict.sentence.lower().startswith(ARM_PHRASES[verdict.winner].lower())
        assert span(row.primary, False, case.rule.bar) in verdict.sentence
        assert (verdict.code in {"FINETUNE_FOR_QUALITY", "FINETUNE_FOR_COST", "BOTH"}) == (
            verdict.winner in TRAINED
        )
    if verdict.code == "NONE_ACCEPTABLE":
        assert free
        assert all(arm.reaches_bar == "no" and arm.primary.high < case.rule.bar for arm in free)
    if verdict.code == "CANNOT_PAY":
        assert decision.attribution is not None
        assert decision.attribution.most_training_can_add.high < case.rule.margin
        assert not any(arm in TRAINED for arm in table)
    if verdict.code == "BLOCKED":
        assert decision.gates
        assert not free or any(arm.closed_by and arm.reaches_bar == "yes" for arm in decision.arms)
    assert verdict.price_of_items == verdict.items_needed * case.prices.row


@relaxed
@example(test=(400, {"rag": 0.9, "tuned": 0.9}, 1, None), case=COSTLY, paid={"rag": 4.0, "tuned": 0.01})
@given(test=tests, case=cases, paid=costs)
def test_every_count_in_the_sentence_stands_in_the_table(
    test: Drawn, case: UseCase, paid: dict[str, float]
) -> None:
    decision = decide(build(test, case, paid), imprint())
    sentence = decision.verdict.sentence
    counts = {(arm.right, arm.primary.n) for arm in decision.arms}
    found = [
        (int(one.replace(",", "")), int(all_.replace(",", ""))) for one, all_ in COUNTED.findall(sentence)
    ]
    assert set(found) <= counts
    pairs = {
        pair for line in decision.comparisons for pair in ((line.wins, line.losses), (line.losses, line.wins))
    }
    told = re.findall(r"it won ([\d,]+) and lost ([\d,]+)", sentence)
    assert {(int(won.replace(",", "")), int(lost.replace(",", ""))) for won, lost in told} <= pairs
    if decision.verdict.winner:
        row = arms(decision)[decision.verdict.winner]
        assert found[0] == (row.right, row.primary.n)


@relaxed
@example(test=(400, {"rag": 0.9, "tuned": 0.9}, 1, None), case=COSTLY, paid={"rag": 4.0, "tuned": 0.01})
@given(test=tests, case=cases, paid=costs)
def test_no_simpler_arm_is_passed_over_without_a_reason(
    test: Drawn, case: UseCase, paid: dict[str, float]
) -> None:
    table = tabulate(build(test, case, paid))
    verdict = judge(table)
    if not verdict.winner or verdict.code == "INVALID_TEST":
        return
    winner = table.names[verdict.winner]
    for simpler in (arm for arm in table.reaching if ARMS.index(arm.arm) < ARMS.index(winner.arm)):
        dearer = [arm for arm in table.reaching if ARMS.index(arm.arm) > ARMS.index(simpler.arm)]
        assert (
            any(table.beats(arm, simpler) for arm in dearer)
            or table.saves(winner, simpler)
            or any(table.saves(winner, other) for other in table.reaching if other is not winner)
        )


@pytest.mark.slow
@relaxed
@given(test=tests, case=cases)
def test_more_of_the_same_never_unproves(test: Drawn, case: UseCase) -> None:
    parts = build(test, case, {})
    more = {
        arm: {f"{item}.{copy}": value for item, value in items.items() for copy in range(3)}
        for arm, items in parts.scores.items()
    }
    before, after = decide(parts, imprint()), decide(evidence(more, case, applicable=ARMS), imprint())
    for arm, row in arms(before).items():
        if row.reaches_bar != "not proven":
            assert arms(after)[arm].reaches_bar == row.reaches_bar
    if before.verdict.code in WINNING:
        assert after.verdict.code in WINNING


@pytest.mark.slow
@relaxed
@example(test=(400, {"rag": 0.9, "tuned": 0.9}, 1, None), case=COSTLY, paid={"rag": 4.0, "tuned": 0.01})
@given(test=tests, case=cases, paid=costs)
def test_what_would_change_the_answer_would(test: Drawn, case: UseCase, paid: dict[str, float]) -> None:
    decision = decide(build(test, case, paid), imprint())
    names = {phrase: arm for arm, phrase in ARM_PHRASES.items()}
    for line in decision.verdict.would_change:
        if found := FLIP.match(line):
            moved = case.model_copy(
                update={"rule": case.rule.model_copy(update={"bar": float(found[1]) / 100})}
            )
            assert arms(decide(build(test, moved, paid), imprint()))[names[found[2]]].reaches_bar == "yes"
        if found := LOST.match(line):
            bar = min(1.0, float(found[1]) / 100 + 0.0011)
            moved = case.model_copy(update={"rule": case.rule.model_copy(update={"bar": bar})})
            assert arms(decide(build(test, moved, paid), imprint()))[names[found[2]]].reaches_bar != "yes"


def test_the_costly_example_is_one() -> None:
    test: Drawn = (400, {"rag": 0.9, "tuned": 0.9}, 1, None)
    assert (
        decide(build(test, COSTLY, {"rag": 4.0, "tuned": 0.01}), imprint()).verdict.code
        == "FINETUNE_FOR_COST"
    )
