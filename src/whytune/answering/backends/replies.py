"""Reads what a chat service replies: the whole answer or a stream's pieces become one Completion, or a Failure.

Pure: it sends nothing. A reply that only looks like one (no choices, wrong types, cut off) is a Failure, never an answer.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard

from whytune.answering.backends.failures import Failure, nonsense
from whytune.answering.backends.protocol import Chat, Completion, Labels, Schema
from whytune.answering.backends.service import Reply


@dataclass(frozen=True)
class Estimated(Completion):
    """A completion whose token counts are ours (four characters a token): the service told none."""


def label_schema(labels: Labels) -> Schema:
    """The protocol wants an object at the top."""
    label = {"type": "string", "enum": list(labels.texts)}
    return Schema(
        {
            "type": "object",
            "properties": {"label": label},
            "required": ["label"],
            "additionalProperties": False,
        }
    )


def without_answer(chat: Chat, failure: Failure) -> Completion:
    """A request that failed, counted."""
    tried = f" after {failure.tries} tries" if failure.tries > 1 else ""
    tokens = tokens_in_chat(chat)
    return Estimated("", tokens, tokens, 0, 0.0, error=failure.what + tried)


def tokens_in_chat(chat: Chat) -> int:
    """An estimate: four characters a token, and four tokens around each message."""
    return sum(4 + _estimate(message.text) for message in chat)


def _estimate(text: str) -> int:
    return math.ceil(len(text) / 4)


def completion_of(reply: Reply, chat: Chat, wrapped: bool) -> Completion:
    """Read an answer; whatever is not one is nonsense, and tried again."""
    said = _Said()
    for found in reply.objects:
        said.add(found, "delta" if reply.streamed else "message")
    if not said.choices:
        raise nonsense("no choices in it" if reply.objects else "nothing at all")
    if reply.streamed and not reply.ended and not said.finish:
        raise Failure("The endpoint's stream was cut off in the middle of an answer", retry=True)
    if said.finish == "content_filter":
        raise Failure("refused by the content filter (finish_reason content_filter)", item=True)
    if said.refusal:
        raise Failure(f"refused by the model: {said.refusal[:200]}", item=True)
    text = _unwrapped(said.text) if wrapped else said.text
    tokens_in, tokens_out = said.usage.get("prompt_tokens"), said.usage.get("completion_tokens")
    if not _is_count(tokens_in) or not _is_count(tokens_out):
        tokens = tokens_in_chat(chat)
        return Estimated(text, tokens, tokens, _estimate(said.text), 0.0)
    details = said.usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    computed = max(0, tokens_in - cached) if _is_count(cached) else tokens_in
    return Completion(text, tokens_in, computed, tokens_out, 0.0)


@dataclass
class _Said:
    """What the objects of a reply say together."""

    text: str = ""
    refusal: str = ""
    finish: str = ""
    choices: int = 0
    usage: dict[str, Any] = field(default_factory=dict)

    def add(self, found: dict[str, Any], part: Literal["delta", "message"]) -> None:
        """One object: the whole answer, or a piece of it."""
        if isinstance(found.get("usage"), dict):
            self.usage = found["usage"]
        choices = found.get("choices")
        if not isinstance(choices, list):
            raise nonsense("JSON without choices")
        for choice in choices[:1]:
            message = choice.get(part) if isinstance(choice, dict) else None
            if not isinstance(message, dict):
                raise nonsense(f"a choice without {part}")
            self.choices += 1
            self.text += _content(message.get("content"))
            self.refusal += message["refusal"] if isinstance(message.get("refusal"), str) else ""
            self.finish = (
                choice["finish_reason"] if isinstance(choice.get("finish_reason"), str) else self.finish
            )


def _content(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        texts = [part.get("text", "") for part in content if part.get("type") == "text"]
        if all(isinstance(text, str) for text in texts):
            return "".join(texts)
    raise nonsense(f"content of type {type(content).__name__}")


def _unwrapped(text: str) -> str:
    """The label out of its JSON; what is no such JSON stays as it came, for the scorer to read leniently."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    label = value.get("label") if isinstance(value, dict) else None
    return label if isinstance(label, str) else text


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def model_names(reply: Reply) -> tuple[str, ...]:
    """Out of a list of models."""
    data = reply.objects[0].get("data") if reply.objects else None
    if not isinstance(data, list):
        raise nonsense("a list of models without data")
    return tuple(
        model["id"] for model in data if isinstance(model, dict) and isinstance(model.get("id"), str)
    )
