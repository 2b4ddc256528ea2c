"""Greedy answers for a batch of prompts, over prefixes that they share; knows tokens and grammars, no chats and no records.

The rows' own tokens go through the model together, without padding. Only the last position of a row meets the
output layer, and only the rows of it that a grammar allows. Finished rows leave the batch. Models whose attention is
not the plain kind (windows that are exceeded, recurrent layers) are answered one row at a time in the library's way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from transformers import DynamicCache

from whytune.answering.backends.attention import NAME, Pass, Prefix, RowCache, cached
from whytune.answering.backends.constraints import Grammar, Walk

_FORWARD_TOKENS = 2048
"""Tokens of all rows in one pass: enough to keep the processor busy, few enough to bound memory."""
_LEAVE = 0.8
"""Rows are dropped from the batch when fewer than this share of it is still being answered."""


@dataclass
class Row:
    """One answer on its way. `pending` has not been through the model yet."""

    pending: list[int]
    walk: Walk
    limit: int
    out: list[int] = field(default_factory=list)
    chosen: int = 0
    position: int = 0
    """Tokens before `pending`."""
    prefix: Prefix | None = None
    """What comes before the first tokens that were pending."""

    def over(self, prefix: Prefix | None) -> None:
        """Let the row begin after this; `pending` holds what is left of the prompt."""
        self.prefix, self.position = prefix, len(prefix.ids) if prefix else 0

    @property
    def done(self) -> bool:
        """Whether nothing more is to come. Forced tokens do not count against the limit."""
        return self.walk.done or self.chosen >= self.limit

    def force(self) -> None:
        """Take the tokens that leave no choice."""
        tokens = self.walk.forced()
        self.out += tokens
        self.pending += tokens

    def take(self, token: int) -> None:
        """The model chose this token."""
        self.out.append(token)
        self.chosen += 1
        self.pending = [token]
        self.walk.take(token)
        if not self.done:
            self.force()


class Runner:
    """A model and its two ways to be run: rows together over a shared prefix, or one by one."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.decoder = model.get_decoder()
        self.output = model.get_output_embeddings()
        self.device = next(model.parameters()).device
        self._usual = model.config._attn_implementation
        self.window = _window(model.config)
        self.together = self._fits()

    def prefix(self, ids: list[int]) -> Prefix:
        """The keys and values of the tokens that every prompt begins with."""
        cache = RowCache(1, len(ids))
        for start in range(0, len(ids), _FORWARD_TOKENS // 4):
            self._forward([ids[start : start + _FORWARD_TOKENS // 4]], [start], cache, [None])
        layers = [cache.buffers[layer] for layer in sorted(cache.buffers)]
        return Prefix(list(ids), [(keys.contiguous(), values.contiguous()) for keys, values in layers])

    def answer(self, rows: Sequence[Row], grammar: Grammar, prefix: Prefix | None) -> None:
        """Runs every row to its end. rows[i].pending holds the prompt's tokens after the prefix."""
        with torch.inference_mode():
            for row in rows:
                row.over(prefix)
                row.force()
            live = [row for row in rows if not row.done]
            if live and self.together:
                self._answer_together(live, grammar)
            elif live:
                for row in live:
                    self._answer_alone(row, grammar)

    def head(self, hidden: torch.Tensor, ids: list[int] | None) -> torch.Tensor:
        """Logits of these token ids only, or of all."""
        if ids is None:
            logits: torch.Tensor = self.output(hidden)
            return logits
        chosen = torch.tensor(ids, device=hidden.device)
        bias = getattr(self.output, "bias", None)
        return functional.linear(
            hidden, self.output.weight.index_select(0, chosen), None if bias is None else bias.index_select(0, chosen)
        )

    def _answer_together(self, live: list[Row], grammar: Grammar) -> None:
        running = Running(self, grammar)
        running.join(live)
        while running.rows:
            running.step()

    def last_hidden(self, slots: Sequence[Row | None], cache: RowCache) -> torch.Tensor:
        """The hidden state after the pending tokens of every row that is still there, in the order of the slots."""
        pending = [row.pending if row is not None else [] for row in slots]
        live = [slot for slot, ids in enumerate(pending) if ids]
        prefixes = [row.prefix if row is not None else None for row in slots]
        columns = max(1, _FORWARD_TOKENS // len(live))
        last: dict[int, torch.Tensor] = {}
        for start in range(0, max(len(ids) for ids in pending), columns):
            part = [ids[start : start + columns] for ids in pending]
            first = [row.position + start if row is not None else 0 for row in slots]
            hidden = self._forward(part, first, cache, prefixes)
            end = 0
            for slot, ids in enumerate(part):
                end += len(ids)
                if ids:
                    last[slot] = hidden[end - 1]
        return torch.stack([last[slot] for slot in live])

    def _forward(
        self, new: list[list[int]], first: list[int], cache: RowCache, prefixes: Sequence[Prefix | None]
    ) -> torch.Tensor:
        """The new tokens of every slot, behind one another; hidden states [tokens, width] in that order."""
        slot = [number for number, ids in enumerate(new) for _ in ids]
        step = [number for ids in new for number in range(len(ids))]
        column = [cache.lengths[number] + at for number, ids in enumerate(new) for at in range(len(ids))]
        position = [first[number] + at for number, ids in enumerate(new) for at in range(len(ids))]
        steps = torch.arange(max(len(ids) for ids in new), device=self.device)
        lengths = torch.tensor(cache.lengths, device=self.device)
        columns = torch.arange(max(column) + 1, device=self.device)
        # A slot sees what it holds and its new tokens up to each one; places that stand for no token see that too,
        # which keeps the softmax from being empty, and are never looked at.
        seen = columns[None, None, :] <= lengths[:, None, None] + steps[None, :, None]
        mask = torch.zeros(seen.shape, dtype=self.model.dtype, device=self.device).masked_fill_(~seen, float("-inf"))
        cache.this = Pass(
            slot=torch.tensor(slot, device=self.device),
            step=torch.tensor(step, device=self.device),
            column=torch.tensor(column, device=self.device),
            mask=mask.unsqueeze(1),
            prefixes=self._over(prefixes, slot),
        )
        with torch.inference_mode():
            hidden: torch.Tensor = self.decoder(
                input_ids=torch.tensor([[token for ids in new for token in ids]], device=self.device),
                position_ids=torch.tensor([position], device=self.device),
                whytune_pass=cache.this,
                **cached(self.decoder, cache),
            ).last_hidden_state[0]
        cache.lengths = [held + len(ids) for held, ids in zip(cache.lengths, new, strict=True)]
        return hidden

    def _over(self, prefixes: Sequence[Prefix | None], slot: list[int]) -> list[tuple[Prefix, torch.Tensor | None]]:
        """Each prefix once, with the numbers of the tokens whose slots stand over it."""
        tokens: dict[int, list[int]] = {}
        for number, at in enumerate(slot):
            tokens.setdefault(id(prefixes[at]), []).append(number)
        held = {id(prefix): prefix for prefix in prefixes if prefix is not None}
        if len(tokens) == 1:
            return [(prefix, None) for name, prefix in held.items() if name in tokens]
        return [(prefix, torch.tensor(tokens[name], device=self.device)) for name, prefix in held.items() if name in tokens]

    def _answer_alone(self, row: Row, grammar: Grammar) -> None:
        """In the library's own way, with its own cache and masks: right for every architecture, and slow."""
        ids = [*(row.prefix.ids if row.prefix else []), *row.pending]
        row.position = len(ids)
        cache = DynamicCache(config=self.model.config)
        implementation = self.model.config._attn_implementation
        self.model.set_attn_implementation(self._usual)
        try:
            pending = ids
            while not row.done:
                given = torch.tensor([pending], device=self.device)
                hidden = self.decoder(input_ids=given, **cached(self.decoder, cache)).last_hidden_state[:, -1]
                row.take(grammar.choose(hidden, self.head, [row.walk])[0])
                pending = row.pending
        finally:
            self.model.set_attn_implementation(implementation)

    def alone(self, rows: Sequence[Row], grammar: Grammar, prefix: Prefix | None) -> None:
        """As `answer`, one by one: for prompts longer than the attention window."""
        with torch.inference_mode():
            for row in rows:
                row.over(prefix)
                row.force()
                if not row.done:
                    self._answer_alone(row, grammar)

    def _fits(self) -> bool:
        """Whether rows together over a prefix give what the library gives; asked of the model itself, once."""
        probe = [[3, 5, 7, 4, 6, 8, 9, 11, 5], [3, 5, 7, 4, 6, 10, 12]]
        size = int(self.output.weight.shape[0])
        probe = [[token % size for token in ids] for ids in probe]
        with torch.inference_mode():
            usual = [self.decoder(input_ids=torch.tensor([ids], device=self.device)).last_hidden_state[0, -1] for ids in probe]
        try:
            self.model.set_attn_implementation(NAME)
            with torch.inference_mode():
                shared = self.prefix(probe[0][:5])
                slots: list[Row | None] = [Row(ids[5:], _Endless(), 1, position=5, prefix=shared) for ids in probe]
                ours = self.last_hidden(slots, RowCache(2, 4))
            scale = torch.stack(usual).float().abs().max().clamp(min=1e-6)
            gap = (ours.float() - torch.stack(usual).float()).abs().max() / scale
            fits = bool(gap < (1e-3 if self.model.dtype == torch.float32 else 5e-2))
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, IndexError):
            # An architecture that hands attention other things than these; it is run in the library's own way.
            fits = False
        if not fits:
            self.model.set_attn_implementation(self._usual)
        return fits


class Running:
    """Rows under one grammar, each over its own prefix, a token at a time; others may join between two tokens.

    A row's keys and values are its own, so what it says does not depend on who runs beside it.
    """

    def __init__(self, runner: Runner, grammar: Grammar) -> None:
        self.runner = runner
        self.grammar = grammar
        self.slots: list[Row | None] = []
        self.cache: RowCache | None = None

    @property
    def rows(self) -> list[Row]:
        """Rows that are not at their end."""
        return [row for row in self.slots if row is not None]

    def join(self, rows: Sequence[Row]) -> None:
        """New rows, each with what it stands over; those that run already wait while these are read."""
        if not self.rows:
            self.slots, self.cache = list(rows), RowCache(len(rows), max(len(row.pending) for row in rows) + 24)
            return
        apart = Running(self.runner, self.grammar)
        apart.join(rows)
        apart.step()  # their prompts are read among themselves: rows in the middle of an answer have one token each
        if self.cache is not None and apart.cache is not None and apart.rows:
            self.cache.take_in(apart.cache)
            self.slots += apart.slots

    def step(self) -> None:
        """One more token for every row."""
        assert self.cache is not None
        with torch.inference_mode():
            hidden = self.runner.last_hidden(self.slots, self.cache)
            active = [(slot, row) for slot, row in enumerate(self.slots) if row is not None]
            tokens = self.grammar.choose(hidden, self.runner.head, [row.walk for _, row in active])
        for (slot, row), token in zip(active, tokens, strict=True):
            row.position += len(row.pending)
            row.take(token)
            if row.done:
                self.slots[slot] = None
        self.tidy()

    def leave(self, row: Row) -> None:
        """This row is not wanted any more."""
        self.slots = [None if held is row else held for held in self.slots]
        self.tidy()

    def tidy(self) -> None:
        """Let go of the keys and values of rows that are done, once there are enough of them."""
        left = [slot for slot, row in enumerate(self.slots) if row is not None]
        if not left:
            self.slots, self.cache = [], None
        elif len(left) < _LEAVE * len(self.slots) and self.cache is not None:
            self.cache.keep(left, self.runner.device)
            self.slots = [self.slots[slot] for slot in left]


class _Endless:
    """A walk for the probe: it is never asked anything."""

    done = False

    def forced(self) -> list[int]:
        return []

    def take(self, token: int) -> None:
        return None

    def text(self, tokens: Sequence[int]) -> str:
        return ""


def common_prefix(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with; at least one token of each row stays its own."""
    if not rows:
        return 0
    low, high = min(rows), max(rows)
    length = 0
    for first, second in zip(low, high, strict=False):
        if first != second:
            break
        length += 1
    return min(length, min(len(row) for row in rows) - 1)


def halving(work: Callable[[list[Any]], None], items: list[Any], failed: Callable[[Any], None]) -> None:
    """Does the work; where memory runs out, half of it at a time. One item that still does not fit is `failed`."""
    try:
        work(items)
        return
    except (torch.OutOfMemoryError, MemoryError):
        pass
    except RuntimeError as error:
        if "not enough memory" not in str(error) and "out of memory" not in str(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if len(items) == 1:
        failed(items[0])
        return
    halving(work, items[: len(items) // 2], failed)
    halving(work, items[len(items) // 2 :], failed)


def bytes_per_token(model: Any) -> int:
    """What the keys and values of one token take in all layers."""
    config: Any = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * (4 if model.dtype == torch.float32 else 2))


def _window(config: Any) -> int:
    """Longest input for which every layer sees everything; 0 where there is no window."""
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    kinds = getattr(config, "layer_types", None)
    windows = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    sizes = [size for size in windows if isinstance(size, int) and size > 0]
    if not sizes or (kinds and all(kind == "full_attention" for kind in kinds)):
        return 0
    if getattr(config, "use_sliding_window", True) is False:
        return 0
    return min(sizes)
