"""Rows on their way into the next dataset version: proposed by one person, accepted by another, and what approves a version.

A row's content stands in a pack, never in these records: they hold counts, reasons and digests. Example: a template
over a table gives a `Proposal` of 4,000 rows; somebody else accepts it, and the next version has `AcceptedRows` among
its sources.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from whytune.records.record import Record, Value, canonical_json, digest

ProposalKind = Literal["template", "synthesis", "feedback", "edits", "manual"]


class Span(Value):
    """Where a value stands in a document, character for character."""

    document: str
    title: str
    start: int
    end: int
    quote: str


class ProposedRow(Value):
    """A row that somebody proposes.

    `origin_id` names what it came from: the example that it mends (kind edits), the answer that feedback was about.
    """

    input: str
    target: str
    group: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    evidence: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    note: str = ""
    origin_id: str = ""
    provenance: dict[str, str] = {}
    """What wrote it: generator, prompt version, model, seed, passage."""

    @property
    def key(self) -> str:
        """What it says, whatever it came from: by this a chosen row is found again in its proposal."""
        return digest(canonical_json([self.input, self.target, self.origin_id]))


class Proposal(Record):
    """Rows that wait for a second person. Once they are in a version, `Origin.file` is this id, and `line` the row's place."""

    KIND: ClassVar[str] = "proposal"
    project: str
    kind: ProposalKind
    person: str
    """Who proposes them, and therefore may not accept them."""
    dataset: str
    """The version they were proposed against; empty where there is none yet."""
    rows: str
    """Digest of the pack of proposed rows."""
    count: int
    left_out: dict[str, int] = {}
    """Rows that were not taken up, by reason."""
    reasons: tuple[str, ...] = ()
    instead_of: str = ""
    """The proposal that this one replaces, which can then no longer be accepted."""


class AcceptedRows(Record):
    """What a second person took from a proposal; a source of every later version."""

    KIND: ClassVar[str] = "accepted_rows"
    project: str
    proposal: str
    kind: ProposalKind
    author: str
    person: str
    solo: bool
    """Accepted by its own author, because the workspace knows nobody else."""
    dataset: str
    """The version that was the newest when they were accepted; empty where there was none."""
    rows: str
    """Digest of the pack of accepted rows."""
    count: int
    refused: int


class DatasetApproval(Record):
    """A person who wrote none of its rows says that this version may be used."""

    KIND: ClassVar[str] = "dataset_approval"
    project: str
    dataset: str
    person: str
    role: str
    validation: str
    """Id of the findings it stands on."""
    reviews: tuple[str, ...] = ()
    """Ids of the row reviews it stands on."""
    reason: str = ""
    solo: bool = False
