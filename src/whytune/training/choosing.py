"""What is measured once at the start of a run: threads, the way to the loss, the time of a step, the memory.

The answers are kept with the run, because they decide the last bits of the weights. Example: on a busy machine of two
cores `choose(...)` may answer one thread.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from whytune.errors import TrainingError
from whytune.jobs.progress import Progress
from whytune.training.estimate import memory, shape_of
from whytune.training.journal import Choices
from whytune.training.sitting import TrainingRun

_MEMORY_SHARE = 0.85
"""Of the free memory that a run may plan to use."""
_MEASURED = 3
"""Steps on the longest piece by which the time is told."""
_FEW = 4
"""Rows of the step by which threads are chosen."""


def choose(run: TrainingRun, dtype: str, progress: Progress) -> Choices:
    """Measures and decides. Raises TrainingError where the run does not fit into memory."""
    from whytune.answering.backends.models import calm
    from whytune.training import loss, machine
    from whytune.training.trl_seam import pad_of

    recipe, rows, model = run.plan.recipe, run.ready.rows, run.loaded.model
    place, pad = machine.device(), pad_of(run.loaded.tokenizer)
    free = machine.free_memory()
    progress.phase("measuring the machine", 4)
    model.eval()  # the loss is proven without chance; dropout comes with the first step
    with calm():
        path = loss.choose_path(model, rows, pad=pad, dtype=dtype)
        if recipe.dropout and path == "shared":
            path = "gathered"  # one mask for the prefix of all rows would be another training
        progress.advance()
        middle = sorted(rows, key=lambda row: len(row.ids))[len(rows) // 2 :][:_FEW]
        batch = _on(place, loss.collate(middle, pad=pad, share=path == "shared"))
        threads = machine.choose_threads(lambda: _step(model, batch, path), place)
        progress.advance(1, f"{threads} threads")
        limit = machine.piece_tokens(place)
        batches = [[rows[number] for number in run.ranks.share(step)] for step in run.steps]
        steps = [piece for batch in batches for piece in loss.pieces(batch, path, limit)]
        needed, checkpointing = _fits(run, dtype, steps, path, free)
        if checkpointing:
            path = "gathered" if path == "shared" else path
        longest = max(steps, key=lambda step: loss.computed_tokens(step, path))
        batch = _on(place, loss.collate(longest, pad=pad, share=path == "shared"))
        if checkpointing:
            seconds_a_token = 0.0
        else:
            took = [_seconds(model, batch, path) for _ in range(_MEASURED)]
            seconds_a_token = median(took) / loss.computed_tokens(longest, path)
        progress.advance()
        first = loss.mean_loss(model, run.held.rows, size=recipe.batch_size, pad=pad, path=path)
        progress.advance(1, f"dev loss {first:.3f}")
    model.train()
    total = sum(loss.computed_tokens(step, path) for step in steps)
    return Choices(
        dtype=dtype,
        threads=threads,
        loss_path=path,
        checkpointing=checkpointing,
        first_dev_loss=first,
        # Going back through recomputed layers takes a third pass.
        estimated_seconds=seconds_a_token * total or run.estimate.seconds * 1.5,
        estimated_memory_bytes=needed,
    )


def _fits(run: TrainingRun, dtype: str, steps: list[Any], path: Any, free: int) -> tuple[int, bool]:
    from whytune.training import loss

    shape, recipe = shape_of(run.plan.base), run.plan.recipe
    tokens = max(loss.computed_tokens(step, path) for step in steps)
    trained = max(sum(len(row.ids) - row.start for row in step) for step in steps)
    for checkpointing in (False, True):
        needed = memory(shape, recipe, dtype, tokens=tokens, trained=trained, checkpointing=checkpointing)
        # The weights are loaded already: what is still to come is the rest.
        if needed - memory(shape, recipe, dtype, tokens=0, trained=0) <= _MEMORY_SHARE * free:
            return needed, checkpointing
    raise TrainingError(
        f"Training needs about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free",
        next="lower batch_size or max_length in the recipe, or choose a smaller base model",
    )


def _step(model: Any, batch: Any, path: Any) -> None:
    import torch

    from whytune.training import loss

    found = loss.batch_loss(model, batch, path)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    torch.autograd.grad(found.total / found.tokens, trained)


def _seconds(model: Any, batch: Any, path: Any) -> float:
    import torch

    began = time.perf_counter()
    _step(model, batch, path)
    if next(model.parameters()).device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _on(place: Any, batch: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.to(place) for name, tensor in batch.items()}
