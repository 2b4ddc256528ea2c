"""Groups instead of ranks: two lines share a letter exactly where they are not proven to differ."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.evaluation.leaderboard import Contestant, letters, p95, places
from whytune.records.data import Example, Origin
from whytune.records.evidence import Score
from whytune.records.project import AcceptanceRule
from whytune.stats.multiple import holm
from whytune.stats.paired import mcnemar, table

ROWS = [Example.of(f"question {n}", "yes", origin=Origin(source="0" * 64, file="r.csv")) for n in range(200)]
RULE = AcceptanceRule(metric="accuracy", bar=0.5, margin=0.05)


def entrant(name: str, share: float, seed: int = 1, like: Contestant | None = None, flips: int = 0) -> Contestant:
    """Right on that share of the rows; or like another but for some rows that it gets wrong."""
    chance = random.Random(seed)
    if like:
        lost = set(chance.sample([s.item for s in like.scores if s.value], flips))
        scores = [s.model_copy(update={"value": 0.0}) if s.item in lost else s for s in like.scores]
    else:
        right = set(chance.sample([row.id for row in ROWS], round(share * len(ROWS))))
        scores = [Score(item=row.id, value=float(row.id in right)) for row in ROWS]
    return Contestant(name, sum(s.value for s in scores) / len(scores), scores)


@given(st.integers(1, 7), st.data())
def test_letters_say_what_is_proven_and_nothing_else(count: int, data: st.DataObject) -> None:
    names = [f"trial {n}" for n in range(count)]
    pairs = [frozenset(pair) for pair in combinations(names, 2)]
    apart = set(data.draw(st.lists(st.sampled_from(pairs), unique=True))) if pairs else set()
    shown = letters(names, apart)
    assert all(shown.values())
    for pair in pairs:
        one, two = pair
        assert bool(set(shown[one]) & set(shown[two])) == (pair not in apart)
    assert shown[names[0]].startswith("a")


def test_three_in_a_row_of_which_only_the_ends_differ() -> None:
    assert letters(["x", "y", "z"], {frozenset("xz")}) == {"x": "a", "y": "ab", "z": "b"}
    assert letters(["x", "y"], set()) == {"x": "a", "y": "a"}


def test_clear_gaps_are_told_and_ties_stay_ties() -> None:
    best = entrant("best", 0.9)
    near = entrant("near", 0, seed=2, like=best, flips=3)
    far = entrant("far", 0, seed=3, like=best, flips=60)
    found = places([far, near, best], "far", RULE, ROWS)
    assert (found["best"].group, found["near"].group, found["far"].group) == ("a", "a", "b")
    assert [found[name].with_best for name in ("best", "near", "far")] == [True, True, False]
    assert found["far"].difference is None
    gained = found["best"].difference
    assert gained
    assert gained.value == pytest.approx(60 / 200)
    assert 0 < gained.low < gained.value < gained.high
    lost = places([far, near, best], "best", RULE, ROWS)["far"].difference
    assert lost
    assert (lost.value, lost.low, lost.high) == pytest.approx((-gained.value, -gained.high, -gained.low))


def test_the_p_values_are_holm_over_the_comparisons_with_the_incumbent() -> None:
    first = entrant("first", 0.7)
    others = [entrant(f"t{n}", 0, seed=n, like=first, flips=n) for n in (2, 6, 11)]
    found = places([first, *others], "first", RULE, ROWS)
    plain = [mcnemar(*table([s.value for s in first.scores], [s.value for s in one.scores])[1:3]) for one in others]
    assert [found[one.trial].p_holm for one in others] == pytest.approx(holm(plain))


def test_one_alone_is_with_the_best() -> None:
    only = places([entrant("only", 0.4)], "only", RULE, ROWS)["only"]
    assert (only.group, only.with_best, only.difference, only.p_holm) == ("a", True, None, None)


def test_luck_does_not_make_groups() -> None:
    """Four equal candidates, twenty boards: groups are made in at most 5 % of them, and a few more by chance."""
    false = 0
    for board in range(20):
        entrants = []
        for name in ("t0", "t1", "t2", "t3"):
            chance = random.Random(f"{board} {name}")
            scores = [Score(item=row.id, value=float(chance.random() < 0.6)) for row in ROWS]
            entrants.append(Contestant(name, sum(s.value for s in scores) / len(scores), scores))
        shown = places(entrants, "t0", RULE, ROWS)
        false += len({place.group for place in shown.values()}) > 1
    assert false <= 3


@pytest.mark.parametrize(("n", "wanted"), [(1, 1.0), (19, 19.0), (20, 19.0), (100, 95.0), (101, 96.0)])
def test_p95(n: int, wanted: float) -> None:
    assert p95({str(k): float(k) for k in range(1, n + 1)}) == wanted
    assert p95({}) is None
