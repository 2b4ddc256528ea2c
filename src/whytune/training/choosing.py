"""What is measured once at the start of a run: threads, the way to the loss, the time of a step, the memory.

The answers are kept with the run, because they decide the last bits of the weights. Example: on a busy machine of two
cores `choose(...)` may answer one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from whytune.errors import TrainingError
from whytune.jobs.progress import Progress
from whytune.training.estimate import largest, shape_of
from whytune.training.journal import Choices
from whytune.training.memory import at_rest, peak, trained_parameters
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
        machine.give_back()  # what the search for the best way has left
        expected_seconds = 0.0 if checkpointing else _expected_seconds(run, steps, path, lambda piece: _on(place, loss.collate(piece, pad=pad, share=path == "shared")))
        if not checkpointing:
            # The steps just made are a run's own but for what the optimiser keeps: what was seen stands above what was added up.
            needed = max(needed, machine.peak_memory() + 2 * 4 * trained_parameters(shape_of(run.plan.base), recipe))
        progress.advance()
        first = loss.mean_loss(model, run.held.rows, size=recipe.batch_size, pad=pad, path=path)
        progress.advance(1, f"dev loss {first:.3f}")
    model.train()
    machine.give_back()
    return Choices(
        dtype=dtype,
        threads=threads,
        loss_path=path,
        checkpointing=checkpointing,
        first_dev_loss=first,
        # Going back through recomputed layers takes a third pass.
        estimated_seconds=expected_seconds or run.estimate.seconds * 1.5,
        estimated_memory_bytes=needed,
    )


def _fits(run: TrainingRun, dtype: str, steps: list[Any], path: Any, free: int) -> tuple[int, bool]:
    shape, recipe, piece = shape_of(run.plan.base), run.plan.recipe, largest(steps, path)
    for checkpointing in (False, True):
        needed = peak(shape, recipe, dtype, piece, process=run.process, checkpointing=checkpointing)
        # The weights are loaded already: what is still to come is the rest.
        if needed - run.process - at_rest(shape, recipe, 4 if dtype == "float32" else 2) <= _MEMORY_SHARE * free:
            return needed, checkpointing
    raise TrainingError(
        f"Training needs about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free",
        next="lower batch_size or max_length in the recipe, or choose a smaller base model",
    )


def _expected_seconds(run: TrainingRun, pieces: list[Any], path: Any, ready: Callable[[Any], Any]) -> float:
    """Of all steps: what a piece takes however short it is, what each token takes, and what moving the weights takes."""
    from whytune.training import loss, machine

    model, recipe = run.loaded.model, run.plan.recipe
    tokens = [loss.computed_tokens(piece, path) for piece in pieces]
    longest, shortest = max(tokens), min(tokens)
    long, short = ready(pieces[tokens.index(longest)]), ready(pieces[tokens.index(shortest)])
    most = median(_seconds(model, long, path) for _ in range(_MEASURED))
    each = most / longest
    once = 0.0
    if shortest * 2 <= longest:
        least = median(_seconds(model, short, path) for _ in range(_MEASURED))
        each = max(0.0, most - least) / (longest - shortest)
        once = max(0.0, most - each * longest)
    moving = machine.update_seconds(trained_parameters(shape_of(run.plan.base), recipe))
    return each * sum(tokens) + once * len(pieces) + moving * len(run.steps)


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
