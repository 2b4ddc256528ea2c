"""Rows of plain text: parallel files (texts and labels), a mapping of label numbers, and `<INST>` instruction text.

Example: the line `<INST>Who bowls?</INST> Rabada.` is the row `{"text": "<INST>Who bowls?</INST> Rabada."}`, and
`turns("<INST>Who bowls?</INST> Rabada.")` is `[("user", "Who bowls?"), ("assistant", "Rabada.")]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from whytune.datasets.encoding import LONGEST_LINE, TextFile, damage, examine, lines
from whytune.datasets.spec import Broken, SourceRow
from whytune.errors import DataError

_OPEN = re.compile(r"(?:<s>\s*)?(?:\[INST\]|<INST>)", re.IGNORECASE)
_TURN = re.compile(
    r"(?:\[INST\]|<INST>)(.*?)(?:\[/INST\]|</INST>)(.*?)(?=(?:<s>\s*)?(?:\[INST\]|<INST>)|$)",
    re.IGNORECASE | re.DOTALL,
)
_SYSTEM = re.compile(r"<<SYS>>(.*?)<</SYS>>", re.DOTALL)
_ENDS = re.compile(r"</?s>")
LONGEST_RECORD = 2000
"""Lines of one instruction record."""


def is_instruction(text: str) -> bool:
    """Whether the text begins with an instruction tag."""
    return bool(_OPEN.match(text.lstrip('"\ufeff \t')))


def turns(text: str) -> list[tuple[str, str]]:
    """(role, text) of the turns of an instruction record; empty where its tags do not match."""
    said: list[tuple[str, str]] = []
    for asked, answered in _TURN.findall(text):
        system = _SYSTEM.search(asked)
        if system and not said:
            said.append(("system", system.group(1).strip()))
        said.append(("user", _SYSTEM.sub("", asked).strip()))
        answer = _ENDS.sub("", answered).strip()
        if answer:
            said.append(("assistant", answer))
    return said


def instruction_rows(file: TextFile) -> Iterator[SourceRow | Broken]:
    """One record from one opening tag at the start of a line to the next. A first line without a tag is a header."""
    begin, record = 0, list[str]()
    with file.open() as stream:
        for number, line in lines(stream):
            if line is None:
                yield Broken(number, f"the line is longer than {LONGEST_LINE >> 20} million characters")
            elif is_instruction(line):
                if record:
                    yield _record(begin, record)
                begin, record = number, [line]
            elif record and len(record) < LONGEST_RECORD:
                record.append(line)
            elif line.strip() and number > 1:
                yield Broken(
                    number,
                    "stands before the first instruction tag" if not record else "the record is too long",
                )
    if record:
        yield _record(begin, record)


def _record(begin: int, record: list[str]) -> SourceRow | Broken:
    text = "".join(record).strip()
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = text[1:-1].replace('""', '"')
    why = damage(text)
    return Broken(begin, why) if why else SourceRow({"text": text}, begin)


def text_rows(file: TextFile) -> Iterator[SourceRow | Broken]:
    """One text a line; blank lines count, because a parallel file counts them too."""
    with file.open() as stream:
        for number, line in lines(stream):
            if line is None:
                yield Broken(number, f"the line is longer than {LONGEST_LINE >> 20} million characters")
            else:
                why = damage(line)
                yield Broken(number, why) if why else SourceRow({"text": line.rstrip("\r\n")}, number)


def parallel_rows(file: TextFile, labels: TextFile) -> Iterator[SourceRow | Broken]:
    """Texts with the label of the same line. Files of different length are refused: every row after a slip is wrong."""
    texts, marks = _count(file), _count(labels)
    if texts != marks:
        raise DataError(
            f"{file.name} has {texts:,} lines and {labels.name} has {marks:,}; they must go line by line",
            next="find the missing line, or write both as one CSV",
        )
    with labels.open() as stream:
        labelled = lines(stream)
        for row in text_rows(file):
            _, label = next(labelled, (0, None))
            if isinstance(row, Broken):
                yield row
            elif label is None or damage(label):
                yield Broken(row.line, f"its label in {labels.name} cannot be read")
            else:
                yield SourceRow({**row.values, "label": label.strip()}, row.line)


def _count(file: TextFile) -> int:
    """Lines, without the blank ones at the end."""
    last = 0
    with file.open() as stream:
        for number, line in lines(stream):
            if line is None or line.strip():
                last = number
    return last


def label_names(path: Path) -> dict[str, str]:
    """What label numbers mean: `0<tab>negative`, `0,negative`, `0 negative` or JSON in either direction."""
    file = examine(path)
    with file.open() as stream:
        text = stream.read(CHARACTERS_OF_A_MAPPING)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list):
        return {str(number): str(name) for number, name in enumerate(found)}
    if isinstance(found, dict):
        if all(isinstance(name, int) for name in found.values()):
            return {str(number): str(name) for name, number in found.items()}
        return {str(number): str(name) for number, name in found.items()}
    names: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        parts = re.split(r"\t|,|;|:|\s", line.strip(), maxsplit=1)
        if len(parts) == 2 and parts[1].strip():
            names[parts[0].strip()] = parts[1].strip()
        else:
            problems.append(f"line {number}: no number and name in {line.strip()[:60]!r}")
    if problems or not names:
        raise DataError(
            f"{path} is not a mapping of label numbers to names",
            problems=problems[:20],
            next="write `0<tab>negative`, one a line",
        )
    return names


CHARACTERS_OF_A_MAPPING = 1 << 20


def neighbours(path: Path) -> tuple[Path | None, Path | None]:
    """The labels file and the mapping file that lie beside a texts file, by their names."""
    stem = path.stem.lower()
    match = re.fullmatch(r"(.*?)[_.-]?(texts?|sentences?|inputs?)", stem)
    labels = mapping = None
    if match and path.parent.is_dir():
        wanted = {
            f"{match.group(1)}{join}{word}"
            for join in ("_", "-", ".", "")
            for word in ("labels", "label", "targets")
        }
        for other in sorted(path.parent.iterdir()):
            if other.suffix.lower() in (".txt", ".tsv", ".lst", "") and other.stem.lower().lstrip("_-.") in {
                name.lstrip("_-.") for name in wanted
            }:
                labels = labels or other
            if other.stem.lower() in ("mapping", "labels_map", "label_names", "id2label") and other.is_file():
                mapping = mapping or other
    return labels, (mapping if labels else None)
