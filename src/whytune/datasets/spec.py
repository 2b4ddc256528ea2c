"""What a reader is told, what it guesses and what it gives back. No reading happens here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from whytune.records.data import Example, Removal, Source

Format = Literal["csv", "tsv", "json", "jsonl", "parquet", "text", "inst"]
FORMATS: tuple[Format, ...] = ("csv", "tsv", "json", "jsonl", "parquet", "text", "inst")
Shape = Literal["pair", "alpaca", "conversation", "inst", "spans", "chunks", "fields", "parallel"]


def named(path: Path, root: Path | None) -> str:
    """A file's name as it is kept: from `root` where it lies in it or beside it, else whole."""
    if root is not None and path.is_absolute():
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
        if path.is_relative_to(root.parent):
            return f"../{path.relative_to(root.parent).as_posix()}"
    return str(path)


@dataclass(frozen=True)
class ReadSpec:
    """What to read and what is already known about it; everything left empty is guessed.

    input and target name columns (a dot goes into nested objects). For extraction, target may name several columns,
    parted by commas: each becomes a field. tags are columns to keep as slices. labels_file holds one label a line for
    a file of texts; mapping_file names them (`0<tab>negative`).
    """

    paths: tuple[Path, ...]
    task: str
    format: str = ""
    input: str = ""
    target: str = ""
    group: str = ""
    evidence: str = ""
    tags: tuple[str, ...] = ()
    labels_file: Path | None = None
    mapping_file: Path | None = None
    encoding: str = ""
    delimiter: str = ""
    root: Path | None = None
    """Files in or beside this folder are named from there, so that a dataset is the same wherever the folder stands."""


@dataclass(frozen=True)
class Guess:
    """How a source will be read, and why. confidence is 0..1; below 0.5 a person should confirm it."""

    file: str
    format: Format
    shape: Shape
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    input: str
    target: str
    group: str
    confidence: float
    reasons: tuple[str, ...]
    preview: tuple[tuple[str, str], ...]
    """(input, target) of the first rows, as they will be imported."""
    evidence: str = ""
    tags: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """Extraction from several columns: the columns."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What label numbers mean, from a mapping file or the file's own metadata."""


@dataclass(frozen=True)
class Reading:
    """Everything that came out of the sources: examples, what could not be read, and how each file was read."""

    examples: list[Example]
    problems: list[Removal]
    sources: tuple[Source, ...]
    guesses: tuple[Guess, ...]
    fields: tuple[str, ...] = ()
    """Extraction: the field names, sorted."""

    @property
    def guess(self) -> Guess:
        """How the first source was read."""
        return self.guesses[0]

    @property
    def source(self) -> Source:
        """The first source."""
        return self.sources[0]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source row: its values by column, and where it stands. line counts from 1; start and end are characters."""

    values: dict[str, Any]
    line: int
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A place in a source that is not a row, and why."""

    line: int
    why: str
    start: int | None = None
    end: int | None = None
