"""Is there an answer, is it whole, and is it one: empty rows, refusals, answers cut off, template marks, lengths."""

from __future__ import annotations

import re
import unicodedata

from whytune.checks.subject import Limits, Subject, finding, quantile
from whytune.records.data import Finding
from whytune.text import words

_LONG_INPUT = 1200
"""Words; beyond it an input and its answer hardly fit in 2,048 tokens."""
_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|large|language)\b.{0,30}|\bi(?:'|’)?m (?:sorry|afraid),? (?:but )?(?:i|we) (?:can(?:'|’)?t|cannot|am unable|am not able)"
    r"|\bi (?:can(?:'|’)?t|cannot|am unable to|am not able to) (?:assist|help|comply|fulfil|provide|answer|access|browse)"
    r"|\bi (?:do not|don(?:'|’)?t) have (?:access|the ability|personal|real-time)|\bals (?:ki|künstliche intelligenz|sprachmodell)\b"
    r"|\bes tut mir leid, (?:aber )?ich kann\b|\ben tant qu(?:'|’)(?:ia|intelligence artificielle)\b|\blo siento, (?:pero )?no puedo\b",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    r"<\|[\w ]{2,40}\|>|</?s>|\[/?INST\]|</?INST>|<</?SYS>>|<start_of_turn>|<end_of_turn>|\{\{\s*[\w.]+\s*\}\}|\$\{[\w.]+\}"
    r"|^#{2,3} ?(?:Instruction|Input|Response|Human|Assistant|User)\b:?|^(?:Human|Assistant|AI|Bot|User): ",
    re.IGNORECASE | re.MULTILINE,
)
_ENDED = re.compile(r"[.!?…。！？:;)\]}\"'”’»%\d]\s*$")
_OPEN_END = re.compile(
    r"(?:,|\b(?:and|or|the|a|an|of|to|with|for|und|oder|der|die|das|mit))\s*$|(?:\.\.\.|…)\s*$", re.IGNORECASE
)


def empty(subject: Subject) -> Finding:
    """Rows without input or answer, counting those that import left out."""
    left_out = subject.removed.get("empty", 0) + subject.removed.get("missing_field", 0)
    bad = [
        example.id
        for example in subject.examples
        if not example.input_text.strip() or not _says_something(example.target_text)
    ]
    of = subject.source_rows
    if left_out:
        told = f"{left_out:,} of {of:,} source rows had no input or no answer and were left out."
        made = finding(
            "empty",
            left_out + len(bad),
            of,
            told,
            next="fill them in the source, or go on without them",
            limits=Limits(0.0, 0.2),
        )
        return made.model_copy(update={"rows": tuple(bad[:20])})
    told = (
        f"{len(bad):,} rows have no input or no answer." if bad else "Every row has an input and an answer."
    )
    return finding("empty", bad, of, told, next="remove or complete these rows", limits=Limits(0.0, 0.0))


def _says_something(text: str) -> bool:
    """A letter, a digit or a sign such as an emoji; dots and dashes alone say nothing."""
    return any(character.isalnum() or unicodedata.category(character).startswith("S") for character in text)


def boilerplate(answer: str) -> bool:
    """Whether an answer is an assistant's ready-made refusal."""
    return bool(_REFUSAL.search(answer[:400]))


def refusals(subject: Subject) -> Finding:
    """Answers that are the boilerplate of an assistant; a model trained on them learns to refuse."""
    bad = [example.id for example in subject.examples if boilerplate(example.target_text)]
    told = f"{len(bad):,} answers are boilerplate refusals." if bad else "No answer is a boilerplate refusal."
    return finding(
        "refusals", bad, len(subject.examples), told, next="write these answers anew or remove the rows"
    )


def truncated(subject: Subject) -> Finding:
    """Answers that break off: most end a sentence and these do not, or they end in an ellipsis, a comma, an article."""
    long = [example for example in subject.examples if len(example.target_text.split()) >= 8]
    ended = [bool(_ENDED.search(example.target_text)) for example in long]
    usual = sum(ended) >= 0.8 * len(long) if long else False
    bad = [
        example.id
        for example, ends in zip(long, ended, strict=True)
        if _OPEN_END.search(example.target_text) or (usual and not ends)
    ]
    told = f"{len(bad):,} longer answers seem to break off." if bad else "No answer seems to break off."
    return finding(
        "truncated",
        bad,
        len(subject.examples),
        told,
        next="complete them; a length limit at export is the usual cause",
    )


def template_leakage(subject: Subject) -> Finding:
    """Marks of a chat or mail template within the data: a tuned model would learn to write them."""
    bad = [
        example.id
        for example in subject.examples
        if _TEMPLATE.search(example.target_text)
        or any(_TEMPLATE.search(message.text) for message in example.messages)
    ]
    told = (
        f"{len(bad):,} rows hold template marks such as <|...|>, [INST] or {{{{name}}}}."
        if bad
        else "No row holds template marks."
    )
    return finding(
        "template_leakage",
        bad,
        len(subject.examples),
        told,
        next="import the file in its own format, or strip the marks",
    )


def length(subject: Subject) -> Finding:
    """How long inputs and answers are, in words, and which inputs a small model's context will hardly hold."""
    inputs = [sum(_size(message.text) for message in example.messages) for example in subject.examples]
    answers = [_size(example.target_text) for example in subject.examples]
    bad = [example.id for example, size in zip(subject.examples, inputs, strict=True) if size > _LONG_INPUT]
    told = (
        f"Inputs: half have at most {quantile(inputs, 0.5):,} words, 95 % at most {quantile(inputs, 0.95):,}, the longest {max(inputs, default=0):,}. "
        f"Answers: {quantile(answers, 0.5):,}, {quantile(answers, 0.95):,}, {max(answers, default=0):,}."
    )
    if bad:
        told += f" {len(bad):,} inputs are longer than {_LONG_INPUT:,} words."
    return finding(
        "length",
        bad,
        len(subject.examples),
        told,
        next="shorten them or choose a base with a longer context",
        limits=Limits(0.0, 0.2),
    )


def _size(text: str) -> int:
    """Words; the cheap count where words are parted by spaces."""
    return len(text.split()) if text.isascii() else len(words(text))
