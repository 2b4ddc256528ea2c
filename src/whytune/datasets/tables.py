"""Rows of CSV, TSV and Parquet, one at a time, each with the line it begins on.

A row with too many or too few cells, or a quotation mark that is never closed, is `Broken` and the next row goes on.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from whytune.datasets.encoding import LONGEST_LINE, TextFile, damage, lines
from whytune.datasets.spec import Broken, SourceRow
from whytune.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
MOST_LINES_OF_A_ROW = 1000
MOST_RECOVERIES = 50
_LOOKED_AT = 60
"""Records looked at to tell delimiter and header."""
# The csv module keeps one limit for the whole process; its default, 128 KiB, is shorter than many an article.
csv.field_size_limit(LONGEST_LINE)


class _Records:
    """Raw CSV records with their first line; able to go back to the line after a quotation mark that is never closed."""

    def __init__(self, stream: io.TextIOBase, name: str, delimiter: str) -> None:
        self._source = lines(stream)
        self._delimiter = delimiter
        self._again: deque[tuple[int, str]] = deque()
        self._taken: list[tuple[int, str]] = []
        self._ended = False
        self._recoveries = 0
        self._name = name

    def _feed(self) -> Iterator[str]:
        while True:
            if len(self._taken) >= MOST_LINES_OF_A_ROW:
                self._ended = True
                return
            if self._again:
                number, line = self._again.popleft()
            else:
                following = next(self._source, None)
                if following is None:
                    self._ended = True
                    return
                number, found = following
                if found is None:
                    raise DataError(
                        f"{self._name} has a line of more than {LONGEST_LINE >> 20} million characters",
                        where=f"line {number}",
                        next="check that the file is what its name says; as JSON or JSON lines longer files of rows can be read",
                    )
                line = found
            self._taken.append((number, line))
            yield line

    def __iter__(self) -> Iterator[tuple[int, list[str] | str]]:
        """(first line, cells), or (first line, why it cannot be read)."""
        while True:
            self._ended, self._taken = False, []
            reader = csv.reader(self._feed(), delimiter=self._delimiter)
            while True:
                self._taken = []
                why = ""
                cells: list[str] = []
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    why = f"not CSV: {error}"
                if not why and self._ended and len(self._taken) > 0:
                    why = "a quotation mark is opened here and never closed"
                if why:
                    yield self._taken[0][0] if self._taken else 0, why
                    self._recover()
                    break
                yield self._taken[0][0], cells

    def _recover(self) -> None:
        self._recoveries += 1
        if self._recoveries > MOST_RECOVERIES:
            raise DataError(
                f"{self._name} has more than {MOST_RECOVERIES} rows whose quotation marks do not match",
                next="write the file again with a CSV library, or name its delimiter or format",
            )
        self._again.extendleft(reversed(self._taken[1:]))


def header_of(cells: list[str], below: Sequence[list[str]] = ()) -> tuple[list[str], bool]:
    """Column names, and whether the first record is a header at all: names are short, distinct, not numbers, and do not
    stand again below themselves (a first record whose label comes again is a row)."""
    names = [cell.strip() for cell in cells]
    while len(names) > 1 and not names[-1]:
        names.pop()
    filled = [name for name in names if name]
    looks = (
        bool(filled)
        and len(set(filled)) == len(filled)
        and all(len(name) <= 60 and not re.fullmatch(r"[-+\d.,%]+", name) for name in filled)
        and not any(name.endswith((".", "?", "!")) and " " in name for name in filled)
        and not any(
            row != cells
            and any(here and here == cell.strip() for here, cell in zip(names, row, strict=False))
            for row in below
        )
    )
    if not looks:
        return [f"column{i}" for i in range(1, len(names) + 1)], False
    seen: Counter[str] = Counter()
    unique = []
    for position, name in enumerate(names, start=1):
        name = name or f"column{position}"
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique, True


def delimiter_of(file: TextFile) -> tuple[str, str]:
    """The delimiter that cuts the first records most evenly into most cells, and why; `,` where nothing cuts."""
    best = (0.0, 0, ",")
    for delimiter in DELIMITERS:
        widths: Counter[int] = Counter()
        with file.open() as stream:
            for _, cells in itertools.islice(_Records(stream, file.name, delimiter), _LOOKED_AT):
                if isinstance(cells, list) and cells:
                    widths[len(cells)] += 1
        if not widths:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        share = count / widths.total()
        if width > 1 and (round(share, 1), width) > (round(best[0], 1), best[1]):
            best = (share, width, delimiter)
    share, width, delimiter = best
    name = {"\t": "tab"}.get(delimiter, repr(delimiter))
    return (
        delimiter,
        f"{name} cuts {share:.0%} of the first rows into {width} cells" if width else "one column",
    )


def csv_rows(file: TextFile, delimiter: str) -> Iterator[SourceRow | Broken]:
    """Rows of a delimited file by column."""
    with file.open() as stream:
        yield from _rows(iter(_Records(stream, file.name, delimiter)))


def _rows(records: Iterator[tuple[int, list[str] | str]]) -> Iterator[SourceRow | Broken]:
    first = list(itertools.islice(records, _LOOKED_AT))
    whole = [cells for _, cells in first if isinstance(cells, list) and any(cell.strip() for cell in cells)]
    if not whole:
        yield from (Broken(line, cells) for line, cells in first if isinstance(cells, str))
        return
    header, named = header_of(whole[0], whole[1:])
    for line, cells in itertools.chain(first, records):
        if isinstance(cells, str):
            yield Broken(line, cells)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if named and cells is whole[0]:
            continue
        if named and cells == whole[0]:
            yield Broken(line, "repeats the header")
            continue
        if len(cells) > len(header) and not any(cells[len(header) :]):
            cells = cells[: len(header)]
        if len(cells) != len(header):
            yield Broken(line, f"has {len(cells)} cells where the header has {len(header)}")
            continue
        why = next((found for cell in cells if (found := damage(cell))), "")
        yield Broken(line, why) if why else SourceRow(dict(zip(header, cells, strict=True)), line)


def parquet_rows(path: Path) -> Iterator[SourceRow | Broken]:
    """Rows of a Parquet file, in batches; line is the row's number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            line = 0
            for batch in file.iter_batches(batch_size=2048):
                for values in batch.to_pylist():
                    line += 1
                    yield SourceRow(values, line)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path} is not a whole Parquet file: {str(error)[:200]}", next="write or copy it again"
        ) from error


def parquet_names(path: Path, column: str) -> dict[str, str]:
    """What the numbers of a label column mean, where the file's metadata (as the datasets library writes it) says so."""
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata: dict[bytes, bytes] = pq.read_schema(path).metadata or {}
        features: Any = json.loads(metadata.get(b"huggingface", b"{}"))
        names = features["info"]["features"][column]["names"]
        return {str(number): str(name) for number, name in enumerate(names)}
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        return {}
