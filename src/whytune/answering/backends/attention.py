"""Attention over a prompt prefix that many answers share and that is kept once, however many rows are answered.

The keys and values of the prefix have batch size one; every row keeps only what is its own. The two parts are joined
by their log-sum-exp, which is the same softmax. Registered with transformers under `NAME`; a model that cannot be run
this way is noticed by `generation.fits` and run in the library's own way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface
from transformers.cache_utils import Cache

NAME = "whytune_shared_prefix"


@dataclass
class Prefix:
    """Token ids that come first in every prompt, and their keys and values, one pair a layer, [1, heads, ids, width]."""

    ids: list[int]
    layers: list[tuple[torch.Tensor, torch.Tensor]]


@dataclass
class Pass:
    """What one pass through the model needs in every layer: the prefix, and the mask folded over grouped heads."""

    prefix: Prefix | None = None
    folded: dict[int, torch.Tensor] = field(default_factory=dict)


class RowCache(Cache):  # type: ignore[misc]
    """Keys and values of the rows' own tokens, in buffers that grow by half instead of by a copy for every token."""

    def __init__(self, capacity: int) -> None:
        super().__init__(layers=[])
        self.capacity = capacity
        self.length = 0
        """Columns filled before this pass."""
        self.buffers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any) -> Any:
        end = self.length + keys.shape[2]
        held = self.buffers.get(layer_idx)
        if held is None or held[0].shape[2] < end:
            self.capacity = max(self.capacity, end + end // 2 if held is not None else end)
            held = (self._grown(keys, held and held[0]), self._grown(values, held and held[1]))
            self.buffers[layer_idx] = held
        held[0][:, :, self.length : end] = keys
        held[1][:, :, self.length : end] = values
        return held[0][:, :, :end], held[1][:, :, :end]

    def keep(self, rows: torch.Tensor) -> None:
        """Only these rows go on."""
        for layer, (keys, values) in self.buffers.items():
            self.buffers[layer] = (keys.index_select(0, rows), values.index_select(0, rows))

    def get_seq_length(self, layer_idx: int = 0, *args: Any) -> int:
        return self.length

    def _grown(self, like: torch.Tensor, held: torch.Tensor | None) -> torch.Tensor:
        rows, heads, _, width = like.shape
        # Zeros, not whatever lay in memory: a masked column is multiplied by 0, and 0 times NaN is NaN.
        grown = like.new_zeros(rows, heads, self.capacity, width)
        if held is not None:
            grown[:, :, : self.length] = held[:, :, : self.length]
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
    """Attention of [rows, heads, tokens, width] over the rows' own columns and the prefix of `whytune_pass`."""
    if kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None:
        raise ValueError("attention with soft caps or sinks is left to the library")
    this: Pass = kwargs["whytune_pass"]
    rows, heads, tokens, width = query.shape
    groups = key.shape[1]
    fold = heads // groups
    # Query heads that share a key head are stacked along the tokens: no copy of keys for grouped heads.
    stacked = query.reshape(rows, groups, fold * tokens, width)
    mask = _folded(this, attention_mask, fold, tokens, query.dtype)
    if this.prefix is None:
        out = functional.scaled_dot_product_attention(stacked, key, value, attn_mask=mask, scale=scaling)
    else:
        own, own_weight = _attend(stacked, key, value, mask, scaling)
        first_keys, first_values = this.prefix.layers[module.layer_idx]
        joined = stacked.transpose(0, 1).reshape(1, groups, rows * fold * tokens, width)
        first, first_weight = _attend(joined, first_keys, first_values, None, scaling)
        first = first.view(groups, rows, fold * tokens, -1).transpose(0, 1)
        first_weight = first_weight.view(groups, rows, fold * tokens).transpose(0, 1)
        share = torch.sigmoid(first_weight - own_weight).unsqueeze(-1)
        out = torch.lerp(own.float(), first.float(), share).to(query.dtype)
    out = out.reshape(rows, groups * fold, tokens, out.shape[-1])
    return out.transpose(1, 2).contiguous(), None


def _folded(
    this: Pass, mask: torch.Tensor | None, fold: int, tokens: int, dtype: torch.dtype
) -> torch.Tensor | None:
    if mask is None:
        return None
    if fold not in this.folded:
        numbers = mask if mask.dtype == dtype else mask.to(dtype)
        repeated = numbers if tokens == 1 else numbers.repeat(1, 1, fold, 1)
        this.folded[fold] = repeated.contiguous()
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
