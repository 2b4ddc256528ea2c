"""What whoever decides must see before they do: the candidate, what speaks against it, who has signed, and who still may.

    found = sign_offs(project)              # of the arm that the decision names
    found.signatures[0].mine.allowed        # whether I may sign in that role, and if not, why and who may

Nothing is written here. `seen` goes into each form, so that nobody signs what they have not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from whytune.acceptance import gate
from whytune.errors import NotFoundError, UsageError
from whytune.records.candidate import ARM_TITLES
from whytune.records.decision import Decision
from whytune.records.ledger import ROLES
from whytune.records.release import Acceptance, Approval, Objection, Policy
from whytune.report.view import PageWords, view
from whytune.workspace import accepting, duties, policies
from whytune.workspace.permissions import Permission, may

if TYPE_CHECKING:
    from whytune.acceptance.plea import Plea
    from whytune.workspace.duties import OpenItem
    from whytune.workspace.project import Project


@dataclass(frozen=True)
class Given:
    """One signature. counts: whether it stands today; if not, why."""

    role: str
    person: str
    says: str
    reason: str
    when: str
    counts: bool
    why_not: str


@dataclass(frozen=True)
class AskedRole:
    """A role that must sign: by whom it was, or who may."""

    role: str
    does: str
    signed: Given | None
    who: tuple[str, ...]
    mine: Permission
    """Whether whoever asks may sign in it now."""


@dataclass(frozen=True)
class SignOffs:
    """Everything that is signed and decided about one arm's candidate."""

    arm: str
    title: str
    candidate: str
    arms: tuple[tuple[str, str], ...]
    """(arm, title) of every arm that may be looked at."""
    policy: Policy | None
    policy_problem: str
    """Why nothing can be signed yet; empty where a policy is in force."""
    policy_next: str
    against: tuple[Objection, ...]
    """What speaks against it before any signature: with one of these nobody can approve."""
    missing: tuple[Objection, ...]
    """What the signatures themselves lack."""
    notes: tuple[str, ...]
    signatures: tuple[AskedRole, ...]
    others: tuple[Given, ...]
    """Every other signature of the project, newest first: stale, of another candidate, or in another role."""
    seen: str
    seen_for_decision: str
    may_reject: Permission
    may_decide: Permission
    would_accept: bool
    sentence: str
    last: Acceptance | None
    """The newest yes or no that was written down."""
    last_current: bool
    """Whether it still says what would be decided now."""


def sign_offs(project: Project, arm: str = "") -> SignOffs:
    """As things stand for one arm; with none, for the one that the decision names. Raises NotFoundError without a decision."""
    candidate = accepting.candidate_of(project, arm)
    decision = project.decision
    arms = tuple((line.arm, line.title) for line in decision.arms if line.candidate) if decision else ()
    decided = may(project.workspace, "acceptance.decided")
    last = project.workspace.store.latest(Acceptance, project.key)
    try:
        case = accepting.case_for(project, candidate.arm)
    except (NotFoundError, UsageError) as error:
        # Without a policy nothing can be signed, and the rest of the page is as good as before.
        no = Permission(False, "No policy is in force", ())
        return SignOffs(
            arm=candidate.arm, title=ARM_TITLES[candidate.arm], candidate=candidate.id, arms=arms, policy=None,
            policy_problem="; ".join([error.what, *error.problems]), policy_next=error.next, against=(), missing=(), notes=(), signatures=(), others=(), seen="",
            seen_for_decision="", may_reject=no, may_decide=no, would_accept=False, sentence="", last=last, last_current=False,
        )  # fmt: skip
    weighed = gate.evidence(case)
    would = accepting.judge(project, candidate.arm)
    item = duties.item_of(project.workspace, accepting.subject_of(case))
    standing = accepting.standing_of(case, weighed)
    told = {given.id: _given(project, given, case, would) for given in case.approvals}
    shown = tuple(_asked(project, case, item, role, standing, told) for role in case.policy.signatures)
    named = {each.signed for each in shown if each.signed}
    return SignOffs(
        arm=candidate.arm, title=ARM_TITLES[candidate.arm], candidate=candidate.id, arms=arms, policy=case.policy, policy_problem="", policy_next="",
        against=tuple(weighed.objections), missing=tuple(each for each in would.objections if each not in weighed.objections), notes=would.notes,
        signatures=shown, others=tuple(each for each in reversed(told.values()) if each not in named), seen=accepting.seen_by_signer(case, weighed),
        seen_for_decision=accepting.seen_by_owner(would), may_reject=_may_reject(project, item, standing, case), may_decide=decided,
        would_accept=would.accepted, sentence=would.sentence, last=last, last_current=bool(last and accepting.seen_by_owner(last) == accepting.seen_by_owner(would)),
    )  # fmt: skip


def _given(project: Project, given: Approval, case: Plea, would: Acceptance) -> Given:
    counts = given.id in would.approvals
    if counts:
        why = ""
    elif given.id in case.barred:
        why = case.barred[given.id]
    else:
        about = next((each.sentence for each in would.objections if each.about == given.id), "")
        why = about or "it was given for another candidate, other data, another policy or before there was newer evidence"
    event = next((event for event in duties.book_of(project.workspace).events if given.id in event.wrote), None)
    return Given(given.role, given.person, given.says, given.reason, event.when if event else "", counts, why)


def _asked(project: Project, case: Plea, item: OpenItem, role: str, standing: list[Approval], told: dict[str, Given]) -> AskedRole:
    own = [given for given in standing if given.role == role]
    good = [given for given in own if told[given.id].counts] or own
    signed = told[good[-1].id] if good else None
    yes = [given for given in standing if given.says == "approve" and given.id not in case.barred]
    person = project.workspace.person
    if not item.people:
        alone = case.policy.solo
        mine = Permission(True) if alone else Permission(False, "You are alone here, and the policy asks for independent people", ())
        return AskedRole(role, ROLES[role], signed, (person.name,) if alone else (), mine)
    who = tuple(item.who_may(role, [given for given in yes if given.role != role]))
    others = [given for given in yes if (given.person, given.role) != (person.name, role)]
    reasons = item.reasons(person.name, role, others)
    return AskedRole(role, ROLES[role], signed, who, Permission(not reasons, "; ".join(reasons), () if not reasons else who))


def _may_reject(project: Project, item: OpenItem, standing: list[Approval], case: Plea) -> Permission:
    """Whether whoever asks may send it back: the business owner, who had no part in it."""
    person, owner = project.workspace.person, may(project.workspace, "acceptance.decided")
    if not owner.allowed or (not item.people and case.policy.solo):
        return owner
    yes = [given for given in standing if given.says == "approve" and (given.person, given.role) != (person.name, "business_owner")]
    reasons = item.reasons(person.name, "business_owner", yes) if item.people else ["You are alone here, and the policy asks for independent people"]
    return Permission(not reasons, "; ".join(reasons), tuple(item.who_may("business_owner", yes)) if reasons else ())


def words(decision: Decision) -> PageWords:
    """The decision in words, the same ones as in its report."""
    return view(decision)


def text_of_policy(project: Project) -> str:
    """`policy.toml` as it stands, or as it would be written for this project."""
    path = project.folder / policies.FILE
    if path.exists():
        return path.read_text("utf-8", errors="replace")
    return policies.write(Policy(project=project.key, number=1, solo=not project.workspace.people()))
