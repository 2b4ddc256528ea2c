"""What a release is told about: the records its card, datasheet and bill of materials are written from. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.data import Dataset, Validation
from whytune.records.decision import Decision
from whytune.records.evidence import Trial
from whytune.records.project import UseCase
from whytune.records.proposal import DatasetApproval
from whytune.records.release import Acceptance, Approval, BoundEngine, Policy
from whytune.records.responsible import ResponsibleReport, Waiver
from whytune.records.review import HumanEvaluation, RowReview

SOLO = "not independently approved: one person alone signed"
NOT_COVERED_CARD = (
    "Who the intended users are, and uses that are out of scope",
    "Risks to people outside the test set, and who answers for them",
    "How the model is watched once it is in use, and whom to tell of a fault",
    "Energy and carbon of training and answering",
    "The base model's own training data: ask its maker",
)
NOT_COVERED_SHEET = (
    "For which purpose the rows were first collected, by whom, and who paid for it",
    "Whether the people in the rows were told, agreed, and can withdraw",
    "The legal ground on which the rows are processed, and where they may be sent",
    "Which groups of people are in the rows, and which are missing",
    "Until when the rows are kept, and who answers questions about them",
)


@dataclass(frozen=True)
class About:
    """One release on its way: everything that is told of it. `made` is UTC, to the second."""

    number: int
    made: str
    usecase: UseCase
    candidate: Candidate
    base: Base
    adapter: Adapter | None
    engine: BoundEngine
    dataset: Dataset
    policy: Policy
    acceptance: Acceptance
    approvals: Sequence[Approval]
    decision: Decision | None = None
    trial: Trial | None = None
    validation: Validation | None = None
    report: ResponsibleReport | None = None
    waivers: Sequence[Waiver] = ()
    evaluation: HumanEvaluation | None = None
    row_review: RowReview | None = None
    dataset_approval: DatasetApproval | None = None
    passages: int = 0

    @property
    def title(self) -> str:
        """How the release is called."""
        return f"{self.usecase.name} {self.number}"

    @property
    def stamp(self) -> str:
        """Whether it was independently approved, in words."""
        return SOLO if self.acceptance.solo else "independently approved"

    @property
    def day(self) -> date:
        """The day of the release: waivers count as of then."""
        return date.fromisoformat(self.made[:10])
