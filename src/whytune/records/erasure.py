"""The erasure of a person or a thing from everything that is kept: what was erased, and what had been made from it.

The subject stands here only as a hash under the store's own key; rows, documents and answers only as ids and counts.
"""

from __future__ import annotations

from typing import ClassVar

from whytune.records.record import Record, Value


class ErasedIndex(Value):
    """Passages that were taken out of an index, by id."""

    index: str
    passages: tuple[str, ...]


class Erasure(Record):
    """One subject, erased. The bytes were gone before this was written."""

    KIND: ClassVar[str] = "erasure"
    subject: str
    """Hash of the subject under the store's own key."""
    project: str = ""
    """Whose dataset versions were looked at; empty: all."""
    person: str
    reason: str
    when: str
    """UTC, ISO 8601, to the second."""
    rows: tuple[str, ...] = ()
    """Ids of the examples; no later version takes them up again."""
    documents: tuple[str, ...] = ()
    packs: dict[str, int] = {}
    """Rows blanked in each pack of rows, documents, answers and the like."""
    indexes: tuple[ErasedIndex, ...] = ()
    records: tuple[str, ...] = ()
    """Records that quoted the subject, such as a decision's examples; their content is gone, their id stays."""
    answers: int = 0
    """Kept answers that were deleted."""
    traffic: tuple[str, ...] = ()
    """Ids of responses and of feedback whose text was blanked."""
    opinions: int = 0
    """What reviewers wrote, blanked."""
    runs: tuple[str, ...] = ()
    """Folders of training runs that were removed: they quoted rows, or held weights that learned from them."""
    said: int = 0
    """Jobs and forms whose words were blanked."""
    drafts: int = 0
    """Use cases not created yet that were emptied."""
    datasets: tuple[str, ...] = ()
    """Versions that held something of it."""
    adapters: tuple[str, ...] = ()
    """Trained on it: weights cannot be blanked, so they are to be trained again."""
    candidates: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    """Releases that run one of these candidates or handed out one of these passages."""
    aliases: tuple[str, ...] = ()
    """Names under which one of these releases was live."""
    retrain_by: str = ""
    """Date until which the adapters are to be replaced; empty where none was trained on it."""
    left: tuple[str, ...] = ()
    """Where the subject could still be found afterwards, in words; empty where nowhere."""
