"""Device, dtype and threads for answering, by a few measured steps: never by the number of cores.

On a busy machine two threads can be several times slower than one, and bfloat16 is fast only where the processor
multiplies it. Example: `choose("auto", 0)` takes some tens of milliseconds and says what it saw.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from statistics import median

import torch

from whytune.answering.backends.models import DtypeName

_GAIN = 1.2
"""How many times faster bfloat16 must be before its rounding is accepted."""
_SHAPE = (64, 768, 3072)


@dataclass(frozen=True)
class Machine:
    """What answering runs on, and the milliseconds that were measured for it."""

    device: str
    dtype: DtypeName
    threads: int
    measured: dict[str, float]


def choose(dtype: str, threads: int, device: str = "auto") -> Machine:
    """The fastest setting where `auto` and 0 leave it open; sets the number of threads of this process."""
    where = device if device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    if where != "cpu":
        return Machine(where, "float32" if dtype == "float32" else "bfloat16", threads or torch.get_num_threads(), {})
    before = torch.get_num_threads()
    measured: dict[str, float] = {}
    counts = [threads] if threads else _counts(int(os.environ.get("OMP_NUM_THREADS") or 0) or os.cpu_count() or 1)
    kinds: list[DtypeName] = ["float32", "bfloat16"] if dtype == "auto" else ["bfloat16" if dtype == "bfloat16" else "float32"]
    best: dict[DtypeName, tuple[float, int]] = {}
    try:
        for kind in kinds:
            for count in counts:
                torch.set_num_threads(count)
                # Two settings and nothing to choose between: nothing to measure.
                spent = _milliseconds(kind) if len(kinds) * len(counts) > 1 else 0.0
                measured[f"{kind} with {count} threads"] = round(spent, 3)
                # More threads must pay: they take the processor from others.
                if kind not in best or spent < 0.9 * best[kind][0]:
                    best[kind] = (spent, count)
    finally:
        torch.set_num_threads(before)
    chosen = kinds[0]
    if len(kinds) > 1 and best["float32"][0] > _GAIN * best["bfloat16"][0]:
        chosen = "bfloat16"
    torch.set_num_threads(best[chosen][1])
    return Machine("cpu", chosen, best[chosen][1], measured)


def describe() -> str:
    """What answering would run on now, in words."""
    found = choose("auto", 0)
    name = torch.cuda.get_device_name() if found.device != "cpu" else "CPU"
    return f"{name}, {found.dtype}, {found.threads} thread{'s' if found.threads > 1 else ''}"


def _counts(most: int) -> list[int]:
    counts, number = [], 1
    while number < most:
        counts.append(number)
        number *= 2
    return [*counts, most]


def _milliseconds(kind: DtypeName) -> float:
    rows, inner, outer = _SHAPE
    with torch.inference_mode():
        numbers = torch.ones(rows, inner, dtype=getattr(torch, kind))
        weights = torch.ones(outer, inner, dtype=getattr(torch, kind))
        spent = []
        for _ in range(6):
            start = time.perf_counter()
            torch.nn.functional.linear(numbers, weights)
            spent.append((time.perf_counter() - start) * 1000)
    return median(spent[1:])
