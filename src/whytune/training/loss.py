"""The loss of a batch: nats at the trained positions, and nothing computed that does not go into it.

The vocabulary's logits are formed at trained positions only. What all rows of a batch begin with (the system turn) goes
through the model once and its keys and values serve every row; gradients flow back through it, so they are those of
the plain way. `choose_path` proves that on the model at hand and falls back where it does not hold.

Example: 16 rows of 46 tokens that share 17 and train 9 each: 480 positions computed rather than 736, logits at 144.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.nn import functional

from whytune.answering.backends.attention import cached
from whytune.training.batches import common_prefix
from whytune.training.rows import TrainingRow

LossPath = Literal["shared", "gathered", "plain"]
SHARE_FROM = 0.1
"""A prefix is shared where that saves at least this part of a batch's tokens: below it, the second pass costs more."""
_TOLERANCE = {"float32": 2e-4, "bfloat16": 5e-2}


@dataclass(frozen=True)
class BatchLoss:
    """Nats summed over the trained tokens of a batch, and how many those are."""

    total: torch.Tensor
    tokens: int


def collate(rows: Sequence[TrainingRow], *, pad: int, share: bool) -> dict[str, torch.Tensor]:
    """Rows as tensors. labels stand where they are predicted: labels[t] is the token that follows input t.

    `prefix` is what all rows begin with, left out of input_ids; it is empty where nothing is shared. The last token of a
    row is only ever predicted, so it is not an input.
    """
    prefix = shared_prefix(rows) if share else 0
    longest = max(len(row.ids) for row in rows) - 1 - prefix
    ids = torch.full((len(rows), longest), pad, dtype=torch.long)
    labels = torch.full((len(rows), longest), -100, dtype=torch.long)
    for number, row in enumerate(rows):
        given = torch.tensor(row.ids[prefix:], dtype=torch.long)
        ids[number, : len(given) - 1] = given[:-1]
        first = row.start - 1 - prefix
        labels[number, first : len(given) - 1] = given[first + 1 :]
    return {
        "input_ids": ids,
        "labels": labels,
        "prefix": torch.tensor([rows[0].ids[:prefix]], dtype=torch.long),
    }


def shared_prefix(rows: Sequence[TrainingRow]) -> int:
    """How much of the rows is worth computing once. The position that predicts the first trained token stays out."""
    if len(rows) < 2:
        return 0
    length = min(common_prefix([row.ids for row in rows]), min(row.start for row in rows) - 1)
    saved = length * (len(rows) - 1)
    return length if length > 0 and saved >= SHARE_FROM * sum(len(row.ids) for row in rows) else 0


def computed_tokens(rows: Sequence[TrainingRow], path: LossPath = "shared") -> int:
    """Positions that go through the model for a batch, padding included."""
    prefix = shared_prefix(rows) if path == "shared" else 0
    return prefix + len(rows) * (max(len(row.ids) for row in rows) - 1 - prefix)


def pieces(rows: Sequence[TrainingRow], path: LossPath, limit: int) -> list[list[TrainingRow]]:
    """A batch in parts of at most `limit` positions each, one row at least: their gradients add up to the batch's.

    What a step keeps for going back grows with its positions; without this a batch of long rows would take the memory
    of all of them at once.
    """
    parts: list[list[TrainingRow]] = []
    for row in rows:
        if parts and computed_tokens([*parts[-1], row], path) <= limit:
            parts[-1].append(row)
        else:
            parts.append([row])
    return parts


def batch_loss(model: Any, batch: dict[str, torch.Tensor], path: LossPath) -> BatchLoss:
    """The loss of a collated batch; `model` is the PEFT model or the bare one."""
    # Rows are padded on the right and attention looks only back, so no mask is needed: no row sees its padding.
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    labels = batch["labels"]
    trained = labels != -100
    if path == "plain":
        logits = core(input_ids=batch["input_ids"], use_cache=False).logits[trained]
    else:
        body = getattr(core, core.base_model_prefix)
        extra = (
            _prefix_cache(body, core.config, batch["prefix"], len(labels)) if batch["prefix"].numel() else {}
        )
        hidden = body(input_ids=batch["input_ids"], **(extra or {"use_cache": False})).last_hidden_state
        logits = core.get_output_embeddings()(hidden[trained])
    total = functional.cross_entropy(logits.float(), labels[trained], reduction="sum")
    return BatchLoss(total, int(trained.sum()))


def choose_path(model: Any, rows: Sequence[TrainingRow], *, pad: int, dtype: str) -> LossPath:
    """The fastest way whose loss and gradients are those of the plain way, on a few short rows of this model."""
    few = sorted(rows, key=lambda row: len(row.ids))[:3]
    want = _loss_and_gradients(model, few, pad, "plain")
    ways: tuple[LossPath, ...] = ("shared", "gathered")
    for path in ways:
        try:
            seen = _loss_and_gradients(model, few, pad, path)
        except (RuntimeError, TypeError, AttributeError, ValueError, IndexError):
            continue  # this architecture has no such body, head or cache: the next way is asked
        near = _TOLERANCE[dtype]
        if (
            abs(seen[0] - want[0]) <= near * max(1.0, abs(want[0]))
            and _distance(seen[1], want[1]) <= 10 * near
        ):
            return path
    return "plain"


def _prefix_cache(body: Any, config: Any, prefix: torch.Tensor, rows: int) -> dict[str, Any]:
    from transformers import DynamicCache

    first = DynamicCache(config=config)
    body(input_ids=prefix, **cached(body, first))
    wide = DynamicCache(config=config)
    for number, layer in enumerate(first.layers):
        wide.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), number)
    return cached(body, wide)


def _loss_and_gradients(
    model: Any, rows: Sequence[TrainingRow], pad: int, path: LossPath
) -> tuple[float, list[torch.Tensor]]:
    device = next(model.parameters()).device
    batch = {
        name: tensor.to(device) for name, tensor in collate(rows, pad=pad, share=path == "shared").items()
    }
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    loss = batch_loss(model, batch, path)
    gradients = torch.autograd.grad(loss.total / loss.tokens, trained, allow_unused=True)
    return float(loss.total.detach()) / loss.tokens, [part for part in gradients if part is not None]


def _distance(seen: Sequence[torch.Tensor], want: Sequence[torch.Tensor]) -> float:
    """Relative to the length of all gradients together."""
    if len(seen) != len(want):
        return float("inf")
    apart = sum(float(((a - b).float() ** 2).sum()) for a, b in zip(seen, want, strict=True)) ** 0.5
    length = sum(float((b.float() ** 2).sum()) for b in want) ** 0.5
    return apart / length if length else float("inf")


def mean_loss(model: Any, rows: Sequence[TrainingRow], *, size: int, pad: int, path: LossPath) -> float:
    """Nats per trained token over all rows, without gradients."""
    device = next(model.parameters()).device
    order = sorted(rows, key=lambda row: (len(row.ids), row.example))
    total, tokens = 0.0, 0
    with torch.no_grad():
        for at in range(0, len(order), size):
            batch = collate(order[at : at + size], pad=pad, share=path == "shared")
            found = batch_loss(model, {name: tensor.to(device) for name, tensor in batch.items()}, path)
            total += float(found.total)
            tokens += found.tokens
    return total / tokens
