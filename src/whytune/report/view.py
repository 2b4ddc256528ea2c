"""The decision's figures as words, once, for HTML and Markdown alike. Every text from outside is made plain and clipped here.

It decides nothing and leaves nothing out silently: what has no room on the page is counted in a line that says where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from whytune.records.candidate import ARM_TITLES
from whytune.records.decision import ArmCost, ArmResult, Decision, Shown
from whytune.records.record import short
from whytune.records.wording import (
    count,
    digits_for,
    exact,
    figure,
    money,
    odds,
    point_span,
    points,
    span,
    won_lost,
)
from whytune.report.plain import plain

PAIRS = 5
BAR_WORDS = {"yes": "✔ yes", "no": "✖ no", "not proven": "? not proven"}
TONES = {"PROMPT_ENOUGH": "good", "RAG_ENOUGH": "good", "FINETUNE_FOR_QUALITY": "good", "FINETUNE_FOR_COST": "good", "BOTH": "good",
         "NONE_ACCEPTABLE": "bad", "BLOCKED": "bad", "INVALID_TEST": "bad"}  # fmt: skip


@dataclass(frozen=True)
class ArmLine:
    """One arm in the table of results."""

    title: str
    right: str
    share: str
    interval: str
    per_1000: str
    seconds: str
    bar: str
    closed: str
    wins: bool


@dataclass(frozen=True)
class PairLine:
    """One paired difference."""

    pair: str
    difference: str
    interval: str
    won: str
    chance: str


@dataclass(frozen=True)
class CostLine:
    """One arm in the table of costs."""

    title: str
    one_off: str
    monthly: str
    per_1000: str
    total: str
    break_even: str


@dataclass(frozen=True)
class ExampleCard:
    """One item; arms that answered the same share a line: (arms, mark, answer)."""

    input: str
    target: str
    answers: tuple[tuple[str, str, str], ...]
    why: str


@dataclass(frozen=True)
class PageWords:
    """The page in words."""

    title: str
    purpose: str
    facts: str
    tone: str
    headline: str
    sentence: str
    code: str
    confidence: str
    bar: str
    margin: str
    metric: str
    arms: tuple[ArmLine, ...]
    pairs: tuple[PairLine, ...]
    pairs_left: int
    gaps: tuple[tuple[str, str], ...]
    most: str
    costs: tuple[CostLine, ...]
    cost_note: str
    gates: tuple[str, ...]
    examples: tuple[ExampleCard, ...]
    limits: tuple[str, ...]
    changes: tuple[str, ...]
    hashes: tuple[tuple[str, str], ...]
    command: str
    stamp: str


def view(decision: Decision) -> PageWords:
    """Everything the page says, as text that is safe to look at (not yet escaped)."""
    graded, currency, verdict = decision.graded, decision.currency, decision.verdict
    cases = max((arm.primary.n for arm in decision.arms), default=decision.power.n)
    pairs, left = _pairs(decision)
    per_1000 = digits_for([arm.spending.cost_per_1000 for arm in decision.arms])
    solo = ", alone in every role (solo)" if decision.solo else ""
    return PageWords(
        title=plain(decision.title, 90),
        purpose=plain(decision.purpose, 160),
        facts=f"{plain(decision.task, 30)} · {plain(decision.base, 70)} · {cases:,} sealed test cases · {plain(decision.when, 20)}",
        tone=TONES.get(verdict.code, "open"),
        headline=verdict.headline,
        sentence=verdict.sentence,
        code=verdict.code,
        confidence=f"{100 * decision.rule.confidence:.3g} %",
        bar=exact(decision.rule.bar, graded),
        margin=f"{decision.rule.margin:.6g}" if graded else f"{100 * decision.rule.margin:.6g} points",
        metric=plain(decision.rule.metric.replace("_", " "), 30),
        arms=tuple(
            ArmLine(
                title=plain(arm.title, 24),
                right="average" if graded else f"{arm.right:,} of {arm.primary.n:,}",
                share=figure(arm.primary.value, graded),
                interval=span(arm.primary, graded, decision.rule.bar),
                per_1000=money(arm.spending.cost_per_1000, currency, per_1000),
                seconds=f"{arm.spending.median_seconds:.2f} s",
                bar=BAR_WORDS[arm.reaches_bar],
                closed=plain(arm.closed_by.replace("_", " "), 24),
                wins=arm.arm == verdict.winner,
            )
            for arm in decision.arms
        ),
        pairs=pairs,
        pairs_left=left,
        gaps=_gaps(decision),
        most=decision.attribution.sentence if decision.attribution else "",
        costs=_costs(decision),
        cost_note=f"{decision.answers_per_month:,} answers a month for {decision.months} months; prices: {plain(decision.price_source, 90)}.",
        gates=tuple(
            f"{plain(gate.name.replace('_', ' '), 30)}: {plain(gate.reason, 140)}" for gate in decision.gates
        ),
        examples=tuple(_card(shown, graded) for shown in decision.examples[:3]),
        limits=tuple(plain(line, 260) for line in decision.limits),
        changes=tuple(plain(line, 260) for line in verdict.would_change),
        hashes=tuple(
            (plain(name, 24), plain(short(value).rpartition(":")[2], 40))
            for name, value in [("decision", decision.id), *decision.hashes.items()]
        ),
        command=plain(decision.command, 200),
        stamp=f"{plain(decision.person, 60)}{solo}",
    )


def _pairs(decision: Decision) -> tuple[tuple[PairLine, ...], int]:
    """The comparisons of the winner, or of the best arm where none won; the rest are counted."""
    focus = decision.verdict.winner
    if not focus and decision.arms:
        focus = max(decision.arms, key=lambda arm: arm.primary.value).arm
    ranked = sorted(decision.comparisons, key=lambda line: focus not in (line.first_arm, line.second_arm))
    lines = tuple(
        PairLine(
            pair=f"{ARM_TITLES[line.second_arm]} against {ARM_TITLES[line.first_arm]}",
            difference=points(line.difference.value, decision.graded),
            interval=point_span(line.difference, decision.graded),
            won=won_lost(line),
            chance=odds(line.p_holm),
        )
        for line in ranked[:PAIRS]
    )
    return lines, max(0, len(ranked) - PAIRS)


def _gaps(decision: Decision) -> tuple[tuple[str, str], ...]:
    """(share, what it is) for each part of what is missing on dev."""
    if decision.attribution is None:
        return ()
    found = []
    for gap in decision.attribution.gaps:
        share, said = gap.sentence.split(": ", 1)
        found.append((plain(share, 12), plain(said, 140)))
    return tuple(found)


def _costs(decision: Decision) -> tuple[CostLine, ...]:
    reaching = [arm.cost for arm in decision.arms if arm.reaches_bar == "yes" and not arm.closed_by]
    cheapest = min(reaching, key=lambda cost: cost.total, default=None)
    names = ("one_off", "monthly", "per_1000", "total")
    digits = {name: digits_for([getattr(arm.cost, name) for arm in decision.arms]) for name in names}

    def amount(arm: ArmResult, name: str) -> str:
        return money(getattr(arm.cost, name), decision.currency, digits[name])

    return tuple(
        CostLine(
            title=plain(arm.title, 24),
            one_off=amount(arm, "one_off"),
            monthly=amount(arm, "monthly"),
            per_1000=amount(arm, "per_1000"),
            total=amount(arm, "total"),
            break_even=_break_even(arm, cheapest),
        )
        for arm in decision.arms
    )


def _break_even(arm: ArmResult, cheapest: ArmCost | None) -> str:
    if cheapest is None:
        return "nothing reaches the bar"
    if arm.closed_by:
        return "closed by a gate"
    if arm.reaches_bar != "yes":
        return "not proven to reach the bar" if arm.reaches_bar == "not proven" else "does not reach the bar"
    if arm.arm == cheapest.arm:
        return "is the cheapest"
    if arm.cost.break_even_per_month is None:
        return (
            "cheaper at fewer answers"
            if arm.cost.one_off + arm.cost.monthly < cheapest.one_off + cheapest.monthly
            else "never cheaper"
        )
    even = arm.cost.break_even_per_month
    return "cheaper at any volume" if even == 0 else f"cheaper from {count(even)} answers a month"


def _card(shown: Shown, graded: bool) -> ExampleCard:
    grouped: dict[tuple[str, float], list[str]] = {}
    for arm, text, score in shown.answers:
        grouped.setdefault((plain(text) or "(no answer)", score), []).append(
            ARM_TITLES.get(arm, plain(arm, 20))
        )
    answers = tuple(
        (", ".join(arms), f"{score:.2f}" if graded else ("✔" if score >= 0.5 else "✖"), plain(text, 76))
        for (text, score), arms in grouped.items()
    )
    return ExampleCard(
        input=plain(shown.input, 130),
        target=plain(shown.target, 100),
        answers=answers,
        why=plain(shown.why, 140),
    )
