"""From examples to rows of token ids: the prompt by the model's own template, then the answer and its stop token.

Only the answer and the stop token are trained. Nothing is ever cut: a row over `max_length` is dropped and counted,
or refused. What is wrong with a row is a problem in words; all of them are told together by `preflight`. It runs no
model. Example: a row of 40 prompt tokens and the answer `refund` is trained from position 40 on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whytune.answering.backends.encoding import Encoder
from whytune.answering.rendering import chat
from whytune.records.candidate import Prompt, Recipe
from whytune.records.content import Message
from whytune.records.data import Example, Passage
from whytune.records.record import short
from whytune.training.plan import SampleRow


@dataclass(frozen=True)
class TrainingRow:
    """One row: its tokens, and the position of the first trained one. Everything from there on is trained."""

    example: str
    ids: tuple[int, ...]
    start: int

    @property
    def labels(self) -> list[int]:
        """-100 where nothing is trained, as TRL expects it."""
        return [-100] * self.start + list(self.ids[self.start :])


@dataclass(frozen=True)
class PreparedRows:
    """Rows that can be trained on, those that are too long, and every problem that was found."""

    rows: tuple[TrainingRow, ...]
    overlong: tuple[tuple[str, int], ...]
    """(example, tokens)."""
    neutralised: int
    """Control tokens in people's words that were broken up."""
    problems: tuple[str, ...]


def prepare(
    encoder: Encoder,
    prompt: Prompt,
    recipe: Recipe,
    examples: Sequence[Example],
    *,
    contexts: Mapping[str, tuple[Passage, ...]],
    shots: Sequence[Example] = (),
) -> PreparedRows:
    """Every example as a row, with the proofs that concern one row alone."""
    rows: list[TrainingRow] = []
    overlong: list[tuple[str, int]] = []
    problems: list[str] = []
    neutralised = 0
    for example in examples:
        wrong = _unfit(example)
        if wrong:
            problems.append(f"{_named(example)}: {wrong}")
            continue
        turns = chat(prompt, example.messages, contexts.get(example.id, ()), shots)
        whole = encoder.whole(turns, example.target_text)
        neutralised += whole.neutralised
        ids = (*whole.prompt, *whole.answer)
        problems += [
            f"{_named(example)}: {text}"
            for text in _doubts(encoder, turns, example, whole.prompt, whole.answer)
        ]
        if len(ids) > recipe.max_length:
            overlong.append((example.id, len(ids)))
        else:
            rows.append(TrainingRow(example.id, ids, len(whole.prompt)))
    return PreparedRows(tuple(rows), tuple(overlong), neutralised, tuple(problems))


def sample(encoder: Encoder, row: TrainingRow) -> SampleRow:
    """The row as the model sees it, control tokens and all."""
    decode = encoder.tokenizer.decode
    before: str = decode(
        list(row.ids[: row.start]), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    after: str = decode(
        list(row.ids[row.start :]), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return SampleRow(row.example, ((before, False), (after, True)))


def _unfit(example: Example) -> str:
    if not example.messages or example.messages[-1].role != "user":
        return "the messages do not end with the user's turn"
    if any(part.type != "text" for message in example.messages for part in message.parts) or any(
        part.type != "text" for part in example.target
    ):
        return "holds an image, audio or video; only text can be trained"
    if not example.target_text.strip():
        return "there is no answer to train on"
    return ""


def _doubts(
    encoder: Encoder, turns: tuple[Message, ...], example: Example, prompt: list[int], answer: list[int]
) -> list[str]:
    found = []
    if encoder.joint(turns, example.target_text)[: len(prompt)] != prompt:
        found.append(
            "the template writes the prompt differently once an answer follows, so what is trained is not what is asked"
        )
    if len(answer) < 2:
        found.append("no token of the answer would be trained")
    if not answer or answer[-1] not in encoder.stop_ids:
        found.append("the stop token would not be trained: the model would not learn to end an answer")
    said = [message.text for message in turns] + [example.target_text]
    control = sorted({token for text in said for token in encoder.control_in(text)})
    if control:
        found.append(f"control tokens come out of people's words: {', '.join(control)}")
    return found


def _named(example: Example) -> str:
    origin = example.origin
    line = f":{origin.line}" if origin.line is not None else ""
    return f"{origin.file}{line} ({short(example.id)})"
