"""What leaves a dataset before it is split: unlisted labels, exact duplicates, contradictions, near-duplicates, the surplus.

Rows are taken in the order of their ids (rows of an earlier version first), so the order of the source changes nothing.
Every removal names the row that stays in its place. The rules:

- exact duplicate: same normalised input and same target; one stays.
- conflict (tasks with labels or a schema): same normalised input, different targets. The target that more than half of
  these source rows agree on stays; without such a majority all leave. In free text several answers may be right:
  they stay, and the split keeps them together.
- near-duplicate: verified near, and the same target; the first stays. Near with another target stays and is kept together.
- sampled out: above the plan's limit; each label keeps its share.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from whytune.datasets.dedup import Near
from whytune.errors import DataError
from whytune.records.data import Example, Removal, SplitName, SplitPlan
from whytune.tasks import Task
from whytune.text import clip, fold, nearest, normalise

Assigned = Mapping[str, SplitName]


def input_key(example: Example) -> str:
    """The normalised input, all turns of it."""
    return "\x1f".join(normalise(message.text) for message in example.messages)


def full_input(example: Example) -> str:
    """The input as near-duplicates are looked for: all turns but the system's."""
    return (
        "\n".join(message.text for message in example.messages if message.role != "system")
        or example.input_text
    )


def target_key(example: Example) -> str:
    """The folded target; punctuation counts."""
    return fold(example.target_text)


def lot(seed: int, key: str) -> bytes:
    """A number drawn for a key: the same for ever, and in no relation to the order of rows."""
    return hashlib.blake2b(f"{seed}:{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def in_order(examples: Sequence[Example], previous: Assigned) -> list[Example]:
    """By id, rows of an earlier version first; the same row twice by where it stands."""
    return sorted(
        examples,
        key=lambda example: (
            example.id not in previous,
            example.id,
            example.origin.file,
            example.origin.line or 0,
            example.origin.start or 0,
            example.origin.source,
        ),
    )


def listed_labels(examples: list[Example], plan: SplitPlan, removals: list[Removal]) -> list[Example]:
    """Only rows whose label the plan names. Raises DataError for labels that no row has."""
    if not plan.labels:
        return examples
    there = {fold(example.target_text): example.target_text for example in examples}
    absent = [label for label in plan.labels if fold(label) not in there]
    if absent:
        problems = []
        for label in absent:
            near = nearest(label, there.values())
            problems.append(f"no row has the label {label!r}" + (f"; did you mean {near!r}?" if near else ""))
        raise DataError(
            "Labels were named that are not in the data",
            problems=problems,
            next="choose among: " + clip(", ".join(sorted(there.values())), 400),
        )
    wanted = {fold(label) for label in plan.labels}
    kept = []
    for example in examples:
        if fold(example.target_text) in wanted:
            kept.append(example)
        else:
            removals.append(
                Removal(reason="unlisted_label", origin=example.origin, detail=clip(example.target_text))
            )
    return kept


def without_exact(examples: list[Example], removals: list[Removal]) -> tuple[list[Example], Counter[str]]:
    """One row of each input and target; and how many source rows stood behind each that stays."""
    stays: dict[tuple[str, str], Example] = {}
    votes: Counter[str] = Counter()
    for example in examples:
        first = stays.setdefault((input_key(example), target_key(example)), example)
        votes[first.id] += 1
        if first is not example:
            removals.append(
                Removal(
                    reason="exact_duplicate", origin=example.origin, witness=first.id,
                    detail=f"the same input and answer as {_where(first)}",
                )
            )  # fmt: skip
    return list(stays.values()), votes


def without_conflicts(
    examples: list[Example], votes: Counter[str], task: Task, removals: list[Removal]
) -> list[Example]:
    """No input with two different targets, where the task has one right answer."""
    if task.constraint == "none":
        return examples
    by_input: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_input[input_key(example)].append(example)
    kept: list[Example] = []
    for rows in by_input.values():
        if len(rows) == 1:
            kept.append(rows[0])
            continue
        best = max(rows, key=lambda example: votes[example.id])
        total = sum(votes[example.id] for example in rows)
        decided = votes[best.id] * 2 > total
        if decided:
            kept.append(best)
        for row in rows:
            if decided and row is best:
                continue
            other = best if row is not best else rows[1] if rows[0] is best else rows[0]
            agreed = f", as {votes[best.id]} of {total} rows say" if decided else ""
            removals.append(
                Removal(
                    reason="conflict", origin=row.origin, witness=other.id,
                    detail=f"{clip(row.target_text, 60)!r} here, {clip(other.target_text, 60)!r} in {_where(other)}{agreed}",
                )
            )  # fmt: skip
    kept.sort(key=lambda example: example.id)
    return kept


def without_near(
    examples: list[Example], pairs: Sequence[Near], previous: Assigned, removals: list[Removal]
) -> list[Example]:
    """Of verified near-duplicates with the same target only the first; its witness is a row that stays."""
    neighbours: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for first, second, similarity in pairs:
        neighbours[second].append((first, similarity))
        neighbours[first].append((second, similarity))
    gone: set[int] = set()
    for row in sorted(neighbours):
        if examples[row].id in previous:
            continue
        for other, similarity in sorted(neighbours[row]):
            if other < row and other not in gone and target_key(examples[other]) == target_key(examples[row]):
                gone.add(row)
                removals.append(
                    Removal(
                        reason="near_duplicate", origin=examples[row].origin, witness=examples[other].id,
                        detail=f"{similarity:.0%} like {_where(examples[other])}, and the same answer",
                    )
                )  # fmt: skip
                break
    return [example for row, example in enumerate(examples) if row not in gone]


def sampled(
    examples: list[Example], plan: SplitPlan, task: Task, previous: Assigned, removals: list[Removal]
) -> list[Example]:
    """At most the plan's limit, each label with its share and, where there is room, at least one row."""
    if not plan.limit or len(examples) <= plan.limit:
        return examples
    by_stratum: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_stratum[stratum(example, task)].append(example)
    quotas = _quotas({name: len(rows) for name, rows in by_stratum.items()}, plan.limit, plan.seed)
    kept = []
    for name, rows in by_stratum.items():
        rows.sort(key=lambda example: (example.id not in previous, lot(plan.seed, example.id)))
        kept += rows[: quotas[name]]
        for example in rows[quotas[name] :]:
            if example.id in previous:
                kept.append(example)
            else:
                removals.append(
                    Removal(
                        reason="sampled_out",
                        origin=example.origin,
                        detail=f"above the limit of {plan.limit:,} rows",
                    )
                )
    kept.sort(key=lambda example: example.id)
    return kept


def _quotas(sizes: dict[str, int], limit: int, seed: int) -> dict[str, int]:
    """Largest remainders, and one for everybody where the limit allows."""
    total = sum(sizes.values())
    exact = {name: size * limit / total for name, size in sizes.items()}
    quotas = {name: int(share) for name, share in exact.items()}
    if len(sizes) <= limit:
        quotas = {name: max(1, quota) for name, quota in quotas.items()}
    order = sorted(sizes, key=lambda name: (-(exact[name] - int(exact[name])), lot(seed, name)))
    while sum(quotas.values()) > limit:
        largest = max(quotas, key=lambda name: (quotas[name] - exact[name], quotas[name], name))
        quotas[largest] -= 1
    for name in order:
        if sum(quotas.values()) >= limit:
            break
        if quotas[name] < sizes[name] and quotas[name] <= exact[name]:
            quotas[name] += 1
    return quotas


def stratum(example: Example, task: Task) -> str:
    """What the split is stratified by: the label, where the task has labels."""
    return example.target_text if task.constraint == "labels" else ""


def _where(example: Example) -> str:
    origin = example.origin
    return f"{origin.file}, line {origin.line}" if origin.line else origin.file
