"""Questions and answers that a model wrote about a passage: what it is asked, how its reply is read, and what of it stands.

Nothing is believed: the evidence must stand in the passage word for word, every number and name of the answer must stand
in the evidence, and a question must be understood without the passage. A judge is not asked. It calls no model and reads
no store. Example: an answer "12 days" whose quoted evidence is not in the passage is left out as `span_not_found`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whytune.datasets.dedup import near
from whytune.datasets.evidence import content_words, new_names
from whytune.records.content import Message
from whytune.records.data import Document, Passage
from whytune.records.record import digest
from whytune.text import clip, normalise, numbers, words

SYSTEM = (
    "You write questions that a person might ask, with their answers, from a passage. "
    "Use only what the passage says. Each question must make sense to somebody who does not see the passage: name who or what it is about. "
    "The answer is one short sentence. The evidence is copied from the passage, character for character, and holds the answer. "
    'Reply with JSON only: {"rows": [{"question": "...", "answer": "...", "evidence": "..."}]}'
)
REASONS = {
    "no_reply": "the service gave no answer",
    "not_json": "the reply was not the JSON that was asked for",
    "empty": "question, answer or evidence was empty",
    "span_not_found": "the evidence does not stand in the passage",
    "unsupported": "the answer says a number, a name or most of its words beyond its evidence",
    "leans_on_passage": "the question cannot be understood without the passage",
    "exact_duplicate": "asks what another row asks",
    "near_duplicate": "asks nearly what another row asks",
    "too_many": "more rows than were asked for",
}
PROMPT_VERSION = digest(SYSTEM)[:12]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"question": {"type": "string"}, "answer": {"type": "string"}, "evidence": {"type": "string"}},
                "required": ["question", "answer", "evidence"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["rows"],
    "additionalProperties": False,
}
_LEANS = re.compile(
    r"\b(?:according to|in|from|mentioned in|described in|given in)\s+(?:the|this|that)\s+(?:above\s+)?(?:passage|text|document|paragraph|excerpt|article|section)\b"
    r"|\b(?:the|this)\s+(?:passage|excerpt|author)\b",
    re.IGNORECASE,
)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
_LONGEST = 2_000


@dataclass(frozen=True)
class Written:
    """A row that stands: what was written, and where its evidence stands in the document."""

    question: str
    answer: str
    start: int
    end: int
    quote: str


def chat(passage: Passage, count: int) -> tuple[Message, ...]:
    """What the model is asked."""
    title = f"Title: {passage.title}\n" if passage.title else ""
    return (Message.of("system", SYSTEM), Message.of("user", f"Write {count} rows.\n{title}Passage:\n{passage.text}"))


def read(reply: str, passage: Passage, count: int) -> tuple[list[Written], list[str]]:
    """The rows of a reply that stand, and a reason for each that does not."""
    rows = _rows(reply)
    if rows is None:
        return [], ["not_json"]
    kept: list[Written] = []
    reasons: list[str] = []
    for row in rows[: 4 * count]:
        made = _verified(row, passage)
        if isinstance(made, str):
            reasons.append(made)
        elif len(kept) == count:
            reasons.append("too_many")
        else:
            kept.append(made)
    return kept, reasons


def _rows(reply: str) -> list[Mapping[str, Any]] | None:
    fenced = _FENCE.search(reply)
    text = fenced.group(1) if fenced else reply
    at = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=-1)
    if at < 0:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text[at:])
    except (ValueError, RecursionError):
        return None
    rows = value.get("rows") if isinstance(value, dict) else value
    return rows if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else None


def _verified(row: Mapping[str, Any], passage: Passage) -> Written | str:
    question, answer, evidence = (str(row.get(name) or "").strip() for name in ("question", "answer", "evidence"))
    if not question or not answer or not evidence or max(len(question), len(answer)) > _LONGEST:
        return "empty"
    if _LEANS.search(question):
        return "leans_on_passage"
    found = span_of(evidence, passage.text)
    if found is None:
        return "span_not_found"
    quote = passage.text[found[0] : found[1]]
    if not _supported(question, answer, quote, passage.title):
        return "unsupported"
    return Written(question, answer, passage.start + found[0], passage.start + found[1], quote)


def span_of(quote: str, text: str) -> tuple[int, int] | None:
    """Where a quotation stands in a text, word for word; only white space may differ. None where it does not, or says nothing."""
    parts = quote.strip().strip("\"“”").split()
    if sum(map(len, parts)) < 4:
        return None
    found = re.search(r"\s+".join(map(re.escape, parts)), text)
    return found.span() if found else None


def _supported(question: str, answer: str, quote: str, title: str) -> bool:
    """Whether the evidence holds the answer: all its numbers and names, and at least half of its other words."""
    said = f"{question}\n{title}"
    held_numbers = set(numbers(quote)) | set(numbers(said)) | {word for word in words(quote) if word.isdigit()}
    if not set(numbers(answer)) <= held_numbers:
        return False
    held = set(words(quote)) | set(words(said))
    if not new_names(answer, frozenset(words(said))) <= held:
        return False
    own = content_words(answer) - set(words(said))
    return not own or len(own & set(words(quote))) >= 0.5 * len(own)


def sifted(questions: Sequence[str], known: Sequence[str], threshold: float = 0.8) -> dict[int, str]:
    """Which of the new questions ask what another row asks, exactly or nearly, by position, with the reason; the first of several stays."""
    gone: dict[int, str] = {}
    seen = {normalise(text) for text in known}
    for place, question in enumerate(questions):
        key = normalise(question)
        if key in seen:
            gone[place] = "exact_duplicate"
        seen.add(key)
    size = len(known)
    for first, second, _ in near([*known, *questions], threshold, lambda _, second: second < size):
        if second >= size and second - size not in gone and (first < size or first - size not in gone):
            gone[second - size] = "near_duplicate"
    return gone


def test_side(documents: Sequence[Document], asked: Iterable[str]) -> set[str]:
    """Documents that hold the answer to a test row, and every other that is nearly the same text."""
    sealed = set(asked)
    texts = [document.text for document in documents]
    for first, second, _ in near(texts, 0.8):
        if documents[first].id in sealed or documents[second].id in sealed:
            sealed |= {documents[first].id, documents[second].id}
    return sealed


def shown(row: Written) -> str:
    """A row on one line, for people."""
    return f"{clip(row.question, 80)} -> {clip(row.answer, 60)}"
