"""Answers that are a JSON object of fields: reading them, strictly or out of longer text, and counting hits.

Values are compared after folding case and blanks; 5, 5.0 and "5" are the same; null, "", and [] say "not in the text".
A list counts each of its values. A field that neither side fills does not count; when nothing was to be found and
nothing was, the document is perfect. Example: `field_f1(read("{\\"a\\": 1}"), read("{\\"a\\": \\"1\\"}"))` is 1.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from whytune.evaluation.facts import token_f1
from whytune.evaluation.words import folded, words

Fields = dict[str, tuple[str, ...]]
"""Field name to its values, normalised; fields without a value are left out."""
MOST_STARTS = 50


def read(text: str) -> Fields | None:
    """The object that the whole text is, or None where it is not a JSON object."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return _fields(value) if isinstance(value, dict) else None


def find(text: str) -> Fields | None:
    """The first JSON object inside longer text (prose, a code fence), or None."""
    strict = read(text)
    if strict is not None:
        return strict
    decoder = json.JSONDecoder(parse_constant=_refuse)
    for start in [match.start() for match in re.finditer(r"\{", text)][:MOST_STARTS]:
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return _fields(value)
    return None


def field_f1(wanted: Fields, said: Fields) -> float:
    """F1 over (field, value) pairs that are the same. A wrong value is both one too many and one missing."""
    one, two = _pairs(wanted), _pairs(said)
    total = one.total() + two.total()
    return 2 * sum((one & two).values()) / total if total else 1.0


def field_f1_partial(wanted: Fields, said: Fields) -> float:
    """The same, but a value that shares words with the wanted one counts by the F1 of those words."""
    total = _pairs(wanted).total() + _pairs(said).total()
    if not total:
        return 1.0
    hits = 0.0
    for name in wanted.keys() & said.keys():
        left = list(said[name])
        for value in wanted[name]:
            overlaps = [
                1.0 if value == other else token_f1(words(value), words(other)) * bool(words(value))
                for other in left
            ]
            if overlaps and max(overlaps) > 0:
                best = overlaps.index(max(overlaps))
                hits += overlaps[best]
                left.pop(best)
    return min(1.0, 2 * hits / total)


def hallucinated(wanted: Fields, said: Fields) -> float:
    """The share of the fields the answer fills that the reference leaves empty; 0 where it fills none."""
    return len(said.keys() - wanted.keys()) / len(said) if said else 0.0


def missing(wanted: Fields, said: Fields) -> float:
    """The share of the reference's fields that the answer leaves empty; 0 where there were none."""
    return len(wanted.keys() - said.keys()) / len(wanted) if wanted else 0.0


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _fields(value: dict[str, Any]) -> Fields:
    read_fields = {str(name).strip(): _values(content) for name, content in value.items()}
    return {name: values for name, values in read_fields.items() if values}


def _values(content: Any) -> tuple[str, ...]:
    if isinstance(content, list):
        return tuple(value for item in content for value in _values(item))
    if content is None:
        return ()
    if isinstance(content, bool):
        return (str(content).lower(),)
    if isinstance(content, dict):
        inner = _fields(content)
        return (json.dumps(inner, sort_keys=True, ensure_ascii=False),) if inner else ()
    if isinstance(content, float) and content.is_integer() and abs(content) < 1e15:
        content = int(content)
    text = " ".join(folded(str(content)).split())
    return (text,) if text else ()


def _pairs(fields: Fields) -> Counter[tuple[str, str]]:
    return Counter((name, value) for name, values in fields.items() for value in values)
