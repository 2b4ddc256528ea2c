"""What would change the answer: the bar, the margin, the number of cases or answers a month at which it flips.

Each line is computed from the table that the verdict was computed from, and says only what follows from it.
"""

from __future__ import annotations

from whytune.acceptance.saying import listed, settling
from whytune.acceptance.table import Standings, more_items
from whytune.records.decision import ArmResult
from whytune.records.wording import count, low, money, phrase

MOST = 4
"""Lines the page has room for."""
FARTHEST = 100
"""A volume more than this many times today's is not worth naming."""


def enough_flips(table: Standings, winner: ArmResult) -> tuple[str, ...]:
    """What would take the answer away from the arm that won."""
    at = table.open.index(winner)
    lines = []
    simpler = [arm for arm in table.open[:at] if arm.reaches_bar != "yes" and arm.primary.low > 0]
    if simpler:
        nearest = max(simpler, key=lambda arm: arm.primary.low)
        lines.append(
            f"A bar at or below {low(nearest.primary.low, table.graded)}: then {phrase(nearest.arm)}, which is simpler, "
            "would be proven to reach it."
        )
    lines.append(
        f"A bar above {low(winner.primary.low, table.graded)}: then {phrase(winner.arm)} would no longer be proven to reach it."
    )
    lines += [line for arm in table.open[at + 1 :] if (line := _dearer(table, winner, arm))]
    if table.pending:
        lines.append(f"Measuring {listed(table.pending)}, if provably better by your margin.")
    return tuple(lines[:MOST])


def _dearer(table: Standings, winner: ArmResult, arm: ArmResult) -> str:
    found = table.comparison(winner.arm, arm.arm)
    if found is None:
        return ""
    gap = found.difference
    if (
        gap.value > table.rule.margin
        and gap.low < table.rule.margin
        and (needed := more_items(gap, table.rule.margin))
    ):
        price = money(needed * table.prices.row, table.prices.currency)
        return (
            f"About {count(needed)} more cases ({price}): then the lead of {phrase(arm.arm)} would be proven to exceed "
            "your margin, if what was seen is true."
        )
    volume = arm.cost.break_even_per_month
    now = table.prices.answers_per_month
    cheapest = min(table.reaching, key=lambda other: other.cost.total)
    if (
        cheapest is winner
        and arm in table.reaching
        and volume
        and now < volume <= FARTHEST * now
        and gap.low >= -table.rule.margin
    ):
        return f"Well over {count(volume)} answers a month (now {now:,}): then {phrase(arm.arm)} would be the cheaper one."
    return ""


def unproven_flips(table: Standings) -> tuple[str, ...]:
    """What would prove an arm where none is proven."""
    lines = []
    if table.pending:
        lines.append(f"Measuring {listed(table.pending)}.")
    arm, needed = settling(table)
    if arm is not None and needed and arm.primary.value > table.rule.bar:
        price = money(needed * table.prices.row, table.prices.currency)
        lines.append(
            f"About {count(needed)} more cases ({price}), if {phrase(arm.arm)} is as good as it looks."
        )
    nearest = max(table.open, key=lambda found: found.primary.low, default=None)
    if nearest is not None and nearest.primary.low > 0:
        lines.append(
            f"A bar at or below {low(nearest.primary.low, table.graded)}: then {phrase(nearest.arm)} would be proven to reach it."
        )
    return tuple(lines[:MOST])
