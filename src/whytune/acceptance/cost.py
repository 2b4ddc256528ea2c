"""What each arm costs over the owner's horizon, from what was measured and from the owner's prices.

    total = one-off + months x (monthly + answers a month x cost of an answer)

The cost of an answer comes from the trial's measured tokens and seconds. Rows that exist already are spent money and not
counted. It decides nothing: whether a saving counts is the verdict's rule.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from whytune.records.decision import ArmCost
from whytune.records.evidence import Spending
from whytune.records.project import Prices

INDEXED = ("rag", "tuned_rag")
TRAINED = ("tuned", "tuned_rag")


def cost(
    spending: Mapping[str, Spending],
    prices: Prices,
    *,
    training_seconds: Mapping[str, float] | None = None,
    accepted: Collection[str] = (),
) -> dict[str, ArmCost]:
    """One ArmCost per arm. training_seconds: measured, all seeds and retries of that arm.

    accepted: the arms that reach the bar and that no gate closes; break-even is told against the cheapest of them.
    """
    seconds = training_seconds or {}
    costs = {arm: _one(arm, spent, prices, seconds.get(arm, 0.0)) for arm, spent in spending.items()}
    reference = min(
        (costs[arm] for arm in costs if arm in accepted), key=lambda found: found.total, default=None
    )
    if reference is None:
        return costs
    return {
        arm: found.model_copy(update={"break_even_per_month": break_even(found, reference, prices.months)})
        for arm, found in costs.items()
    }


def _one(arm: str, spent: Spending, prices: Prices, training_seconds: float) -> ArmCost:
    hours = training_seconds / 3600
    engineer = prices.tuning_engineer_hours * (arm in TRAINED) + prices.rag_engineer_hours * (arm in INDEXED)
    one_off = engineer * prices.engineer_hour + hours * prices.compute_hour
    monthly = prices.monthly_tuning * (arm in TRAINED) + prices.monthly_rag * (arm in INDEXED)
    found = ArmCost(
        arm=arm,
        one_off=one_off,
        monthly=monthly,
        per_1000=spent.cost_per_1000,
        total=0.0,
        training_hours=hours,
    )
    return found.model_copy(update={"total": total(found, prices.answers_per_month, prices.months)})


def total(found: ArmCost, answers_per_month: float, months: int, *, fixed_factor: float = 1.0) -> float:
    """Money over the horizon; fixed_factor scales what does not depend on the volume, for a reserve."""
    fixed = found.one_off + months * found.monthly
    return fixed * fixed_factor + months * answers_per_month * found.per_1000 / 1000


def break_even(found: ArmCost, reference: ArmCost, months: int) -> int | None:
    """Answers a month from which `found` is cheaper than `reference`; 0: always; None: never."""
    if found.arm == reference.arm:
        return None
    fixed = (found.one_off - reference.one_off) / months + found.monthly - reference.monthly
    saved = (reference.per_1000 - found.per_1000) / 1000
    if saved > 0:
        return max(0, math.floor(fixed / saved) + 1)
    return 0 if fixed < 0 and saved == 0 else None
