"""One release with every kind of evidence, told to card, datasheet and bill of materials."""

from __future__ import annotations

from typing import Any

from tests.acceptance.cases import (
    ADAPTER,
    BASE,
    BLESSED,
    CANDIDATE,
    DATA,
    DECISION,
    EVALUATION,
    POLICY,
    REPORT,
    REVIEW,
    TRIAL,
    VALIDATION,
    good,
    measure,
)
from tests.sample_decision import usecase

from whytune.acceptance import gate
from whytune.records.data import Source
from whytune.records.release import Acceptance, BoundEngine
from whytune.release.about import About

ENGINE = BoundEngine(name="transformers", versions={"torch": "2.13.0", "peft": "0.21.2"}, dtype="float32", decoding={"sampling": "none (greedy)", "max_new_tokens": "64"})


def about(**changes: Any) -> About:
    case = good()
    weighed = gate.weigh(case)
    acceptance = Acceptance(
        project="support", number=1, candidate=CANDIDATE.id, arm="tuned", dataset=DATA.id, policy=POLICY.id, decision=DECISION.id, accepted=True,
        sentence=gate.sentence(case, weighed), evidence=tuple(weighed.evidence), approvals=tuple(weighed.approvals),
    )  # fmt: skip
    sliced = TRIAL.model_copy(update={"slices": (("channel = mail", measure("facts", 0.8, 0.7, 0.9, 60)),)})
    sourced = DATA.model_copy(update={"rows": "12" * 32, "sources": (Source(file="rows.csv", sha256="ef" * 32, bytes=9, format="csv", encoding="utf-8", rows=900),)})
    values: dict[str, Any] = {
        "number": 4, "made": "2026-11-22T14:05:06Z", "usecase": usecase(), "candidate": CANDIDATE, "base": BASE, "adapter": ADAPTER, "engine": ENGINE,
        "dataset": sourced, "policy": POLICY, "acceptance": acceptance, "approvals": case.approvals, "decision": DECISION, "trial": sliced,
        "validation": VALIDATION, "report": REPORT, "evaluation": EVALUATION, "row_review": REVIEW, "dataset_approval": BLESSED,
    }  # fmt: skip
    return About(**{**values, **changes})
