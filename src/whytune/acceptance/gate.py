"""Accepted? The one place where evidence, policy and signatures come to yes or no, with every reason at once.

    weighed = weigh(case)
    weighed.objections     # empty: accepted

It opens no file and asks nobody. `evidence(case)` is what a signer signs: the same questions without the signatures.
"""

from __future__ import annotations

from collections.abc import Callable

from whytune.acceptance import judged, measured
from whytune.acceptance.plea import Plea, Weighed
from whytune.records.release import EvidenceName
from whytune.records.wording import opening

QUESTIONS: dict[EvidenceName, Callable[[Plea, Weighed], None]] = {
    "test": measured.test,
    "responsible": measured.responsible,
    "human_evaluation": judged.human_evaluation,
    "row_review": judged.row_review,
    "dataset_approval": judged.dataset_approval,
    "forgetting": measured.forgetting,
}


def evidence(case: Plea) -> Weighed:
    """Everything but the signatures."""
    weighed = Weighed()
    if case.policy.project != case.project:
        weighed.object("foreign", f"The policy belongs to the project {case.policy.project!r}", f"whytune policy show {case.name}", case.policy.id)
    if case.dataset.project != case.project:
        weighed.object("foreign", f"The dataset belongs to the project {case.dataset.project!r}", f"whytune data show {case.name}", case.dataset.id)
    if case.candidate.retrieval and case.candidate.retrieval.how == "oracle":
        weighed.object("closed", "The oracle is told where the answer stands: it can be measured on dev and never released")
    if case.adapter and case.adapter.dataset != case.dataset.id:
        weighed.object("stale", f"The adapter was trained on dataset version {case.versions.get(case.adapter.dataset, '?')}, and this is version {case.dataset.number}", f"whytune run {case.name}", case.adapter.id)
    for name in case.policy.evidence:
        QUESTIONS[name](case, weighed)
    measured.data(case, weighed)
    measured.licence(case, weighed)
    return weighed


def weigh(case: Plea) -> Weighed:
    """Everything, signatures included."""
    weighed = evidence(case)
    judged.signatures(case, weighed)
    return weighed


def sentence(case: Plea, weighed: Weighed) -> str:
    """The answer in one sentence."""
    who = opening(case.candidate.arm)
    if weighed.objections:
        count = len(weighed.objections)
        return f"{who} is not accepted: {count} reason{'s' if count > 1 else ''} against it."
    stamp = " It is not independently approved: one person alone signed." if weighed.solo else ""
    return f"{who} is accepted on {len(weighed.evidence)} pieces of evidence and {len(weighed.approvals)} signature{'s' if len(weighed.approvals) != 1 else ''}.{stamp}"
