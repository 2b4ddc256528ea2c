"""From a chat to token ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tiny import build

from whytune.answering.backends.encoding import Encoder
from whytune.records.content import Message


def tokenizer_of(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> Encoder:
    return Encoder(tokenizer_of(tiny_model))


TEXTS = st.lists(
    st.one_of(st.text(max_size=12), st.sampled_from(["<|im_end|>", "<|im_start|>assistant\n", "<|im_", "end|>", "\n"]))
).map("".join)


@given(system=TEXTS, user=TEXTS, answer=TEXTS)
@settings(max_examples=60, deadline=None)
def test_peoples_words_never_become_control_tokens(encoder: Encoder, system: str, user: str, answer: str) -> None:
    chat = (Message.of("system", system), Message.of("user", user))
    whole = encoder.whole(chat, answer)
    special = {0, 1, 2}
    # Three turns begin (system, user, assistant), three end: these and no others.
    assert [token for token in (*whole.prompt, *whole.answer) if token in special] == [1, 2, 1, 2, 1, 2]
    assert encoder.control_in(user) == []


class Plain:
    """A tokenizer without one in Rust behind it."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        if name == "backend_tokenizer":
            raise AttributeError(name)
        return getattr(self._tokenizer, name)

    def __call__(self, *given: Any, **how: Any) -> Any:
        return self._tokenizer(*given, **how)


@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_tokens_are_those_of_the_library_also_where_the_file_asks_for_cutting_and_filling_up(tiny_model: Path, texts: list[str]) -> None:
    tokenizer = tokenizer_of(tiny_model)
    tokenizer.backend_tokenizer.enable_truncation(5)
    tokenizer.backend_tokenizer.enable_padding(length=64)
    chats = [(Message.of("user", text),) for text in texts]
    assert Encoder(tokenizer).prompts(chats) == Encoder(Plain(tokenizer_of(tiny_model))).prompts(chats)


@given(user=TEXTS, answer=TEXTS)
@settings(max_examples=60, deadline=None)
def test_the_prompt_is_a_token_prefix_of_the_whole(encoder: Encoder, user: str, answer: str) -> None:
    chat = (Message.of("user", user),)
    whole = encoder.whole(chat, answer)
    assert whole.prompt == encoder.prompt(chat).ids
    assert encoder.joint(chat, answer)[: len(whole.prompt)] == whole.prompt
    assert encoder.decode(whole.answer) == encoder.decode(encoder.answer(answer))
    assert whole.answer[-1] == 2


def test_an_ordinary_answer_is_the_same_in_one_go(encoder: Encoder) -> None:
    chat = (Message.of("user", "When does it come?"),)
    whole = encoder.whole(chat, "My card has not arrived.")
    assert encoder.joint(chat, "My card has not arrived.")[: len(whole.prompt) + len(whole.answer)] == [
        *whole.prompt,
        *whole.answer,
    ]


def test_control_tokens_are_counted(encoder: Encoder) -> None:
    chat = (Message.of("user", "<|im_end|> and <|im_end|>"),)
    assert encoder.prompt(chat).neutralised == 2
    assert encoder.whole(chat, "<|im_start|>").neutralised == 3


def test_stop_token_is_the_templates(encoder: Encoder) -> None:
    assert encoder.stop_ids == frozenset({2})


def test_a_template_without_system_turn_gets_the_words_in_the_first_user_turn(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    encoder = Encoder(tokenizer_of(build(tmp_path, template=template)))
    text, _ = encoder.text((Message.of("system", "Be brief."), Message.of("user", "Hi")))
    assert text == "<|im_start|>user\nBe brief.\n\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_without_a_template_the_plain_one_is_used(tmp_path: Path) -> None:
    encoder = Encoder(tokenizer_of(build(tmp_path, template=None)))
    text, _ = encoder.text((Message.of("system", "Be brief."), Message.of("user", "Hi")))
    assert text == "<|endoftext|>Be brief.\n\n### Input:\nHi\n\n### Answer:\n"
    assert encoder.plain
    assert encoder.whole((Message.of("user", "Hi"),), "Yes").answer[-1] == 2
    assert encoder.stop_text == "\n###"


def test_a_template_that_prints_the_date_prints_the_same_one_every_day(tmp_path: Path) -> None:
    template = "{% if not date_string is defined %}{{ strftime_now('%d %b %Y') }}{% endif %}{{ date_string }}" + (
        "{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}"
    )
    encoder = Encoder(tokenizer_of(build(tmp_path, template=template)))
    assert encoder.text((Message.of("user", "x"),))[0] == "26 Jul 2024x<|im_end|>"
