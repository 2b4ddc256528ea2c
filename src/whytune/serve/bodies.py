"""From answers to the bodies of OpenAI's protocol, and beside them, under `whytune`, what an answer stood on.

The release's id and the response's id are in the headers too, so that a client which drops unknown fields has them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from whytune.records.served import Response
from whytune.workspace.serving import Going, Served

SOLO = "not independently approved"


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


def chat(going: Going, text: str, ended: Response, ignored: Sequence[str]) -> dict[str, Any]:
    """A whole chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, "refusal": None}, "logprobs": None, "finish_reason": ended.outcome}
    return _whole("chat.completion", going, [choice], [ended]) | {"whytune": beside(going, ignored, ended.kept)}


def completion(answers: Sequence[tuple[Going, str, Response]], ignored: Sequence[str]) -> dict[str, Any]:
    """A whole text completion, one choice a prompt."""
    choices = [{"index": at, "text": text, "logprobs": None, "finish_reason": ended.outcome} for at, (_, text, ended) in enumerate(answers)]
    body = _whole("text_completion", answers[0][0], choices, [ended for _, _, ended in answers])
    return body | {"whytune": beside(answers[0][0], ignored, answers[0][2].kept) | {"responses": [going.response.id for going, _, _ in answers]}}


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


def _whole(kind: str, going: Going, choices: list[dict[str, Any]], ended: Sequence[Response]) -> dict[str, Any]:
    return {**_head(kind, going), "choices": choices, "usage": usage(ended)}


def _sse(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"
