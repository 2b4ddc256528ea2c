"""What is understood of a body, and that all its mistakes are told at once."""

from __future__ import annotations

from typing import Any

import pytest

from whytune.serve.protocol import chat_call, completion_call, embedding_call, feedback_call
from whytune.serve.refusals import Refusal

USER = {"role": "user", "content": "When?"}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "champion", "messages": [USER], **fields}


def refused(parse: Any, body: Any) -> Refusal:
    with pytest.raises(Refusal) as told:
        parse(body)
    assert told.value.status == 400
    return told.value


def test_a_conversation_is_understood() -> None:
    parts = [{"type": "text", "text": "Whe"}, {"type": "text", "text": "n?"}]
    turns = [{"role": "developer", "content": "Be brief."}, USER, {"role": "assistant", "content": "Now."}, {"role": "user", "content": parts}]
    call = chat_call(chat(messages=turns, max_tokens=5, max_completion_tokens=7, stop="END", store=True, metadata={"conversation_id": "c-1"}))
    (ask,) = call.asks
    assert [(m.role, m.text) for m in ask.messages] == [("system", "Be brief."), ("user", "When?"), ("assistant", "Now."), ("user", "When?")]
    assert (ask.model, ask.max_tokens, ask.stop, ask.keep, ask.conversation) == ("champion", 7, ("END",), True, "c-1")
    assert (call.stream, call.usage, call.ignored) == (False, False, ())


def test_the_header_names_the_conversation_where_the_body_does_not() -> None:
    assert chat_call(chat(), "c-2").asks[0].conversation == "c-2"
    assert chat_call(chat(metadata={"conversation_id": "c-1"}), "c-2").asks[0].conversation == "c-1"


def test_what_a_release_decides_itself_is_said_to_be_ignored() -> None:
    assert chat_call(chat(temperature=0.7, seed=3, top_p=0.5, made_up=1, user="u", n=1)).ignored == ("made_up", "seed", "temperature", "top_p")
    assert chat_call(chat(temperature=0, top_p=1.0, presence_penalty=0, logit_bias={}, response_format={"type": "text"}, tools=None)).ignored == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", None), ("model", 3), ("messages", None), ("messages", []), ("messages", "When?"), ("messages", [{"role": "user"}]),
        ("messages", [{"role": "robot", "content": "x"}]), ("messages", [USER, {"role": "assistant", "content": "x"}]), ("messages", [{"role": "user", "content": "  "}]),
        ("messages", [{"role": "user", "content": "\ud800"}]), ("messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
        ("messages", [USER] * 257), ("messages", [3]), ("max_tokens", 0), ("max_tokens", True), ("max_tokens", 1.5), ("stop", ["a"] * 5), ("stop", [""]), ("stop", 3), ("stop", "\ud800"),
        ("stream", "yes"), ("store", 1), ("metadata", "x"), ("metadata", {"conversation_id": 3}), ("metadata", {"conversation_id": "a b"}), ("stream_options", []),
        ("n", 2), ("tools", [{}]), ("logprobs", True), ("response_format", {"type": "json_object"}), ("logit_bias", {"1": 2}),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_by_its_name(field: str, value: Any) -> None:
    told = refused(chat_call, {name: held for name, held in chat(**{field: value}).items() if held is not None})
    assert told.param.split("[")[0].split(".")[0] in (field, "conversation_id")
    assert told.body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    for parse in (chat_call, completion_call, embedding_call, feedback_call):
        refused(parse, body)


def test_all_mistakes_are_told_at_once() -> None:
    told = refused(chat_call, {"messages": [{"role": "x", "content": "a"}, {"role": "user", "content": 3}], "n": 3, "stop": 1, "max_tokens": -1})
    for word in ("model", "messages[0].role", "messages[1].content", "n is", "stop", "max_tokens"):
        assert word in told.message


def test_prompts_are_user_turns() -> None:
    call = completion_call({"model": "m", "prompt": ["a", "b"]})
    assert [ask.messages[0].text for ask in call.asks] == ["a", "b"]
    for prompt in ([], [""], [[1, 2]], 3, None, ["x"] * 257):
        refused(completion_call, {"model": "m", "prompt": prompt})
    refused(completion_call, {"model": "m", "prompt": ["a", "b"], "stream": True})
    refused(completion_call, {"model": "m", "prompt": "a", "echo": True})


def test_embeddings() -> None:
    assert embedding_call({"model": "m", "input": "a"}).texts == ("a",)
    assert embedding_call({"model": "m", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 384}).packed
    for wrong in ({"input": [1, 2]}, {"input": ""}, {"input": []}, {"input": "a", "encoding_format": "hex"}, {"input": "a", "dimensions": 3}):
        refused(embedding_call, {"model": "m", **wrong})


def test_a_field_named_by_what_is_no_text_is_refused_before_its_name_is_repeated() -> None:
    for parse, body in ((chat_call, chat()), (completion_call, {"model": "m", "prompt": "a"}), (feedback_call, {"response_id": "r", "rating": "up"})):
        assert "\ud800" not in str(refused(parse, {**body, "\ud800": 1}).body)


def test_feedback() -> None:
    said = feedback_call({"response_id": "r", "rating": -1, "correction": "Monday", "consent": True})
    assert (said.response, said.rating, said.correction, said.consent, said.comment) == ("r", "down", "Monday", True, "")
    for wrong in ({"rating": True}, {"rating": 5}, {"rating": "up", "consent": "yes"}, {"rating": "up", "comment": "x" * 8001}, {"rating": "up", "extra": 1}, {}):
        refused(feedback_call, {"response_id": "r", **wrong})
    refused(feedback_call, {"rating": "up"})
