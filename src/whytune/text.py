"""Pure functions on strings: normal form, words, shingles, sentences, numbers, and cutting for display.

They work on any script: Chinese, Japanese, Thai, Lao, Khmer and Burmese text, which puts no space between words, is
taken character by character; marks stay with their letters. Nothing here knows what a record or a metric is.

Example: `normalise("  The CARD,  costs 1,000 €!")` is `"the card costs 1,000 €"` and
`words("我的卡 isn't here")` is `["我", "的", "卡", "isn't", "here"]`.
"""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

# Scripts written without spaces: one word a character. Thai, Lao, Khmer and Burmese vowel signs stay with their letter.
_UNSPACED = (
    "\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e01-\u0e30\u0e32-\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0ec0-\u0ec6\u1000-\u102a\u1780-\u17b3"
)
# Combining marks are not \w for the `re` module, and a word of Hindi or vocalised Arabic would fall apart without them.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4"
    "\u0711\u0730-\u074a\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc-\u09d7\u0a01-\u0a03"
    "\u0a3c-\u0a51\u0a70\u0a71\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b57\u0b82\u0bbe-\u0bd7\u0c00-\u0c04"
    "\u0c3e-\u0c56\u0c81-\u0c83\u0cbc-\u0cd6\u0d00-\u0d03\u0d3b-\u0d57\u0d81-\u0d83\u0dca-\u0df3"
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u17b4-\u17d3\u200c\u200d"
)
_WORD = re.compile(
    rf"[{_UNSPACED}][{_MARKS}]*"
    r"|\d+(?:[.,:]\d+)*(?=(?:[^\w]|$))"
    rf"|(?:(?![{_UNSPACED}])[\w{_MARKS}])+(?:['’](?:(?![{_UNSPACED}])[\w{_MARKS}])+)*"
)
_PLAIN_WORD = re.compile(r"\d+(?:[.,:]\d+)*(?=[^\w]|$)|\w+(?:'\w+)*")
# ASCII punctuation, but for marks between digits and apostrophes between letters.
_PUNCTUATION = re.compile(r"[!\"#%&()*/;?@\[\\\]_{}-]+|(?<!\d)[.,:]|[.,:](?!\d)|(?<!\w)'|'(?!\w)")
_NUMBER = re.compile(r"(?<![\w.,])[-+−]?\d+(?:[.,  '’]\d{3})*(?:[.,]\d+)?(?![\d])")
_SENTENCE_END = re.compile(
    r"(?:[.!?…]+[\"'”’)\]]*(?=\s)|[。！？｡]+[」』”）]*|\n{2,}|\n(?=\s*(?:[-*•#]|\d+[.)]))|$)"
)
_ABBREVIATIONS = frozenset(
    (
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "sr",
        "jr",
        "vs",
        "v",
        "e.g",
        "i.e",
        "etc",
        "cf",
        "al",
        "fig",
        "no",
        "nr",
        "vol",
        "inc",
        "ltd",
        "co",
        "corp",
        "approx",
        "dept",
        "est",
        "z.b",
        "d.h",
        "u.a",
        "bzw",
        "ca",
    )
)


def fold(text: str) -> str:
    """NFKC, case folded, white space collapsed; punctuation stays."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    else:
        text = text.lower()
    return " ".join(text.split())


def normalise(text: str) -> str:
    """The form in which two texts are the same: folded and without punctuation.

    Signs such as `€`, `+` and emoji stay, as do marks inside a number (`1,000.50`) and apostrophes inside a word. A
    text that is nothing but punctuation stays as it is, so that `:)` and `:(` remain two texts.
    """
    folded = fold(text).replace("’", "'")
    plain = _PUNCTUATION.sub(" ", folded)
    if not plain.isascii():
        other = {ord(c): " " for c in set(plain) if c > "\x7f" and unicodedata.category(c).startswith("P")}
        plain = plain.translate(other) if other else plain
    return " ".join(plain.split()) or folded


def words(text: str) -> list[str]:
    """Words of the folded text, in order; numbers keep the marks inside them."""
    folded = fold(text)
    if folded.isascii():
        return _PLAIN_WORD.findall(folded)
    return [word.replace("’", "'") for word in _WORD.findall(folded)]


def shingles(tokens: Sequence[str], size: int) -> list[str]:
    """Runs of `size` neighbouring tokens; one shorter run where there are fewer tokens, none where there are none."""
    if len(tokens) <= size:
        return [" ".join(tokens)] if tokens else []
    return [" ".join(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]


def character_shingles(text: str, size: int) -> list[str]:
    """Runs of `size` neighbouring characters of the folded text."""
    folded = fold(text)
    if len(folded) <= size:
        return [folded] if folded else []
    return [folded[i : i + size] for i in range(len(folded) - size + 1)]


def jaccard(first: Iterable[str], second: Iterable[str]) -> float:
    """Size of what two sets share over the size of both together; two empty sets are the same."""
    left, right = frozenset(first), frozenset(second)
    both = len(left & right)
    union = len(left) + len(right) - both
    return both / union if union else 1.0


def sentences(text: str) -> list[str]:
    """Sentences, trimmed. A full stop after an abbreviation, an initial or inside a number ends none."""
    found: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        piece = text[start : match.end()].strip()
        if not piece:
            start = match.end()
            continue
        last = piece.rsplit(None, 1)[-1]
        if match.group().startswith(".") and len(match.group()) == 1 and match.end() < len(text):
            bare = last.rstrip(".").lstrip("(\"'“").lower()
            if bare in _ABBREVIATIONS or (len(bare) == 1 and bare.isalpha()):
                continue
        found.append(piece)
        start = match.end()
    return found


def numbers(text: str) -> list[str]:
    """Numbers in one spelling: no grouping marks, no superfluous zeros; `1,000.50` is `1000.5`, `12.00` is `12`."""
    return [
        canonical_number(match.group()) for match in _NUMBER.finditer(unicodedata.normalize("NFKC", text))
    ]


def canonical_number(number: str) -> str:
    """One spelling of a number. A single mark before exactly three digits groups thousands; otherwise it is decimal."""
    sign = "-" if number[:1] in "-−" else ""
    digits = re.sub(r"[  '’]", "", number.lstrip("+-−"))
    marks = [character for character in digits if character in ".,"]
    if len(set(marks)) == 2:
        decimal = marks[-1]
        digits = digits.replace("," if decimal == "." else ".", "").replace(decimal, ".")
    elif len(marks) > 1 or (marks and re.fullmatch(r"[1-9]\d{0,2},\d{3}", digits)):
        digits = digits.replace(marks[0], "")
    else:
        digits = digits.replace(",", ".")
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    plain = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return plain if plain == "0" else sign + plain


def clip(text: str, width: int = 80) -> str:
    """One line for display: white space collapsed, control characters shown as a box, cut with `…`."""
    line = " ".join(text[: width * 4 + 64].split())
    line = "".join("▯" if unicodedata.category(c) in ("Cc", "Cs") else c for c in line)
    if len(line) <= width:
        return line
    cut = max(width - 1, 0)
    while cut > 0 and unicodedata.combining(line[cut]):
        cut -= 1
    return line[:cut].rstrip() + "…"


def printable(text: str) -> str:
    """The same text, fit to be stored as UTF-8: a lone half of a surrogate pair becomes the replacement character."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text


def whole(text: str) -> bool:
    """Whether it can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def unkeepable(value: Any) -> list[str]:
    """What of a JSON value no record can hold, each with its place: half a letter, a number that is none or has more than 64 bits."""
    problems: list[str] = []
    left: list[tuple[str, Any]] = [("", value)]
    while left:
        place, one = left.pop()
        if isinstance(one, str) and not whole(one):
            problems.append(f"{place}: holds half a letter (a lone surrogate), which is no text")
        elif isinstance(one, float) and not math.isfinite(one):
            problems.append(f"{place}: {one} is not a number")
        elif isinstance(one, int) and not -(2**63) <= one < 2**63:
            problems.append(f"{place}: a number of more than 64 bits")
        elif isinstance(one, dict):
            problems += [f"{key!a}: a name that holds half a letter (a lone surrogate)" for key in one if not whole(key)]
            left += [(f"{place}.{key}" if place else key, each) for key, each in one.items() if whole(key)]
        elif isinstance(one, list):
            left += [(f"{place}[{number}]", each) for number, each in enumerate(one)]
    return sorted(problems)


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that `name` was probably meant to be, or empty: for "did you mean"."""
    by_fold = {fold(candidate): candidate for candidate in names}
    found = difflib.get_close_matches(fold(name), by_fold, n=1, cutoff=0.6)
    if found:
        return by_fold[found[0]]
    inside = [
        candidate
        for folded, candidate in by_fold.items()
        if folded and (fold(name) in folded or folded in fold(name))
    ]
    return inside[0] if inside else ""
