"""Text out of HTML, with headings, lists and tables kept as Markdown; scripts, styles and navigation are left out."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_LEFT_OUT = frozenset(
    {
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "nav",
        "iframe",
        "object",
        "head",
        "select",
        "button",
        "form",
    }
)
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "section",
        "article",
        "main",
        "header",
        "footer",
        "aside",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "table",
        "tbody",
        "thead",
        "blockquote",
        "figure",
        "figcaption",
        "address",
        "hr",
        "details",
        "summary",
    ]
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
_CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?([A-Za-z0-9_-]+)", re.IGNORECASE)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title = ""
        self._skipping: list[str] = []
        self._in_title = False
        self._pre = 0
        self._cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        if tag == "body":
            self._skipping = []  # a head that was never closed must not swallow the page
        if self._skipping or tag in _LEFT_OUT:
            if tag in _LEFT_OUT:
                self._skipping.append(tag)
            return
        if tag in _HEADINGS:
            self.pieces.append(f"\n\n{'#' * _HEADINGS[tag]} ")
        elif tag == "li":
            self.pieces.append("\n- ")
        elif tag == "tr":
            self.pieces.append("\n")
            self._cells = 0
        elif tag in ("td", "th"):
            self.pieces.append(" | " if self._cells else "")
            self._cells += 1
        elif tag == "br":
            self.pieces.append("\n")
        elif tag == "pre":
            self.pieces.append("\n\n")
            self._pre += 1
        elif tag in _BLOCKS:
            self.pieces.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if self._skipping:
            if tag in self._skipping:
                del self._skipping[self._skipping.index(tag) :]
            return
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        if tag in _HEADINGS or tag in _BLOCKS or tag == "pre":
            self.pieces.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._skipping:
            self.pieces.append(data if self._pre else re.sub(r"\s+", " ", data))


def declared_encoding(data: bytes) -> str:
    """The encoding that the page names itself, or empty."""
    found = _CHARSET.search(data[:4096])
    return found.group(1).decode("ascii") if found else ""


def html_text(page: str) -> tuple[str, str]:
    """(title, text) of a page."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    text = "".join(reader.pieces)
    text = re.sub(r"[ \t]+\n", "\n", re.sub(r"\n[ \t]+(?=\S)", "\n", text))
    text = re.sub(r"(?m)^(#{1,6}|-)[ \t]*\n+(?=\S)", r"\1 ", text)
    text = re.sub(r"(?m)^#{1,6}[ \t]*$", "", text)
    return re.sub(r"\s+", " ", reader.title).strip(), re.sub(r"\n{3,}", "\n\n", text).strip()
