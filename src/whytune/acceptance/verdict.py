"""The verdict: one function that computes the code, the words and what would change them, from the table the page shows.

`judge(table)` asks the rules below in their order and takes the first that applies; `docs/reference/verdicts.md` says
the same to people. It measures nothing and rounds nothing before it compares.

    INVALID_TEST          leak, different items per arm, fewer than 20 items or 10 clusters, opened before the protocol
    BLOCKED               gates close every arm measured, or no open arm reaches the bar and a closed one does
    *_ENOUGH, FINETUNE_*, BOTH   an open arm provably reaches the bar: the simplest that no dearer one beats by the margin,
                          or a dearer one that is not worse than the margin and saves money with a reserve
    FIX_LABELS_FIRST      wanted answers are provably wrong more often than the margin, or than the bar leaves room for
    FIX_FORMAT_FIRST      answers that pass when read leniently are provably more than the margin
    FIX_RETRIEVAL_FIRST   with the right passage dev reaches the bar; search loses provably more than the margin
    CANNOT_PAY            the most that training can add is below the margin, and no trained arm was measured
    NONE_ACCEPTABLE       every open arm is provably below the bar
    INCONCLUSIVE          anything else, with the items that would settle it and their price
"""

from __future__ import annotations

from collections.abc import Callable

from whytune.acceptance.flips import enough_flips, unproven_flips
from whytune.acceptance.saying import (
    against,
    bar,
    beaten,
    listed,
    margin,
    none_proven,
    reached,
    saving,
    settling,
)
from whytune.acceptance.table import FEWEST_CLUSTERS, FEWEST_ITEMS, Standings
from whytune.acceptance.triage import ARMS, TRAINED
from whytune.records.decision import ArmResult, Gap, Verdict, VerdictCode
from whytune.records.wording import count, figure, high, low, money, opening, phrase, point_span, size

ENOUGH: dict[str, VerdictCode] = {
    "prompt": "PROMPT_ENOUGH",
    "few_shot": "PROMPT_ENOUGH",
    "full_context": "PROMPT_ENOUGH",
    "rag": "RAG_ENOUGH",
    "tuned": "FINETUNE_FOR_QUALITY",
    "tuned_rag": "BOTH",
}
HEADLINES: dict[str, str] = {
    "prompt": "No fine-tuning needed: the prompt is enough.",
    "few_shot": "No fine-tuning needed: a prompt with examples is enough.",
    "full_context": "No fine-tuning needed: a prompt with all documents is enough.",
    "rag": "No fine-tuning needed: document search is enough.",
    "tuned": "Fine-tuning is worth it.",
    "tuned_rag": "Fine-tuning together with document search is worth it.",
}


def judge(table: Standings) -> Verdict:
    """The verdict of the first rule that applies. Pure: the same table gives the same words."""
    return next(verdict for rule in RULES if (verdict := rule(table)) is not None)


def invalid_test(table: Standings) -> Verdict | None:
    """Figures of a test that leaks or is too small are not told as if they meant something."""
    seal, problems = table.certificate, []
    leaks = seal.same_group + seal.exact + seal.near
    if leaks:
        problems.append(f"{leaks} test cases are also in the training or dev data")
    if table.items < FEWEST_ITEMS:
        problems.append(f"it has {table.items} cases, fewer than {FEWEST_ITEMS}")
    if 0 < table.clusters < FEWEST_CLUSTERS:
        problems.append(f"its cases come from {table.clusters} groups, fewer than {FEWEST_CLUSTERS}")
    if table.opened_early:
        problems.append("it was opened before the protocol was fixed")
    if len({arm.primary.n for arm in table.arms}) > 1:
        problems.append("the approaches were not measured on the same cases")
    if not problems:
        return None
    return Verdict(
        code="INVALID_TEST",
        headline="This test cannot decide anything.",
        sentence=f"The sealed test set is not fit to decide: {'; '.join(problems)}.",
        would_change=("A new dataset version with a clean, larger, sealed test set.",),
    )


def blocked(table: Standings) -> Verdict | None:
    """What works may not be used, or nothing may be used at all."""
    if table.reaching or not table.closed:
        return None
    good = [arm for arm in table.arms if arm.arm in table.closed and arm.reaches_bar == "yes"]
    if not good and (table.open or table.pending):
        return None
    named = [arm.arm for arm in good] or [arm for arm in ARMS if arm in table.closed]
    gates = list({table.closed[arm].name: table.closed[arm] for arm in named}.values())
    if good:
        said = f"{opening(good[0].arm)} {reached(good[0], table)} and so reaches your bar of {bar(table)}, but may not be used."
    else:
        said = "None of the approaches may be the final answer."
    return Verdict(
        code="BLOCKED",
        headline="A gate closes what would work." if good else "Every approach is closed by a gate.",
        sentence=" ".join([said, *(gate.reason for gate in gates)]),
        would_change=(*(f"Opening the gate “{gate.name}”." for gate in gates), *unproven_flips(table))[:4],
        so_far=bool(table.pending),
    )


def enough(table: Standings) -> Verdict | None:
    """The simplest arm that reaches the bar and that no dearer one beats by the margin; or a dearer one that saves."""
    if not table.reaching:
        return None
    simplest, dearer = _simplest_unbeaten(table)
    savers = [arm for arm in dearer if table.saves(arm, simplest)]
    winner = min(savers, key=lambda arm: arm.cost.total) if savers else simplest
    code: VerdictCode = "FINETUNE_FOR_COST" if savers and winner.arm in TRAINED else ENOUGH[winner.arm]
    words = [
        f"{opening(winner.arm)} {reached(winner, table)}, so it provably reaches your bar of {bar(table)}."
    ]
    words += [saving(winner, simplest, table)] if savers else beaten(winner, table)
    words += against(winner, table, besides=simplest.arm if savers else "")
    if winner.arm not in TRAINED and table.training_untried:
        words.append("No tuned model was measured: none is needed to reach your bar.")
    return Verdict(
        code=code,
        headline="Fine-tuning is worth it for its cost."
        if code == "FINETUNE_FOR_COST"
        else HEADLINES[winner.arm],
        sentence=" ".join(words),
        winner=winner.arm,
        would_change=enough_flips(table, winner),
        so_far=bool(table.pending),
    )


def _simplest_unbeaten(table: Standings) -> tuple[ArmResult, tuple[ArmResult, ...]]:
    """The dearest arm that reaches the bar has no dearer one to beat it, so there always is one."""
    for at, arm in enumerate(table.reaching):
        dearer = table.reaching[at + 1 :]
        if not any(table.beats(other, arm) for other in dearer):
            break
    return arm, dearer


def fix_labels(table: Standings) -> Verdict | None:
    """No arm can be proven against answers that are themselves wrong."""
    noise = table.label_noise
    room = min(table.rule.margin, 1 - table.rule.bar)
    if noise is None or noise.low <= room:
        return None
    return Verdict(
        code="FIX_LABELS_FIRST",
        headline="Mend the labels first.",
        sentence=f"At least {low(noise.low)} of the wanted answers contradict one another or are wrong "
        f"({figure(noise.value)} of the {noise.n:,} looked at); a gap of {margin(table)} or a bar of {bar(table)} "
        "cannot be judged with them.",
        would_change=(
            "Correcting the rows that the data check lists, then measuring again.",
            *unproven_flips(table),
        )[:4],
        so_far=bool(table.pending),
    )


def fix_format(table: Standings) -> Verdict | None:
    """Right answers in the wrong shape."""
    gap = _gap(table, "format")
    if gap is None or gap.measure.low <= table.rule.margin:
        return None
    return Verdict(
        code="FIX_FORMAT_FIRST",
        headline="Mend the answer format first.",
        sentence=f"{none_proven(table)} {figure(gap.measure.value)} of the answers on the {gap.measure.n:,} dev cases are "
        f"right but in the wrong shape (at least {low(gap.measure.low)}, more than your margin of {margin(table)}).",
        would_change=(
            "Constrained answers or a clearer prompt, then measuring again.",
            *unproven_flips(table),
        )[:4],
        so_far=bool(table.pending),
    )


def fix_retrieval(table: Standings) -> Verdict | None:
    """The model would do, had search found the right passage."""
    gap = _gap(table, "retrieval")
    measured = table.attribution.measured if table.attribution else ()
    oracle = next((found for found in measured if found.name == "oracle"), None)
    if gap is None or oracle is None or oracle.value < table.rule.bar or gap.measure.low <= table.rule.margin:
        return None
    return Verdict(
        code="FIX_RETRIEVAL_FIRST",
        headline="Mend the document search first.",
        sentence=f"{none_proven(table)} Handed the right passage, the same model reaches {figure(oracle.value, table.graded)} on "
        f"the {oracle.n:,} dev cases; search loses {size(gap.measure.value, table.graded)} of that "
        f"({point_span(gap.measure, table.graded)}), more than your margin of {margin(table)}.",
        would_change=(
            "Search that finds the right passage more often, then measuring again.",
            *unproven_flips(table),
        )[:4],
        so_far=bool(table.pending),
    )


def cannot_pay(table: Standings) -> Verdict | None:
    """Training is ruled out by arithmetic on dev, before an hour is spent on it."""
    found = table.attribution
    if found is None or found.can_pay or not table.training_untried:
        return None
    most = found.most_training_can_add
    _, needed = settling(table)
    return Verdict(
        code="CANNOT_PAY",
        headline="Fine-tuning cannot pay here.",
        sentence=f"{none_proven(table)} On the {most.n:,} dev cases training could add at most "
        f"{high(most.high, table.graded).replace(' %', ' points')} to {phrase(found.best_untrained)}, less than your margin of {margin(table)}.",
        items_needed=needed,
        price_of_items=needed * table.prices.row,
        would_change=unproven_flips(table),
        so_far=bool(set(table.pending) - set(TRAINED)),
    )


def none_acceptable(table: Standings) -> Verdict | None:
    """Every open arm is provably below the bar."""
    if not table.open or any(arm.reaches_bar != "no" for arm in table.open):
        return None
    best = max(table.open, key=lambda arm: arm.primary.value)
    so_far = f" Not measured yet: {listed(table.pending)}." if table.pending else ""
    return Verdict(
        code="NONE_ACCEPTABLE",
        headline="Nothing measured so far reaches your bar." if so_far else "Nothing reaches your bar.",
        sentence=f"The best, {phrase(best.arm)}, {reached(best, table)}, provably below your bar of {bar(table)}.{so_far}",
        would_change=unproven_flips(table),
        so_far=bool(so_far),
    )


def inconclusive(table: Standings) -> Verdict:
    """The evidence is too thin: how many more cases would settle it, and what they cost."""
    best, needed = settling(table)
    pending = f" Not measured yet: {listed(table.pending)}." if table.pending else ""
    if best is None:
        said = "No approach was measured on the sealed test set."
    else:
        side = "reach" if best.primary.value > table.rule.bar else "miss"
        said = (
            f"{opening(best.arm)} {reached(best, table)}; your bar of {bar(table)} lies within that interval."
        )
        if needed:
            said += (
                f" About {count(needed)} more cases ({money(needed * table.prices.row, table.prices.currency)}) would "
                f"prove that it {side}es the bar, if what was seen is true."
            )
        else:
            said += " It is so close to the bar that no realistic number of cases would tell."
    return Verdict(
        code="INCONCLUSIVE",
        headline="Not proven either way.",
        sentence=said + pending,
        items_needed=needed,
        price_of_items=needed * table.prices.row,
        would_change=unproven_flips(table),
        so_far=bool(pending),
    )


RULES: tuple[Callable[[Standings], Verdict | None], ...] = (
    invalid_test,
    blocked,
    enough,
    fix_labels,
    fix_format,
    fix_retrieval,
    cannot_pay,
    none_acceptable,
    inconclusive,
)


def _gap(table: Standings, name: str) -> Gap | None:
    return (
        next((gap for gap in table.attribution.gaps if gap.name == name), None) if table.attribution else None
    )
