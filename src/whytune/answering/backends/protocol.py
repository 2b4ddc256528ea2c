"""What a backend is: chats in, completions out, in batches as they get ready.

It runs no model and imports none. `LocalBackend` and `EndpointBackend` satisfy it; anything else that does may take
their place. Example: `Labels(("refund", "delivery"))` as constraint means that no other text can come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from whytune.records.candidate import Decoding
from whytune.records.content import Message

Chat = tuple[Message, ...]


@dataclass(frozen=True)
class Completion:
    """What came out for one chat, and what it took. `error` says why there is no text; then `text` is empty."""

    text: str
    tokens_in: int
    """Prompt tokens, shared prefix included."""
    tokens_computed: int
    """Prompt tokens that were computed for this chat alone."""
    tokens_out: int
    """Tokens of the answer, those that a constraint left no choice about and the stop token included."""
    seconds: float
    """This chat's share of the time its batch took."""
    error: str = ""


@dataclass(frozen=True)
class Labels:
    """Only one of these texts can come out."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Schema:
    """Only JSON that fits this JSON schema can come out."""

    schema: Mapping[str, Any]


Constraint = Labels | Schema | None
OnBatch = Callable[[list[tuple[int, Completion]]], None]


class Backend(Protocol):
    """Runs one model. `complete` calls `on_batch` with (position in `chats`, completion), each position once."""

    @property
    def context(self) -> int:
        """Longest prompt and answer together, in tokens."""

    def count_tokens(self, chat: Chat) -> int:
        """How many tokens the chat takes as a prompt."""

    def complete(
        self, chats: Sequence[Chat], decoding: Decoding, constraint: Constraint, on_batch: OnBatch
    ) -> None:
        """Answer every chat. What cannot be answered is a Completion with an error, never an exception for all."""
