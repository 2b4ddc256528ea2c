"""What a run will take, before it is paid for: tokens are counted, time and memory are estimated.

Time comes from this machine's rate of matrix products and the operations a token takes; a run corrects it with one
measured step. Nothing is trained and no weights are read: only the tokenizer and the model's configuration. Example:
`estimate(plan, train).seconds`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.errors import ModelError
from whytune.records.candidate import Base, Recipe
from whytune.records.data import Example
from whytune.training.batches import schedule
from whytune.training.plan import Estimate, TrainingPlan

if TYPE_CHECKING:
    from whytune.training.rows import TrainingRow

EFFICIENCY = 0.75
"""Part of the rate of bare matrix products that a whole training step reaches."""
SPREAD = (0.7, 1.8)
"""The range around the seconds: other work on the machine makes it longer more often than shorter."""
_PROCESS_BYTES = 700 << 20
"""Python with its libraries, before a model is loaded."""


@dataclass(frozen=True)
class ModelShape:
    """The sizes that time and memory follow from."""

    layers: int
    hidden: int
    inner: int
    vocabulary: int
    body: int
    """Parameters outside the table of tokens and the output head."""
    total: int


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


def expected(plan: TrainingPlan, rows: Sequence[TrainingRow], dropped: int, dtype: str) -> Estimate:
    """The estimate for rows that are ready."""
    from whytune.training import machine
    from whytune.training.loss import LossPath, computed_tokens, pieces

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
    seconds = work / (EFFICIENCY * machine.product_rate(dtype)) if work else 0.0
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
        memory_bytes=memory(
            shape, recipe, dtype, tokens=max(computed, default=0), trained=max(trained, default=0)
        ),
    )


def memory(
    shape: ModelShape, recipe: Recipe, dtype: str, *, tokens: int, trained: int, checkpointing: bool = False
) -> int:
    """Bytes at the peak: weights, adapter with its gradients and moments, what the longest batch keeps for going back."""
    width = 4 if dtype == "float32" else 2
    layer = (16 * shape.hidden + 6 * shape.inner) * width
    kept = (
        tokens * (shape.layers * shape.hidden * width + layer)
        if checkpointing
        else tokens * shape.layers * layer
    )
    logits = trained * shape.vocabulary * 4 * 3
    return _PROCESS_BYTES + weight_bytes(shape, recipe, width) + kept + logits


def weight_bytes(shape: ModelShape, recipe: Recipe, width: int) -> int:
    """Weights at rest, and what is trained with its gradients and moments."""
    if recipe.method == "full":
        return shape.total * (width + 3 * 4)
    tables = shape.total - shape.body
    # Four bits a weight, and their scales; tables of tokens stay as they are.
    body = int(shape.body * 0.52) if recipe.method == "qlora" else shape.body * width
    return body + tables * width + adapter_parameters(shape, recipe) * 16


def adapter_parameters(shape: ModelShape, recipe: Recipe) -> int:
    """About: seven linear layers, four of the attention and three of the network behind it."""
    return shape.layers * recipe.rank * (8 * shape.hidden + 3 * (shape.hidden + shape.inner))


def shape_of(base: Base) -> ModelShape:
    """Read from the model's configuration."""
    try:
        config = json.loads((Path(base.location) / "config.json").read_text("utf-8"))
        config = config.get("text_config", config)
        hidden, vocabulary = int(config["hidden_size"]), int(config["vocab_size"])
        layers = int(config["num_hidden_layers"])
        inner = int(config.get("intermediate_size", 4 * hidden))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{base.name} has no configuration that says its sizes: {error!r}",
            where=base.location,
            next="choose a folder with a complete config.json",
        ) from error
    tables = hidden * vocabulary * (1 if config.get("tie_word_embeddings", True) else 2)
    body = max(base.parameters - tables, layers * (2 * hidden * hidden + 3 * hidden * inner))
    return ModelShape(layers, hidden, inner, vocabulary, body, body + tables)


def shots_of(plan: TrainingPlan, train: Sequence[Example]) -> tuple[Example, ...]:
    """The examples that stand in every prompt."""
    known = {example.id: example for example in train}
    return tuple(known[name] for name in plan.prompt.shots if name in known)


def _histogram(lengths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """By powers of two: (up to so many tokens, rows)."""
    counts = Counter(1 << max(3, (length - 1).bit_length()) for length in lengths)
    return tuple(sorted(counts.items()))
