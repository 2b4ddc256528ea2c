"""Answers that name one label of a set: which label was said, strictly or found inside longer text, and label order.

Strictly, the answer must be the label and nothing else; case, punctuation around it, underscores and hyphens do not
count (`Card_arrival.` is `card arrival`). Example: `said_label("Refund!", ("refund", "delivery"))` is `"refund"`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from whytune.evaluation.words import folded, squeezed, words

SCALES: tuple[tuple[str, ...], ...] = (
    ("very negative", "negative", "neutral", "positive", "very positive"),
    ("very bad", "bad", "okay", "good", "very good"),
    ("low", "medium", "high"),
)
"""Labels whose order is known. `mixed` counts as neutral. Numbers are ordered by value; anything else by spelling."""
_SYNONYMS = {
    "mixed": "neutral",
    "ok": "okay",
    "average": "okay",
    "strongly negative": "very negative",
    "strongly positive": "very positive",
}


def said_label(text: str, labels: tuple[str, ...]) -> str | None:
    """The label the text is, or None."""
    plain, squeeze = _keys(labels)
    return plain.get(folded(text).strip()) or squeeze.get(squeezed(text))


def found_label(text: str, labels: tuple[str, ...]) -> str | None:
    """The one label that stands somewhere in the text, or None where there is none or more than one.

    A label inside a longer one that is also there (`top up` in `top up failed`) does not count.
    """
    strict = said_label(text, labels)
    if strict is not None:
        return strict
    here = words(text)
    spots: list[tuple[int, int, str]] = []
    for key, label in _keys(labels)[1].items():
        size = len(parts := key.split(" "))
        spots += [(i, i + size, label) for i in range(len(here) - size + 1) if here[i : i + size] == parts]
    longest = {
        label
        for start, end, label in spots
        if not any(s <= start and end <= e and e - s > end - start for s, e, _ in spots)
    }
    return longest.pop() if len(longest) == 1 else None


@lru_cache(maxsize=64)
def ordered(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels from lowest to highest: by a known scale, by value where all are numbers, otherwise by spelling."""
    keys = {label: _SYNONYMS.get(squeezed(label), squeezed(label)) for label in labels}
    for scale in SCALES:
        if set(keys.values()) <= set(scale):
            return tuple(sorted(labels, key=lambda label: (scale.index(keys[label]), label)))
    try:
        return tuple(sorted(labels, key=lambda label: (float(label), label)))
    except ValueError:
        return tuple(sorted(labels))


def numbered(labels: Sequence[str | None], scale: tuple[str, ...]) -> list[int]:
    """The place of each label on the scale, -1 where there is none."""
    places = {label: place for place, label in enumerate(scale)}
    return [places.get(label, -1) if label is not None else -1 for label in labels]


@lru_cache(maxsize=64)
def _keys(labels: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Labels by folded spelling and by words; words that two labels share (C++ and C#) tell nothing and are left out."""
    plain = {folded(label).strip(): label for label in reversed(labels)}
    squeezes = [squeezed(label) for label in labels]
    return plain, {
        key: label for key, label in zip(squeezes, labels, strict=True) if key and squeezes.count(key) == 1
    }
