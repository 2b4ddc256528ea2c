"""Answers by a model on this machine: batched, sorted by length, the prompt prefix that all share computed once.

Greedy and deterministic. Nothing is cut: a prompt that does not fit is an answer with an error, and counted. An
adapter is merged into the weights, so a tuned model costs what its base costs. One caller at a time: `pool` is for many.
Example: `LocalBackend(base).complete(chats, Decoding(), Labels(("yes", "no")), keep)`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from whytune.answering.backends.attention import Prefix
from whytune.answering.backends.constraints import Grammar, grammar_for
from whytune.answering.backends.generation import Row, Runner, bytes_per_token, common_prefix, halving
from whytune.answering.backends.machine import Machine, choose
from whytune.answering.backends.models import Loaded, load
from whytune.answering.backends.protocol import Chat, Completion, Constraint, OnBatch
from whytune.records.candidate import Base, Decoding

_WORTH_SHARING = 8
"""Tokens from which a prefix is computed apart."""
_KEEP_SHARE = 0.9
"""A prefix kept from the last call is used again when it covers this share of what the new prompts have in common."""
_ROWS = {"cpu": 64, "cuda": 256}
_MEMORY = {"cpu": 1 << 30, "cuda": 8 << 30}
"""Bytes for the keys and values of one batch."""


@dataclass
class _Item:
    """A prompt on its way through `complete`."""

    number: int
    ids: list[int]


class LocalBackend:
    """A loaded base model, with an adapter or without. Satisfies `Backend`."""

    def __init__(
        self, base: Base, adapter_folder: Path | None = None, dtype: str = "auto", threads: int = 0, device: str = "auto"
    ) -> None:
        self.base = base
        self.machine: Machine = choose(dtype, threads, device)
        merged = adapter_folder is not None
        # Merged in float32: adding small weights to large ones in bfloat16 would lose part of what was trained.
        loaded: Loaded = load(base, "float32" if merged else self.machine.dtype, adapter_folder)
        # Weights trained as a whole come without an adapter around them.
        model = loaded.model.merge_and_unload() if hasattr(loaded.model, "merge_and_unload") else loaded.model
        model = model.to(device=self.machine.device, dtype=getattr(torch, self.machine.dtype)).eval()
        self.encoder = loaded.encoder
        self.stop_ids = loaded.stop_ids
        self.runner = Runner(model)
        self._kept: Prefix | None = None
        self._vocabulary = int(self.runner.output.weight.shape[0])
        self._rows = _ROWS.get(self.machine.device.partition(":")[0], 64)

    @property
    def context(self) -> int:
        """Longest prompt and answer together, in tokens."""
        return self.base.context

    def count_tokens(self, chat: Chat) -> int:
        """How many tokens the chat takes as a prompt."""
        return len(self.encoder.prompt(chat).ids)

    def complete(
        self, chats: Sequence[Chat], decoding: Decoding, constraint: Constraint, on_batch: OnBatch
    ) -> None:
        """Answer every chat, longest first; `on_batch` is called as each batch is done."""
        if not chats:
            return
        grammar = grammar_for(constraint, self.encoder, self.stop_ids, self._vocabulary)
        limit = grammar.longest() if grammar.bounded else decoding.max_new_tokens
        items = [_Item(number, encoded.ids) for number, encoded in enumerate(self.encoder.prompts(chats))]
        long = [item for item in items if len(item.ids) + limit > self.context]
        if long:
            on_batch([(item.number, self._too_long(item, limit)) for item in long])
        items = [item for item in items if len(item.ids) + limit <= self.context]
        if not items:
            return
        start = time.perf_counter()
        prefix = self._prefix([item.ids for item in items])
        # What the prefix took is everybody's, in equal shares.
        each = (time.perf_counter() - start) / len(items)
        items.sort(key=lambda item: (-len(item.ids), item.number))
        for batch in self._batches(items, limit, len(prefix.ids) if prefix else 0):
            halving(
                lambda part: on_batch(self._answer(part, grammar, limit, prefix, each)),
                batch,
                lambda item: on_batch([(item.number, _failed(item, "out of memory with this prompt alone"))]),
            )

    def forget(self) -> None:
        """Let go of the prefix kept from the last call."""
        self._kept = None

    def _answer(
        self, batch: list[_Item], grammar: Grammar, limit: int, prefix: Prefix | None, each: float
    ) -> list[tuple[int, Completion]]:
        shared = len(prefix.ids) if prefix else 0
        start = time.perf_counter()
        rows = [Row(item.ids[shared:], grammar.start(), limit) for item in batch]
        window = self.runner.window
        if window and max(len(item.ids) for item in batch) + limit > window:
            self.runner.alone(rows, grammar, prefix)
        else:
            self.runner.answer(rows, grammar, prefix)
        seconds = time.perf_counter() - start
        work = [len(item.ids) - shared + len(row.out) for item, row in zip(batch, rows, strict=True)]
        return [
            (
                item.number,
                Completion(
                    text=row.walk.text(row.out),
                    tokens_in=len(item.ids),
                    tokens_computed=len(item.ids) - shared,
                    tokens_out=len(row.out),
                    seconds=each + seconds * share / sum(work),
                ),
            )
            for item, row, share in zip(batch, rows, work, strict=True)
        ]

    def _prefix(self, rows: list[list[int]]) -> Prefix | None:
        if not self.runner.together:
            return None
        length = common_prefix(rows)
        kept = self._kept
        if kept is not None and len(kept.ids) >= _KEEP_SHARE * length * (len(rows) > 1) and all(
            len(row) > len(kept.ids) and row[: len(kept.ids)] == kept.ids for row in rows
        ):
            return kept
        if len(rows) == 1 or length < _WORTH_SHARING:
            return None
        self._kept = None
        self._kept = self.runner.prefix(rows[0][:length])
        return self._kept

    def _batches(self, items: list[_Item], limit: int, shared: int) -> list[list[_Item]]:
        """Neighbours in length together, as many as the memory for their keys and values holds."""
        budget = _MEMORY.get(self.machine.device.partition(":")[0], 1 << 30)
        most = max(1, budget // bytes_per_token(self.runner.model))
        batches: list[list[_Item]] = []
        for item in items:
            # The first of a batch is its longest.
            width = (len(batches[-1][0].ids) if batches else 0) - shared + limit
            if batches and len(batches[-1]) < self._rows and (len(batches[-1]) + 1) * width <= most:
                batches[-1].append(item)
            else:
                batches.append([item])
        return batches

    def _too_long(self, item: _Item, limit: int) -> Completion:
        over = len(item.ids) + limit - self.context
        return _failed(
            item,
            f"too long by {over} tokens: {len(item.ids)} in the prompt and {limit} for the answer, "
            f"the model takes {self.context}",
        )


def _failed(item: _Item, why: str) -> Completion:
    return Completion(text="", tokens_in=len(item.ids), tokens_computed=0, tokens_out=0, seconds=0.0, error=why)
