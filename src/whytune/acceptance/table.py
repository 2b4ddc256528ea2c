"""The table that the page shows and the verdict reads: the same object, so that the two cannot disagree.

It also answers the questions the verdict's rules ask of it: which arms reach the bar, which are open, which beat which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from whytune.acceptance.cost import total
from whytune.acceptance.triage import ARMS, TRAINED
from whytune.records.data import Certificate
from whytune.records.decision import ArmResult, Attribution
from whytune.records.evidence import Comparison, Measure
from whytune.records.project import AcceptanceRule, Gate, Prices

FEWEST_ITEMS = 20
FEWEST_CLUSTERS = 10
RESERVE = 0.25
"""A saving counts when it survives fixed costs a quarter higher and a volume a quarter lower."""
POWER_FACTOR = 2.04
"""(1.96 + 0.84)^2 / 1.96^2: cases for 80 % power over cases that would just do if the figures stayed exactly."""
FAR = 1_000_000
"""More cases than this are not worth naming."""


def reaches(measure: Measure, bar: float) -> Literal["yes", "no", "not proven"]:
    """yes: the whole interval is at or above the bar; no: all of it is below; else not proven."""
    if measure.low >= bar:
        return "yes"
    return "no" if measure.high < bar else "not proven"


def contrasts(arms: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Every pair (simpler, dearer) of these arms: what the protocol must declare for the verdict's rules to be decidable."""
    ordered = sorted((arm for arm in arms if arm in ARMS), key=ARMS.index)
    return tuple((first, second) for at, first in enumerate(ordered) for second in ordered[at + 1 :])


def more_items(measure: Measure, threshold: float) -> int:
    """How many more cases until the interval clears the threshold on the side its value is on; 0: no number would do.

    Intervals shrink with the square root of n; the factor gives 80 % power if the value seen is the true one.
    """
    distance = measure.value - threshold
    half = measure.value - measure.low if distance > 0 else measure.high - measure.value
    if distance == 0:
        return 0
    needed = math.ceil(measure.n * (half / distance) ** 2 * POWER_FACTOR) - measure.n
    return max(1, needed) if needed < FAR else 0


@dataclass(frozen=True)
class Standings:
    """Everything a verdict stands on. Arms are those measured on the sealed test set, simplest first."""

    rule: AcceptanceRule
    prices: Prices
    arms: tuple[ArmResult, ...]
    comparisons: tuple[Comparison, ...]
    gates: tuple[Gate, ...]
    certificate: Certificate
    items: int
    clusters: int = 0
    """Independent groups in the test set; 0 where items do not depend on one another."""
    attribution: Attribution | None = None
    label_noise: Measure | None = None
    unmeasured: tuple[str, ...] = ()
    """Arms that apply and were not measured on the test set."""
    opened_early: bool = False
    graded: bool = False
    names: dict[str, ArmResult] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arms", tuple(sorted(self.arms, key=lambda arm: ARMS.index(arm.arm))))
        object.__setattr__(self, "names", {arm.arm: arm for arm in self.arms})

    @property
    def closed(self) -> dict[str, Gate]:
        """Arm name to the first gate that closes it."""
        return {arm: gate for gate in reversed(self.gates) for arm in gate.closes}

    @property
    def open(self) -> tuple[ArmResult, ...]:
        """Measured arms that may be the final answer."""
        return tuple(arm for arm in self.arms if arm.arm not in self.closed)

    @property
    def reaching(self) -> tuple[ArmResult, ...]:
        """Open arms proven to reach the bar."""
        return tuple(arm for arm in self.open if arm.reaches_bar == "yes")

    @property
    def pending(self) -> tuple[str, ...]:
        """Arms that apply, that no gate closes, and that were not measured."""
        return tuple(
            arm for arm in ARMS if arm in self.unmeasured and arm not in self.closed and arm not in self.names
        )

    @property
    def training_untried(self) -> bool:
        """No trained arm was measured on the test set."""
        return not any(arm in TRAINED for arm in self.names)

    def comparison(self, simpler: str, dearer: str) -> Comparison | None:
        """The declared contrast of two arms, if it was made."""
        found = (line for line in self.comparisons if (line.first_arm, line.second_arm) == (simpler, dearer))
        return next(found, None)

    def beats(self, dearer: ArmResult, simpler: ArmResult) -> bool:
        """Provably better by the owner's margin: the whole interval at or above it, and p below alpha after correction."""
        found = self.comparison(simpler.arm, dearer.arm)
        alpha = 1 - self.rule.confidence
        return found is not None and found.difference.low >= self.rule.margin and found.p_holm < alpha

    def saves(self, dearer: ArmResult, simpler: ArmResult) -> bool:
        """Not worse than the margin and cheaper over the horizon, with a reserve."""
        found = self.comparison(simpler.arm, dearer.arm)
        if found is None or found.difference.low < -self.rule.margin:
            return False
        volume = self.prices.answers_per_month * (1 - RESERVE)
        costly = total(dearer.cost, volume, self.prices.months, fixed_factor=1 + RESERVE)
        return costly < total(simpler.cost, volume, self.prices.months)
