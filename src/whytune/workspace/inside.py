"""Whether a file speaks of a subject: as text, or as its reader reads it.

    speaks(Path("notes.md"), Sought("Anna Muster"))   # text only; anything else does not speak
    holds(Path("tickets.zip"), Sought("Anna Muster"))  # tables, documents and archives too; None where no reader opens it

It changes nothing and keeps nothing; files of an archive are looked at through a temporary file each.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from whytune.datasets import archives
from whytune.datasets.documents import read_documents
from whytune.datasets.finding import DOCUMENT_ENDINGS, ROW_ENDINGS
from whytune.datasets.importing import rows_of
from whytune.datasets.spec import SourceRow
from whytune.errors import DataError
from whytune.records.data import Document

if TYPE_CHECKING:
    from whytune.workspace.subjects import Sought

CHUNK = 1 << 20
OVERLAP = 4_096
"""Characters that are looked at twice, so that a subject across two pieces is found."""
_HEAD = 4_096


def speaks(path: Path, sought: Sought) -> bool:
    """Whether a file of text speaks of the subject; what is not text does not."""
    if not _is_text(path):
        return False  # archives and office files are told apart by their owner
    with path.open(encoding="utf-8", errors="replace") as file:
        before = ""
        # Cut at ends of lines: half a word is not taken for a whole one.
        while piece := file.read(CHUNK) + file.readline():
            if sought.in_text(before + piece):
                return True
            before = piece[-OVERLAP:]
    with path.open(encoding="utf-8", errors="replace") as file:
        # JSON may spell signs otherwise than they are read.
        return any(sought.in_json(line) for line in file if line[:1] in "{[" and "\\" in line)


def holds(path: Path, sought: Sought) -> bool | None:
    """Whether a file speaks of the subject, read as its ending says; None where it is no text and no reader opens it."""
    if speaks(path, sought):
        return True
    try:
        if archives.is_archive(path.name):
            return _any(_members(path, sought))
        if path.suffix.lower() in ROW_ENDINGS:
            rows = (row for row in rows_of(path)[1]() if isinstance(row, SourceRow))
            return any(sought.in_json(json.dumps(row.values, ensure_ascii=False, default=str)) for row in rows)
        if path.suffix.lower() in DOCUMENT_ENDINGS:
            return _any(sought.in_text(one.title) or sought.in_text(one.text) if isinstance(one, Document) else None for one in read_documents(path))
    except DataError:
        pass  # no reader opens it: as text it is silent, else nobody can say
    return False if _is_text(path) else None


def _members(path: Path, sought: Sought) -> Iterator[bool | None]:
    with tempfile.TemporaryDirectory(prefix="whytune-look-") as folder:
        for number, member in enumerate(archives.members(path)):
            if isinstance(member, archives.Skipped):
                yield True if sought.in_text(member.name) else None
                continue
            aside = Path(folder) / f"{number}{PurePosixPath(member.name).suffix.lower()[:12]}"
            aside.write_bytes(member.data)
            yield True if sought.in_text(member.name) else holds(aside, sought)
            aside.unlink()


def _any(found: Iterator[bool | None]) -> bool | None:
    """True where one is; None where none is, and one is not known."""
    seen = False
    for one in found:
        if one:
            return True
        seen = seen or one is None
    return None if seen else False


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" not in file.read(_HEAD)
