"""From answers to the bodies of OpenAI's protocol, and beside them, under `whytune`, what an answer stood on.

The release's id and the response's id are in the headers too, so that a client which drops unknown fields has them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from whytune.records.served import Response
from whytune.workspace.serving import Going, Served

if TYPE_CHECKING:
    from whytune.answering.backends.protocol import Completion

SOLO = "not independently approved"


@dataclass(frozen=True)
class HandedOut:
    """One question's end: what the model said, the text that is handed out (cut at a stop text), and what was recorded."""

    going: Going
    text: str
    said: Completion
    ended: Response


def headers(going: Going) -> dict[str, str]:
    """Which release answers, and the name by which feedback refers to the answer."""
    said = going.response
    made = {"x-request-id": said.id, "x-whytune-response": said.id, "x-whytune-release": said.release}
    return made | ({"x-whytune-solo": SOLO} if going.solo else {})


def beside(going: Going, ignored: Sequence[str], kept: bool) -> dict[str, Any]:
    """What an answer stood on."""
    said = going.response
    return {
        "response": said.id, "release": said.release, "approval": SOLO if going.solo else "approved", "conversation": said.conversation,
        "kept": kept, "citations": [citation.model_dump() for citation in going.prompted.citations], "ignored": list(ignored),
    }  # fmt: skip


def usage(responses: Sequence[Response]) -> dict[str, int]:
    """Tokens of one or several answers."""
    tokens_in, tokens_out = sum(r.tokens_in for r in responses), sum(r.tokens_out for r in responses)
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}


def chat(answer: HandedOut, ignored: Sequence[str]) -> dict[str, Any]:
    """A whole chat completion."""
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.ended.outcome}
    return _whole("chat.completion", [answer], [choice]) | {"whytune": beside(answer.going, ignored, answer.ended.kept)}


def completion(answers: Sequence[HandedOut], ignored: Sequence[str]) -> dict[str, Any]:
    """A whole text completion, one choice a prompt."""
    choices = [{"index": at, "text": answer.text, "logprobs": None, "finish_reason": answer.ended.outcome} for at, answer in enumerate(answers)]
    stood_on = beside(answers[0].going, ignored, answers[0].ended.kept) | {"responses": [answer.ended.id for answer in answers]}
    return _whole("text_completion", answers, choices) | {"whytune": stood_on}


class Chunks:
    """The events of one stream."""

    def __init__(self, going: Going, kind: str) -> None:
        self._chat = kind == "chat"
        name = "chat.completion.chunk" if self._chat else "text_completion"
        self._head = _head(name, going)

    def first(self) -> str:
        """Before any text: who speaks. Text completions have none."""
        return self._event({"role": "assistant", "content": ""}, None) if self._chat else ""

    def piece(self, text: str) -> str:
        """Some more text."""
        return self._event({"content": text}, None) if self._chat else self._event(text, None)

    def last(self, going: Going, ended: Response, ignored: Sequence[str], with_usage: bool) -> str:
        """Why it ended, what it stood on, and the end."""
        extra = {"whytune": beside(going, ignored, ended.kept)}
        events = self._event({} if self._chat else "", ended.outcome, extra)
        if with_usage:
            events += _sse({**self._head, "choices": [], "usage": usage([ended])})
        return events + "data: [DONE]\n\n"

    def _event(self, delta: Any, reason: str | None, extra: dict[str, Any] | None = None) -> str:
        said = {"delta": delta} if self._chat else {"text": delta}
        return _sse({**self._head, "choices": [{"index": 0, **said, "logprobs": None, "finish_reason": reason}], **(extra or {})})


def error_event(body: dict[str, Any]) -> str:
    """An error in the middle of a stream."""
    return _sse(body)


def model(served: Served) -> dict[str, Any]:
    """One entry of /v1/models."""
    return {
        "id": served.name, "object": "model", "created": served.since, "owned_by": served.project,
        "whytune": {"release": served.release, "arm": served.arm, "approval": SOLO if served.solo else "approved"},
    }  # fmt: skip


def embeddings(name: str, vectors: Any, tokens: int, packed: bool) -> dict[str, Any]:
    """Vectors, as numbers or packed."""
    rows = [base64.b64encode(row.astype("<f4").tobytes()).decode() if packed else [float(value) for value in row] for row in vectors]
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    return {"object": "list", "data": data, "model": name, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def _head(kind: str, going: Going) -> dict[str, Any]:
    said = going.response
    made = int(datetime.fromisoformat(said.when).timestamp())
    return {"id": said.id, "object": kind, "created": made, "model": said.alias, "system_fingerprint": said.release}


def _whole(kind: str, answers: Sequence[HandedOut], choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {**_head(kind, answers[0].going), "choices": choices, "usage": usage([answer.ended for answer in answers])}


def _sse(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"
