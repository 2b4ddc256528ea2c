"""Which component goes to train, dev or test: seeded, stratified, and the same whatever the order of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from whytune.datasets.cleaning import lot
from whytune.records.data import SPLITS, SplitName, SplitPlan

TRAIN_SIDE: tuple[SplitName, SplitName] = ("train", "dev")


@dataclass(frozen=True)
class Component:
    """Rows that must not be parted: their positions, their labels, and where an earlier version put them."""

    key: str
    """The lowest id of its rows."""
    rows: list[int]
    strata: Counter[str]
    fixed: SplitName | None = None
    closed: bool = False
    """Goes to train or dev only, and takes no part in how the rest is shared out."""


def allocate(components: Sequence[Component], plan: SplitPlan) -> dict[str, SplitName]:
    """A split for each component, by its key.

    Large components first, then in an order drawn by the seed; each goes where its labels are missing most, and among
    labels that are served alike to the split that lacks most rows. A fixed component stays where it is and counts.
    """
    shelves = _Shelves([component for component in components if not component.closed], plan)
    given: dict[str, SplitName] = {}
    for component in components:
        if component.fixed is not None and not component.closed:
            given[component.key] = shelves.put(component, component.fixed)
    free = [component for component in components if component.fixed is None and not component.closed]
    for component in sorted(free, key=lambda one: (-len(one.rows), lot(plan.seed, one.key), one.key)):
        given[component.key] = shelves.put(
            component, max(SPLITS, key=lambda split: shelves.need(component, split))
        )
    # What may not go to test comes last, so that it takes no other row's place there; train and dev keep their proportion.
    closed = [component for component in components if component.closed]
    for component in sorted(closed, key=lambda one: (one.fixed is None, -len(one.rows), lot(plan.seed, one.key), one.key)):
        emptiest: SplitName = min(TRAIN_SIDE, key=lambda split: shelves.fill(component, split))
        given[component.key] = shelves.put(component, component.fixed or emptiest)
    return given


class _Shelves:
    """What each split should hold and holds."""

    def __init__(self, components: Sequence[Component], plan: SplitPlan) -> None:
        self._shares: dict[SplitName, float] = {"train": plan.train, "dev": plan.dev, "test": plan.test}
        self._totals: Counter[str] = Counter()
        for component in components:
            self._totals.update(component.strata)
        self._all = self._totals.total()
        self._have: dict[SplitName, Counter[str]] = {name: Counter() for name in SPLITS}
        self._rows: Counter[str] = Counter()

    def put(self, component: Component, split: SplitName) -> SplitName:
        """Lays the component into the split."""
        for name, count in component.strata.items():
            self._have[split][name] += count
        self._rows[split] += len(component.rows)
        return split

    def fill(self, component: Component, split: SplitName) -> tuple[float, float]:
        """How far this split would be ahead of its share with the component: of the component's labels, then of all rows."""
        share, size = self._shares[split], len(component.rows)
        labels = sum(count * (self._have[split][name] + count) for name, count in component.strata.items()) / size
        return labels / share, (self._rows[split] + size) / share

    def need(self, component: Component, split: SplitName) -> float:
        """How much this split lacks what the component has, in rows."""
        share, have, size = self._shares[split], self._have[split], len(component.rows)
        labels = (
            sum(count * (share * self._totals[name] - have[name]) for name, count in component.strata.items())
            / size
        )
        lacking = share * self._all - self._rows[split]
        # A component larger than what the split still lacks would burst it, however much its label is missing there.
        burst = max(0.0, size - max(lacking, 1.0)) if size > 1 else 0.0
        return labels + 0.5 * max(-1.0, min(1.0, lacking / size)) - burst
