"""A candidate with everything in its favour, to be spoilt one thing at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from tests.sample_decision import dataset, scored, trial, usecase

from whytune.acceptance.plea import Fallback, Plea
from whytune.records.candidate import Adapter, Base, Candidate, Prompt, Recipe
from whytune.records.data import Finding, Validation
from whytune.records.evidence import Measure, Protocol
from whytune.records.proposal import DatasetApproval
from whytune.records.release import Approval, Policy
from whytune.records.responsible import DIMENSIONS, ProbeResult, ResponsibleReport
from whytune.records.review import HumanEvaluation, RowReview

TODAY = date(2026, 11, 22)
BASE = Base(name="small-instruct", source="folder", location="", digest="ab" * 32, licence="Apache-2.0", parameters=135_000_000)
DATA = dataset(300)
RULE = usecase().rule
ADAPTER = Adapter(
    base=BASE.id, recipe=Recipe(), dataset=DATA.id, prompt=Prompt().id, digest="cd" * 32, rows=600, trained_tokens=9_000, tokens=60_000, seconds=70.0,
    dtype="float32", best_step=3, curve=(),
)  # fmt: skip
CANDIDATE = Candidate(base=BASE.id, prompt=Prompt(), adapter=ADAPTER.id)
PROTOCOL = Protocol(
    project="support", usecase="usecase:1", rule=RULE.id, dataset=DATA.id, candidates=(CANDIDATE.id,), arms=("tuned",), contrasts=(), metric=RULE.metric
)
TRIAL = trial("tuned", scored(300, {"tuned": 0.85})["tuned"], DATA).model_copy(update={"candidate": CANDIDATE.id, "protocol": PROTOCOL.id})
POLICY = Policy(project="support", number=1)


def measure(name: str, value: float, low: float, high: float, n: int = 200) -> Measure:
    return Measure(name=name, value=value, low=low, high=high, n=n, method="test")


def decision(**changes: Any) -> Any:
    from tests.sample_decision import typical

    made = typical()
    arms = tuple(line.model_copy(update={"candidate": CANDIDATE.id}) if line.arm == "tuned" else line for line in made.arms)
    verdict = made.verdict.model_copy(update={"winner": "tuned", "code": "FINETUNE_FOR_QUALITY"})
    return made.model_copy(update={"project": "support", "rule": RULE, "arms": arms, "verdict": verdict, "hashes": {"dataset": DATA.id}, **changes})


DECISION = decision()
FINDINGS = (Finding(check="empty", status="pass", message=""), Finding(check="personal_data", status="pass", message=""), Finding(check="secrets", status="pass", message=""))
VALIDATION = Validation(dataset=DATA.id, findings=FINDINGS)
REPORT = ResponsibleReport(
    project="support", dataset=DATA.id, candidate=CANDIDATE.id, arm="tuned", reference="candidate:base",
    results=(
        *(ProbeResult(dimension=name, probe=f"{name}_probe", status="PASS", sentence="fine") for name in DIMENSIONS),
        ProbeResult(dimension="privacy", probe="canaries", status="PASS", sentence="fine"),
    ),
    seed=17, items=50, suites={}, limits="l",
)  # fmt: skip
EVALUATION = HumanEvaluation(
    project="support", dataset=DATA.id, queue="queue:1", form="pairwise", candidates=("candidate:prompt", CANDIDATE.id), arms=("prompt", "tuned"),
    votes=120, decisive=90, wins=65, ties=20, preference=measure("preference", 0.72, 0.6, 0.8, 90), agreement=(measure("alpha", 0.6, 0.4, 0.7),),
    position_bias=measure("first", 0.5, 0.4, 0.6), reviewers=("ann", "bob"), conclusion="better",
)  # fmt: skip
REVIEW = RowReview(
    project="support", dataset=DATA.id, queue="queue:2", guideline="g", reviewers=("ann", "bob"), rated=300, bad=2, error_rate=measure("bad", 0.007, 0.001, 0.024, 300),
    agreement=(measure("Krippendorff alpha", 0.7, 0.5, 0.8),), double_rated=75, adjudicated=0, edits="e",
)  # fmt: skip
BLESSED = DatasetApproval(project="support", dataset=DATA.id, person="lea", role="legal", validation=VALIDATION.id)
KEPT = Fallback("forgetting:1", "support", DATA.id, CANDIDATE.id, measure("difference", -0.01, -0.04, 0.02, 60))


def approval(role: str, person: str, subject: tuple[str, ...], number: int = 1, **changes: Any) -> Approval:
    made = Approval(
        project="support", number=number, candidate=CANDIDATE.id, dataset=DATA.id, policy=POLICY.id, role=role, person=person, says="approve", reason="looked", subject=subject
    )
    return made.model_copy(update=changes)


def unsigned(**changes: Any) -> Plea:
    """Everything but the signatures."""
    return replace(
        Plea(
            project="support", candidate=CANDIDATE, adapter=ADAPTER, base=BASE, dataset=DATA, policy=POLICY, rule=RULE, today=TODAY, decision=DECISION,
            versions={DATA.id: 3}, trials=(TRIAL,), protocols=(PROTOCOL,), looks=4, validation=VALIDATION, reports=(REPORT,), evaluations=(EVALUATION,),
            row_reviews=(REVIEW,), dataset_approvals=(BLESSED,), fallbacks=(KEPT,),
        ),
        **changes,
    )  # fmt: skip


def good(**changes: Any) -> Plea:
    """Everything in its favour, signed by three people; changes come after they signed."""
    from whytune.acceptance.gate import evidence

    subject = tuple(evidence(unsigned()).evidence)
    signed = tuple(approval(role, person, subject, n) for n, (role, person) in enumerate((("business_owner", "bea"), ("responsible_ai", "rita"), ("tester", "tess")), 1))
    return replace(unsigned(approvals=signed), **changes)
