"""One loaded model and the adapters that share it: rows of many requests run side by side, a token at a time.

Rows are grouped by adapter and constraint; one group goes through the model at a time, so an adapter never touches a
row that did not ask for it. New rows join their group between two tokens. It has no thread of its own
and takes no lock: `pool.Pool` calls it from one thread. Example: `lane.admit(ticket)`, then `lane.tick()` until
`lane.busy` is false.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from whytune.answering.backends.attention import Prefix
from whytune.answering.backends.constraints import Grammar, grammar_for
from whytune.answering.backends.generation import Row, Runner, Running, bytes_per_token, common_prefix
from whytune.answering.backends.machine import Machine
from whytune.answering.backends.models import load, with_adapter
from whytune.answering.backends.protocol import Chat, Completion, Constraint, Schema
from whytune.errors import ModelError
from whytune.records.candidate import Base, Decoding
from whytune.records.record import canonical_json

_WORTH_SHARING = 16
"""Tokens from which a prefix is computed apart."""
_COVERED = 0.6
"""A kept prefix is used where it covers this share of what could be shared; else a longer one is made."""
_KEPT, _REMEMBERED = 4, 8
"""Prefixes kept and prompts remembered for each adapter."""
_GRAMMARS = 64
_ROWS = {"cpu": 64, "cuda": 256}
_MEMORY = {"cpu": 1 << 30, "cuda": 8 << 30}
"""Bytes for the keys and values of all rows."""


@dataclass(frozen=True)
class Request:
    """One chat to answer. on_token is given each new piece of the text, from the thread that runs the model."""

    chat: Chat
    decoding: Decoding = field(default_factory=Decoding)
    constraint: Constraint = None
    adapter_digest: str = ""
    """Empty: the base model itself."""
    on_token: Callable[[str], None] | None = None


@dataclass
class Ticket:
    """A request on its way."""

    request: Request
    ids: list[int]
    future: Future[Completion] = field(default_factory=Future)
    row: Row | None = None
    shared: int = 0
    seconds: float = 0.0
    told: int = 0
    """Characters handed to on_token."""

    def finish(self, completion: Completion) -> None:
        """Hand the answer over, unless nobody waits for it any more."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_result(completion)

    def fail(self, error: BaseException) -> None:
        """Hand the failure over."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


@dataclass
class _Group:
    """Rows that go through the model together."""

    adapter: str
    running: Running
    tickets: list[Ticket] = field(default_factory=list)


class Lane:
    """A model with its adapters and the rows that it answers now."""

    def __init__(self, base: Base, machine: Machine, weights: Path | None = None) -> None:
        loaded = load(base, "float32" if weights else machine.dtype, weights)
        self.context = base.context
        self.encoder, self.stop_ids = loaded.encoder, loaded.stop_ids
        self.model: Any = loaded.model.to(device=machine.device, dtype=getattr(torch, machine.dtype)).eval()
        self.runner = Runner(self.model)
        kind = machine.device.partition(":")[0]
        self._rows = _ROWS.get(kind, 64)
        self._tokens = max(1, _MEMORY.get(kind, 1 << 30) // bytes_per_token(self.model))
        self._vocabulary = int(self.runner.output.weight.shape[0])
        self._peft: Any = None
        self._switched = ""
        self.adapters: set[str] = set()
        self._waiting: deque[Ticket] = deque()
        self._groups: dict[tuple[str, str], _Group] = {}
        self._grammars: OrderedDict[str, Grammar] = OrderedDict()
        self._prefixes: dict[str, deque[Prefix]] = {}
        self._seen: dict[str, deque[list[int]]] = {}

    @property
    def busy(self) -> bool:
        """Whether there is something to do."""
        return bool(self._waiting or self._groups)

    @property
    def load(self) -> int:
        """Requests that are being answered now or wait for room."""
        return len(self._waiting) + sum(len(group.tickets) for group in list(self._groups.values()))

    def add(self, digest: str, folder: Path) -> None:
        """Load an adapter under its digest, once; one that is there is never read again."""
        if digest in self.adapters:
            return
        self._check_fits(folder)
        self._peft = with_adapter(self._peft if self._peft is not None else self.model, folder, digest)
        self._peft.eval()
        place = next(self.model.parameters()).device
        self._peft.to(place)
        from peft.helpers import DoraCaching

        # Without it DoRA would compute the length of every weight's columns anew for each token.
        DoraCaching()(enabled=True)
        self.adapters.add(digest)
        self._switched = "?"

    def abandon(self, error: BaseException) -> None:
        """Tell everybody who waits that it went wrong; what comes later begins anew."""
        for ticket in [*self._waiting, *(each for group in self._groups.values() for each in group.tickets)]:
            if not ticket.future.done():
                ticket.fail(error)
        self._waiting.clear()
        self._groups.clear()

    def admit(self, ticket: Ticket) -> None:
        """Take a request; it runs when there is room."""
        self._waiting.append(ticket)

    def tick(self) -> None:
        """Let waiting rows join and take one token for every row. Failures go to the futures they concern."""
        self._join()
        for key, group in list(self._groups.items()):
            for ticket in [each for each in group.tickets if each.future.cancelled()]:
                if ticket.row is not None:
                    group.running.leave(ticket.row)
                group.tickets.remove(ticket)
            if group.tickets:
                if self._guarded(group.tickets, partial(self._step, group)):
                    self._settle(group)
                else:
                    group.tickets.clear()
            if not group.tickets:
                del self._groups[key]

    def _check_fits(self, folder: Path) -> None:
        """Before anything is touched: a failure half-way would leave layers behind in a model that others use."""
        from safetensors import SafetensorError, safe_open

        problems = []
        try:
            with safe_open(str(folder / "adapter_model.safetensors"), "pt") as held:
                for name in [name for name in held.keys() if name.endswith(".lora_A.weight")]:  # noqa: SIM118
                    path = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                    wide = held.get_slice(name).get_shape()[1]
                    try:
                        layer: Any = self.model.get_submodule(path)
                    except AttributeError:
                        problems.append(f"the base model has no layer {path}")
                        continue
                    if layer.in_features != wide:
                        problems.append(f"{path} takes {layer.in_features} values, the adapter's was made for {wide}")
        except (OSError, SafetensorError):
            return  # a missing or broken file is told by the loader, in its words and before it touches the model
        if problems:
            raise ModelError(
                "The adapter does not fit this base model",
                where=str(folder),
                problems=problems[:5],
                next="use the base model that it was trained from",
            )

    def _join(self) -> None:
        room = self._room()
        taken: list[Ticket] = []
        while self._waiting and (room[0] > 0 or not (self._groups or taken)):
            ticket = self._waiting[0]
            need = len(ticket.ids) + ticket.request.decoding.max_new_tokens
            if need > room[1] and (self._groups or taken):
                break
            self._waiting.popleft()
            if not ticket.future.cancelled():
                taken.append(ticket)
                room = (room[0] - 1, room[1] - need)
        by_key: dict[tuple[str, str], list[Ticket]] = {}
        for ticket in taken:
            self._guarded([ticket], partial(self._place, ticket, taken, by_key))
        for key, tickets in by_key.items():
            group = self._groups[key]
            rows = [ticket.row for ticket in tickets if ticket.row is not None]
            if not self._guarded(tickets, partial(self._begin, group, rows, tickets)):
                continue
            group.tickets += tickets
            self._settle(group)

    def _place(
        self, ticket: Ticket, taken: Sequence[Ticket], by_key: dict[tuple[str, str], list[Ticket]]
    ) -> None:
        """Decide with whom a request runs, or answer at once where the model need not be asked."""
        request = ticket.request
        name, grammar = self._grammar(request.constraint)
        limit = grammar.longest() if grammar.bounded else request.decoding.max_new_tokens
        over = len(ticket.ids) + limit - self.context
        if over > 0:
            why = f"too long by {over} tokens: {len(ticket.ids)} in the prompt and {limit} for the answer, the model takes {self.context}"
            ticket.finish(Completion("", len(ticket.ids), 0, 0, 0.0, why))
            return
        ticket.row = Row(list(ticket.ids), grammar.start(), limit)
        ticket.row.force()
        if ticket.row.done:
            self._close(ticket)
            return
        window = self.runner.window
        if not self.runner.together or (window and len(ticket.ids) + limit > window):
            self._alone(ticket, grammar)
            return
        ticket.row.over(self._prefix(request.adapter_digest, ticket, taken))
        ticket.shared = ticket.row.position
        ticket.row.pending = ticket.row.pending[ticket.shared :]
        key = (request.adapter_digest, name)
        if key not in self._groups:
            self._groups[key] = _Group(request.adapter_digest, Running(self.runner, grammar))
        by_key.setdefault(key, []).append(ticket)

    def _begin(self, group: _Group, rows: list[Row], tickets: Sequence[Ticket]) -> None:
        self._switch(group.adapter)
        start = time.perf_counter()
        group.running.join(rows)
        self._spent(tickets, time.perf_counter() - start)

    def _step(self, group: _Group) -> None:
        self._switch(group.adapter)
        start = time.perf_counter()
        if group.running.rows:
            group.running.step()
        self._spent(group.tickets, time.perf_counter() - start)

    @staticmethod
    def _spent(tickets: Sequence[Ticket], seconds: float) -> None:
        for ticket in tickets:
            ticket.seconds += seconds / len(tickets)

    def _alone(self, ticket: Ticket, grammar: Grammar) -> None:
        """In the library's own way, to the end: for architectures and lengths that cannot share a pass."""
        assert ticket.row is not None
        self._switch(ticket.request.adapter_digest)
        start = time.perf_counter()
        self.runner.alone([ticket.row], grammar, None)
        ticket.seconds += time.perf_counter() - start
        self._tell(ticket)
        self._close(ticket)

    def _settle(self, group: _Group) -> None:
        """Tell what is new, and close what is done."""
        for ticket in list(group.tickets):
            assert ticket.row is not None
            if not self._guarded([ticket], partial(self._tell, ticket)):
                group.running.leave(ticket.row)
                group.tickets.remove(ticket)
            elif ticket.row.done:
                self._close(ticket)
                group.tickets.remove(ticket)

    def _tell(self, ticket: Ticket) -> None:
        row, listener = ticket.row, ticket.request.on_token
        if listener is None or row is None or ticket.future.cancelled():
            return
        text = row.walk.text(row.out)
        if not row.done:
            # Half a character, or what may be the beginning of the end, is not said yet.
            text = text.rstrip("\ufffd")
            stop = self.encoder.stop_text
            for length in range(min(len(stop), len(text)), 0, -1):
                if text.endswith(stop[:length]) or text.endswith(stop.lstrip()[:length]):
                    text = text[:-length]
                    break
        if len(text) > ticket.told:
            piece, ticket.told = text[ticket.told :], len(text)
            listener(piece)

    def _close(self, ticket: Ticket) -> None:
        row = ticket.row
        assert row is not None
        ticket.finish(
            Completion(
                text=row.walk.text(row.out),
                tokens_in=len(ticket.ids),
                tokens_computed=len(ticket.ids) - ticket.shared,
                tokens_out=len(row.out),
                seconds=ticket.seconds,
            )
        )

    def _guarded(self, tickets: Sequence[Ticket], work: Callable[[], None]) -> bool:
        """Does the work; a failure is told to those it concerns, and the others go on."""
        try:
            work()
            return True
        except Exception as error:
            short_of_memory = isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
                words in str(error) for words in ("out of memory", "not enough memory")
            )
            for ticket in list(tickets):
                if short_of_memory:
                    ticket.finish(Completion("", len(ticket.ids), 0, 0, 0.0, "out of memory: fewer or shorter requests at a time"))
                else:
                    ticket.fail(error)
            return False

    def _room(self) -> tuple[int, int]:
        """(rows, tokens) that may still join."""
        held = [ticket for group in self._groups.values() for ticket in group.tickets]
        return self._rows - len(held), self._tokens - sum(len(t.ids) + t.request.decoding.max_new_tokens for t in held)

    def _switch(self, adapter: str) -> None:
        if self._peft is None or adapter == self._switched:
            return
        if adapter:
            self._peft.base_model.enable_adapter_layers()
            self._peft.set_adapter(adapter, inference_mode=True)
        else:
            self._peft.base_model.disable_adapter_layers()
        self._switched = adapter

    def _grammar(self, constraint: Constraint) -> tuple[str, Grammar]:
        """The grammar of a constraint and its name, made once."""
        name = canonical_json(dict(constraint.schema)) if isinstance(constraint, Schema) else repr(constraint)
        if name not in self._grammars:
            self._grammars[name] = grammar_for(constraint, self.encoder, self.stop_ids, self._vocabulary)
            if len(self._grammars) > _GRAMMARS:
                self._grammars.popitem(last=False)
        self._grammars.move_to_end(name)
        return name, self._grammars[name]

    def _prefix(self, adapter: str, ticket: Ticket, taken: Sequence[Ticket]) -> Prefix | None:
        """What this prompt begins with and others did too: kept from before, or computed now and kept."""
        ids = ticket.ids
        kept = self._prefixes.setdefault(adapter, deque(maxlen=_KEPT))
        seen = self._seen.setdefault(adapter, deque(maxlen=_REMEMBERED))
        best = max((p for p in kept if _begins(ids, p.ids)), key=lambda p: len(p.ids), default=None)
        others = [other.ids for other in taken if other is not ticket and other.request.adapter_digest == adapter]
        length = max((common_prefix([ids, other]) for other in (*seen, *others)), default=0)
        if not any(ids == other for other in seen):
            seen.append(ids)
        if best is not None and len(best.ids) >= _COVERED * length:
            return best
        if length < _WORTH_SHARING:
            return best
        self._switch(adapter)
        made = self.runner.prefix(ids[:length])
        kept.append(made)
        return made


def _begins(ids: Sequence[int], with_these: Sequence[int]) -> bool:
    return len(ids) > len(with_these) and list(ids[: len(with_these)]) == list(with_these)
