"""What is drawn: the sample, doubly judged rows, warned rows beside it, planted rows that are truly wrong."""

from __future__ import annotations

import pytest

from whytune.review import sampling
from whytune.review.sampling import Wanted

TARGETS = {f"example:{n:04}": f"label {n % 3}" for n in range(400)}


@pytest.mark.parametrize("size", [1, 37, 300, 1000])
def test_a_random_sample_of_the_wanted_size(size: int) -> None:
    items = sampling.rows(TARGETS, (), Wanted(size=size, overlap=0.25, gold=0.05))
    sample = [item for item in items if item.kind == "sample"]
    assert len({item.example for item in sample}) == len(sample) == min(size, 400)
    assert sum(item.opinions == 2 for item in sample) == round(0.25 * len(sample))
    assert len([item for item in items if item.kind == "gold"]) == round(0.05 * len(sample))
    assert [item.priority for item in items] == list(range(len(items)))
    assert len({item.key for item in items}) == len(items)


def test_the_seed_decides_and_the_order_of_rows_does_not() -> None:
    backwards = dict(reversed(TARGETS.items()))
    first = sampling.rows(TARGETS, (), Wanted(size=50))
    assert sampling.rows(backwards, (), Wanted(size=50)) == first
    assert sampling.rows(TARGETS, (), Wanted(size=50, seed=18)) != first


def test_warned_rows_come_after_the_sample_and_only_once() -> None:
    wanted = Wanted(size=50, gold=0)
    sample = {item.example for item in sampling.rows(TARGETS, (), wanted)}
    warned = {*list(sample)[:5], "example:0000", "example:0001", "unknown"}
    items = sampling.rows(TARGETS, warned, wanted)
    assert {item.example for item in items if item.kind == "warned"} == {"example:0000", "example:0001"} - sample
    assert [item.kind for item in items[:50]] == ["sample"] * 50


def test_planted_rows_show_another_target() -> None:
    items = [item for item in sampling.rows(TARGETS, (), Wanted(size=200, gold=0.2)) if item.kind == "gold"]
    assert len(items) == 40
    assert all(TARGETS[item.stand_in] != TARGETS[item.example] and item.expected == "bad" for item in items)
    alike = dict.fromkeys(TARGETS, "the same")
    assert not [item for item in sampling.rows(alike, (), Wanted(size=200, gold=0.2)) if item.kind == "gold"]


def test_pairs_leave_out_what_is_alike_and_count_it() -> None:
    first = {name: "same " if n % 2 else "one" for n, name in enumerate(TARGETS)}
    second = {name: " same" if n % 2 else "two" for n, name in enumerate(TARGETS)}
    del second["example:0000"]
    items, identical = sampling.pairs(TARGETS, [first, second], Wanted(size=1000, gold=0))
    assert (len(items), identical) == (199, 200)
    assert all(first[item.example] == "one" for item in items)


def test_a_rubric_asks_about_each_answer_of_a_row() -> None:
    answers = [dict.fromkeys(TARGETS, "x"), dict.fromkeys(TARGETS, "y")]
    items = sampling.rubric(TARGETS, answers, Wanted(size=30, overlap=0.5))
    assert len(items) == 60
    by_row: dict[str, list[tuple[tuple[int, ...], int]]] = {}
    for item in items:
        by_row.setdefault(item.example, []).append((item.shown, item.opinions))
    assert all(sorted(shown for shown, _ in pair) == [(0,), (1,)] and len({n for _, n in pair}) == 1 for pair in by_row.values())
    assert sum(pair[0][1] == 2 for pair in by_row.values()) == 15
