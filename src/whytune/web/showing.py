"""How plain values are shown on pages: figures, intervals, times, text from outside. Pure functions, filters of the templates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

TITLES = {400: "This cannot be used", 401: "Please sign in", 403: "Not allowed", 404: "There is nothing here", 409: "Not as things stand", 413: "Too large", 429: "Not now", 503: "Not available now", 500: "Something went wrong inside"}
CLIP = 600
"""Letters of a text from outside that are shown at once."""
_BIDI = {chr(code) for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x200C, 0x2060, 0xFEFF)}


def percent(value: float | None, digits: int = 1) -> str:
    """0.738 as 73.8 %."""
    return "" if value is None or math.isnan(value) else f"{100 * value:.{digits}f}\u00a0%".replace("-", "−")


def interval(measure: Mapping[str, Any] | None, digits: int = 1) -> str:
    """A measure as `73.8 % (66.4 to 80.0)`."""
    if not measure:
        return ""
    return f"{percent(measure['value'], digits)} ({100 * measure['low']:.{digits}f} to {100 * measure['high']:.{digits}f})".replace("-", "−")


def points(value: float | None) -> str:
    """A difference in points, with its sign."""
    return "" if value is None else f"{100 * value:+.1f}".replace("-", "−")


def count(value: float | None) -> str:
    """12,345."""
    return "" if value is None else f"{value:,.0f}"


def when(text: str) -> str:
    """A time of a record as `2026-11-22 14:05` (UTC)."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    except (TypeError, ValueError):
        return str(text)


def ago(text: str, now: datetime | None = None) -> str:
    """How long it is since then: `3 days`, `2 hours`, `just now`."""
    try:
        seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(text).astimezone(UTC)).total_seconds()
    except (TypeError, ValueError):
        return ""
    for length, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {word}{'s' if number > 1 else ''}"
    return "just now"


def seconds(value: float | None) -> str:
    """A duration: 40 s, 3 min, 2.5 h."""
    if value is None:
        return ""
    return f"{value:.0f} s" if value < 90 else f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"


def size(value: float) -> str:
    """Bytes as people say them."""
    for step, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= step:
            return f"{value / step:.1f} {unit}"
    return f"{value:.0f} bytes"


def short(id: str, length: int = 12) -> str:
    """The beginning of a record's id, without its kind."""
    return str(id).rpartition(":")[2][:length]


def words(code: str) -> str:
    """`data_creator` as `data creator`."""
    return str(code).replace("_", " ")


def plain_text(text: Any) -> str:
    """Text from outside with what cannot be seen made visible: control characters, and those that turn the reading order."""
    shown = []
    for letter in str(text):
        code = ord(letter)
        if letter in "\n\t" or (code >= 32 and code != 127 and not 0x80 <= code < 0xA0 and letter not in _BIDI and not 0xD800 <= code < 0xE000):
            shown.append(letter)
        elif code < 32:
            shown.append(chr(0x2400 + code))
        else:
            shown.append(f"[U+{code:04X}]")
    return "".join(shown)


def external(text: Any, clip: int = CLIP) -> Markup:
    """Text from outside as HTML that can do nothing: escaped, lines kept, the rest of a long one folded away."""
    whole = plain_text(text)
    if len(whole) <= clip:
        return Markup('<span class="outside">{}</span>').format(whole)
    return Markup('<span class="outside">{}…</span><details class="rest"><summary>whole text, {} characters</summary><span class="outside">{}</span></details>').format(
        whole[:clip], f"{len(whole):,}", whole
    )


FILTERS = {
    "percent": percent, "interval": interval, "points": points, "count": count, "when": when, "ago": ago, "seconds": seconds, "size": size,
    "short": short, "words": words, "external": external, "plain": lambda text: escape(plain_text(text)),
}  # fmt: skip
