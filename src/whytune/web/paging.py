"""Pages of a long list: which one was asked for, and what there is beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from whytune.errors import UsageError

T = TypeVar("T")
USUAL, MOST, FURTHEST = 50, 200, 1_000_000


@dataclass(frozen=True)
class Page:
    """Part `number` (from 1) of `total` lines, `per` at once."""

    number: int
    per: int
    total: int = 0

    @property
    def offset(self) -> int:
        """Lines before it."""
        return (self.number - 1) * self.per

    @property
    def last(self) -> int:
        """The number of the last page; 1 where there is nothing."""
        return max(1, -(-self.total // self.per))

    def of(self, total: int) -> Page:
        """The same, now that the whole length is known."""
        return Page(self.number, self.per, total)

    def cut(self, lines: Sequence[T]) -> list[T]:
        """This page of a list that is wholly there."""
        return list(lines[self.offset : self.offset + self.per])


def asked(query: Mapping[str, str], per: int = USUAL) -> Page:
    """`?page=2&per=50` as a Page. Raises UsageError, for both at once."""
    return _read(query, per, "page", "per")


def beside(query: Mapping[str, str], name: str, per: int = USUAL) -> Page:
    """The page of another list on the same page, with a word of its own: `?sessions=2`."""
    return _read(query, per, name, "")


def _read(query: Mapping[str, str], per: int, number: str, many: str) -> Page:
    found, problems = {number: 1, many: per}, []
    for name, most in ((number, FURTHEST), (many, MOST)):
        text = query.get(name, "") if name else ""
        if not text:
            continue
        if text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most:
            found[name] = int(text)
        else:
            problems.append(f"{name}={text[:20]!r}: choose 1 to {most:,}")
    if problems:
        raise UsageError("This page of the list cannot be shown", problems=problems, next=f"?{number}=1")
    return Page(found[number], found[many])
