"""From the values of one source row to what an example needs: turns, target or fields, group, evidence, tags.

One function a shape. Extraction comes out as slots (field name to values in text order); only when all rows are read
is the field set known and the target written, as JSON with every field, null where the text does not say. Several values
of one field are joined by `; `, in text order, each once. A row that does not fit raises `Unfit` with a removal's reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from whytune.datasets import linerows
from whytune.datasets.jsonrows import KEY
from whytune.datasets.spec import Guess
from whytune.records.record import canonical_json
from whytune.text import clip, printable

Slots = dict[str, list[str]]
ROLES = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "customer": "user", "prompter": "user",
    "question": "user", "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "chatgpt": "assistant",
    "model": "assistant", "agent": "assistant", "answer": "assistant", "bing": "assistant", "bard": "assistant",
}  # fmt: skip
SPAN_COLUMNS = ("labels", "entities", "spans", "annotations", "slots", "label")
_NAMES = ("slot", "label", "entity", "entity_group", "type", "tag", "name", "labels")
_STARTS = ("start", "startIndex", "start_offset", "begin", "from", "offset", "start_char")
_ENDS = ("end", "endIndex", "end_offset", "stop", "to", "end_char")


class Unfit(Exception):
    """This row does not become an example."""

    def __init__(self, reason: Literal["missing_field", "empty", "unreadable"], detail: str) -> None:
        super().__init__(detail)
        self.reason: Literal["missing_field", "empty", "unreadable"] = reason
        self.detail = detail


@dataclass(slots=True)
class Draft:
    """An example on its way. slots are set for extraction, where the target is written last."""

    turns: list[tuple[str, str]]
    target: str = ""
    slots: Slots | None = None
    group: str = ""
    evidence: tuple[str, ...] = ()
    tags: list[tuple[str, str]] = field(default_factory=list)


def look(values: Mapping[str, Any], path: str) -> Any:
    """The value under a column's name, or under a dotted path into nested objects; None where there is none."""
    if path in values:
        return values[path]
    found: Any = values
    for step in path.split("."):
        if not isinstance(found, Mapping) or step not in found:
            return None
        found = found[step]
    return found


def plain(value: Any) -> str:
    """A cell as text: whole numbers without `.0`, lists of text parts joined, objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value).strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        if value and all(isinstance(part, dict) and "text" in part for part in value):
            return "".join(plain(part["text"]) for part in value)
        if value and all(isinstance(part, str) for part in value):
            return plain(value[0]) if len(value) == 1 else ", ".join(plain(part) for part in value)
        return printable(_json(value)) if value else ""
    return printable(_json(value)) if isinstance(value, dict) else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def needed(values: Mapping[str, Any], column: str) -> str:
    """The text in a column that must be filled."""
    value = look(values, column)
    if value is None:
        raise Unfit("missing_field", f"no {column!r}")
    text = plain(value)
    if not text:
        raise Unfit("empty", f"{column!r} is empty")
    return text


def _pair(values: Mapping[str, Any], guess: Guess) -> Draft:
    asked = needed(values, guess.input)
    if linerows.is_instruction(asked) and not guess.target:
        return _instruction(values, guess)
    return Draft([("user", asked)], needed(values, guess.target))


def _answer_list(values: Mapping[str, Any], guess: Guess) -> Draft:
    """SQuAD's answers, `{"text": ["first", ...]}`: the first counts."""
    value = look(values, guess.target)
    if isinstance(value, Mapping) and isinstance(value.get("text"), list) and value["text"]:
        return Draft([("user", needed(values, guess.input))], plain(value["text"][0]))
    return _pair(values, guess)


def _alpaca(values: Mapping[str, Any], guess: Guess) -> Draft:
    asked = needed(values, "instruction")
    more = plain(values.get("input"))
    said = [("system", system)] if (system := plain(values.get("system"))) else []
    return Draft([*said, ("user", f"{asked}\n\n{more}" if more else asked)], needed(values, guess.target))


def _instruction(values: Mapping[str, Any], guess: Guess) -> Draft:
    said = linerows.turns(needed(values, guess.input))
    if not said:
        raise Unfit("unreadable", "its instruction tags do not match")
    return _from_turns(said)


def _conversation(values: Mapping[str, Any], guess: Guess) -> Draft:
    turns = look(values, guess.input)
    if isinstance(turns, str):
        try:
            turns = json.loads(turns)
        except (ValueError, RecursionError):
            turns = None
    if not isinstance(turns, list) or not turns:
        raise Unfit("missing_field", f"no turns in {guess.input!r}")
    said: list[tuple[str, str]] = []
    for number, turn in enumerate(turns, start=1):
        if not isinstance(turn, dict):
            raise Unfit("unreadable", f"turn {number} is not an object")
        spoken = turn.get("role", turn.get("from"))
        role = ROLES.get(str(spoken).lower())
        if role is None:
            raise Unfit("unreadable", f"turn {number} has the role {clip(str(spoken), 30)!r}")
        said.append((role, plain(turn.get("content", turn.get("value", turn.get("text"))))))
    system = plain(values.get("system"))
    if system and said[0][0] != "system":
        said.insert(0, ("system", system))
    return _from_turns(said)


def _from_turns(said: list[tuple[str, str]]) -> Draft:
    """The last answer is the target; what stands before it is what the model is given."""
    merged: list[tuple[str, str]] = []
    for role, text in said:
        if not text:
            continue
        if merged and merged[-1][0] == role:
            merged[-1] = (role, f"{merged[-1][1]}\n{text}")
        else:
            merged.append((role, text))
    while merged and merged[-1][0] != "assistant":
        merged.pop()
    if not merged:
        raise Unfit("missing_field", "no answer of the assistant")
    *before, (_, target) = merged
    if not before or before[-1][0] != "user":
        raise Unfit("missing_field", "no turn of the user before the answer")
    return Draft(before, target)


def _spans(values: Mapping[str, Any], guess: Guess) -> Draft:
    text = look(values, guess.input)
    if not isinstance(text, str):
        raise Unfit("missing_field", f"no {guess.input!r}")
    if not text.strip():
        raise Unfit("empty", f"{guess.input!r} is empty")
    found: list[tuple[int, str, str]] = []
    for span in look(values, guess.target) or []:
        found.append(_span(span, text))
    slots: Slots = {}
    for _, name, value in sorted(found):
        slots.setdefault(name, []).append(value)
    requested = look(values, "context.requestedSlots")
    asked = printable(text).strip()
    if isinstance(requested, list) and requested:
        asked = f"Asked for: {', '.join(plain(slot) for slot in requested)}\n{asked}"
    return Draft([("user", asked)], slots=slots)


def _span(span: Any, text: str) -> tuple[int, str, str]:
    if isinstance(span, list) and len(span) == 3:
        span = {"start": span[0], "end": span[1], "label": span[2]}
    if not isinstance(span, dict):
        raise Unfit("unreadable", f"a span is not an object: {clip(str(span), 40)}")
    name = next((span[key] for key in _NAMES if span.get(key)), "")
    name = plain(name[0] if isinstance(name, list) else name)
    place = span.get("valueSpan", span)
    place = place if isinstance(place, dict) else {}
    start = next((place[key] for key in _STARTS if key in place), 0)
    end = next((place[key] for key in _ENDS if key in place), None)
    if not name or not isinstance(start, int) or not isinstance(end, int):
        raise Unfit("unreadable", f"a span without name, start or end: {clip(str(span), 60)}")
    if not 0 <= start < end <= len(text):
        raise Unfit(
            "unreadable",
            f"the span of {name!r}, {start} to {end}, lies outside the text of {len(text)} characters",
        )
    return start, name, printable(text[start:end]).strip()


def _chunks(values: Mapping[str, Any], guess: Guess) -> Draft:
    parts = look(values, guess.input)
    if not isinstance(parts, list) or not all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts
    ):
        raise Unfit("unreadable", f"{guess.input!r} is not a list of chunks with text")
    text = printable("".join(part["text"] for part in parts)).strip()
    if not text:
        raise Unfit("empty", "its chunks hold no text")
    intent = plain(values.get(KEY) or values.get("intent"))
    if guess.target in (KEY, "intent"):
        if not intent:
            raise Unfit("missing_field", "no intent")
        return Draft([("user", text)], intent)
    slots: Slots = {}
    for part in parts:
        if part.get("entity"):
            slots.setdefault(plain(part["entity"]), []).append(printable(part["text"]).strip())
    return Draft([("user", text)], slots=slots, tags=[("intent", intent)] if intent else [])


def _fields(values: Mapping[str, Any], guess: Guess) -> Draft:
    """Fields from several columns, or from one that holds a JSON object."""
    asked = needed(values, guess.input)
    if guess.fields:
        return Draft([("user", asked)], slots={name: _several(look(values, name)) for name in guess.fields})
    value = look(values, guess.target)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise Unfit("unreadable", f"{guess.target!r} is not a JSON object: {clip(value, 60)}") from None
    if value is None:
        raise Unfit("missing_field", f"no {guess.target!r}")
    if not isinstance(value, dict):
        raise Unfit("unreadable", f"{guess.target!r} is not a JSON object: {clip(str(value), 60)}")
    return Draft([("user", asked)], slots={plain(name): _several(inner) for name, inner in value.items()})


def _several(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for inner in values if (text := plain(inner))]


MAKERS: dict[str, Callable[[Mapping[str, Any], Guess], Draft]] = {
    "pair": _answer_list,
    "parallel": _pair,
    "alpaca": _alpaca,
    "conversation": _conversation,
    "inst": _instruction,
    "spans": _spans,
    "chunks": _chunks,
    "fields": _fields,
}


def draft(values: Mapping[str, Any], guess: Guess) -> Draft:
    """What an example needs, from one row. Raises Unfit."""
    made = MAKERS[guess.shape](values, guess)
    if guess.names and made.slots is None:
        made.target = guess.names.get(made.target, made.target)
    if guess.group:
        made.group = plain(look(values, guess.group))
    if guess.evidence:
        made.evidence = tuple(sorted(set(_several(look(values, guess.evidence)))))
    made.tags += [(name, text) for name in guess.tags if (text := plain(look(values, name)))]
    return made


def written(slots: Slots, fields: tuple[str, ...]) -> str:
    """The extraction target: JSON with every field."""
    return canonical_json({name: "; ".join(dict.fromkeys(slots.get(name, []))) or None for name in fields})
