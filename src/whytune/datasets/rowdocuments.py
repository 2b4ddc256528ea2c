"""Rows of a table as documents: one a row, titled by its name, its cells as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from whytune.datasets.importing import rows_of
from whytune.datasets.jsonrows import KEY
from whytune.datasets.shapes import plain
from whytune.datasets.spec import Broken
from whytune.errors import DataError
from whytune.records.data import Origin, Removal
from whytune.text import fold, nearest

ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
_TITLES = ("title", "name", "full name", "heading", "subject", "question", "topic", "product", "id", "key")
_TEXTS = ("text", "content", "body", "passage", "article", "document", "answer", "markdown")
_LOOKED_AT = 200


class RowText(NamedTuple):
    """A row, as a document says it."""

    title: str
    text: str
    origin: Origin
    values: dict[str, Any] = {}
    """The row's cells by column."""


def row_documents(
    path: Path, title: str = "", text: str = "", encoding: str = "", shown: str = ""
) -> Iterator[RowText | Removal]:
    """A text for each row that holds anything; `shown` is the name kept as its origin. Raises DataError for columns that are not there."""
    file, rows = rows_of(path, encoding)
    head: list[dict[str, Any]] = []
    for row in rows():
        if not isinstance(row, Broken):
            head.append(row.values)
        if len(head) == _LOOKED_AT:
            break
    columns = list(dict.fromkeys(name for values in head for name in values if name != KEY))
    problems = []
    for name in filter(None, (title, text)):
        if name not in columns:
            near = nearest(name, columns)
            problems.append(f"no column {name!r}" + (f"; did you mean {near!r}?" if near else ""))
    if problems or not columns:
        listed = f"the columns there are: {', '.join(columns)}" if columns else "no row can be read"
        raise DataError(
            f"{path} cannot be read as documents",
            problems=[*problems, listed],
            next="name columns that are there",
        )
    title = title or _title(head, columns)
    text = text or _text(head, columns, title)
    for row in rows():
        origin = Origin(source=file.sha256, file=shown or file.name, line=row.line, start=row.start, end=row.end)
        if isinstance(row, Broken):
            yield Removal(reason="unreadable", origin=origin, detail=row.why)
            continue
        body = plain(row.values.get(text)) if text else _sentences(row.values)
        if not body:
            yield Removal(
                reason="empty", origin=origin, detail=f"{text!r} is empty" if text else "every cell is empty"
            )
            continue
        yield RowText(plain(row.values.get(title)) or f"{path.stem}, row {row.line}", body, origin, row.values)


def cell_text(value: Any) -> str:
    """A cell as a document says it."""
    return " ".join(plain(value).split())


def _sentences(values: dict[str, Any]) -> str:
    """`Column: value.` line by line; empty cells are left out, for they say nothing."""
    lines = []
    for name, value in values.items():
        cell = cell_text(value)
        if cell and name != KEY:
            lines.append(f"{name}: {cell}" + ("" if cell.endswith((".", "!", "?")) else "."))
    return "\n".join(lines)


def _title(head: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """A column called a name; else the one whose short texts tell the rows apart best."""
    by_fold = {fold(name): name for name in columns}
    for wanted in _TITLES:
        if wanted in by_fold:
            return by_fold[wanted]

    def distinct(name: str) -> tuple[float, int]:
        cells = [plain(values.get(name)) for values in head]
        short = [cell for cell in cells if 0 < len(cell) <= 80]
        return len(set(short)) / max(len(cells), 1), -columns.index(name)

    return max(columns, key=distinct)


def _text(head: Sequence[dict[str, Any]], columns: Sequence[str], title: str) -> str:
    """A column that is plainly the document's text: called so and long; empty where the whole row speaks."""
    lengths: Counter[str] = Counter()
    for values in head:
        for name in columns:
            lengths[name] += len(plain(values.get(name)))
    for name in columns:
        if fold(name) in _TEXTS and name != title and lengths[name] >= 0.5 * lengths.total():
            return name
    return ""
