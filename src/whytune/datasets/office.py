"""Text out of PDF (with the offset at which each page begins) and of Word files (headings, lists and tables in order)."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any, NamedTuple

from whytune.errors import DataError
from whytune.text import printable

MOST_UNPACKED = 256 << 20
_INSTALL = "install the document readers: pip install 'whytune[documents]'"


class Content(NamedTuple):
    """What a file holds: its own title (or empty), text, and where pages begin."""

    title: str
    text: str
    page_starts: tuple[int, ...] = ()


class BrokenFile(Exception):
    """This one file cannot be read; others can."""


def pdf_content(data: bytes) -> Content:
    """Text of a PDF, page by page. Raises BrokenFile for a broken or locked one."""
    try:
        import pypdfium2 as pdfium
    except ModuleNotFoundError as error:
        raise DataError("PDF files need pypdfium2", next=_INSTALL) from error
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        locked = "password" in str(error).lower()
        raise BrokenFile("locked with a password" if locked else f"not a whole PDF: {error}") from error
    pages: list[str] = []
    try:
        title = str(document.get_metadata_value("Title") or "").strip()
        for number in range(len(document)):
            try:
                page = document[number]
                text = page.get_textpage().get_text_bounded()
                page.close()
            except pdfium.PdfiumError as error:
                raise BrokenFile(f"page {number + 1} is broken: {error}") from error
            pages.append(_clean(text))
    finally:
        document.close()
    starts: list[int] = []
    whole = ""
    for text in pages:
        whole += "\n\n" if whole else ""
        starts.append(len(whole))
        whole += text
    if not whole.strip():
        raise BrokenFile(f"no text on its {len(pages)} pages; it may be scanned")
    return Content(title, whole, tuple(starts))


def _clean(text: str) -> str:
    """PDF text with plain line ends; a word cut at the end of a line (U+FFFE, soft hyphen) is put together again."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub("[\ufffe\u00ad]\n?", "", text)
    return printable("".join(c for c in text if c in "\n\t" or ord(c) >= 32)).strip()


def word_content(data: bytes) -> Content:
    """Text of a .docx file. Raises BrokenFile."""
    try:
        import docx
        from docx.opc.exceptions import OpcError
        from docx.table import Table
    except ModuleNotFoundError as error:
        raise DataError("Word files need python-docx", next=_INSTALL) from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            unpacked = sum(part.file_size for part in parts.infolist())
        if unpacked > MOST_UNPACKED:
            raise BrokenFile(f"unpacks to {unpacked >> 20} MiB; at most {MOST_UNPACKED >> 20} are read")
        document = docx.Document(io.BytesIO(data))
    except (zipfile.BadZipFile, OpcError, KeyError, ValueError, SyntaxError, EOFError) as error:
        raise BrokenFile(f"not a whole Word file: {error}") from error
    pieces: list[str] = []
    for block in document.iter_inner_content():
        text = _table(block) if isinstance(block, Table) else _paragraph(block)
        if text:
            pieces.append(printable(text))
    if not pieces:
        raise BrokenFile("holds no text")
    return Content(str(document.core_properties.title or "").strip(), "\n\n".join(pieces))


def _paragraph(paragraph: Any) -> str:
    text = str(paragraph.text).strip()
    style = str(getattr(paragraph.style, "name", "") or "")
    heading = re.fullmatch(r"Heading (\d)", style)
    if text and (heading or style == "Title"):
        return f"{'#' * (int(heading.group(1)) if heading else 1)} {text}"
    return f"- {text}" if text and style.startswith("List") else text


def _table(table: Any) -> str:
    rows = []
    for row in table.rows:
        cells: list[str] = []
        seen: list[Any] = []
        for cell in row.cells:
            if any(
                cell._tc is other for other in seen
            ):  # a merged cell is given once for each column it spans
                continue
            seen.append(cell._tc)
            cells.append(re.sub(r"\s+", " ", str(cell.text)).strip())
        if any(cells):
            rows.append(" | ".join(cells))
    return "\n".join(rows)
