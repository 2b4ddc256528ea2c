"""From a chat to token ids, by the model's own template; training and answering use the same encoder.

A user's words can never become a control token: they are broken up before the template sees them, and counted.
`prompt` is a token prefix of `whole` by construction, because the answer is encoded on its own, as it is when a model
writes it. It runs no model. Example: `Encoder(tokenizer).prompt(chat).ids`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from whytune.answering.rendering import neutralise
from whytune.errors import ModelError
from whytune.records.content import Message
from whytune.records.record import digest

PLAIN_TEMPLATE = """\
{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}\
{% elif message['role'] == 'user' %}{{ '### Input:\n' + message['content'] + '\n\n' }}\
{% else %}{{ '### Answer:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '### Answer:\n' }}{% endif %}"""
"""Used for a model that brings no chat template; a base model then also stops where a new `###` heading begins."""
PLAIN_STOP = "\n###"

# Some templates print today's date unless they are given one: the same chat must give the same tokens tomorrow.
# A template that can think aloud is told not to, because the answer is what is scored and trained.
_TEMPLATE_FACTS = {"date_string": "26 Jul 2024", "enable_thinking": False}


@dataclass(frozen=True)
class Encoded:
    """A prompt as the model sees it, and how many control tokens in people's words were broken up."""

    ids: list[int]
    neutralised: int


@dataclass(frozen=True)
class Whole:
    """A prompt with its answer; the answer's ids end with the stop token, which is trained too."""

    prompt: list[int]
    answer: list[int]
    neutralised: int


class Encoder:
    """Encodes chats for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._rust = getattr(tokenizer, "backend_tokenizer", None)
        if self._rust is not None:  # a tokenizer file may ask for either
            self._rust.no_truncation()
            self._rust.no_padding()
        self.kept: dict[Any, Any] = {}
        """What others build from the tokenizer at some cost and want to find again."""
        self.plain = not tokenizer.chat_template
        self.template: str = PLAIN_TEMPLATE if self.plain else tokenizer.chat_template
        if not isinstance(self.template, str):
            raise ModelError("The tokenizer has several chat templates", next="keep one, as chat_template.jinja")
        self.control = self._control_tokens()
        self._control_ids = {
            number for number in tokenizer.convert_tokens_to_ids(list(self.control)) if number is not None
        } | set(tokenizer.all_special_ids)
        self.system_turn = self._takes_system()
        self.stop_ids, self._ending = self._stops()
        self.stop_text = PLAIN_STOP if self.plain else ""

    @property
    def template_digest(self) -> str:
        """sha256 of the template, for the record of a run."""
        return digest(self.template)

    def text(self, chat: Sequence[Message], *, answering: bool = True) -> tuple[str, int]:
        """The chat as text by the template, control tokens in people's words broken up, and how many there were."""
        turns, broken = [], 0
        for message in self._fitting(chat):
            words, count = neutralise(message.text, self.control)
            broken += count
            turns.append({"role": message.role, "content": words})
        return self._apply(turns, answering), broken

    def prompt(self, chat: Sequence[Message]) -> Encoded:
        """The tokens after which the answer begins."""
        return self.prompts([chat])[0]

    def prompts(self, chats: Sequence[Sequence[Message]]) -> list[Encoded]:
        """As `prompt`, many at once."""
        if not chats:
            return []
        texts = [self.text(chat) for chat in chats]
        ids = self._ids([text for text, _ in texts])
        return [Encoded(row, broken) for row, (_, broken) in zip(ids, texts, strict=True)]

    def answer(self, text: str) -> list[int]:
        """The tokens of an answer, without the stop token."""
        words, _ = neutralise(text, self.control)
        return self._ids([words])[0] if words else []

    def whole(self, chat: Sequence[Message], answer: str) -> Whole:
        """The prompt, and the answer with its stop token."""
        prompt = self.prompt(chat)
        _, broken = neutralise(answer, self.control)
        return Whole(prompt.ids, [*self.answer(answer), *self._ending], prompt.neutralised + broken)

    def joint(self, chat: Sequence[Message], answer: str) -> list[int]:
        """Prompt and answer put through the template in one go: what the tokens of `whole` must begin and agree with."""
        text, _ = self.text((*chat, Message.of("assistant", answer)), answering=False)
        return self._ids([text])[0]

    def control_in(self, text: str) -> list[str]:
        """Control tokens that would come out of people's words after all; always empty, and training asks."""
        words, _ = neutralise(text, self.control)
        found = [number for number in self._ids([words])[0] if number in self._control_ids] if words else []
        return [str(token) for token in self.tokenizer.convert_ids_to_tokens(found)]

    def decode(self, ids: Sequence[int]) -> str:
        """An answer as text; control tokens are left out."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _apply(self, turns: list[dict[str, str]], answering: bool) -> str:
        rendered: str = self.tokenizer.apply_chat_template(
            turns, chat_template=self.template, tokenize=False, add_generation_prompt=answering, **_TEMPLATE_FACTS
        )
        return rendered

    def _ids(self, texts: list[str]) -> list[list[int]]:
        # The template writes the beginning token itself: the tokenizer must not add a second one.
        if self._rust is not None:  # asked directly: what the library puts around it takes as long again for one chat
            return [row.ids for row in self._rust.encode_batch_fast(texts, add_special_tokens=False)]
        rows: list[list[int]] = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return rows

    def _control_tokens(self) -> tuple[str, ...]:
        """Special tokens, and added ones that the template itself speaks with (`<think>`); not added plain words."""
        added = self.tokenizer.added_tokens_decoder.values()
        spoken = [token.content for token in added if token.special or token.content in self.template]
        tokens = {str(token) for token in (*self.tokenizer.all_special_tokens, *spoken)}
        return tuple(sorted(token for token in tokens if token.strip()))

    def _takes_system(self) -> bool:
        """Whether the template shows a system turn; some refuse it, some drop it without a word."""
        try:
            shown = self._apply(
                [{"role": "system", "content": "whytune-probe"}, {"role": "user", "content": "x"}], True
            )
        except Exception:
            return False
        return "whytune-probe" in shown

    def _fitting(self, chat: Sequence[Message]) -> list[Message]:
        if self.system_turn or not chat or chat[0].role != "system":
            return list(chat)
        system, rest = chat[0].text, list(chat[1:])
        if rest and rest[0].role == "user":
            return [Message.of("user", f"{system}\n\n{rest[0].text}"), *rest[1:]]
        return [Message.of("user", system), *rest]

    def _stops(self) -> tuple[frozenset[int], list[int]]:
        """Tokens that end an answer, and what training puts behind one: the template's ending up to its stop token."""
        turns = [{"role": "user", "content": "x"}]
        before = self._apply(turns, True)
        after = self._apply([*turns, {"role": "assistant", "content": "yes"}], False)
        eos = self.tokenizer.eos_token_id
        stops = {eos} if isinstance(eos, int) else set()
        ending: list[int] = []
        if after.startswith(before) and after[len(before) :].startswith("yes"):
            for number in self._ids([after[len(before) + 3 :]])[0]:
                ending.append(number)
                if number in self._control_ids:
                    return frozenset(stops | {number}), ending
        if not stops:
            raise ModelError(
                "The tokenizer has no token that ends an answer",
                next="set eos_token in tokenizer_config.json, or choose another base model",
            )
        return frozenset(stops), [eos]
