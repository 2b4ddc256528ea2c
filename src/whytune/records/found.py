"""What lies in a folder: files, what they look like, and what they may serve. Shown, never kept."""

from __future__ import annotations

from whytune.records.record import Value


class Fit(Value):
    """A task that a file may serve, read how, and how sure that is (0..1)."""

    task: str
    input: str
    target: str
    confidence: float
    preview: tuple[tuple[str, str], ...] = ()
    """(input, target) of the first rows."""


class FoundFile(Value):
    """One file. kind: rows of examples or a table, a document, or neither (then `why` says so)."""

    file: str
    kind: str
    bytes: int
    format: str = ""
    encoding: str = ""
    rows: int = 0
    counted: bool = True
    """Whether `rows` is all of them; else there are more."""
    columns: tuple[str, ...] = ()
    fits: tuple[Fit, ...] = ()
    """Best first."""
    personal: dict[str, int] = {}
    """Kinds of personal data and secrets, and in how many of the rows looked at; never the values."""
    looked_at: int = 0
    licence: str = ""
    """The nearest licence file above, and what it seems to be."""
    why: str = ""
