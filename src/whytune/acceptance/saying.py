"""The clauses of a verdict's sentence, each from the table's own figures; no clause decides anything."""

from __future__ import annotations

from whytune.acceptance.table import Standings, more_items
from whytune.records.decision import ArmResult, VerdictCode
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
    size,
    span,
)

VERDICTS: dict[VerdictCode, str] = {
    "PROMPT_ENOUGH": (
        "The prompt alone, with examples, or with all documents in it reaches the bar. Fine-tuning is "
        "not needed. Use that arm."
    ),
    "RAG_ENOUGH": (
        "Document search reaches the bar and nothing simpler does, or it does so more cheaply. Fine-"
        "tuning is not needed."
    ),
    "FINETUNE_FOR_QUALITY": (
        "The tuned model reaches the bar; simpler arms do not, or are provably beaten by the margin. "
        "Take it to review and release."
    ),
    "FINETUNE_FOR_COST": (
        "A simpler arm reaches the bar too. The tuned one is not worse than the margin allows and costs "
        "less over the horizon, with the reserve. Check the prices in `whytune.toml` before acting: they "
        "carry this verdict."
    ),
    "BOTH": (
        "The tuned model with document search reaches the bar; simpler arms do not, or are provably "
        "beaten by the margin."
    ),
    "FIX_RETRIEVAL_FIRST": (
        "The right passage is not found often enough. Tune the search (passage size, number of passages, "
        "embeddings), then measure again."
    ),
    "FIX_LABELS_FIRST": (
        "The wanted answers cannot carry the question. Correct the rows that `whytune data check` lists "
        "and make a new dataset version."
    ),
    "FIX_FORMAT_FIRST": (
        "Answers are right in the wrong shape. Constrain the decoding or make the prompt say the shape, "
        "then measure again."
    ),
    "CANNOT_PAY": (
        "Even if training mended everything it can, the gain would be below your margin. Stop, lower the "
        "margin, or improve documents and prompt. The bound is `1 - best untrained arm`, item by item, "
        "less what only better search can bring, less label noise. It trusts the oracle arm: facts that "
        "a model could learn by heart from its training rows count as search's part."
    ),
    "NONE_ACCEPTABLE": (
        "Every open arm measured misses the bar. With `so_far`: measure the arms that are named. "
        "Otherwise: a larger base model, more or better rows, or another bar, which is a new and visible "
        "rule."
    ),
    "INCONCLUSIVE": (
        "The test set is too small for where the arms stand. `items_needed` more cases would settle it "
        "in 4 of 5 tries if what was seen is true, at `price_of_items`. 0 means that the score is so "
        "close to the bar that no realistic number would do."
    ),
    "BLOCKED": (
        "What works may not be used. Open the gate if its reason no longer holds, or improve an arm that "
        "no gate closes."
    ),
    "INVALID_TEST": (
        "The figures mean nothing. Make a new dataset version with a clean, larger, sealed test set, and "
        "measure again."
    ),
}
"""What each verdict means and what to do next; `docs/reference/verdicts.md` says the same words."""


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
                f"{opening(arm.arm)} reaches it too, but {phrase(winner.arm)} beats it by {size(found.difference.value, table.graded)} "
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
