"""What a run will take, before it is paid for: tokens are counted, time and memory are estimated.

Time comes from this machine's rate of matrix products and the operations a token takes; a run corrects it with one
measured step. Nothing is trained and no weights are read: only the tokenizer and the model's configuration. Example:
`estimate(plan, train).seconds`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.errors import ModelError
from whytune.records.candidate import Base
from whytune.records.data import Example
from whytune.training.batches import schedule
from whytune.training.memory import (
    PROCESS_BYTES,
    ModelShape,
    StepSize,
    adapter_parameters,
    peak,
    trained_parameters,
)
from whytune.training.plan import Estimate, TrainingPlan

if TYPE_CHECKING:
    from whytune.training.loss import LossPath
    from whytune.training.rows import TrainingRow

EFFICIENCY = 0.75
"""Part of the rate of bare matrix products that a whole training step reaches."""
SPREAD = (0.7, 1.8)
"""The range around the seconds: other work on the machine makes it longer more often than shorter."""


def estimate(plan: TrainingPlan, train: Sequence[Example]) -> Estimate:
    """Tokens, time and memory of a run, without starting it. Problems of rows are told by `train`, not here."""
    from transformers import AutoTokenizer

    from whytune.answering.backends.encoding import Encoder
    from whytune.answering.backends.models import quiet
    from whytune.training import machine
    from whytune.training.rows import prepare

    quiet()
    tokenizer = AutoTokenizer.from_pretrained(
        plan.base.location, local_files_only=True, trust_remote_code=False
    )
    ready = prepare(
        Encoder(tokenizer),
        plan.prompt,
        plan.recipe,
        train,
        contexts=plan.contexts,
        shots=shots_of(plan, train),
    )
    dtype = machine.dtype_for(plan.recipe, machine.device())
    return expected(plan, ready.rows, len(ready.overlong), dtype)


def expected(
    plan: TrainingPlan, rows: Sequence[TrainingRow], dropped: int, dtype: str, process: int = PROCESS_BYTES
) -> Estimate:
    """The estimate for rows that are ready; process: bytes held before the model is loaded."""
    from whytune.training import machine
    from whytune.training.loss import computed_tokens, pieces

    recipe, shape = plan.recipe, shape_of(plan.base)
    lengths = [len(row.ids) for row in rows]
    steps = schedule(lengths, size=recipe.batch_size, epochs=recipe.epochs, seed=recipe.seed)
    batches = [[rows[number] for number in step] for step in steps]
    path: LossPath = "shared" if recipe.dropout == 0 else "gathered"
    limit = machine.piece_tokens(machine.device())
    parts = [piece for batch in batches for piece in pieces(batch, path, limit)]
    computed = [computed_tokens(piece, path) for piece in parts]
    trained = [sum(len(row.ids) - row.start for row in piece) for piece in parts]
    # Going back, a weight that is trained costs a product of its own; one that is not, only what passes through it.
    trains = 6 * shape.body if recipe.method == "full" else 4 * shape.body + 6 * adapter_parameters(shape, recipe)
    work = sum(computed) * trains + sum(trained) * 4 * shape.vocabulary * shape.hidden
    moving = len(steps) * machine.update_seconds(trained_parameters(shape, recipe))
    seconds = work / (EFFICIENCY * machine.product_rate(dtype)) + moving if work else 0.0
    return Estimate(
        rows=len(rows),
        dropped=dropped,
        steps=len(steps),
        tokens=sum(len(row.ids) for batch in batches for row in batch),
        trained_tokens=sum(trained),
        computed_tokens=sum(computed),
        longest=max(lengths, default=0),
        lengths=_histogram(lengths),
        seconds=seconds,
        seconds_low=seconds * SPREAD[0],
        seconds_high=seconds * SPREAD[1],
        memory_bytes=peak(shape, recipe, dtype, largest(parts, path), process=process),
    )


def largest(parts: Sequence[Sequence[TrainingRow]], path: LossPath) -> StepSize:
    """The sizes of the piece with the most to compute; trained tokens are the most of any piece."""
    from whytune.training.loss import computed_tokens, shared_prefix

    if not parts:
        return StepSize(0, 0)
    most = max(parts, key=lambda part: computed_tokens(part, path))
    trained = max(sum(len(row.ids) - (0 if path == "plain" else row.start) for row in part) for part in parts)
    shared = path == "shared" and shared_prefix(most) > 0
    return StepSize(computed_tokens(most, path), trained, len(most), max(len(row.ids) for row in most), shared)


def shape_of(base: Base) -> ModelShape:
    """Read from the model's configuration."""
    try:
        config = json.loads((Path(base.location) / "config.json").read_text("utf-8"))
        config = config.get("text_config", config)
        hidden, vocabulary = int(config["hidden_size"]), int(config["vocab_size"])
        layers = int(config["num_hidden_layers"])
        inner = int(config.get("intermediate_size", 4 * hidden))
        heads = int(config.get("num_attention_heads") or 1)
        head = int(config.get("head_dim") or hidden // heads)
        keys = head * int(config.get("num_key_value_heads") or heads)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{base.name} has no configuration that says its sizes: {error!r}",
            where=base.location,
            next="choose a folder with a complete config.json",
        ) from error
    tables = hidden * vocabulary * (1 if config.get("tie_word_embeddings", True) else 2)
    body = max(base.parameters - tables, layers * (2 * hidden * hidden + 3 * hidden * inner))
    return ModelShape(layers, hidden, inner, vocabulary, body, body + tables, keys, head * heads)


def shots_of(plan: TrainingPlan, train: Sequence[Example]) -> tuple[Example, ...]:
    """The examples that stand in every prompt."""
    known = {example.id: example for example in train}
    return tuple(known[name] for name in plan.prompt.shots if name in known)


def _histogram(lengths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """By powers of two: (up to so many tokens, rows)."""
    counts = Counter(1 << max(3, (length - 1).bit_length()) for length in lengths)
    return tuple(sorted(counts.items()))
