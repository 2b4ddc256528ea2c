"""The documentation as it came with this whytune: which pages there are, what one says, where some words stand.

It reads Markdown and gives text; how it looks is a door's business. Example:

    for found in search("blind pairs"):
        print(found.page, found.heading, found.excerpt)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from whytune.errors import NotFoundError

KINDS = (("tutorial", "Tutorial"), ("how-to", "How-to"), ("reference", "Reference"), ("explanation", "Explanation"), ("", "For people who change the code"))
"""Folders of the documentation, in the order in which they are listed."""
INDEX = "index"
FENCE = re.compile(r"^(```|~~~)")
HEADING = re.compile(r"^(#{1,6}) (.*?)\s*#*$")
SIGNS = re.compile(r"```\w*|\*\*|`|\||^[-:| ]+$", re.M)
"""Marks of Markdown that mean nothing in an excerpt."""
EXCERPT, LONGEST_NAME = 200, 120
_NAME = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*(?:/[a-z0-9]+(?:[-.][a-z0-9]+)*)*")


@dataclass(frozen=True)
class ManualPage:
    """One page: its name (as `how-to/review`), its title, its Markdown."""

    name: str
    title: str
    text: str


@dataclass(frozen=True)
class ManualHit:
    """A part of a page that holds the words that were looked for. anchor: of its heading, empty for the page's beginning."""

    page: str
    title: str
    heading: str
    anchor: str
    excerpt: str


def folder() -> Path:
    """Where the documentation lies: inside the package, or beside it in a checkout. Raises NotFoundError."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "docs", package.parents[1] / "docs"):
        if (place / f"{INDEX}.md").is_file():
            return place
    raise NotFoundError("The documentation did not come with this installation", next="install whytune from its wheel or source, with its docs folder")


def page(name: str) -> ManualPage:
    """A page by its name. Raises NotFoundError."""
    place = folder() / f"{name}.md"
    if not _is_name(name) or not place.is_file():
        raise NotFoundError(f"The documentation has no page {name[:80]!r}", next="open /help, which lists every page")
    return _read(place, name, place.stat().st_mtime_ns)


def picture(name: str) -> Path:
    """A picture that a page shows. Raises NotFoundError."""
    place = folder() / name
    if not _is_name(name) or place.suffix != ".png" or not place.is_file():
        raise NotFoundError(f"The documentation has no picture {name[:80]!r}", next="open /help, which lists every page")
    return place


def pages() -> list[ManualPage]:
    """Every page but the index, by kind and then by title."""
    root = folder()
    names = sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.md"))
    order = [kind for kind, _ in KINDS]
    found = [page(name) for name in names if name != INDEX]
    return sorted(found, key=lambda one: (order.index(kind_of(one.name)), one.title.lower()))


def kind_of(name: str) -> str:
    """The folder that a page lies in; empty for those beside the index."""
    return name.rpartition("/")[0]


def search(words: str, most: int = 20) -> list[ManualHit]:
    """Parts of pages that hold every one of the words, best first: those with the words in their heading lead."""
    wanted = words.lower().split()
    if not wanted:
        return []
    found: list[tuple[int, ManualHit]] = []
    for one in [page(INDEX), *pages()]:
        for heading, text in sections(one.text):
            head, whole = heading.lower(), f"{one.title} {heading} {text}".lower()
            if all(word in whole for word in wanted):
                weight = sum(20 * (word in head) + 10 * (word in one.title.lower()) + min(text.lower().count(word), 9) for word in wanted)
                anchor = anchor_of(heading) if heading != one.title else ""
                found.append((-weight, ManualHit(one.name, one.title, heading, anchor, _excerpt(text, wanted))))
    return [hit for _, hit in sorted(found, key=lambda pair: pair[0])[:most]]


def sections(text: str) -> Iterator[tuple[str, str]]:
    """(heading, what stands below it) for each part of a page."""
    heading, fenced = "", False
    lines: list[str] = []
    for line in text.splitlines():
        fenced = fenced != bool(FENCE.match(line))
        found = None if fenced else HEADING.match(line)
        if found:
            if heading or any(lines):
                yield heading, "\n".join(lines)
            heading, lines = plain_heading(found[2]), []
        else:
            lines.append(line)
    yield heading, "\n".join(lines)


def plain_heading(text: str) -> str:
    """A heading without its marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "").replace("*", "")


def anchor_of(heading: str) -> str:
    """The name under which a heading is linked to."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


def _is_name(name: str) -> bool:
    return len(name) <= LONGEST_NAME and bool(_NAME.fullmatch(name))


@cache
def _read(place: Path, name: str, changed: int) -> ManualPage:
    text = place.read_text("utf-8")
    title = next((plain_heading(found[2]) for line in text.splitlines() if (found := HEADING.match(line))), name)
    return ManualPage(name, title, text)


def _excerpt(text: str, wanted: list[str]) -> str:
    bare = SIGNS.sub(" ", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text))
    flat = re.sub(r"\s+", " ", bare).strip()
    at = min((place for word in wanted if (place := flat.lower().find(word)) >= 0), default=0)
    begin = max(0, at - EXCERPT // 3)
    cut = flat[begin : begin + EXCERPT]
    return ("…" if begin else "") + cut + ("…" if begin + EXCERPT < len(flat) else "")
