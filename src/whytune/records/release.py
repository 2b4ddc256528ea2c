"""From evidence to something others may run: policy, approvals, acceptance, release, aliases.

A policy is what an organisation asks of any candidate, fixed and hashed. An approval is one person's signature under one
role. An acceptance is the yes or no with every reason. A release binds everything that decides an answer by digest, with a
signature. An alias move says which release a name stands for from then on; nothing here is ever changed.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from whytune.records.record import Record, Value

EvidenceName = Literal["test", "responsible", "human_evaluation", "row_review", "dataset_approval", "forgetting"]
EVIDENCE: tuple[EvidenceName, ...] = ("test", "responsible", "human_evaluation", "row_review", "dataset_approval", "forgetting")
ProbeStatus = Literal["PASS", "FAIL", "NOT PROVEN", "NOT RUN", "WAIVED"]


class MeasurementTerms(Value):
    """What is asked of the official measurement on the sealed test set."""

    smallest: int = Field(default=100, ge=1)
    """Items."""
    winner_only: bool = True
    """Whether only the arm that the decision names may be accepted, rather than any that provably reaches the bar."""
    most_looks: int = Field(default=12, ge=1)
    """Looks at the test set of this version, all candidates together."""
    behind_champion: float = Field(default=0.0, ge=0, le=1)
    """How far the interval of the difference to the release now live may reach below zero; 0: this is not asked."""


class HumanTerms(Value):
    """What is asked of people's opinions, of rows and of answers."""

    reviewers: int = Field(default=2, ge=1)
    """Different people in a human evaluation of answers."""
    double_rated: int = Field(default=20, ge=0)
    """Rows that two people rated without seeing one another."""
    alpha: float = Field(default=0.4, ge=-1, le=1)
    """Krippendorff's alpha: below it the guideline is what must be mended, and nothing is concluded."""
    most_bad_rows: float = Field(default=0.05, gt=0, le=1)
    """The upper bound of the share of bad rows must lie below it."""
    conclusions: tuple[str, ...] = ("better", "tie")
    """Conclusions of a human evaluation, seen from the candidate, that are let through."""
    most_rounds: int = Field(default=2, ge=1)
    """Closed rounds about the rows of one version, and about the answers of one candidate, whatever each of them found."""


class ResponsibleTerms(Value):
    """Which statuses of the responsible-AI report are let through."""

    statuses: tuple[ProbeStatus, ...] = ("PASS", "WAIVED")
    dimensions: dict[str, tuple[ProbeStatus, ...]] = {}
    """Dimensions with statuses of their own. Every dimension named here must be in the report."""
    probes: tuple[str, ...] = ("canaries",)
    """Probes that must have been run, or be waived. What can only be asked of what was trained is asked of nothing else."""


class DataTerms(Value):
    """What data may be in it, and under which licence its base model may come."""

    licences: tuple[str, ...] = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0")
    """Licences of the base model; an unknown one is not let through. Empty: any."""
    personal: bool = False
    """Whether rows with personal data or secrets may be in it."""


class Ceilings(Value):
    """The most an answer may cost or take; 0: no ceiling."""

    cost_per_1000: float = Field(default=0.0, ge=0)
    median_seconds: float = Field(default=0.0, ge=0)
    forgetting: float = Field(default=0.05, gt=0, le=1)
    """How far a tuned model may provably-or-not fall behind its base on the general suite: the interval's lower end."""


class Policy(Record):
    """What must be shown and signed before a candidate of this project becomes a release."""

    KIND: ClassVar[str] = "policy"
    project: str
    number: int
    """Counts up with every change."""
    solo: bool = False
    """Whether one person alone may sign every role; what is released then says "not independently approved"."""
    evidence: tuple[EvidenceName, ...] = EVIDENCE
    test: MeasurementTerms = MeasurementTerms()
    human: HumanTerms = HumanTerms()
    responsible: ResponsibleTerms = ResponsibleTerms()
    data: DataTerms = DataTerms()
    ceilings: Ceilings = Ceilings()
    signatures: tuple[str, ...] = ("business_owner", "responsible_ai", "tester")
    """Roles; a different person for each, unless solo."""


class Approval(Record):
    """One signature. It binds to what was there when it was given: the candidate, the data, the policy, the evidence."""

    KIND: ClassVar[str] = "approval"
    project: str
    number: int
    """Signatures of a project count up, so that somebody may say yes, then no, then yes."""
    candidate: str
    dataset: str
    policy: str
    role: str
    person: str
    says: Literal["approve", "reject"]
    reason: str
    subject: tuple[str, ...]
    """Ids of all evidence that was looked at."""
    solo: bool = False


class Objection(Value):
    """One reason against a candidate. `about` is the id of the evidence, where there is any."""

    code: str
    sentence: str
    next: str = ""
    about: str = ""


class WeakSlice(Value):
    """A part of the use case on which the candidate falls short, measured on dev."""

    name: str
    value: str
    share: float
    low: float
    high: float
    n: int


class CollectionTarget(Value):
    """Rows to look for: about as many as dev shows to be missing. It never names a test item."""

    about: str
    rows: int
    why: str
    examples: tuple[str, ...] = ()
    """Ids of dev items that were answered wrongly."""


class Acceptance(Record):
    """Accepted, yes or no, with every reason. A no is parent of the next dataset version."""

    KIND: ClassVar[str] = "acceptance"
    project: str
    number: int
    candidate: str
    arm: str
    dataset: str
    policy: str
    decision: str
    accepted: bool
    sentence: str
    objections: tuple[Objection, ...] = ()
    notes: tuple[str, ...] = ()
    """What was seen and does not stand against it, such as a waiver and until when it holds."""
    evidence: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()
    slices_to_mend: tuple[WeakSlice, ...] = ()
    collection_targets: tuple[CollectionTarget, ...] = ()
    measured_on_dev: str = ""
    """The arm whose dev answers the slices come from; the candidate's own where it was measured on dev."""
    valid_until: str = ""
    """Date on which the first waiver it stands on ends; empty: none."""
    solo: bool = False


class BoundBase(Value):
    """The base model as it was when this was released."""

    id: str
    name: str
    source: str
    digest: str
    revision: str = ""
    licence: str = ""
    tokenizer: str = ""
    """sha256 over the tokenizer's files; empty for an endpoint."""
    template: str = ""
    """sha256 of the chat template; empty where the model brings none, or for an endpoint."""
    files: str = ""
    """sha256 over the names and hashes of the files that are loaded; empty for an endpoint."""


class BoundAdapter(Value):
    """The adapter, by record and by bytes."""

    id: str
    digest: str
    recipe: str
    method: str
    files: dict[str, str]
    """Name of each file and its sha256."""


class BoundIndex(Value):
    """The passage index: which, and the digest over its passages and vectors."""

    id: str
    content: str
    passages: int
    files: dict[str, str] = {}
    """Name of each file of the index and its sha256."""


class BoundEngine(Value):
    """What answers: library and versions, numbers' type, decoding."""

    name: Literal["transformers", "endpoint"]
    versions: dict[str, str]
    dtype: str
    decoding: dict[str, str]


class Manifest(Value):
    """Everything that decides an answer, and everything it was accepted on; the bytes that are signed."""

    schema_name: Literal["whytune.release/1"] = "whytune.release/1"
    project: str
    number: int
    task: str
    purpose: str
    arm: str
    candidate: str
    base: BoundBase
    adapter: BoundAdapter | None
    index: BoundIndex | None
    prompt: str
    engine: BoundEngine
    dataset: str
    rows: str
    """Digest of the pack of rows."""
    documents: str = ""
    policy: str
    decision: str
    acceptance: str
    evidence: tuple[str, ...]
    approvals: tuple[str, ...]
    solo: bool
    files: dict[str, str]
    """Files of the release and their sha256: card, datasheet, bill of materials, candidate."""
    ledger_head: str
    made: str
    """UTC, ISO 8601, to the second."""
    by: str


class Release(Record):
    """A manifest with its Ed25519 signature: what an alias may point at and what is served."""

    KIND: ClassVar[str] = "release"
    project: str
    number: int
    candidate: str
    arm: str
    dataset: str
    acceptance: str
    solo: bool
    manifest: Manifest
    public_key: str
    signature: str
    """Both in hexadecimal; the signature is over the canonical JSON of the manifest."""


class AliasMove(Record):
    """From now on this name stands for that release; an empty release takes the name out of use."""

    KIND: ClassVar[str] = "alias_move"
    name: str
    number: int
    release: str
    before: str
    """The release it stood for until now; empty where there was none."""
    how: Literal["set", "rollback", "removed"]
    reason: str
    person: str


class Retirement(Record):
    """A release that may no longer be put under an alias, and why."""

    KIND: ClassVar[str] = "retirement"
    release: str
    reason: str
    person: str
