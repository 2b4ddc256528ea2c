"""Pace and Recorder: estimates that hold when batches are uneven, and standings that arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.jobs.progress import Pace, Progress, Recorder, Silent, Standing


class Watch:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_estimated_before_anything_is_done() -> None:
    watch = Watch()
    pace = Pace(10, clock=watch)
    watch.now += 5
    assert pace.rate is None
    assert pace.left is None
    assert pace.seconds == 5


@given(st.integers(1, 50), st.integers(2, 40), st.floats(0.05, 20))
def test_an_even_pace_is_found_exactly(batch: int, batches: int, seconds: float) -> None:
    watch = Watch()
    pace = Pace(batch * batches * 2, clock=watch)
    for _ in range(batches):
        watch.now += seconds
        pace.advance(batch)
    assert pace.rate == pytest.approx(batch / seconds, rel=0.35)
    assert pace.left == pytest.approx(batch * batches / (batch / seconds), rel=0.6)


def test_one_long_pause_does_not_throw_the_estimate() -> None:
    watch = Watch()
    pace = Pace(2000, clock=watch, window=60)
    for place in range(20):
        watch.now += 20 if place == 17 else 1
        pace.advance(10)
    assert pace.rate == pytest.approx(10, rel=0.3)


def test_a_stall_pulls_the_rate_down() -> None:
    watch = Watch()
    pace = Pace(2000, clock=watch, window=30)
    for _ in range(10):
        watch.now += 1
        pace.advance(10)
    before = pace.rate
    watch.now += 600
    assert before is not None
    assert pace.rate is not None
    assert pace.rate < before / 2


def test_the_rate_follows_the_last_window() -> None:
    watch = Watch()
    pace = Pace(100_000, clock=watch, window=10)
    for speed in (100, 10):
        for _ in range(40):
            watch.now += 1
            pace.advance(speed)
    assert pace.rate == pytest.approx(10, rel=0.1)


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 50)), max_size=60), st.integers(0, 500))
def test_estimates_are_never_negative_and_zero_when_done(steps: list[tuple[int, float]], total: int) -> None:
    watch = Watch()
    pace = Pace(total, clock=watch)
    for done, seconds in steps:
        watch.now += seconds
        pace.advance(done)
        assert pace.rate is None or pace.rate >= 0
        assert pace.left is None or pace.left >= 0
        if total and pace.done >= total:
            assert pace.left == 0
        if not total:
            assert pace.left is None


def test_a_recorder_tells_beginning_end_and_not_too_often_between() -> None:
    watch = Watch()
    told: list[Standing] = []
    recorder = Recorder(told.append, every=1.0, clock=watch)
    recorder.phase("train", 100, "rows")
    for place in range(100):
        watch.now += 0.1
        recorder.advance(1, f"loss {place}")
    assert (told[0].phase, told[0].done, told[0].total, told[0].unit) == ("train", 0, 100, "rows")
    assert (told[-1].done, told[-1].left, told[-1].note) == (100, 0.0, "loss 99")
    assert 9 <= len(told) <= 12
    recorder.phase("score", 5)
    assert (told[-1].phase, told[-1].done, told[-1].note) == ("score", 0, "")


def test_silent_is_a_progress() -> None:
    progress: Progress = Silent()
    progress.phase("anything", 3)
    progress.advance()
