"""Which rows go through the model together, at which step: one list for the whole run, fixed by the seed.

Rows of about equal length stand together, so little is padded; which they are changes from epoch to epoch. Because
the schedule is a plain list, a resumed run goes on at its place in it. Numbers only.

Example: 480 rows in batches of 16 for 2 epochs are 60 steps.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

JITTER = 0.1
"""Lengths are blurred by this share before rows are sorted by them, so that batches differ between epochs."""


def schedule(lengths: Sequence[int], *, size: int, epochs: float, seed: int) -> list[tuple[int, ...]]:
    """One tuple of row numbers a step. Each whole epoch shows every row once; a part of an epoch, a part of them."""
    each = -(-len(lengths) // size)
    steps = max(1, round(epochs * each)) if lengths else 0
    plan: list[tuple[int, ...]] = []
    epoch = 0
    while len(plan) < steps:
        plan += _epoch(lengths, size, random.Random(f"{seed}/{epoch}"))
        epoch += 1
    return plan[:steps]


def looks(steps: int, count: int) -> tuple[int, ...]:
    """The steps after which dev is looked at: evenly spread, the last one among them."""
    return tuple(sorted({max(1, round(steps * number / count)) for number in range(1, count + 1)}))


def common_prefix(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with alike."""
    if not rows:
        return 0
    first, last = min(map(tuple, rows)), max(map(tuple, rows))
    length = 0
    for a, b in zip(first, last, strict=False):
        if a != b:
            break
        length += 1
    return length


def _epoch(lengths: Sequence[int], size: int, chance: random.Random) -> list[tuple[int, ...]]:
    order = sorted(
        range(len(lengths)), key=lambda row: (lengths[row] * (1 + JITTER * chance.random()), chance.random())
    )
    cut = [tuple(order[at : at + size]) for at in range(0, len(order), size)]
    chance.shuffle(cut)
    return cut
