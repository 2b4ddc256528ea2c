"""What this machine does best: dtype and threads by measuring, never by counting cores; memory by asking.

A busy machine can be several times slower with two threads than with one, and a processor without bfloat16 arithmetic
twenty times slower in it than in float32. It knows nothing of rows. Example: `choose_dtype("auto", cpu)`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Literal

import torch

from whytune.jobs import memory
from whytune.records.candidate import Recipe

DtypeName = Literal["float32", "bfloat16"]
_GAIN = 1.25
"""bfloat16 is taken only where it is clearly faster: it also rounds."""

PIECE_TOKENS = {"cpu": 1024, "cuda": 16384}


def device() -> torch.device:
    """A CUDA device where there is one, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def piece_tokens(place: torch.device) -> int:
    """Positions that go through the model at once, there and back. 1,024 of the bundled model keep about 2.3 GB."""
    return PIECE_TOKENS.get(place.type, PIECE_TOKENS["cpu"])


def choose_dtype(wanted: str, place: torch.device) -> DtypeName:
    """`auto` is answered by a few matrix products of a layer's shape, forward and backward."""
    if wanted == "float32":
        return "float32"
    if wanted == "bfloat16":
        return "bfloat16"
    if place.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    # First a small product: where bfloat16 is emulated, the large one would take seconds.
    if product_rate("bfloat16", rows=32, times=1) < product_rate("float32", rows=32, times=1):
        return "float32"
    return "bfloat16" if product_rate("bfloat16") > _GAIN * product_rate("float32") else "float32"


def dtype_for(recipe: Recipe, place: torch.device) -> DtypeName:
    """The dtype of a run: weights that are all trained keep every bit of their small steps."""
    return "float32" if recipe.method == "full" else choose_dtype(recipe.dtype, place)


def product_rate(dtype: str, *, rows: int = 512, times: int = 5) -> float:
    """Floating-point operations a second in products as a layer does them, forward and backward."""
    kind = getattr(torch, dtype)
    inputs, weight = torch.ones(rows, 576, dtype=kind), torch.ones(1536, 576, dtype=kind)
    back = torch.ones(rows, 1536, dtype=kind)

    def both() -> None:
        torch.nn.functional.linear(inputs, weight)
        back @ weight

    both()
    return 2 * 2 * rows * 576 * 1536 / median(_seconds(both) for _ in range(times))


def update_seconds(weights: int, times: int = 3) -> float:
    """Seconds in which the optimiser moves so many weights, the length of their gradients included; by a part of them."""
    part = min(weights, 1 << 22)
    weight = torch.nn.Parameter(torch.ones(part, device=device()))
    weight.grad = torch.ones_like(weight)
    moved = torch.optim.AdamW([weight])

    def step() -> None:
        torch.nn.utils.clip_grad_norm_([weight], 1.0)
        moved.step()
        if weight.is_cuda:
            torch.cuda.synchronize()

    step()
    return weights / part * median(_seconds(step) for _ in range(times))


def choose_threads(step: Callable[[], object], place: torch.device) -> int:
    """The number of threads with which `step` (a short forward and backward pass) is fastest; set when it returns."""
    if place.type != "cpu":
        return int(torch.get_num_threads())
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        torch.set_num_threads(int(given))
        return int(given)
    most = _cores()
    best, fastest = 1, float("inf")
    for threads in sorted({1, max(1, most // 2), most}):
        torch.set_num_threads(threads)
        step()
        took = min(_seconds(step) for _ in range(2))
        if took < fastest:
            best, fastest = threads, took
    torch.set_num_threads(best)
    return best


def free_memory() -> int:
    """Bytes that a new allocation may take: the first GPU's, without one the machine's."""
    return int(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else memory.free_memory()


def begin_peak() -> None:
    """Forget what was held before, where the system can: `peak_memory` then speaks of this run."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")
    except OSError:
        return  # only Linux counts anew; elsewhere the peak is that of the process


def give_back() -> None:
    """Return to the system what was freed: the C library keeps it, and what comes next would be held beside it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return  # another C library than glibc


def held_memory() -> int:
    """Bytes that count against a run before its model is loaded: the process's, or none where the model lies on a device."""
    import psutil

    return 0 if torch.cuda.is_available() else int(psutil.Process().memory_info().rss)


def peak_memory() -> int:
    """The most bytes that this process has held: of the device's memory where the model is there."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux: the way below
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
