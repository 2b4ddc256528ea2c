"""Attention over prompt prefixes that many answers share and that are kept once, however many rows are answered.

The keys and values of a prefix have batch size one; every row keeps only what is its own. The two parts are joined
by their log-sum-exp, which is the same softmax. Rows over different prefixes, or none, go through the model together,
their tokens behind one another, so that padding costs nothing outside attention. Registered with transformers under
`NAME`; a model that cannot be run this way is noticed by `generation.Runner` and run in the library's own way.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.cache_utils import Cache

NAME = "whytune_shared_prefix"


def cached(model: Any, cache: Cache) -> dict[str, Any]:
    """The arguments by which a model is handed its cache: transformers renamed them in 5.24."""
    return {_cache_argument(model.__class__): cache, "use_cache": True}


@lru_cache(maxsize=16)
def _cache_argument(architecture: Any) -> str:
    return "cache" if "cache" in inspect.signature(architecture.forward).parameters else "past_key_values"


@dataclass
class Prefix:
    """Token ids that come first in every prompt, and their keys and values, one pair a layer, [1, heads, ids, width]."""

    ids: list[int]
    layers: list[tuple[torch.Tensor, torch.Tensor]]


@dataclass
class Pass:
    """One pass through the model: the new tokens of all slots behind one another, without padding.

    slot, step and column say for every token whose it is, which of that slot's new tokens it is, and where its key
    goes. mask, [slots, 1, steps, columns], is added to the slots' own scores; it has no say over the prefixes, each of
    which comes with the numbers of the tokens that stand over it, or None where all do.
    """

    slot: torch.Tensor
    step: torch.Tensor
    column: torch.Tensor
    mask: torch.Tensor
    prefixes: list[tuple[Prefix, torch.Tensor | None]] = field(default_factory=list)
    folded: dict[int, torch.Tensor] = field(default_factory=dict)


class RowCache(Cache):  # type: ignore[misc]
    """Keys and values of the slots' own tokens, in buffers that grow by half instead of by a copy for every token."""

    def __init__(self, slots: int, capacity: int) -> None:
        super().__init__(layers=[])
        self.capacity = capacity
        self.lengths = [0] * slots
        """Columns filled before this pass, for each slot."""
        self.this: Pass | None = None
        self.buffers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any) -> Any:
        if self.this is None:
            raise ValueError("a pass is set before the model runs")
        columns = self.this.mask.shape[3]
        held = self.buffers.get(layer_idx)
        if held is None or held[0].shape[2] < columns:
            if columns > self.capacity:
                self.capacity = columns + columns // 2
            held = (self._grown(keys, held and held[0]), self._grown(values, held and held[1]))
            self.buffers[layer_idx] = held
        held[0][self.this.slot, :, self.this.column] = keys[0].transpose(0, 1)
        held[1][self.this.slot, :, self.this.column] = values[0].transpose(0, 1)
        return held[0][:, :, :columns], held[1][:, :, :columns]

    def keep(self, slots: list[int], device: torch.device) -> None:
        """Only these slots go on."""
        chosen = torch.tensor(slots, device=device)
        self.lengths = [self.lengths[slot] for slot in slots]
        for layer, (keys, values) in self.buffers.items():
            self.buffers[layer] = (keys.index_select(0, chosen), values.index_select(0, chosen))

    def take_in(self, other: RowCache) -> None:
        """The slots of another cache, behind those that are here."""
        self.capacity = max(self.capacity, other.capacity)
        self.lengths, before = [*self.lengths, *other.lengths], len(self.lengths)
        for layer, (keys, values) in self.buffers.items():
            pair = zip((keys, values), other.buffers[layer], strict=True)
            joined = []
            for held, came in pair:
                both = held.new_zeros(len(self.lengths), held.shape[1], self.capacity, held.shape[3])
                both[:before, :, : held.shape[2]] = held
                both[before:, :, : came.shape[2]] = came
                joined.append(both)
            self.buffers[layer] = (joined[0], joined[1])

    def get_seq_length(self, layer_idx: int = 0, *args: Any) -> int:
        return max(self.lengths)

    def _grown(self, like: torch.Tensor, held: torch.Tensor | None) -> torch.Tensor:
        # Zeros, not whatever lay in memory: a masked column is multiplied by 0, and 0 times NaN is NaN.
        grown = like.new_zeros(len(self.lengths), like.shape[1], self.capacity, like.shape[3])
        if held is not None:
            grown[:, :, : held.shape[2]] = held
        return grown


def shared_prefix_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of the packed tokens [1, heads, tokens, width] over their slot's columns and their prefix."""
    if kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None:
        raise ValueError("attention with soft caps or sinks is left to the library")
    this: Pass = kwargs["whytune_pass"]
    heads, tokens, width = query.shape[1:]
    slots, groups, steps = key.shape[0], key.shape[1], this.mask.shape[2]
    fold = heads // groups
    spread = query.new_zeros(slots, steps, heads, width)
    spread[this.slot, this.step] = query[0].transpose(0, 1)
    # Query heads that share a key head are stacked along the tokens: no copy of keys for grouped heads.
    stacked = spread.transpose(1, 2).reshape(slots, groups, fold * steps, width)
    own, own_weight = _attend(stacked, key, value, _folded(this, fold, query.dtype), scaling)
    own = own.reshape(slots, groups, fold, steps, -1)[this.slot, :, :, this.step]
    if this.prefixes:
        own_weight = own_weight.reshape(slots, groups, fold, steps)[this.slot, :, :, this.step]
    for prefix, which in this.prefixes:
        first_keys, first_values = prefix.layers[module.layer_idx]
        asking = query if which is None else query[:, :, which]
        first, first_weight = _attend(asking.reshape(1, groups, -1, width), first_keys, first_values, None, scaling)
        first = first.reshape(groups, fold, asking.shape[2], -1).permute(2, 0, 1, 3)
        first_weight = first_weight.reshape(groups, fold, -1).permute(2, 0, 1)
        mine, weight = (own, own_weight) if which is None else (own[which], own_weight[which])
        share = torch.sigmoid(first_weight - weight).unsqueeze(-1)
        both = torch.lerp(mine.float(), first.float(), share).to(query.dtype)
        own = both if which is None else own.index_copy(0, which, both)
    return own.reshape(1, tokens, heads, own.shape[-1]), None


def _folded(this: Pass, fold: int, dtype: torch.dtype) -> torch.Tensor:
    """The mask for stacked heads, made once a pass."""
    if fold not in this.folded:
        numbers = this.mask.to(dtype)
        this.folded[fold] = numbers if numbers.shape[2] == 1 else numbers.repeat(1, 1, fold, 1)
    return this.folded[fold]


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention, and the log of the sum that its weights were divided by."""
    if query.device.type == "cpu" and query.shape[-1] == value.shape[-1]:
        out, total = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, False, attn_mask=mask, scale=scaling
        )
        return out, total
    return attend_plainly(query, key, value, mask, scaling)


def attend_plainly(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """As `_attend` by the definition, on any device."""
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    scores = torch.matmul(query, key.transpose(-1, -2)).float() * scale
    if mask is not None:
        scores = scores + mask.float()
    total = torch.logsumexp(scores, dim=-1)
    return torch.matmul(torch.exp(scores - total.unsqueeze(-1)).to(value.dtype), value), total


AttentionInterface.register(NAME, shared_prefix_attention)
