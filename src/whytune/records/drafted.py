"""A use case on its way in: what somebody uploaded and typed before there is a project. Operational; nothing rests on it."""

from __future__ import annotations

from typing import Literal

from whytune.records.found import FoundFile
from whytune.records.record import Value

FileUse = Literal["rows", "documents", "labels", "names", "left_out"]
USES: dict[str, str] = {
    "rows": "rows to learn and measure from",
    "documents": "documents that answers may be looked up in",
    "labels": "one label a line, beside a text file",
    "names": "what the labels' numbers mean",
    "left_out": "not used: it is not kept",
}


class DraftFile(Value):
    """One uploaded file: its clean name, what was found in it, and what it is to be used for."""

    id: str
    """Names it in a form, whatever it is called."""
    name: str
    bytes: int
    use: FileUse
    found: tuple[FoundFile, ...] = ()
    """What lies in it: itself, or the first files of an archive."""
    more: int = 0
    """Files of an archive that are not listed."""


class DraftLook(Value):
    """How the first file of rows would be read, as things stand."""

    file: str
    format: str
    shape: str
    encoding: str
    columns: tuple[str, ...]
    input: str
    target: str
    group: str
    confidence: float
    reasons: tuple[str, ...]
    preview: tuple[tuple[str, str], ...]
    """(input, target) of the first rows."""


class SetupDraft(Value):
    """A use case that is being set up. wishes: every field as it was typed, mistakes included, so that none is lost."""

    id: str
    person: str
    created: str
    changed: str
    files: tuple[DraftFile, ...]
    wishes: dict[str, str]
    look: DraftLook | None = None
    problems: tuple[str, ...] = ()
    """Why it cannot be started yet."""
