"""Rows of JSON and JSON lines, streamed: a list of 300 MB on one line needs no more memory than its longest element.

JSON comes as a list of rows, as `{"data": [rows]}` (the key is kept: in some files it is the label), or as a dict of
equally long columns. Where a file breaks off, the rows before the break are read and the break is listed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from whytune.datasets.encoding import CHUNK, LONGEST_LINE, TextFile, damage, lines
from whytune.datasets.spec import Broken, SourceRow

KEY = "(key)"
"""Column that holds the key under which a row's list stood."""
_BLANK = re.compile(r"[ \t\r\n\ufeff]*")
_decoder = json.JSONDecoder()


def jsonl_rows(file: TextFile) -> Iterator[SourceRow | Broken]:
    """One JSON object a line."""
    with file.open() as stream:
        for number, line in lines(stream):
            if line is None:
                yield Broken(number, f"the line is longer than {LONGEST_LINE >> 20} million characters")
                continue
            if not line.strip("\ufeff \t\r\n"):
                continue
            why = damage(line)
            if why:
                yield Broken(number, why)
                continue
            try:
                value = json.loads(line.strip("\ufeff \t\r\n"))
            except (ValueError, RecursionError) as error:
                yield Broken(number, f"not JSON: {_reason(error)}")
                continue
            yield _row(value, number)


def _row(
    value: Any, line: int, start: int | None = None, end: int | None = None, key: str = ""
) -> SourceRow | Broken:
    if isinstance(value, dict):
        return SourceRow({**value, KEY: key} if key else value, line, start, end)
    if isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value):
        return SourceRow({"messages": value}, line, start, end)
    kinds = {str: "a bare string", list: "a list", bool: "a truth value", int: "a number", float: "a number"}
    return Broken(
        line, f"is {kinds.get(type(value), 'null')}, not an object: {json.dumps(value)[:60]}", start, end
    )


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error).split(": line", maxsplit=1)[0]


class _BrokenOff(Exception):
    """The JSON cannot be followed from here on."""


@dataclass(frozen=True, slots=True)
class _Piece:
    value: Any
    line: int
    start: int
    end: int


class _Cursor:
    """A place in a stream of JSON; holds one chunk, or one value where that is longer."""

    def __init__(self, file: TextFile) -> None:
        self.stream = file.open()
        self.buffer, self.at, self.base = "", 0, 0
        self.ended = False
        self._line, self._counted = 1, 0

    def more(self) -> bool:
        """Reads another chunk; drops what is behind."""
        self.line()
        chunk = self.stream.read(max(CHUNK, len(self.buffer) - self.at))
        self.base += self.at
        self.buffer = self.buffer[self.at :] + chunk
        self.at = self._counted = 0
        self.ended = not chunk
        return bool(chunk)

    def line(self) -> int:
        """The line of the current place."""
        self._line += self.buffer.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            match = _BLANK.match(self.buffer, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more():
                return ""

    def take(self, wanted: str) -> None:
        """Steps over one character that must stand here."""
        found = self.peek()
        if found != wanted:
            raise _BrokenOff(f"{wanted!r} expected, found {found!r}" if found else "the file breaks off")
        self.at += 1

    def value(self) -> _Piece:
        """One whole JSON value."""
        self.peek()
        line, start = self.line(), self.base + self.at
        while True:
            try:
                value, end = _decoder.raw_decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                surely = len(self.buffer) - error.pos > 64 and not error.msg.startswith("Unterminated string")
                if surely or len(self.buffer) - self.at > LONGEST_LINE or not self.more():
                    raise _BrokenOff("the file breaks off" if self.ended else _reason(error)) from error
            except (ValueError, RecursionError) as error:
                raise _BrokenOff(_reason(error)) from error
            else:
                if end < len(self.buffer) or not self.more():
                    text = self.buffer[self.at : end]
                    self.at = end
                    return _Piece(
                        _Damaged(why) if (why := damage(text)) else value, line, start, start + len(text)
                    )


@dataclass(frozen=True, slots=True)
class _Damaged:
    why: str


def json_rows(file: TextFile) -> Iterator[SourceRow | Broken]:
    """Rows of a JSON file."""
    cursor = _Cursor(file)
    with cursor.stream:
        try:
            if cursor.peek() == "[":
                for piece in _elements(cursor):
                    yield _from(piece)
            else:
                yield from _object(cursor)
            if cursor.peek():
                yield Broken(cursor.line(), "text after the end of the JSON")
        except _BrokenOff as error:
            yield Broken(cursor.line(), f"not JSON from here on: {error}")


def _from(piece: _Piece, key: str = "") -> SourceRow | Broken:
    if isinstance(piece.value, _Damaged):
        return Broken(piece.line, piece.value.why, piece.start, piece.end)
    return _row(piece.value, piece.line, piece.start, piece.end, key)


def _elements(cursor: _Cursor) -> Iterator[_Piece]:
    cursor.take("[")
    if cursor.peek() == "]":
        cursor.take("]")
        return
    while True:
        yield cursor.value()
        if cursor.peek() == "]":
            cursor.take("]")
            return
        cursor.take(",")


def _object(cursor: _Cursor) -> Iterator[SourceRow | Broken]:
    """A dict: of lists of rows, of columns, or one row."""
    cursor.take("{")
    scalars: dict[str, Any] = {}
    columns: dict[str, list[_Piece]] = {}
    rows = 0
    while cursor.peek() != "}":
        name = cursor.value().value
        if not isinstance(name, str):
            raise _BrokenOff("a name expected")
        cursor.take(":")
        if cursor.peek() == "[":
            for piece in _elements(cursor):
                if isinstance(piece.value, dict) and name not in columns:
                    rows += 1
                    yield _from(piece, name)
                else:
                    columns.setdefault(name, []).append(piece)
        else:
            scalars[name] = cursor.value().value
        if cursor.peek() == ",":
            cursor.take(",")
    cursor.take("}")
    if rows:
        return
    lengths = {len(column) for column in columns.values()}
    if columns and len(lengths) == 1:
        for pieces in zip(*columns.values(), strict=True):
            bad = next((p.value.why for p in pieces if isinstance(p.value, _Damaged)), "")
            values = {name: piece.value for name, piece in zip(columns, pieces, strict=True)}
            first = pieces[0]
            yield (
                Broken(first.line, bad, first.start, first.end)
                if bad
                else SourceRow(values, first.line, first.start, first.end)
            )
    elif columns:
        told = ", ".join(f"{name} {len(column):,}" for name, column in columns.items())
        yield Broken(1, f"its columns are not equally long: {told}")
    elif scalars:
        yield from _columns_by_number(scalars)


def _columns_by_number(scalars: dict[str, Any]) -> Iterator[SourceRow | Broken]:
    """pandas' own JSON, `{"text": {"0": ..., "1": ...}}`; otherwise the object is the one row."""
    if all(isinstance(column, dict) and all(key.isdigit() for key in column) for column in scalars.values()):
        keys = sorted({key for column in scalars.values() for key in column}, key=int)
        for key in keys:
            yield SourceRow({name: column.get(key) for name, column in scalars.items()}, 1)
    else:
        yield SourceRow(scalars, 1)
