"""Which component goes to train, dev or test: seeded, stratified, and the same whatever the order of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from whytune.datasets.cleaning import lot
from whytune.records.data import SPLITS, SplitName, SplitPlan


@dataclass
class Component:
    """Rows that must not be parted: their positions, their labels, and where an earlier version put them."""

    key: str
    """The lowest id of its rows."""
    rows: list[int]
    strata: Counter[str]
    fixed: SplitName | None = None
    order: bytes = field(default=b"")


def allocate(components: Sequence[Component], plan: SplitPlan) -> dict[str, SplitName]:
    """A split for each component, by its key.

    Large components first, then in an order drawn by the seed; each goes where its labels are missing most, and among
    labels that are served alike to the split that lacks most rows. A fixed component stays where it is and counts.
    """
    shares: dict[SplitName, float] = {"train": plan.train, "dev": plan.dev, "test": plan.test}
    totals: Counter[str] = Counter()
    for component in components:
        totals.update(component.strata)
        component.order = lot(plan.seed, component.key)
    everything = totals.total()
    have: dict[SplitName, Counter[str]] = {name: Counter() for name in SPLITS}
    rows: Counter[str] = Counter()
    given: dict[str, SplitName] = {}

    def put(component: Component, split: SplitName) -> None:
        given[component.key] = split
        have[split].update(component.strata)
        rows[split] += len(component.rows)

    for component in components:
        if component.fixed is not None:
            put(component, component.fixed)
    free = [component for component in components if component.fixed is None]
    for component in sorted(free, key=lambda c: (-len(c.rows), c.order, c.key)):
        put(component, max(SPLITS, key=lambda split: _need(component, split, shares, totals, have, rows, everything)))
    return given


def _need(
    component: Component,
    split: SplitName,
    shares: Mapping[SplitName, float],
    totals: Mapping[str, int],
    have: Mapping[SplitName, Mapping[str, int]],
    rows: Mapping[str, int],
    everything: int,
) -> float:
    share = shares[split]
    if share <= 0:
        return float("-inf")
    size = len(component.rows)
    labels = sum(count * (share * totals[name] - have[split].get(name, 0)) for name, count in component.strata.items()) / size
    overall = max(-1.0, min(1.0, (share * everything - rows.get(split, 0)) / max(size, 1)))
    # A component larger than what the split still lacks would burst it, however much its label is missing there.
    burst = max(0.0, size - max(share * everything - rows.get(split, 0), 1.0)) if size > 1 else 0.0
    return labels + 0.5 * overall - burst
