"""Text as scorers compare it: Unicode words, numbers by value, light English stems.

It marks nothing. Case, accents on Latin, Greek and Cyrillic letters, punctuation and hyphens do not count; vowel signs of
Indic scripts do. Scripts written without spaces (Chinese, Japanese, Thai ...) give one word a character.
Example: `words("Right-Handed, it's 1,000!")` is `["right", "handed", "it", "s", "1", "000"]`, and `facts_of` of the
same text holds the number 1000 once.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from functools import cache
from itertools import groupby

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_ASCII_WORD = re.compile("[A-Za-z0-9]+")
_LATIN_MARKS = re.compile("[\u0300-\u036f]")
_NUMBER = re.compile(
    r"(?P<clock>(?<![\d.:])\d{1,2}:\d{2}(?![\d:]))"
    r"|(?P<dotted>\d+(?:\.\d+){2,}(?![,\d]))"
    r"|(?P<german>\d{1,3}(?:\.\d{3})+,\d+(?!\d))"
    r"|(?P<english>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d]))"
    r"|(?P<comma>\d+,\d{1,2}(?![\d,]))"
    r"|(?P<plain>\d+(?:\.\d+)?)"
)
_SIGN = re.compile(r"(?:^|[\s(=:])[-\u2212]$")
_HALF_DAY = re.compile(r"\b([ap])\.\s?m\b\.?")
_SPELLINGS = tuple(
    (re.compile(pattern), plainly)
    for pattern, plainly in (
        (r"\bcan(?:'t|not)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"n't\b", " not"),
        (r"\bone of\b", "of"),  # says nothing about how many
        (r"\bno\.\s*(?=\d)", ""),  # number 5, not a denial
    )
)
_SYMBOLS = str.maketrans(
    {"€": " euro ", "$": " dollar ", "£": " pound ", "¥": " yen ", "%": " percent ", "_": " "}
)

_STOPWORDS = """
    a an the this that these those there here it its he him his she her hers they them their theirs we us our ours
    i me my mine you your yours who whom whose which what when where why how
    is are was were be been being am do does did done doing has have had having
    will would shall should can could may might must
    of in on at to for from by with as into onto about over under per within than then so such
    and or but if because while also just only very too please total altogether currently
    s t d ll re ve m v vs versus against percent yes"""
STOPWORDS = frozenset(_STOPWORDS.split())
_NEGATIONS = "no not never none cannot nobody nothing neither nor without nt"
NEGATIONS = frozenset(_NEGATIONS.split())
_FUNCTION_WORDS = STOPWORDS | NEGATIONS

_TEENS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty"""
NUMBER_WORDS = {word: str(value) for value, word in enumerate(_TEENS.split())} | {
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "seventy": "70",
    "eighty": "80",
    "ninety": "90",
}
_ALIASES = {"eur": "euro", "usd": "dollar", "gbp": "pound", "yen": "yen", "ok": "okay"} | {
    form: base
    for base, forms in {
        "take": "took taken", "give": "gave given", "go": "went gone goes", "make": "made", "get": "got gotten",
        "win": "won", "lose": "lost", "hold": "held", "write": "wrote written", "begin": "began begun", "say": "said",
        "pay": "paid", "send": "sent", "buy": "bought", "bring": "brought", "keep": "kept", "leave": "left",
        "find": "found", "become": "became", "know": "knew known", "see": "saw seen", "bowl": "bowled",
    }.items()
    for form in forms.split()
}  # fmt: skip


@cache
def _word_pattern() -> re.Pattern[str]:
    """Letters, digits and combining marks; `\\w` alone would cut Hindi words at their vowel signs."""
    marks = ""
    for start, end in ((0x300, 0x1E00), (0xA600, 0xAC00), (0x11000, 0x11A00), (0x1E000, 0x1E950)):
        for category, points in groupby(
            range(start, end), key=lambda point: unicodedata.category(chr(point))[0]
        ):
            run = list(points)
            marks += f"{chr(run[0])}-{chr(run[-1])}" if category == "M" else ""
    return re.compile(rf"(?![{marks}])[{_UNSPACED}][{marks}]*|(?:[^\W_{_UNSPACED}][{marks}]*)+")


def _cut(plain: str) -> list[str]:
    return (_ASCII_WORD if plain.isascii() else _word_pattern()).findall(plain)


def folded(text: str) -> str:
    """Compatibility forms unified, case folded, accents of European scripts dropped, curly quotes made straight."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.replace("\u2019", "'")).casefold()
    return unicodedata.normalize("NFKC", _LATIN_MARKS.sub("", plain))


def words(text: str) -> list[str]:
    """Runs of letters and digits of the folded text, in order."""
    return _cut(folded(text))


def squeezed(text: str) -> str:
    """The words joined by single blanks: what two short answers must have in common to be the same."""
    return " ".join(words(text))


def numbers(text: str) -> list[str]:
    """The numbers of a text by value, as the shortest decimal: 1,000 and 1000.0 are both `1000`; words up to twenty too."""
    return [token for token in tokens(text) if is_number(token)]


def is_number(token: str) -> bool:
    """Whether a token that `tokens` gave is a number."""
    return token.lstrip("-")[:1].isdigit()


def tokens(text: str) -> list[str]:
    """Words and numbers in order: numbers by value, English words as light stems, `n't` and `cannot` as `not`."""
    plain = _HALF_DAY.sub(r"\1m", folded(text))
    for pattern, plainly in _SPELLINGS:
        plain = pattern.sub(plainly, plain)
    plain = plain.translate(_SYMBOLS)
    found: list[str] = []
    end = 0
    for match in _NUMBER.finditer(plain):
        if match.start() and plain[match.start() - 1].isalpha() and plain[match.start() - 1].isascii():
            continue  # mp3, a4: part of a word
        found += _stems(plain[end : match.start()])
        negative = bool(_SIGN.search(plain[max(0, match.start() - 2) : match.start()]))
        found += _values(match, negative)
        end = match.end()
        suffix = re.match(r"(?:st|nd|rd|th)\b", plain[end:])
        end += suffix.end() if suffix else 0
    return found + _stems(plain[end:])


def stem(word: str) -> str:
    """A light English stem, enough for plays/played/playing and centuries/century; other scripts stay as they are."""
    word = _ALIASES.get(word, word)
    if len(word) <= 3 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "ches", "shes", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and re.search("[aeiouy]", word[: -len(ending)])
        ):
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def _stems(text: str) -> list[str]:
    found = _cut(text)
    return [NUMBER_WORDS.get(word) or (word if word in _FUNCTION_WORDS else stem(word)) for word in found]


def _values(match: re.Match[str], negative: bool) -> list[str]:
    text, kind = match.group(), match.lastgroup
    if kind == "clock":
        hour, minute = text.split(":")
        return [str(int(hour))] + ([] if minute == "00" else [str(int(minute))])
    if kind == "dotted":
        return [text]  # a version or an address, or a date with dots: as it stands
    if kind == "german":
        text = text.replace(".", "").replace(",", ".")
    text = text.replace(",", "") if kind == "english" else text.replace(",", ".")
    try:
        value = Decimal(text)
    except InvalidOperation:
        return [text]
    plain = format(value.normalize(), "f") if value else "0"
    return ["-" + plain if negative and value else plain]
