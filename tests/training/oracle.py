"""A plain PyTorch loop for LoRA, without TRL, PEFT, prefix or gathering: what training should come out as. Tests only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModelForCausalLM

from whytune.records.candidate import Recipe
from whytune.training.rows import TrainingRow


class Adapted(nn.Module):
    """A linear layer with its two small factors."""

    def __init__(self, base: nn.Linear, first: torch.Tensor, scale: float) -> None:
        super().__init__()
        self.base, self.scale = base, scale
        self.first = nn.Parameter(first.clone())
        self.second = nn.Parameter(torch.zeros(base.out_features, len(first)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The base's product and the factors'."""
        return self.base(x) + self.scale * (x @ self.first.T) @ self.second.T


def train_plainly(
    folder: str,
    first: dict[str, torch.Tensor],
    rows: Sequence[TrainingRow],
    order: Sequence[Sequence[int]],
    recipe: Recipe,
) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses of all steps and the second factors; `first` holds the seeded first factors by layer name."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    for weight in model.parameters():
        weight.requires_grad_(False)
    made: dict[str, Adapted] = {}
    for name, factor in first.items():
        parent = model.get_submodule(name.rpartition(".")[0])
        made[name] = Adapted(model.get_submodule(name), factor, recipe.alpha / recipe.rank)
        setattr(parent, name.rpartition(".")[2], made[name])
    weights = [weight for layer in made.values() for weight in (layer.first, layer.second)]
    optimiser = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    warm, losses = int(recipe.warmup * len(order)), []
    for step, batch in enumerate(order):
        rate = (
            step / warm
            if step < warm
            else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, len(order) - warm)))
        )
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * rate
        total, count = torch.tensor(0.0), 0
        for row in (rows[number] for number in batch):
            logits = model(input_ids=torch.tensor([row.ids])).logits[0, row.start - 1 : -1]
            total = total + functional.cross_entropy(
                logits, torch.tensor(row.ids[row.start :]), reduction="sum"
            )
            count += len(row.ids) - row.start
        optimiser.zero_grad()
        (total / count).backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        losses.append(float(total.detach()) / count)
    return losses, {name: layer.second.detach() for name, layer in made.items()}
