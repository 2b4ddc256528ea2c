"""The schedule: every row once an epoch, lengths together, the same for the same seed."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from whytune.training.batches import common_prefix, looks, schedule

LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=80)


@given(LENGTHS, st.integers(1, 20), st.integers(1, 3), st.integers(0, 5))
def test_every_epoch_shows_every_row_once(lengths: list[int], size: int, epochs: int, seed: int) -> None:
    plan = schedule(lengths, size=size, epochs=epochs, seed=seed)
    assert Counter(row for step in plan for row in step) == dict.fromkeys(range(len(lengths)), epochs)
    assert max(map(len, plan)) <= size
    assert plan == schedule(lengths, size=size, epochs=epochs, seed=seed)


@given(LENGTHS, st.integers(1, 12), st.floats(0.05, 3))
def test_a_part_of_an_epoch_is_the_beginning_of_the_whole(
    lengths: list[int], size: int, epochs: float
) -> None:
    part, whole = (schedule(lengths, size=size, epochs=number, seed=3) for number in (epochs, 4))
    assert part == whole[: len(part)]
    assert len(part) == max(1, round(epochs * -(-len(lengths) // size)))


def test_rows_of_a_batch_are_about_equally_long_and_batches_differ_between_epochs() -> None:
    lengths = [10 + number * 37 % 190 for number in range(320)]
    plan = schedule(lengths, size=16, epochs=2, seed=1)
    padded = sum(max(lengths[row] for row in step) * len(step) for step in plan)
    assert padded < 1.2 * 2 * sum(lengths), "little padding"
    assert {frozenset(step) for step in plan[:20]} != {frozenset(step) for step in plan[20:]}
    assert schedule(lengths, size=16, epochs=1, seed=2) != plan[:20]
    firsts = [lengths[step[0]] for step in plan[:20]]
    assert firsts != sorted(firsts), "short and long batches take turns"


@given(st.integers(1, 500), st.integers(1, 10))
def test_looks_end_with_the_last_step(steps: int, count: int) -> None:
    found = looks(steps, count)
    assert found[-1] == steps
    assert len(found) == min(count, len(found))
    assert found == tuple(sorted(set(found)))
    assert found[0] >= 1
    assert steps < 2 * count or len(found) == count


@given(st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=5))
def test_common_prefix_is_what_all_begin_with(rows: list[list[int]]) -> None:
    length = common_prefix(rows)
    assert all(row[:length] == rows[0][:length] for row in rows)
    assert any(len(row) == length for row in rows) or len({row[length] for row in rows}) > 1
