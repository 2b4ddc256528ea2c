"""Device, dtype and threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from whytune.answering.backends import machine


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def spend(monkeypatch: pytest.MonkeyPatch, milliseconds: dict[tuple[str, int], float]) -> None:
    monkeypatch.setattr(machine, "_milliseconds", lambda kind: milliseconds[kind, torch.get_num_threads()])
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


@pytest.mark.parametrize(
    ("fp1", "fp2", "bf1", "bf2", "dtype", "threads"),
    [
        (10.0, 6.0, 9.0, 5.5, "float32", 2),  # bfloat16 is hardly faster: not worth its rounding
        (10.0, 6.0, 6.0, 3.0, "bfloat16", 2),
        (10.0, 40.0, 30.0, 90.0, "float32", 1),  # a busy machine
        (10.0, 9.5, 30.0, 20.0, "float32", 1),  # the second thread brings next to nothing
    ],
)
def test_the_fastest_is_taken(
    monkeypatch: pytest.MonkeyPatch, fp1: float, fp2: float, bf1: float, bf2: float, dtype: str, threads: int
) -> None:
    spend(monkeypatch, {("float32", 1): fp1, ("float32", 2): fp2, ("bfloat16", 1): bf1, ("bfloat16", 2): bf2})
    found = machine.choose("auto", 0, "cpu")
    assert (found.dtype, found.threads) == (dtype, threads)
    assert torch.get_num_threads() == threads
    assert len(found.measured) == 4


def test_what_is_said_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_milliseconds", lambda kind: pytest.fail("nothing to measure"))
    found = machine.choose("bfloat16", 1, "cpu")
    assert (found.dtype, found.threads, found.device) == ("bfloat16", 1, "cpu")


def test_measuring_is_quick_and_told() -> None:
    assert "thread" in machine.describe()
