"""Answers a model should not learn from: in another language than the question, saying the same over and over."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from whytune.checks.subject import Limits, Subject, finding
from whytune.records.data import Finding
from whytune.text import normalise

_COMMON: dict[str, str] = {
    "English": "the of and to is was for that with this are you have not from what which when who how your does it in on he she they",
    "German": "der die das und ist nicht ein eine mit für auf von zu den dem des sie ich wie was wer wann wird sind hat haben kann im",
    "French": "le la les des est une dans que pour pas avec qui sur vous nous je il elle sont au du comment quand quel quelle ce cette",
    "Spanish": "el la los las que una por con para está como pero más su no del al es qué cómo cuándo usted son un este esta lo se",
    "Italian": "il che di una per con non sono della gli alla come più del questo quando chi cosa perché è nel anche ma lo si",
    "Portuguese": "que não uma para com os as do da em por como mais dos das você são está quando quem isso seu sua ao um é",
    "Dutch": "de het een van en niet is dat op te voor met zijn aan wat hoe wie wanneer ik je u maar ook bij naar uit",
    "Polish": "nie jest się na do że jak to czy dla przez który ale od po są kiedy gdzie kto oraz ze być mam",
    "Turkish": "bir ve bu için ile değil mi ne nasıl olarak daha çok var yok kim nerede ben siz gibi ama olan",
}
_KNOWN: dict[str, list[str]] = {}
for _language, _listed in _COMMON.items():
    for _word in _listed.split():
        _KNOWN.setdefault(_word, []).append(_language)
_SCRIPTS = (
    ("Japanese", 0x3040, 0x30FF), ("Chinese", 0x4E00, 0x9FFF), ("Korean", 0xAC00, 0xD7AF), ("Cyrillic", 0x0400, 0x04FF), ("Greek", 0x0370, 0x03FF),
    ("Arabic", 0x0600, 0x06FF), ("Hebrew", 0x0590, 0x05FF), ("Devanagari", 0x0900, 0x097F), ("Thai", 0x0E00, 0x0E7F),
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_LOOKED_AT = 2_000
"""Characters of a text that tell its language."""
_RUN = re.compile(r"([^\w\s=*#.-])\1{9,}|(\w)\2{14,}")
_FEWEST_SAME = 10
_FEWEST_MEANT = 5


def language_of(text: str) -> str:
    """The language of a text, by its script or its commonest words; empty where that is not beyond doubt."""
    piece = text[:_LOOKED_AT]
    if not piece.isascii():
        letters = [ord(c) for c in piece if c.isalpha()]
        for name, low, high in _SCRIPTS:
            # Japanese is written with Chinese characters too; a fifth of its own is enough to tell it.
            if letters and sum(low <= c <= high for c in letters) > len(letters) * (0.2 if name == "Japanese" else 0.5):
                return name
    hits: Counter[str] = Counter()
    found = _WORD.findall(piece.lower())
    for word in found:
        for language in _KNOWN.get(word, ()):
            hits[language] += 1
    if not hits:
        return ""
    (best, most), *others = hits.most_common(2)
    return best if most >= 3 and most >= 0.15 * len(found) and most >= 2 * (others[0][1] if others else 0) else ""


def language(subject: Subject) -> Finding:
    """Answers in another language than their question; told only where both are beyond doubt."""
    pairs: list[tuple[str, str, str]] = []
    for example in subject.examples:
        asked = language_of(example.input_text)
        answered = language_of(example.target_text) if asked else ""
        if asked and answered:
            pairs.append((example.id, asked, answered))
    usual = Counter((asked, answered) for _, asked, answered in pairs).most_common(1)
    # Where most rows go from one language to another, that is the task.
    meant = usual[0][0] if usual and usual[0][1] >= max(_FEWEST_MEANT, 0.5 * len(pairs)) else None
    bad = [id for id, asked, answered in pairs if asked != answered and (asked, answered) != meant]
    told = f"{len(bad):,} of {len(pairs):,} answers whose language can be told are in another language than their question." if bad else (
        f"Each of the {len(pairs):,} answers whose language can be told is in the language of its question."
        if not meant or meant[0] == meant[1] else f"Questions are in {meant[0]} and answers in {meant[1]}, as nearly everywhere here."
    )  # fmt: skip
    return finding("language", bad, len(subject.examples), told, next="translate these answers or remove the rows", limits=Limits(0.0, 0.5))


def repeated_text(subject: Subject) -> Finding:
    """Answers that go round in circles, and one long answer given to many different questions."""
    rows = subject.examples
    loops = {example.id for example in rows if _loops(example.target_text)}
    long = Counter(key for example in rows if len(key := normalise(example.target_text)) >= 60)
    same = {key for key, count in long.items() if count >= max(_FEWEST_SAME, 0.01 * len(rows))}
    boiler = {example.id for example in rows if normalise(example.target_text) in same} if same else set()
    bad = [example.id for example in rows if example.id in loops or example.id in boiler]
    parts = [f"{len(loops):,} answers repeat themselves."] if loops else []
    if boiler:
        parts.append(f"{len(boiler):,} rows give one of {len(same)} long answers that stand in many rows.")
    told = " ".join(parts) or "No answer repeats itself, and no long answer stands in many rows."
    return finding("repeated_text", bad, len(rows), told, next="look at them: text that was generated without a stop, or a standard reply", limits=Limits(0.0, 0.5))


def _loops(text: str) -> bool:
    if len(text) < 24:
        return False
    if any(not unicodedata.category(match.group()[0]).startswith("P") or len(match.group()) > 20 for match in _RUN.finditer(text)):
        return True
    said = text.lower().split()
    if len(said) < 12:
        return False
    runs = Counter(zip(said, said[1:], said[2:], said[3:], strict=False))
    most = max(runs.values())
    return most >= 4 and most * 4 >= 0.3 * len(said)
