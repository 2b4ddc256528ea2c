"""From OpenAI's request bodies to questions; every mistake of one body is told at once.

A release binds its decoding, so what would change it (temperature and the like) is not obeyed, and the answer says so
under `ignored`. What an answer's shape would hang on (tools, several choices, log-probabilities) is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from whytune.records.content import Message, Speaker
from whytune.records.served import Ask
from whytune.serve.refusals import Refusal
from whytune.text import whole
from whytune.workspace.feedback import Said

MOST_MESSAGES, MOST_TEXTS, MOST_STOPS = 256, 256, 4
CHARACTERS = 8_000
"""Of a correction, a comment or a question in feedback."""
SPEAKERS: dict[str, Speaker] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_USED = {"model", "messages", "prompt", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "store", "metadata", "user"}
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "temperature": (0, 0.0), "top_p": (1, 1.0), "n": (1,), "best_of": (1,), "presence_penalty": (0, 0.0), "frequency_penalty": (0, 0.0),
    "logprobs": (False, 0), "top_logprobs": (0,), "tools": ([],), "functions": ([],), "tool_choice": ("none", "auto"), "function_call": ("none", "auto"),
    "logit_bias": ({},), "echo": (False,), "suffix": ("",), "response_format": ({"type": "text"},), "modalities": (["text"],),
}  # fmt: skip
"""Values that ask for nothing special; None always does."""
_REFUSED = {"n", "best_of", "logprobs", "top_logprobs", "tools", "functions", "tool_choice", "function_call", "logit_bias", "echo", "suffix", "response_format", "modalities", "audio"}


@dataclass(frozen=True)
class Call:
    """What a consumer asks, one question or several, and how the answer is to come."""

    asks: tuple[Ask, ...]
    stream: bool
    usage: bool
    """Whether a stream ends with the token counts."""
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class EmbeddingCall:
    """Texts to be made vectors."""

    model: str
    texts: tuple[str, ...]
    packed: bool
    """As base64 of little-endian float32, instead of a list of numbers."""


class _Reader:
    """A body and what is wrong with it."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise Refusal(400, "invalid_body", "The body is not a JSON object.")
        if not all(map(whole, body)):
            raise Refusal(400, "invalid_body", "The body names a field by what is no text.")
        self.body: dict[str, Any] = body
        self.problems: list[tuple[str, str]] = []

    def wrong(self, name: str, why: str) -> None:
        self.problems.append((name, why))

    def text(self, name: str, *, needed: bool = False, most: int = 0) -> str:
        value = self.body.get(name)
        if value is None:
            if needed:
                self.wrong(name, "is missing")
            return ""
        if not isinstance(value, str) or not whole(value):
            self.wrong(name, "is not a text")
            return ""
        if most and len(value) > most:
            self.wrong(name, f"is longer than {most:,} characters")
        return value

    def flag(self, name: str) -> bool:
        value = self.body.get(name)
        if value is not None and not isinstance(value, bool):
            self.wrong(name, "is neither true nor false")
        return value is True

    def count(self, name: str) -> int:
        value = self.body.get(name)
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1_000_000:
            self.wrong(name, "is not a whole number above 0")
            return 0
        return value

    def done(self) -> None:
        if self.problems:
            told = "; ".join(f"{name} {why}" for name, why in self.problems)
            raise Refusal(400, "invalid_value", f"{told}.", param=self.problems[0][0])


def chat_call(body: Any, conversation: str = "") -> Call:
    """/v1/chat/completions. conversation: from the header, where the body names none."""
    read = _Reader(body)
    return _call(read, [_messages(read)], conversation)


def completion_call(body: Any, conversation: str = "") -> Call:
    """/v1/completions: each prompt is one user's turn."""
    read = _Reader(body)
    given = read.body.get("prompt")
    prompts = [given] if isinstance(given, str) else given
    if not isinstance(prompts, list) or not prompts or not all(isinstance(p, str) and p.strip() and whole(p) for p in prompts):
        read.wrong("prompt", "is not a text or a list of texts, none of them empty")
        prompts = []
    elif len(prompts) > MOST_TEXTS:
        read.wrong("prompt", f"holds more than {MOST_TEXTS} texts")
    if len(prompts) > 1 and read.body.get("stream"):
        read.wrong("stream", "takes one prompt at a time")
    return _call(read, [(Message.of("user", prompt),) for prompt in prompts], conversation)


def embedding_call(body: Any) -> EmbeddingCall:
    """/v1/embeddings."""
    read = _Reader(body)
    model = read.text("model", needed=True)
    given = read.body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t and whole(t) for t in texts):
        read.wrong("input", "is not a text or a list of texts, none of them empty; token numbers are not taken")
        texts = []
    elif len(texts) > MOST_TEXTS:
        read.wrong("input", f"holds more than {MOST_TEXTS} texts")
    how = read.body.get("encoding_format") or "float"
    if how not in ("float", "base64"):
        read.wrong("encoding_format", "is neither float nor base64")
    if read.body.get("dimensions") not in (None, 384):
        read.wrong("dimensions", "can only be 384")
    read.done()
    return EmbeddingCall(model, tuple(texts), how == "base64")


def feedback_call(body: Any) -> Said:
    """/v1/feedback."""
    read = _Reader(body)
    response = read.text("response_id", needed=True, most=128)
    rating = read.body.get("rating")
    spelled = {"up": "up", "down": "down", 1: "up", -1: "down"}.get(rating) if isinstance(rating, str | int) else None
    if spelled is None or isinstance(rating, bool):
        read.wrong("rating", "is none of up, down, 1, -1")
    texts = {name: read.text(name, most=CHARACTERS) for name in ("correction", "comment", "question")}
    consent = read.flag("consent")
    known = {"response_id", "rating", "consent", *texts}
    for name in sorted(set(read.body) - known):
        read.wrong(name[:60], "is not known here")
    read.done()
    return Said(response, "up" if spelled == "up" else "down", consent, **texts)


def _call(read: _Reader, turns: list[tuple[Message, ...]], conversation: str) -> Call:
    model = read.text("model", needed=True)
    limit = read.count("max_completion_tokens") or read.count("max_tokens")
    stream, keep = read.flag("stream"), read.flag("store")
    stop = _stops(read)
    named = _conversation(read) or conversation
    if named and not _NAME.fullmatch(named):
        read.wrong("conversation_id", "is not a name: letters, digits and . _ : - only, at most 128")
    options = read.body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        read.wrong("stream_options", "is not an object")
        options = None
    ignored = _beyond(read)
    read.done()
    asks = tuple(
        Ask(model=model, messages=messages, max_tokens=limit, stop=stop, conversation=named, keep=keep) for messages in turns
    )
    return Call(asks, stream, bool((options or {}).get("include_usage")), ignored)


def _messages(read: _Reader) -> tuple[Message, ...]:
    given = read.body.get("messages")
    if not isinstance(given, list) or not given:
        read.wrong("messages", "is missing or not a list")
        return ()
    if len(given) > MOST_MESSAGES:
        read.wrong("messages", f"holds more than {MOST_MESSAGES}")
        return ()
    made = []
    for at, message in enumerate(given):
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in SPEAKERS:
            read.wrong(f"messages[{at}].role", f"is none of {', '.join(SPEAKERS)}")
            continue
        text = _content(message.get("content"))
        if text is None:
            read.wrong(f"messages[{at}].content", "is not a text; pictures, sound and tool calls are not taken")
            continue
        made.append(Message.of(SPEAKERS[role], text))
    if made and len(made) == len(given):
        if made[-1].role != "user":
            read.wrong("messages", "does not end with the user's turn")
        elif not made[-1].text.strip():
            read.wrong(f"messages[{len(made) - 1}].content", "is empty")
    return tuple(made)


def _content(value: Any) -> str | None:
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in value]
        value = "".join(part for part in parts if isinstance(part, str)) if all(isinstance(part, str) for part in parts) else None
    return value if isinstance(value, str) and whole(value) else None


def _stops(read: _Reader) -> tuple[str, ...]:
    given = read.body.get("stop")
    stops = [given] if isinstance(given, str) else given or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop and whole(stop) for stop in stops) or len(stops) > MOST_STOPS:
        read.wrong("stop", f"is not a text or a list of at most {MOST_STOPS} texts")
        return ()
    return tuple(stops)


def _conversation(read: _Reader) -> str:
    metadata = read.body.get("metadata") or {}
    if not isinstance(metadata, dict):
        read.wrong("metadata", "is not an object")
        return ""
    name = metadata.get("conversation_id", "")
    if not isinstance(name, str):
        read.wrong("metadata.conversation_id", "is not a text")
        return ""
    return name


def _beyond(read: _Reader) -> tuple[str, ...]:
    """Names of what was asked for and is not obeyed; what cannot be left out quietly is a mistake."""
    ignored = []
    for name, value in read.body.items():
        if name in _USED or value is None or any(value == neutral and type(value) is type(neutral) for neutral in _NEUTRAL.get(name, ())):
            continue
        if name in _REFUSED:
            read.wrong(name, "is not supported with this value")
        else:
            ignored.append(name[:60])
    return tuple(sorted(ignored))
