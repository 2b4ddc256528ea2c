"""Cuts a document into passages that a model can be handed.

A passage never crosses a heading, keeps a table, a code block and a paragraph whole where they fit, then breaks between
sentences, then between words; `document.text[p.start:p.end] == p.text` always holds, so a citation can be followed.
Size is counted in words (`count`), about 1.3 tokens each; writing without spaces counts by characters. It reads Markdown
`#` headings, fenced code and pipe tables; other text is paragraphs. It knows no index and no model.

    cut(Document(title="Leave", text="# Leave\\n\\n## Unpaid\\n\\nAsk early.", origin=origin))
    -> [Passage(title="Leave > Unpaid", text="# Leave\\n\\n## Unpaid\\n\\nAsk early.", start=0, ...)]
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from whytune.errors import UsageError
from whytune.records.data import Document, Passage

TOKENS_PER_WORD = 1.3
DEFAULT_WORDS = 393
"""512 tokens."""
DEFAULT_OVERLAP = 38
"""50 tokens."""
LONGEST_HEADING = 100
"""Characters of a heading that are kept in a passage's title."""

# Scripts that put no spaces between words: one character is about one token there.
_DENSE = "\u2e80-\u2fff\u3001-\u30ff\u3100-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
# Thai, Lao, Burmese and Khmer: several characters a syllable.
_LOOSE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
# Anything else counts by words; what runs longer than 16 characters (addresses, hashes) costs more than one.
_UNIT = re.compile(rf"[{_DENSE}]|[{_LOOSE}]{{1,4}}|[^\s{_DENSE}{_LOOSE}]{{1,16}}")
_WORD = re.compile(r"\S+")
_SENTENCE = re.compile(
    r"(?<=[.!?…])[\"'”’»)\]]*\s+(?=[^\sa-z])"  # the end of a sentence, with its closing quotes
    r"|\n[ \t]*\n\s*"
    r"|(?<=[。！？])(?=\S)"
    r"|\n(?=[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t])"  # the next item of a list
)
_HEADING = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")

Kind = Literal["heading", "prose", "table", "code"]


def words_for(tokens: int) -> int:
    """How many words are about that many tokens."""
    return max(1, int(tokens / TOKENS_PER_WORD))


def count(text: str) -> int:
    """How many words a text counts for: the measure of `cut`'s `words` and `overlap`."""
    return sum(1 for _ in _UNIT.finditer(text))


def indexed_text(passage: Passage) -> str:
    """What an index should hold of a passage: its title path in front of its text."""
    return f"{passage.title}\n{passage.text}" if passage.title else passage.text


def cut(document: Document, *, words: int = DEFAULT_WORDS, overlap: int = DEFAULT_OVERLAP) -> list[Passage]:
    """The passages of a document, in its order; together they hold every character that is not blank.

    words: the most words in a passage. overlap: how many words of running text at most are repeated at the start of the
    next passage of the same section. Raises UsageError when they cannot be.
    """
    problems = [f"words is {words}: at least 1"] if words < 1 else []
    problems += (
        [f"overlap is {overlap}: at least 0 and less than words ({words})"]
        if not 0 <= overlap < max(words, 1)
        else []
    )
    if problems:
        raise UsageError(
            "Passages of that size cannot be cut", problems=problems, next="choose e.g. words=393, overlap=38"
        )
    ruler = _Ruler(document.text)
    passages = []
    for section in _sections(document):
        pieces = _pieces(section, ruler, words)
        for start, end in _pack(pieces, ruler, words, overlap):
            passages.append(_passage(document, section.title, start, end))
    return passages


@dataclass(frozen=True)
class _Block:
    kind: Kind
    start: int
    end: int
    level: int = 0
    heading: str = ""


@dataclass(frozen=True)
class _Section:
    """The blocks under one path of headings; it begins with the heading lines themselves."""

    title: str
    blocks: tuple[_Block, ...]


@dataclass(frozen=True)
class _Piece:
    """A slice that is not broken any further. flows: the next passage may repeat its end."""

    start: int
    end: int
    flows: bool


class _Ruler:
    """Counts the words of any slice that begins where a word begins, without counting twice."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [match.start() for match in _UNIT.finditer(text)]

    def words(self, start: int, end: int) -> int:
        """Words that begin in the slice."""
        return bisect_left(self.starts, end) - bisect_left(self.starts, start)

    def units(self, start: int, end: int) -> list[int]:
        """Where they begin."""
        return self.starts[bisect_left(self.starts, start) : bisect_left(self.starts, end)]


def _lines(text: str) -> list[tuple[int, int]]:
    """(start, end) of every line, its line feed included."""
    bounds, start = [], 0
    while start < len(text):
        found = text.find("\n", start)
        end = len(text) if found < 0 else found + 1
        bounds.append((start, end))
        start = end
    return bounds


def _blocks(text: str) -> Iterator[_Block]:
    """Headings, paragraphs, tables and fenced code, in order; blank lines belong to none."""
    lines = _lines(text)
    bare = [text[start:end].rstrip() for start, end in lines]
    unclosed: dict[str, int] = {}  # a fence of this character, at least so long, is closed nowhere below
    at = 0
    while at < len(lines):
        line = bare[at]
        if not line.strip():
            at += 1
            continue
        heading = _HEADING.match(line)
        if heading:
            yield _Block(
                "heading", *lines[at], level=len(heading[1]), heading=_heading_words(line[heading.end() :])
            )
            at += 1
            continue
        past = _code_end(bare, at, unclosed)
        kind: Kind = "code"
        if past is None:
            past = _table_end(bare, at)
            kind = "table"
        if past is None:
            kind, past = "prose", at + 1
            while past < len(bare) and bare[past].strip() and not _HEADING.match(bare[past]):
                if _code_end(bare, past, unclosed) or _table_end(bare, past):
                    break
                past += 1
        yield _Block(kind, lines[at][0], lines[past - 1][1])
        at = past


def _heading_words(rest: str) -> str:
    """A heading without the `#` that may close it; the one of `C#` stays."""
    rest = rest.strip()
    opened = rest.rstrip("#")
    return opened.rstrip() if not opened or opened[-1] in " \t" else rest


def _code_end(bare: list[str], at: int, unclosed: dict[str, int]) -> int | None:
    """The line after the fenced code that opens here; None where none does. A fence nobody closes is ordinary text."""
    opening = _FENCE.match(bare[at])
    if not opening:
        return None
    mark, length = opening[1][0], len(opening[1])
    if (mark == "`" and "`" in opening[2]) or length >= unclosed.get(mark, length + 1):
        return None
    for below in range(at + 1, len(bare)):
        closing = _FENCE.match(bare[below])
        if closing and closing[1][0] == mark and len(closing[1]) >= length and not closing[2].strip():
            return below + 1
    unclosed[mark] = length
    return None


def _table_end(bare: list[str], at: int) -> int | None:
    """The line after the table that begins here; None where none does."""
    piped = bare[at].lstrip().startswith("|")
    if at + 1 >= len(bare) or "|" not in bare[at]:
        return None
    ruled = {"-", "|"} <= set(bare[at + 1]) <= set("|-: \t")
    if not ruled and not (piped and bare[at + 1].lstrip().startswith("|")):
        return None
    past = at + 1
    while past < len(bare) and "|" in bare[past]:
        past += 1
    return past


def _sections(document: Document) -> Iterator[_Section]:
    """Heading lines go with what stands under them: headings without text between them share the next section."""
    path: list[tuple[int, str]] = []
    blocks: list[_Block] = []
    for block in _blocks(document.text):
        if block.kind == "heading":
            if any(earlier.kind != "heading" for earlier in blocks):
                yield _Section(_title(document.title, path), tuple(blocks))
                blocks = []
            path = [(level, words) for level, words in path if level < block.level] + [
                (block.level, block.heading)
            ]
        blocks.append(block)
    if blocks:
        yield _Section(_title(document.title, path), tuple(blocks))


def _title(title: str, path: list[tuple[int, str]]) -> str:
    parts = [title.strip()]
    for _, words in path:
        words = words if len(words) <= LONGEST_HEADING else words[:LONGEST_HEADING].rstrip() + "…"
        # The first heading of many documents is their title.
        if words and words.casefold() != parts[-1].casefold():
            parts.append(words)
    return " > ".join(part for part in parts if part)


def _pieces(section: _Section, ruler: _Ruler, words: int) -> list[_Piece]:
    """What the packing may not break: whole blocks where they fit, else sentences or lines, else words."""
    pieces: list[_Piece] = []
    above = 0  # words of heading lines that wait for their first block
    for block in section.blocks:
        size = ruler.words(block.start, block.end)
        flows = block.kind == "prose"
        # A heading alone would be a passage that says nothing: break its first paragraph rather than part them.
        if size <= words and not (flows and 0 < above < words < above + size):
            pieces.append(_Piece(block.start, block.end, flows))
        else:
            for start, end in _split(block, ruler, words):
                pieces.append(_Piece(start, end, flows))
        above = above + size if block.kind == "heading" else 0
    return pieces


def _split(block: _Block, ruler: _Ruler, words: int) -> Iterator[tuple[int, int]]:
    text = ruler.text
    if block.kind in ("table", "code"):
        bounds = [block.start + end for _, end in _lines(text[block.start : block.end])]
    else:
        bounds = _sentence_ends(text, block.start, block.end)
    start = block.start
    for end in bounds:
        if ruler.words(start, end) <= words:
            yield start, end
        else:
            yield from _words(ruler, start, end, words)
        start = end


def _sentence_ends(text: str, start: int, end: int) -> list[int]:
    ends = [match.end() for match in _SENTENCE.finditer(text, start, end) if start < match.end() < end]
    return [*ends, end]


def _words(ruler: _Ruler, start: int, end: int, words: int) -> Iterator[tuple[int, int]]:
    """Single words; one that is longer than a passage may be is broken where its counting units end."""
    starts: list[int] = []
    for match in _WORD.finditer(ruler.text, start, end):
        units = ruler.units(match.start(), match.end())
        starts += [match.start()] if len(units) <= words else units
    yield from zip(starts, [*starts[1:], end], strict=True)


def _pack(pieces: list[_Piece], ruler: _Ruler, words: int, overlap: int) -> Iterator[tuple[int, int]]:
    """(start, end) of passages: as many pieces as fit, after the end of the passage before."""
    if not pieces:
        return
    start = end = flow = pieces[0].start  # flow: where the running text before the next piece begins
    for piece in pieces:
        if end > start and ruler.words(start, piece.end) > words:
            yield start, end
            room = min(overlap, words - ruler.words(piece.start, piece.end))
            after = bisect_right(ruler.starts, start)
            second = ruler.starts[after : after + 1]  # a passage begins after the one before it
            start = _overlap(ruler, max(flow, *second), piece.start, room)
        end = piece.end
        flow = min(flow, piece.start) if piece.flows else piece.end
    yield start, end


def _overlap(ruler: _Ruler, earliest: int, end: int, room: int) -> int:
    """Where a passage begins so that it repeats at most `room` words before `end`: at a sentence if one fits, else at a word."""
    if room <= 0:
        return end
    for start in _sentence_ends(ruler.text, earliest, end)[:-1]:
        if 0 < ruler.words(start, end) <= room:
            return start
    for match in _WORD.finditer(ruler.text, earliest, end):
        whole = match.start() == 0 or ruler.text[match.start() - 1].isspace()
        if whole and ruler.words(match.start(), end) <= room:
            return match.start()
    return end


def _passage(document: Document, title: str, start: int, end: int) -> Passage:
    text = document.text[start:end]
    start, end = start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))
    page = max(1, bisect_right(document.page_starts, start)) if document.page_starts else None
    return Passage(
        document=document.id,
        title=title,
        text=document.text[start:end],
        start=start,
        end=end,
        page=page,
        access=document.access,
    )
