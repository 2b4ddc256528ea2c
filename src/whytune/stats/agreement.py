"""How far people agree: raw agreement, Cohen's kappa, Krippendorff's alpha, each with an interval over the items.

A rating is a mapping from who judged to what they said, one an item; items that fewer than two people judged say
nothing about agreement and are left out. Where everybody says one and the same thing about every item, kappa and alpha
are not defined and None comes back: chance alone would agree as much. It does not say who is right.

    alpha([{"ann": "good", "bo": "good"}, {"ann": "bad", "bo": "good"}, {"ann": "bad", "bo": "bad"}])
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations

import numpy as np

from whytune.stats.bootstrap import bca_weighted
from whytune.stats.intervals import Bounded, rate_interval, wilson

Rating = Mapping[str, str]
LEAST_TOGETHER = 10
"""Items that two people must both have judged before their kappa is counted."""
_PERFECT = "no disagreement seen, bounded by Wilson"
_BOOTSTRAP = "BCa bootstrap over items"


def raw(ratings: Sequence[Rating], confidence: float = 0.95) -> Bounded | None:
    """Share of pairs of opinions on one item that say the same; None where no item was judged twice."""
    same: list[float] = []
    of: list[Hashable] = []
    for number, rating in enumerate(ratings):
        for one, two in combinations(rating.values(), 2):
            same.append(float(one == two))
            of.append(number)
    return rate_interval(same, confidence, of) if same else None


def alpha(ratings: Sequence[Rating], confidence: float = 0.95, scale: Mapping[str, float] | None = None) -> Bounded | None:
    """Krippendorff's alpha: nominal, or interval where `scale` gives each verdict its number. Any number of people."""
    units = [list(rating.values()) for rating in ratings if len(rating) > 1]
    if not units:
        return None
    names = sorted({value for unit in units for value in unit})
    points = np.array([scale[name] if scale else 0.0 for name in names])
    counts = np.array([[unit.count(name) for name in names] for unit in units], dtype=float)
    sizes = counts.sum(axis=1)
    apart = (points[:, None] - points[None, :]) ** 2 if scale else 1.0 - np.eye(len(names))
    # Sum over ordered pairs of opinions of one item; each item weighs by its number of opinions.
    seen = np.einsum("uj,jk,uk->u", counts, apart, counts) / (sizes - 1)

    def of(drawn: np.ndarray) -> np.ndarray:
        totals = drawn @ counts
        n = totals.sum(axis=1)
        expected = np.einsum("rj,jk,rk->r", totals, apart, totals) / np.maximum(n - 1, 1)
        share: np.ndarray = np.divide(drawn @ seen, expected, out=np.zeros(len(drawn)), where=expected > 0)
        return 1.0 - share

    totals = counts.sum(axis=0)
    n = float(totals.sum())
    expected = float(totals @ apart @ totals) / (n * (n - 1))
    return _bounded(of, len(units), float(apart.max()) / expected if expected > 0 else 0.0, confidence)


def kappa(ratings: Sequence[Rating], confidence: float = 0.95) -> Bounded | None:
    """Cohen's kappa of two people; for more, agreement and chance agreement pooled over pairs of people by their items.

    Only pairs who judged at least 10 items together count.
    """
    names = sorted({value for rating in ratings for value in rating.values()})
    place = {name: number for number, name in enumerate(names)}
    together: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for number, rating in enumerate(ratings):
        for one, two in combinations(sorted(rating), 2):
            together.setdefault((one, two), []).append((number, place[rating[one]], place[rating[two]]))
    pairs = [np.array(rows) for rows in together.values() if len(rows) >= LEAST_TOGETHER]
    if not pairs:
        return None
    used = np.unique(np.concatenate([rows[:, 0] for rows in pairs]))
    position = {int(number): at for at, number in enumerate(used)}
    where = [np.array([position[int(number)] for number in rows[:, 0]]) for rows in pairs]

    onehot = np.eye(len(names))

    def agreed(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(observed agreement, agreement by chance), one a row of `drawn`."""
        observed, chance, total = np.zeros(len(drawn)), np.zeros(len(drawn)), np.zeros(len(drawn))
        for rows, at in zip(pairs, where, strict=True):
            weight = drawn[:, at]
            size = weight.sum(axis=1)
            first, second = weight @ onehot[rows[:, 1]], weight @ onehot[rows[:, 2]]
            observed += weight @ (rows[:, 1] == rows[:, 2])
            chance += np.divide((first * second).sum(axis=1), size, out=np.zeros(len(drawn)), where=size > 0)
            total += size
        return np.divide(observed, total, out=np.ones(len(drawn)), where=total > 0), np.divide(chance, total, out=np.zeros(len(drawn)), where=total > 0)

    def of(drawn: np.ndarray) -> np.ndarray:
        observed, chance = agreed(drawn)
        room = 1 - chance
        beyond: np.ndarray = np.divide(observed - chance, room, out=np.ones(len(drawn)), where=room > 1e-12)
        return beyond

    by_chance = float(agreed(np.ones((1, len(used))))[1][0])
    return _bounded(of, len(used), 1 / (1 - by_chance) if by_chance < 1 - 1e-12 else 0.0, confidence)


def _bounded(of: Callable[[np.ndarray], np.ndarray], n: int, steepness: float, confidence: float) -> Bounded | None:
    """The figure with its interval. steepness: how much it falls when the share of disagreement grows by one; 0: not defined."""
    if steepness == 0:
        return None
    value = float(of(np.ones((1, n)))[0])
    if value >= 1 - 1e-12 or n < 2:
        # Resampling items that all agree would say that agreement is certain.
        worst = wilson(0, n, confidence).high
        return Bounded(value, max(-1.0, min(value, 1.0 - worst * steepness)), 1.0, n, 0, _PERFECT if n > 1 else "one item proves nothing")
    low, high = bca_weighted(of, n, confidence)
    return Bounded(value, max(-1.0, low), min(1.0, high), n, 0, _BOOTSTRAP)
