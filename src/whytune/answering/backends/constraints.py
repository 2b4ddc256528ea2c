"""Which tokens may come next: any (free text), those of a label set, those of a JSON schema.

A `Grammar` serves one call, a `Walk` one answer. Tokens that leave no choice are handed back by `forced` and cost no
pass through the model of their own. Ties go to the smaller token id, so the same logits give the same answer.
Example: with labels "card arrival" and "card lost" the walk forces `card` and the model is asked once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from whytune.answering.backends.encoding import Encoder
from whytune.answering.backends.protocol import Constraint, Labels, Schema
from whytune.errors import UsageError

END = -1
"""In a trie: the label may end here. As a token it is the first stop token."""

Head = Callable[[torch.Tensor, "list[int] | None"], torch.Tensor]
"""Logits of hidden states [rows, width]: of these token ids only, or of all."""


class Walk(Protocol):
    """One answer on its way."""

    done: bool

    def forced(self) -> list[int]:
        """Tokens that must come now, taken at once."""

    def take(self, token: int) -> None:
        """The model chose this token."""

    def text(self, tokens: Sequence[int]) -> str:
        """The answer so far, from the tokens that came out."""


class Grammar(Protocol):
    """What may come out in one call. `bounded`: it ends by itself, so the token limit does not cut it."""

    bounded: bool

    def longest(self) -> int:
        """Most tokens that an answer takes when `bounded`, else 0."""

    def start(self) -> Walk:
        """A new answer."""

    def choose(self, hidden: torch.Tensor, head: Head, walks: Sequence[Walk]) -> list[int]:
        """The likeliest allowed token of every row."""


def grammar_for(constraint: Constraint, encoder: Encoder, stop_ids: frozenset[int], vocabulary: int) -> Grammar:
    """The grammar of a constraint."""
    if isinstance(constraint, Labels):
        return LabelGrammar(constraint.texts, encoder, min(stop_ids))
    if isinstance(constraint, Schema):
        return SchemaGrammar(dict(constraint.schema), encoder, stop_ids, vocabulary)
    return FreeGrammar(encoder, stop_ids)


class FreeGrammar:
    """Any token; an answer ends with a stop token (or the plain template's next heading)."""

    bounded = False

    def __init__(self, encoder: Encoder, stop_ids: frozenset[int]) -> None:
        self.encoder = encoder
        self.stop_ids = stop_ids

    def longest(self) -> int:
        return 0

    def start(self) -> FreeWalk:
        return FreeWalk(self.encoder, self.stop_ids)

    def choose(self, hidden: torch.Tensor, head: Head, walks: Sequence[Walk]) -> list[int]:
        chosen: list[int] = head(hidden, None).argmax(-1).tolist()
        return chosen


@dataclass
class FreeWalk:
    """One answer under the grammar of the same name."""

    encoder: Encoder
    stop_ids: frozenset[int]
    done: bool = False
    _taken: list[int] = field(default_factory=list)

    def forced(self) -> list[int]:
        return []

    def take(self, token: int) -> None:
        self._taken.append(token)
        self.done = token in self.stop_ids
        if self.encoder.stop_text and not self.done:
            self.done = self.encoder.stop_text in self.encoder.decode(self._taken)

    def text(self, tokens: Sequence[int]) -> str:
        said = self.encoder.decode([token for token in tokens if token not in self.stop_ids])
        if self.encoder.stop_text:
            said = said.partition(self.encoder.stop_text)[0]
        return said.strip()


@dataclass
class _Node:
    children: dict[int, _Node] = field(default_factory=dict)
    label: str | None = None


class LabelGrammar:
    """Only the labels: greedy down the trie of their tokens. Where a label is the beginning of another, the stop
    token stands for ending there."""

    bounded = True

    def __init__(self, labels: Sequence[str], encoder: Encoder, stop_id: int) -> None:
        if not labels:
            raise UsageError("A label constraint needs labels", next="give the dataset's label set")
        self.stop_id = stop_id
        self.root = _Node()
        self._longest = 0
        for label in labels:
            tokens = encoder.answer(label)
            self._longest = max(self._longest, len(tokens) + 1)
            node = self.root
            for token in tokens:
                node = node.children.setdefault(token, _Node())
            node.label = node.label if node.label is not None else label

    def longest(self) -> int:
        return self._longest

    def start(self) -> LabelWalk:
        return LabelWalk(self.root, self.stop_id)

    def choose(self, hidden: torch.Tensor, head: Head, walks: Sequence[Walk]) -> list[int]:
        allowed = [walk.allowed() if isinstance(walk, LabelWalk) else [] for walk in walks]
        ids = sorted({token for row in allowed for token in row})
        column = {token: number for number, token in enumerate(ids)}
        logits = head(hidden, ids).float()
        if any(len(row) < len(ids) for row in allowed):
            closed = torch.full(logits.shape, float("-inf"))
            for number, row in enumerate(allowed):
                closed[number, [column[token] for token in row]] = 0.0
            logits = logits + closed.to(logits.device)
        return [ids[number] for number in logits.argmax(-1).tolist()]


class LabelWalk:
    """One answer under the grammar of the same name."""

    def __init__(self, root: _Node, stop_id: int) -> None:
        self.node = root
        self.stop_id = stop_id
        self.done = False
        self._finish_if_leaf()

    def allowed(self) -> list[int]:
        """Token ids that may come next."""
        return [*self.node.children, *([self.stop_id] if self.node.label is not None else [])]

    def forced(self) -> list[int]:
        passed = []
        while not self.done and len(self.node.children) == 1 and self.node.label is None:
            ((token, self.node),) = self.node.children.items()
            passed.append(token)
            self._finish_if_leaf()
        return passed

    def take(self, token: int) -> None:
        if token in self.node.children:
            self.node = self.node.children[token]
            self._finish_if_leaf()
        else:
            self.done = True

    def text(self, tokens: Sequence[int]) -> str:
        return self.node.label or ""

    def _finish_if_leaf(self) -> None:
        self.done = not self.node.children


class SchemaGrammar:
    """Only JSON that fits the schema, by llguidance; written as `json.dumps` writes it, keys in the schema's order."""

    bounded = False

    def __init__(
        self, schema: dict[str, Any], encoder: Encoder, stop_ids: frozenset[int], vocabulary: int
    ) -> None:
        import llguidance
        import llguidance.hf

        self.encoder = encoder
        self.stop_ids = stop_ids
        self.vocabulary = vocabulary
        self._matcher = llguidance.LLMatcher
        self._tokens = _guidance_tokenizer(encoder, vocabulary, tuple(sorted(stop_ids)))
        written = {**schema, "x-guidance": {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}}
        self._grammar = self._matcher.grammar_from_json_schema(json.dumps(written))
        problem = self._matcher.validate_grammar(self._grammar, self._tokens)
        if problem:
            raise UsageError(f"The JSON schema cannot constrain an answer: {problem}", next="simplify the schema")

    def longest(self) -> int:
        return 0

    def start(self) -> SchemaWalk:
        return SchemaWalk(self._matcher(self._tokens, self._grammar), self.encoder, self.stop_ids)

    def choose(self, hidden: torch.Tensor, head: Head, walks: Sequence[Walk]) -> list[int]:
        import numpy as np

        logits = head(hidden, None).float()
        bits = np.zeros((len(walks), (self.vocabulary + 31) // 32), dtype=np.int32)
        for number, walk in enumerate(walks):
            if isinstance(walk, SchemaWalk):
                walk.allow_into(bits[number])
        open_ = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, : logits.shape[1]].astype(bool)
        allowed = torch.from_numpy(open_).to(logits.device)
        chosen: list[int] = logits[:, : allowed.shape[1]].masked_fill(~allowed, float("-inf")).argmax(-1).tolist()
        return chosen


class SchemaWalk:
    """One answer under the grammar of the same name."""

    def __init__(self, matcher: Any, encoder: Encoder, stop_ids: frozenset[int]) -> None:
        self.matcher = matcher
        self.encoder = encoder
        self.stop_ids = stop_ids
        self.done = False

    def allow_into(self, bits: Any) -> None:
        """Sets the bits of the tokens that may come next."""
        self.matcher.unsafe_compute_mask_ptr(bits.ctypes.data, bits.nbytes)

    def forced(self) -> list[int]:
        if self.done:
            return []
        tokens: list[int] = self.matcher.compute_ff_tokens()
        if tokens:
            self.matcher.consume_tokens(tokens)
            self._look()
        return tokens

    def take(self, token: int) -> None:
        self.matcher.consume_token(token)
        self._look()

    def text(self, tokens: Sequence[int]) -> str:
        return self.encoder.decode([token for token in tokens if token not in self.stop_ids]).strip()

    def _look(self) -> None:
        if self.matcher.is_error():
            raise RuntimeError(f"the JSON constraint lost its way: {self.matcher.get_error()}")
        self.done = bool(self.matcher.is_stopped())


def _guidance_tokenizer(encoder: Encoder, vocabulary: int, stop_ids: tuple[int, ...]) -> Any:
    """Takes about a second to build, so the encoder keeps it."""
    import llguidance.hf

    key = ("llguidance", vocabulary, stop_ids)
    if key not in encoder.kept:
        encoder.kept[key] = llguidance.hf.from_tokenizer(
            encoder.tokenizer, n_vocab=vocabulary, eos_token=list(stop_ids)
        )
    return encoder.kept[key]
