"""The one place where a prompt is put together; training shows the model exactly what answering shows it.

Pure functions: no tokenizer, no model, no store. What a model's own template makes of the chat is decided in
`backends/encoding.py`. Example: `chat(Prompt(system="Be brief."), example.messages)` is a system turn and the user's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from whytune.records.candidate import Prompt
from whytune.records.content import Message
from whytune.records.data import Example, Passage

_SLOT = re.compile(r"\{(input|context)\}")


def chat(
    prompt: Prompt,
    messages: Sequence[Message],
    context: Sequence[Passage] = (),
    shots: Sequence[Example] = (),
) -> tuple[Message, ...]:
    """The whole conversation that ends with the user's turn.

    The prompt's system text and the example's own are one system turn; each shot is its turns and its target; passages
    stand in the last turn only, by `context_template`. The same arguments always give the same chat.
    """
    system = "\n\n".join(text for text in (prompt.system, *_system_texts(messages)) if text)
    turns: list[Message] = [Message.of("system", system)] if system else []
    for shot in shots:
        turns += _turns(prompt, shot.messages, ())
        turns.append(Message.of("assistant", shot.target_text))
    return (*turns, *_turns(prompt, messages, context))


def passages_text(context: Sequence[Passage]) -> str:
    """Passages as the model reads them: numbered from 1, title first, a blank line between."""
    return "\n\n".join(
        f"[{number}] {passage.title}\n{passage.text}" if passage.title else f"[{number}] {passage.text}"
        for number, passage in enumerate(context, 1)
    )


def fill(template: str, *, input: str, context: str = "") -> str:
    """`{input}` and `{context}` replaced in one pass, so that braces in a user's text stay what they are."""
    values = {"input": input, "context": context}
    return _SLOT.sub(lambda slot: values[slot.group(1)], template)


def neutralise(text: str, control: Iterable[str]) -> tuple[str, int]:
    """Text in which none of the control tokens stands any more, and how many there were.

    A token is broken by a space after its first character (`<|im_end|>` becomes `< |im_end|>`), which a reader can
    see. Repeated until none is left, because breaking one token may complete another.
    """
    pattern = _pattern(tuple(control))
    found = 0
    while pattern is not None:
        text, count = pattern.subn(_broken, text)
        if not count:
            break
        found += count
    return text, found


def _system_texts(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages if message.role == "system"]


def _turns(prompt: Prompt, messages: Sequence[Message], context: Sequence[Passage]) -> list[Message]:
    turns = [message for message in messages if message.role != "system"]
    if not turns or turns[-1].role != "user":
        raise ValueError("a chat to answer ends with the user's turn")
    words = turns[-1].text
    if context:
        said = fill(prompt.context_template, input=fill(prompt.template, input=words), context=passages_text(context))
    else:
        said = fill(prompt.template, input=words)
    return [*turns[:-1], Message.of("user", said)]


@lru_cache(maxsize=64)
def _pattern(control: tuple[str, ...]) -> re.Pattern[str] | None:
    tokens = sorted({token for token in control if token.strip()}, key=lambda token: (-len(token), token))
    return re.compile("|".join(re.escape(token) for token in tokens)) if tokens else None


def _broken(match: re.Match[str]) -> str:
    token = match.group()
    return f"{token[0]} {token[1:]}" if len(token) > 1 else "?"
