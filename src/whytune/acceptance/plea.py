"""A candidate's plea: everything that speaks for or against it, gathered; and how stale or foreign evidence is told from good.

Evidence counts only where it was made on the very digests that are to be accepted. `Plea` holds what there is, `Weighed`
what came of it. Pure values: the workspace gathers them, `gate.weigh` weighs them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, TypeVar

from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.data import Dataset, Validation
from whytune.records.decision import Decision
from whytune.records.evidence import Measure, Trial
from whytune.records.evidence import Protocol as TestProtocol
from whytune.records.project import AcceptanceRule
from whytune.records.proposal import DatasetApproval
from whytune.records.release import Approval, Objection, Policy
from whytune.records.responsible import ResponsibleReport, Waiver
from whytune.records.review import HumanEvaluation, RowReview


class Identified(Protocol):
    """Anything that is kept under an id."""

    @property
    def id(self) -> str: ...


class Made(Identified, Protocol):
    """Any evidence: it says of which project and dataset it is, and has an id."""

    @property
    def project(self) -> str: ...
    @property
    def dataset(self) -> str: ...


M = TypeVar("M", bound=Made)


@dataclass(frozen=True)
class Fallback:
    """What a tuned candidate lost on general skills against its base: candidate minus base."""

    id: str
    project: str
    dataset: str
    candidate: str
    difference: Measure


@dataclass(frozen=True)
class Plea:
    """One candidate before the gate, with all there is about it. Sequences are oldest first."""

    project: str
    candidate: Candidate
    adapter: Adapter | None
    base: Base
    dataset: Dataset
    policy: Policy
    rule: AcceptanceRule
    """As `whytune.toml` says it today."""
    today: date
    decision: Decision | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    """Dataset id to its version number."""
    trials: Sequence[Trial] = ()
    protocols: Sequence[TestProtocol] = ()
    looks: int = 0
    validation: Validation | None = None
    reports: Sequence[ResponsibleReport] = ()
    waivers: Sequence[Waiver] = ()
    evaluations: Sequence[HumanEvaluation] = ()
    row_reviews: Sequence[RowReview] = ()
    dataset_approvals: Sequence[DatasetApproval] = ()
    fallbacks: Sequence[Fallback] = ()
    against_live: Measure | None = None
    """Candidate minus the release now live, over the same test items; None where none is, or it was not measured on them."""
    live: str = ""
    approvals: Sequence[Approval] = ()
    barred: Mapping[str, str] = field(default_factory=dict)
    """Id of an approval or waiver to why that person may not give it, by the duties as they are now; of a no, as they were when it was said."""
    vacant: Collection[str] = ()
    """Ids of those that say no and whose person no longer holds that role: whoever holds it now may lift them."""

    @property
    def name(self) -> str:
        """How commands call the project."""
        return self.project


@dataclass
class Weighed:
    """What the gate found. Not accepted where there is any objection."""

    objections: list[Objection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    approvals: list[str] = field(default_factory=list)
    until: list[date] = field(default_factory=list)
    solo: bool = False

    def object(self, code: str, sentence: str, next: str = "", about: str = "") -> None:
        """One more reason against it."""
        self.objections.append(Objection(code=code, sentence=sentence, next=next, about=about))

    def stands_on(self, made: Made) -> None:
        """This evidence counted."""
        self.evidence.append(made.id)


def newest(case: Plea, weighed: Weighed, found: Sequence[M], *, what: str, next: str, about: Callable[[M], bool] = lambda _: True) -> M | None:
    """The newest evidence on these very digests; where there is none, the objection says what is there instead."""
    foreign = [made for made in found if made.project != case.project]
    own = [made for made in found if made.project == case.project]
    for made in foreign:
        weighed.object("foreign", f"{what} belongs to the project {made.project!r}, not to {case.project!r}", next, made.id)
    fitting = [made for made in own if made.dataset == case.dataset.id and about(made)]
    if fitting:
        weighed.stands_on(fitting[-1])
        return fitting[-1]
    if not own:
        weighed.object("missing", f"There is no {what}", next)
        return None
    last = own[-1]
    if last.dataset != case.dataset.id:
        then = case.versions.get(last.dataset)
        made_on = f"dataset version {then}" if then else "another dataset version"
        weighed.object("stale", f"The newest {what} was made on {made_on}, and this is version {case.dataset.number}", next, last.id)
    else:
        weighed.object("stale", f"The newest {what} is about another candidate", next, last.id)
    return None


def alone(case: Plea, weighed: Weighed, solo: bool, what: str, made: Identified) -> None:
    """What a person did alone stamps the answer, and stands against it where the policy asks for independent people."""
    if solo:
        weighed.solo = True
        if not case.policy.solo:
            weighed.object("not_independent", f"{what} was made by a person alone, and the policy asks for independent people", "whytune user add NAME --role ROLE", made.id)
