"""Find data: what lies in folders and archives, what each file looks like, and which task it may serve.

Every file is looked at by its first rows and counted up to a limit; nothing is imported, unpacked to stay, or changed.
Example: a folder with `train.csv` and `LICENSE` gives one file of kind rows that fits categorization, CC BY 4.0.
"""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from whytune.datasets import archives, linerows
from whytune.datasets.documents import HTML_ENDINGS, TEXT_ENDINGS
from whytune.datasets.guessing import columns_of
from whytune.datasets.importing import rows_of, sniff
from whytune.datasets.jsonrows import KEY
from whytune.datasets.shapes import look, plain
from whytune.datasets.spec import ReadSpec, SourceRow
from whytune.errors import DataError
from whytune.records.found import Fit, FoundFile
from whytune.tasks import TASKS
from whytune.text import fold

ROW_ENDINGS = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
DOCUMENT_ENDINGS = (*TEXT_ENDINGS, *HTML_ENDINGS, ".pdf", ".docx")
MOST_FILES = 5_000
MOST_ROWS = 200_000
LOOKED_AT = 500
SURE = 0.5
"""A guess below it is not told."""
_LICENCE = re.compile(r"(?:^|[-_. ])(?:licen[cs]e|copying|copyright|terms)(?:[-_. ]|$)", re.IGNORECASE)
_LICENCES: tuple[tuple[str, str], ...] = (
    ("CC BY-NC-SA", r"attribution-noncommercial-sharealike|cc[- ]by[- ]nc[- ]sa"), ("CC BY-NC", r"attribution-noncommercial|cc[- ]by[- ]nc"),
    ("CC BY-SA", r"attribution-sharealike|cc[- ]by[- ]sa"), ("CC0", r"\bcc0\b|no rights reserved"), ("CC BY", r"creative commons attribution|cc[- ]by\b"),
    ("Apache-2.0", r"apache license"), ("AGPL", r"gnu affero"), ("LGPL", r"gnu lesser"), ("GPL", r"gnu general public"), ("MPL", r"mozilla public"),
    ("MIT", r"\bmit license|permission is hereby granted, free of charge"), ("BSD", r"redistribution and use in source and binary"), ("ODbL", r"open database licen[cs]e"),
)  # fmt: skip
_FEELINGS = frozenset(("positive", "negative", "neutral", "pos", "neg", "mixed", "very positive", "very negative", "positiv", "negativ", "happy", "angry", "sad"))
Scan = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class _Place:
    """A file on the disk, and how it is called."""

    path: Path
    shown: str


def find(paths: Sequence[Path], scan: Scan, advance: Callable[[], None] = lambda: None) -> Iterator[FoundFile]:
    """Every file of the paths, in order of their names. scan tells kinds of personal data. Raises DataError for paths that are not there."""
    missing = [f"{path} does not exist" for path in paths if not path.exists()]
    if missing or not paths:
        raise DataError("There is nothing to look at", problems=missing or ["no path was named"], next="whytune data find PATH")
    for count, place in enumerate(itertools.chain.from_iterable(map(_places, paths))):
        if count == MOST_FILES:
            yield FoundFile(file="...", kind="other", bytes=0, why=f"only the first {MOST_FILES:,} files were looked at")
            return
        if archives.is_archive(place.path.name):
            yield from _archive(place, scan)
        else:
            yield _file(place, scan, _licence_near(place.path))
        advance()


def _places(path: Path) -> Iterator[_Place]:
    if not path.is_dir():
        yield _Place(path, str(path))
        return
    for where, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not archives.hidden(name))
        for name in sorted(names):
            place = Path(where) / name
            if not archives.hidden(name) and not place.is_symlink():
                yield _Place(place, str(place))


def _archive(place: _Place, scan: Scan) -> Iterator[FoundFile]:
    """Files of an archive, each through a temporary file that is gone afterwards."""
    try:
        with tempfile.TemporaryDirectory(prefix="whytune-find-") as folder:
            for number, member in enumerate(archives.members(place.path)):
                shown = f"{place.shown}!/{member.name}"
                if isinstance(member, archives.Skipped):
                    yield FoundFile(file=shown, kind="other", bytes=0, why=member.why)
                    continue
                aside = Path(folder) / f"{number}{PurePosixPath(member.name).suffix.lower()[:12]}"
                aside.write_bytes(member.data)
                if _LICENCE.search(PurePosixPath(member.name).name):
                    yield FoundFile(file=shown, kind="licence", bytes=len(member.data), licence=_named(aside))
                else:
                    yield _file(_Place(aside, shown), scan, _licence_near(place.path))
                aside.unlink()
    except DataError as error:
        yield FoundFile(file=place.shown, kind="other", bytes=place.path.stat().st_size, why=error.what)


def _file(place: _Place, scan: Scan, licence: str) -> FoundFile:
    size, ending, name = place.path.stat().st_size, place.path.suffix.lower(), PurePosixPath(place.shown).name
    if _LICENCE.search(name):
        return FoundFile(file=place.shown, kind="licence", bytes=size, licence=_named(place.path))
    paired = ending == ".txt" and linerows.neighbours(place.path)[0] is not None
    if ending in ROW_ENDINGS or paired:
        try:
            return _rows(place, size, scan, licence)
        except DataError as error:
            return FoundFile(file=place.shown, kind="other", bytes=size, licence=licence, why=error.what)
    if ending in DOCUMENT_ENDINGS:
        return _document(place, size, scan, licence)
    return FoundFile(file=place.shown, kind="other", bytes=size, licence=licence, why=f"no reader for {ending or 'files without an ending'}")


def _rows(place: _Place, size: int, scan: Scan, licence: str) -> FoundFile:
    file, rows = rows_of(place.path)
    head: list[dict[str, Any]] = []
    count = 0
    kinds: dict[str, int] = {}
    for row in itertools.islice(rows(), MOST_ROWS + 1):
        count += 1
        if len(head) < LOOKED_AT and isinstance(row, SourceRow):
            head.append(row.values)
            for kind in {kind for value in row.values.values() for kind in scan(plain(value))}:
                kinds[kind] = kinds.get(kind, 0) + 1
    fits, format = _fits(place.path, head)
    return FoundFile(
        file=place.shown, kind="rows" if fits else "table", bytes=size, format=format, encoding=file.encoding, rows=min(count, MOST_ROWS),
        counted=count <= MOST_ROWS, columns=tuple(name for name in columns_of(head) if name != KEY), fits=fits, personal=dict(sorted(kinds.items())),
        looked_at=len(head), licence=licence,
    )  # fmt: skip


def _fits(path: Path, head: Sequence[dict[str, Any]]) -> tuple[tuple[Fit, ...], str]:
    """The tasks that a file may serve, surest first, and its format."""
    found: list[Fit] = []
    format = ""
    for task in TASKS:
        try:
            guess = sniff(ReadSpec(paths=(path,), task=task))
        except DataError:
            continue  # it does not fit this task, which is what was asked
        format = guess.format
        answers = [text for values in head if (text := plain(guess.names.get(plain(look(values, guess.target)), look(values, guess.target))))] if guess.target else []
        named = TASKS[task].constraint == "none" and (fold(guess.input), fold(guess.target)) in TASKS[task].guesses
        if guess.confidence >= SURE and guess.preview and (named or _like(task, guess.preview, answers)):
            found.append(Fit(task=task, input=guess.input, target=guess.target, confidence=guess.confidence, preview=guess.preview))
    return tuple(sorted(found, key=lambda fit: (-fit.confidence, list(TASKS).index(fit.task)))), format


def _like(task: str, preview: Sequence[tuple[str, str]], answers: Sequence[str]) -> bool:
    """Whether answers look like this task's: labels come again and again, a summary is a good deal shorter than its text."""
    asked = sum(len(one) for one, _ in preview) / len(preview)
    answered = sum(len(two) for _, two in preview) / len(preview)
    labels = {fold(answer) for answer in answers}
    repeating = len(answers) >= 20 and len(labels) <= 0.5 * len(answers) and answered <= 60
    if task == "sentiment":
        return repeating and bool(labels & _FEELINGS) and len(labels) <= 7
    if task == "categorization":
        return (repeating and not labels & _FEELINGS) or (not answers and answered <= 60)
    if task == "summarization":
        return not repeating and answered >= 30 and 1.5 * answered < asked
    if task == "extraction":
        return all(target.startswith("{") and len(target) > 2 for _, target in preview)
    return not repeating


def _document(place: _Place, size: int, scan: Scan, licence: str) -> FoundFile:
    if place.path.suffix.lower() not in (*TEXT_ENDINGS, *HTML_ENDINGS):
        return FoundFile(file=place.shown, kind="document", bytes=size, format=place.path.suffix.lower().lstrip("."), licence=licence)
    with place.path.open("rb") as file:
        text = file.read(1 << 20).decode("utf-8", "replace")
    return FoundFile(
        file=place.shown, kind="document", bytes=size, format=place.path.suffix.lower().lstrip("."), personal=dict.fromkeys(sorted(scan(text)), 1),
        looked_at=1, licence=licence,
    )  # fmt: skip


def _licence_near(path: Path) -> str:
    """The licence file beside the file or up to two folders above."""
    for folder in list(path.resolve().parents)[:3]:
        try:
            names = sorted(name for name in os.listdir(folder) if _LICENCE.search(name) and (folder / name).is_file())
        except OSError:
            return ""
        if names:
            return f"{names[0]}: {_named(folder / names[0])}"
    return ""


def _named(path: Path) -> str:
    """What licence a text seems to be."""
    with path.open("rb") as file:
        text = file.read(1 << 15).decode("utf-8", "replace").lower()
    return next((name for name, pattern in _LICENCES if re.search(pattern, text)), "not one that is known: read it")
