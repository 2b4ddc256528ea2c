"""Data on its way from a source row to a sealed dataset version: documents, passages, examples, removals, findings."""

from __future__ import annotations

from typing import ClassVar, Literal

from whytune.records.content import Message, Part, TextPart, text_of
from whytune.records.record import Record, Value

SplitName = Literal["train", "dev", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")


class Origin(Value):
    """Where something came from. line counts from 1; page from 1; start and end are character offsets."""

    source: str
    """sha256 of the source file's bytes."""
    file: str
    """The file's name as the user gave it; inside an archive `archive.zip!/inner/path`."""
    line: int | None = None
    page: int | None = None
    start: int | None = None
    end: int | None = None


class Document(Record):
    """A text that answers may be looked up in. `access` names who may read it; empty means everybody."""

    KIND: ClassVar[str] = "document"
    UNHASHED: ClassVar[frozenset[str]] = frozenset({"origin"})
    title: str
    text: str
    owner: str = ""
    access: tuple[str, ...] = ()
    page_starts: tuple[int, ...] = ()
    """Character offset at which each page begins; empty where the format has no pages."""
    origin: Origin


class Passage(Record):
    """A piece of a document, small enough to hand to a model. start and end are offsets into the document's text."""

    KIND: ClassVar[str] = "passage"
    document: str
    title: str
    """The document's title and the headings above the passage, joined by ` > `."""
    text: str
    start: int
    end: int
    page: int | None = None
    access: tuple[str, ...] = ()


class Example(Record):
    """One row: what the model is given and what it should answer.

    `messages` end with the user's turn; `target` is the wanted answer (for extraction: a JSON object as text).
    `group` ties rows that must not be parted by a split; `evidence` names the documents that hold the answer;
    `tags` are slices, as (name, value).
    """

    KIND: ClassVar[str] = "example"
    UNHASHED: ClassVar[frozenset[str]] = frozenset({"origin"})
    messages: tuple[Message, ...]
    target: tuple[Part, ...]
    group: str = ""
    evidence: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    origin: Origin

    @classmethod
    def of(cls, input: str, target: str, *, origin: Origin, group: str = "", evidence: tuple[str, ...] = ()) -> Example:
        """An example of one user turn and a text answer."""
        parts: tuple[Part, ...] = (TextPart(text=target),)
        return cls(
            messages=(Message.of("user", input),), target=parts, group=group, evidence=evidence, origin=origin
        )

    @property
    def input_text(self) -> str:
        """The last user turn."""
        return self.messages[-1].text

    @property
    def target_text(self) -> str:
        """The wanted answer as text."""
        return text_of(self.target)


class Removal(Value):
    """A source row that did not become an example, and why. `witness` is the id of the row that stays in its place."""

    reason: Literal["unreadable", "empty", "missing_field", "exact_duplicate", "near_duplicate", "conflict", "leak", "too_long", "sampled_out", "unlisted_label", "replaced", "erased"]
    origin: Origin
    detail: str = ""
    witness: str = ""


class Source(Value):
    """A file that was read: its digest, how it was read, and how many rows and documents came out of it."""

    file: str
    sha256: str
    bytes: int
    format: str
    encoding: str
    rows: int
    documents: int = 0
    unreadable: int = 0


class SplitPlan(Value):
    """How a dataset is cut: shares of train, dev, test; the seed; when two rows count as near-duplicates.

    near is the Jaccard similarity of word 3-shingles from which two inputs are the same; 0 switches near-duplicate
    search off. limit keeps a stratified sample of that many rows (0 keeps all); labels keeps only those labels.
    """

    train: float = 0.6
    dev: float = 0.15
    test: float = 0.25
    seed: int = 17
    near: float = 0.8
    limit: int = 0
    labels: tuple[str, ...] = ()


class Certificate(Value):
    """What was looked for between train+dev and test, and what is left. Counts are rows of test."""

    same_group: int
    exact: int
    near: int
    purged: int
    pairs_verified: int
    components: int
    """Groups after joining declared groups and verified near-duplicates."""
    method: str
    smallest_provable_difference: float | None = None
    """Points (0..1) that a paired test on this test set detects with 80 % power at 20 % disagreement."""


class Dataset(Record):
    """One sealed version: which rows, split how, removed why. Same inputs and plan give the same id."""

    KIND: ClassVar[str] = "dataset"
    project: str
    number: int
    task: str
    parent: str = ""
    sources: tuple[Source, ...]
    reading: dict[str, str] = {}
    """How the sources were read: columns, format, evidence; with sources and plan, all that decides the rows."""
    plan: SplitPlan
    counts: dict[SplitName, int]
    removed: dict[str, int]
    labels: tuple[str, ...] = ()
    """Categorization and sentiment: the label set, sorted."""
    fields: tuple[str, ...] = ()
    """Extraction: the field names, sorted."""
    certificate: Certificate
    rows: str
    """Digest of the pack that holds the examples with their split."""
    removals: str
    """Digest of the pack that holds the removals."""
    documents: str = ""
    """Digest of the pack that holds the documents; empty where there are none."""
    test_rows: str = ""
    """Digest of the ids of the test rows: versions that share it are measured on the same test set."""
    test_since: int = 1
    """The version whose test set this one goes on with. Whoever opened that of any version since then saw these rows."""

    def same_test(self, other: Dataset) -> bool:
        """Whether both hold the same test rows, so that what is measured on one can be read beside the other."""
        return self.id == other.id or (bool(self.test_rows) and self.test_rows == other.test_rows)


class Finding(Value):
    """What a check saw. rows are example ids (at most 20 shown); share is of the rows looked at, with its interval."""

    check: str
    status: Literal["pass", "warn", "fail"]
    message: str
    next: str = ""
    count: int = 0
    of: int = 0
    low: float | None = None
    high: float | None = None
    rows: tuple[str, ...] = ()


class Validation(Record):
    """All findings about one version. The gate before training is open where none of them failed."""

    KIND: ClassVar[str] = "validation"
    dataset: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(finding.status != "fail" for finding in self.findings)
