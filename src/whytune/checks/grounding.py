"""Does the answer stand in its source: extraction fields word by word, numbers and names of a summary."""

from __future__ import annotations

import json
import re
from collections import Counter

from whytune.checks.subject import Limits, Subject, finding
from whytune.records.data import Example, Finding
from whytune.text import fold, numbers, words

_NAME = re.compile(r"(?<=[\w,;:’'\")] )[A-ZÄÖÜÀ-Þ][\w’'-]+")


def schema(subject: Subject) -> Finding:
    """Targets are JSON objects with exactly the dataset's fields, each a text or null; fields that are hardly ever filled."""
    filled: Counter[str] = Counter()
    bad = []
    for example in subject.examples:
        values = _object(example)
        if (
            values is None
            or set(values) != set(subject.fields)
            or not all(v is None or isinstance(v, str) for v in values.values())
        ):
            bad.append(example.id)
            continue
        filled.update(name for name, value in values.items() if value)
    rare = [name for name in subject.fields if filled[name] < 5]
    told = (
        f"{len(bad):,} answers are not JSON with the {len(subject.fields)} fields."
        if bad
        else f"Every answer is JSON with the {len(subject.fields)} fields."
    )
    if rare:
        told += f" Fields filled fewer than 5 times: {', '.join(rare[:8])}{' ...' if len(rare) > 8 else ''}."
    made = finding(
        "schema",
        bad,
        len(subject.examples),
        told,
        next="import again with --target naming the fields",
        limits=Limits(0.0, 0.0),
    )
    if rare and not bad:
        return made.model_copy(
            update={"status": "warn", "next": "bring more rows with these fields, or leave the fields out"}
        )
    return made


def ungrounded_fields(subject: Subject) -> Finding:
    """Fields whose value does not stand in the input: a model cannot copy them, only invent them."""
    bad = []
    for example in subject.examples:
        values = _object(example) or {}
        said = fold("\n".join(message.text for message in example.messages))
        parts = [part for value in values.values() if isinstance(value, str) for part in _parts(value, said)]
        if any(fold(part) not in said for part in parts):
            bad.append(example.id)
    told = (
        f"{len(bad):,} rows have a field whose value does not stand in the input."
        if bad
        else "Every field's value stands in its input."
    )
    return finding(
        "ungrounded_fields",
        bad,
        len(subject.examples),
        told,
        next="use the words of the text as values",
        limits=Limits(0.0, 0.2),
    )


def _parts(value: str, said: str) -> list[str]:
    """Several values are joined by `; `; a value that has one of its own is taken whole."""
    return [value] if fold(value) in said else [part for part in value.split("; ") if part.strip()]


def _object(example: Example) -> dict[str, object] | None:
    try:
        values = json.loads(example.target_text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def unsupported(subject: Subject) -> Finding:
    """Summaries with a number or a name that the text does not hold."""
    bad = []
    for example in subject.examples:
        source = "\n".join(message.text for message in example.messages)
        new_numbers = set(numbers(example.target_text))
        names = {word for name in _NAME.findall(example.target_text) for word in words(name)}
        if not new_numbers and not names:
            continue
        held = {re.sub(r"'s?$", "", word) for word in words(source)}
        if any(number not in held for number in new_numbers - set(numbers(source))) or any(
            re.sub(r"'s?$", "", name) not in held for name in names
        ):
            bad.append(example.id)
    told = (
        f"{len(bad):,} summaries hold a number or name that their text does not."
        if bad
        else "No summary holds a number or name that its text does not."
    )
    return finding(
        "unsupported",
        bad,
        len(subject.examples),
        told,
        next="read these rows: trained on them, a model learns to add facts",
        limits=Limits(0.02, 0.3),
    )
