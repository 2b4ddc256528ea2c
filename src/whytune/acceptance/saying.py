"""The clauses of a verdict's sentence, each from the table's own figures; no clause decides anything."""

from __future__ import annotations

from whytune.acceptance.standings import Standings, more_items
from whytune.records.decision import ArmResult
from whytune.records.evidence import Comparison
from whytune.records.wording import (
    achieved,
    chance,
    exact,
    figure,
    money,
    opening,
    phrase,
    point_span,
    points,
    span,
)


def bar(table: Standings) -> str:
    """The bar as its owner set it."""
    return exact(table.rule.bar, table.graded)


def margin(table: Standings) -> str:
    """The margin as its owner set it."""
    return f"{table.rule.margin:.6g}" if table.graded else f"{100 * table.rule.margin:.6g} points"


def reached(arm: ArmResult, table: Standings) -> str:
    """`answered 241 of 300 right (80.3 %; 95 % interval 75.4 to 84.5 %)`."""
    share = "" if table.graded else f"{figure(arm.primary.value)}; "
    sure = f"{100 * table.rule.confidence:.3g} % interval"
    return f"{achieved(arm.primary, arm.right, table.graded)} ({share}{sure} {span(arm.primary, table.graded, table.rule.bar)})"


def listed(arms: tuple[str, ...]) -> str:
    """Arms in a sentence: `document search (RAG) and the tuned model`."""
    words = [phrase(arm) for arm in arms]
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def settling(table: Standings) -> tuple[ArmResult | None, int]:
    """The open arm that would be settled first, and the cases it lacks: one seen above the bar before one seen below."""
    unsure = [arm for arm in table.open if arm.reaches_bar == "not proven"]
    if not unsure:
        return None, 0
    needs = [(arm, more_items(arm.primary, table.rule.bar)) for arm in unsure]
    above = [(arm, needed) for arm, needed in needs if arm.primary.value > table.rule.bar and needed]
    if above:
        return min(above, key=lambda pair: pair[1])
    return max(needs, key=lambda pair: pair[0].primary.value)


def none_proven(table: Standings) -> str:
    """How the sentence begins where no arm reaches the bar."""
    if not table.open:
        return "Nothing has been measured on the sealed test set."
    best = max(table.open, key=lambda arm: arm.primary.value)
    below = "is provably below" if best.reaches_bar == "no" else "is not proven to reach"
    return (
        f"The best so far, {phrase(best.arm)}, {reached(best, table)} and {below} your bar of {bar(table)}."
    )


def saving(winner: ArmResult, simplest: ArmResult, table: Standings) -> str:
    """Why a dearer kind of arm wins for its cost."""
    found = table.comparison(simplest.arm, winner.arm)
    assert found is not None  # Standings.saves asked for it
    currency, months = table.prices.currency, table.prices.months
    return (
        f"{opening(simplest.arm)} {achieved(simplest.primary, simplest.right, table.graded)} and reaches it too, but costs "
        f"{money(simplest.cost.total, currency)} over {months} months against {money(winner.cost.total, currency)}; the "
        f"difference in quality is {points(found.difference.value, table.graded)} "
        f"({point_span(found.difference, table.graded)}), within your margin of {margin(table)} at worst."
    )


def beaten(winner: ArmResult, table: Standings) -> list[str]:
    """What the winner has over the simpler arms."""
    simpler = [arm for arm in table.open if table.open.index(arm) < table.open.index(winner)]
    reaching = [arm for arm in simpler if arm.reaches_bar == "yes"]
    if simpler and not reaching:
        return ["Nothing simpler is proven to reach it."]
    words = []
    for arm in reaching:
        found = table.comparison(arm.arm, winner.arm)
        if found is not None and table.beats(winner, arm):
            words.append(
                f"{opening(arm.arm)} reaches it too, but {phrase(winner.arm)} beats it by {points(found.difference.value, table.graded)} "
                f"({point_span(found.difference, table.graded)}), at least your margin of {margin(table)}."
            )
        else:
            words.append(
                f"{opening(arm.arm)} reaches it too, but is provably beaten by more than your margin."
            )
    return words


def against(winner: ArmResult, table: Standings, besides: str) -> list[str]:
    """The best other open arm that was compared with the winner: what it won and lost, and whether that is luck."""
    pairs = [
        (arm, found) for arm in table.open if (found := _pair(winner, arm, table)) and arm.arm != besides
    ]
    if not pairs:
        return []
    rival, found = max(pairs, key=lambda pair: pair[0].primary.value)
    if found.second_arm == winner.arm and table.beats(winner, rival) and rival.reaches_bar == "yes":
        return []  # `beaten` has said it
    wins, losses = (found.wins, found.losses) if found.second_arm == rival.arm else (found.losses, found.wins)
    difference = rival.primary.value - winner.primary.value
    proven = found.conclusion in ("better", "worse")
    if proven and difference > 0:
        told = f"it is better, but not provably by your margin of {margin(table)}"
    elif proven:
        told = "it is provably worse"
    elif difference == 0:
        told = "there is no gap between them"
    else:
        told = chance(found.p_holm, 1 - table.rule.confidence)
    return [
        f"{opening(rival.arm)} {achieved(rival.primary, rival.right, table.graded)}; against {phrase(winner.arm)} it won "
        f"{wins:,} and lost {losses:,}; {told}."
    ]


def _pair(winner: ArmResult, other: ArmResult, table: Standings) -> Comparison | None:
    return table.comparison(winner.arm, other.arm) or table.comparison(other.arm, winner.arm)
