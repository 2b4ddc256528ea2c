"""From examples to a split without leaks: clean, join what belongs together, allocate, purge, verify again.

Same examples and plan, in whatever order: same split. Every example comes out either in a split or as a removal. Rows
that an earlier version put somewhere stay there; a test row never becomes a training row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from whytune.datasets import cleaning
from whytune.datasets.allocation import Component, allocate
from whytune.datasets.certificate import Overlap, Overlaps, overlaps
from whytune.datasets.dedup import Families, near
from whytune.errors import DataError
from whytune.jobs.progress import Progress, Silent
from whytune.records.data import SPLITS, Certificate, Example, Removal, SplitName, SplitPlan
from whytune.tasks import Task

FEWEST_ROWS = 20
"""Fewer cannot be cut into three parts that say anything."""
_METHOD = (
    "exact: same normalised input; near: Jaccard of word 3-shingles (short texts: words and word pairs) from {near:g}, every "
    "test row against every other; groups: declared, joined by verified near-duplicates"
)


@dataclass(frozen=True)
class Built:
    """A split dataset, not yet sealed."""

    rows: list[tuple[Example, SplitName]]
    removals: list[Removal]
    certificate: Certificate
    labels: tuple[str, ...]

    def of(self, split: SplitName) -> list[Example]:
        """The examples of one split."""
        return [example for example, where in self.rows if where == split]

    @property
    def counts(self) -> dict[SplitName, int]:
        """Rows a split."""
        counted = Counter(split for _, split in self.rows)
        return {name: counted[name] for name in SPLITS}

    @property
    def removed(self) -> dict[str, int]:
        """Removals by reason."""
        return dict(sorted(Counter(removal.reason for removal in self.removals).items()))


@dataclass(frozen=True)
class Earlier:
    """What an earlier version decided: where its rows stand, and which new rows never enter the test set."""

    assigned: Mapping[str, SplitName]
    train_side: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Rules:
    """What decides where a row goes."""

    plan: SplitPlan
    task: Task
    before: Mapping[str, SplitName]
    train_side: frozenset[str] = frozenset()


def build(
    examples: Sequence[Example],
    plan: SplitPlan,
    task: Task,
    *,
    previous: Mapping[str, SplitName] | Earlier | None = None,
    power: Callable[[int], float | None] | None = None,
    progress: Progress | None = None,
) -> Built:
    """The split. power tells the smallest provable difference of a test set of n rows. Raises DataError, all at once."""
    _check_plan(plan)
    earlier = previous if isinstance(previous, Earlier) else Earlier(previous or {})
    before = dict(earlier.assigned)
    progress = progress or Silent()
    removals: list[Removal] = []
    progress.phase("cleaning", len(examples), "rows")
    kept = cleaning.in_order(examples, before)
    kept = cleaning.listed_labels(kept, plan, removals)
    kept, votes = cleaning.without_exact(kept, removals)
    kept = cleaning.without_conflicts(kept, votes, task, removals)
    kept.sort(key=lambda example: (example.id not in before, example.id))
    progress.advance(len(examples))
    progress.phase("near-duplicates", len(kept), "rows")
    pairs = list(near([cleaning.full_input(example) for example in kept], plan.near)) if plan.near else []
    kept_before_near = kept
    kept = cleaning.without_near(kept, pairs, before, removals)
    progress.advance(len(kept_before_near))
    # Rows that people accepted one by one are not sampled out again.
    chosen = [example for example in kept if example.id in earlier.train_side]
    kept = cleaning.sampled([example for example in kept if example.id not in earlier.train_side], plan, task, before, removals)
    kept = sorted([*kept, *chosen], key=lambda example: example.id) if chosen else kept
    _enough(kept, removals, task, len(examples))
    position = {id(example): row for row, example in enumerate(kept)}
    joined = [
        (position[id(kept_before_near[first])], position[id(kept_before_near[second])])
        for first, second, _ in pairs
        if id(kept_before_near[first]) in position and id(kept_before_near[second]) in position
    ]
    progress.phase("splitting", len(kept), "rows")
    families = _families(kept, joined)
    rows = _assign(kept, families, _Rules(plan, task, before, earlier.train_side), removals)
    rows, purged, last = _purge(rows, plan, before, removals)
    progress.advance(len(kept))
    _whole(rows, len(families))
    rows.sort(key=lambda row: row[0].id)
    test = sum(1 for _, split in rows if split == "test")
    certificate = Certificate(
        same_group=last.rows("group"),
        exact=last.rows("exact"),
        near=last.rows("near"),
        purged=purged,
        pairs_verified=len(pairs) + last.pairs,
        components=len(families),
        method=_METHOD.format(near=plan.near)
        if plan.near
        else "exact: same normalised input; groups: declared; near-duplicates not looked for",
        smallest_provable_difference=power(test) if power else None,
    )
    labels = (
        tuple(sorted({example.target_text for example, _ in rows})) if task.constraint == "labels" else ()
    )
    return Built(rows, removals, certificate, labels)


def verify(rows: Sequence[tuple[Example, SplitName]], plan: SplitPlan) -> dict[str, int]:
    """Test rows that overlap with train or dev, by kind, counted anew: all 0 for what `build` gives."""
    found = overlaps(rows, plan.near)
    return {kind: found.rows(kind) for kind in ("group", "exact", "near")}


def _check_plan(plan: SplitPlan) -> None:
    problems = [f"{name} is {share:g}; it must lie above 0 and below 1" for name, share in
                (("train", plan.train), ("dev", plan.dev), ("test", plan.test)) if not 0 < share < 1]  # fmt: skip
    total = plan.train + plan.dev + plan.test
    if abs(total - 1) > 1e-6:
        problems.append(f"train, dev and test add up to {total:g}, not 1")
    if not 0 <= plan.near <= 1:
        problems.append(f"near is {plan.near:g}; it must lie between 0 (off) and 1")
    if plan.limit < 0:
        problems.append(f"limit is {plan.limit}; it must be 0 (all rows) or more")
    if problems:
        raise DataError(
            "The split cannot be made as planned",
            problems=problems,
            next="change the shares, e.g. 0.6, 0.15, 0.25",
        )


def _enough(kept: list[Example], removals: list[Removal], task: Task, given: int) -> None:
    problems = []
    if len(kept) < FEWEST_ROWS:
        problems.append(
            f"{len(kept)} usable rows are left of {given:,}; a split needs at least {FEWEST_ROWS}"
        )
    labels = {example.target_text for example in kept}
    if task.constraint == "labels" and len(labels) == 1:
        problems.append(
            f"every row has the same label, {next(iter(labels))!r}: there is nothing to choose between"
        )
    if not problems:
        return
    reasons = Counter(removal.reason for removal in removals)
    problems += [
        f"{count:,} rows were removed as {reason.replace('_', ' ')}"
        for reason, count in sorted(reasons.items())
    ]
    raise DataError(
        "These rows do not make a dataset",
        problems=problems,
        next="bring more rows, or name the right columns",
    )


def _families(kept: list[Example], joined: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Rows that must not be parted: same group, same input, verified near-duplicates, and what these join."""
    families = Families(len(kept))
    first_of: dict[tuple[str, str], int] = {}
    for row, example in enumerate(kept):
        families.join(first_of.setdefault(("input", cleaning.input_key(example)), row), row)
        if example.group:
            families.join(first_of.setdefault(("group", example.group), row), row)
    for first, second in joined:
        families.join(first, second)
    members: dict[int, list[int]] = {}
    for row in range(len(kept)):
        members.setdefault(families.of(row), []).append(row)
    return list(members.values())


def _assign(
    kept: list[Example], families: Sequence[list[int]], rules: _Rules, removals: list[Removal]
) -> list[tuple[Example, SplitName]]:
    """A split for each family; what an earlier version decided stays."""
    before = rules.before
    components: list[Component] = []
    rows: list[tuple[Example, SplitName]] = []
    for family in families:
        known = {before[kept[row].id] for row in family if kept[row].id in before}
        if "test" in known and any(kept[row].id in rules.train_side for row in family):
            family = _without_train_side([kept[row] for row in family], family, rules, removals)
        if "test" in known and len(known) > 1:
            rows += _bridge([kept[row] for row in family], before, removals)
        elif len(known) > 1:
            # Train and dev of an earlier version in one family: each row stays where it was, new ones go to train.
            dev = [row for row in family if before.get(kept[row].id) == "dev"]
            train = [row for row in family if before.get(kept[row].id) != "dev"]
            components += [
                _component(kept, dev, rules.task, "dev"),
                _component(kept, train, rules.task, "train"),
            ]
        else:
            closed = any(kept[row].id in rules.train_side for row in family)
            components.append(replace(_component(kept, family, rules.task, next(iter(known), None)), closed=closed))
    given = allocate(components, rules.plan)
    return rows + [(kept[row], given[component.key]) for component in components for row in component.rows]


def _without_train_side(examples: list[Example], family: list[int], rules: _Rules, removals: list[Removal]) -> list[int]:
    """The family of a test row without the accepted rows that would follow it into the test set."""
    witness = min(example.id for example in examples if rules.before.get(example.id) == "test")
    left = []
    for example, row in zip(examples, family, strict=True):
        if example.id in rules.train_side and example.id not in rules.before:
            removals.append(Removal(reason="leak", origin=example.origin, witness=witness, detail="belongs to a test row; accepted rows never enter the test set"))
        else:
            left.append(row)
    return left


def _component(kept: list[Example], family: list[int], task: Task, fixed: SplitName | None) -> Component:
    strata = Counter(cleaning.stratum(kept[row], task) for row in family)
    return Component(key=min(kept[row].id for row in family), rows=family, strata=strata, fixed=fixed)


def _bridge(
    family: list[Example], before: Mapping[str, SplitName], removals: list[Removal]
) -> list[tuple[Example, SplitName]]:
    """New rows that would join an earlier test row with an earlier training row leave; the old ones stay where they were."""
    witness = min(example.id for example in family if before.get(example.id) == "test")
    for example in family:
        if example.id not in before:
            removals.append(
                Removal(
                    reason="leak",
                    origin=example.origin,
                    witness=witness,
                    detail="belongs to rows of both train and test",
                )
            )
    return [(example, before[example.id]) for example in family if example.id in before]


def _purge(
    rows: list[tuple[Example, SplitName]],
    plan: SplitPlan,
    before: Mapping[str, SplitName],
    removals: list[Removal],
) -> tuple[list[tuple[Example, SplitName]], int, Overlaps]:
    """Takes out what still overlaps until nothing does: the row of train or dev, unless only the test row is new."""
    purged = 0
    while True:
        rows = sorted(rows, key=lambda row: row[0].id)
        result = overlaps(rows, plan.near)
        if not result.found:
            return rows, purged, result
        gone: dict[int, Overlap] = {}
        for overlap in result.found:
            if overlap.test in gone or overlap.other in gone:
                continue
            only_test_is_new = rows[overlap.other][0].id in before and rows[overlap.test][0].id not in before
            gone[overlap.test if only_test_is_new else overlap.other] = overlap
        for row, overlap in gone.items():
            witness = rows[overlap.other if row == overlap.test else overlap.test][0].id
            told = {
                "group": "the same group",
                "exact": "the same input",
                "near": f"{overlap.similarity:.0%} alike",
            }[overlap.kind]
            removals.append(
                Removal(
                    reason="leak",
                    origin=rows[row][0].origin,
                    witness=witness,
                    detail=f"{told} across test and {rows[overlap.other][1]}",
                )
            )
        purged += len(gone)
        rows = [row for position, row in enumerate(rows) if position not in gone]


def _whole(rows: Sequence[tuple[Example, SplitName]], components: int) -> None:
    counts = Counter(split for _, split in rows)
    problems = [f"{name} would hold no rows" for name in SPLITS if not counts[name]]
    if problems:
        raise DataError(
            f"The rows cannot be parted: they form {components:,} groups that must stay together",
            problems=problems,
            next="declare finer groups, raise `near` in the split, or bring more different rows",
        )
