"""Accepted?: the evidence there is, the signatures, and yes or no with every reason.

    approval = sign(project, "tester", "approve", "read every probe")     # as a person who made no part of it
    acceptance = accept(project)                                          # a no names slices and rows to look for

Each signature binds to the digests it was given for. A no becomes parent of the next dataset version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from whytune.acceptance import gate, mending
from whytune.acceptance.plea import Fallback, Plea, Weighed
from whytune.errors import NotAllowedError, NotFoundError, RefusedError, UsageError
from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.choice import Forgetting
from whytune.records.data import Dataset, Validation
from whytune.records.evidence import Measure, Protocol, Trial
from whytune.records.proposal import DatasetApproval
from whytune.records.record import canonical_json, digest
from whytune.records.release import Acceptance, Approval, Policy, Release
from whytune.records.responsible import ResponsibleReport, Waiver
from whytune.records.review import HumanEvaluation, RowReview
from whytune.workspace import duties, policies, releasing, roles
from whytune.workspace.case_memory import MEMORY
from whytune.workspace.creating import examples_of

if TYPE_CHECKING:
    from whytune.workspace.project import Project

CHAMPION = "champion"
PATIENCE = 20.0
"""Seconds that a signature waits for another one that is being given."""


class ChangedError(RefusedError):
    """What somebody read before they decided is not what is there now."""


def candidate_of(project: Project, arm: str = "") -> Candidate:
    """The candidate of an arm by the newest decision; with no arm, the one that the decision names, or else the best."""
    decision = project.decision
    if decision is None:
        raise NotFoundError(f"{project.name} has no decision, so there is nothing to accept", next=f"whytune run {project.name}")
    measured = {line.arm: line.candidate for line in decision.arms if line.candidate}
    # Where no arm is named the best one stands before the gate all the same: its no says what to mend.
    best = max((line for line in decision.arms if line.candidate), key=lambda line: line.primary.value, default=None)
    wanted = arm or decision.verdict.winner or (best.arm if best else "")
    if wanted not in measured:
        raise NotFoundError(f"No arm {wanted!r} was measured" if wanted else "No arm was measured", where=f"there are: {', '.join(measured) or 'none'}", next=f"whytune compare {project.name}")
    return project.workspace.store.get(Candidate, measured[wanted])


def case_for(project: Project, arm: str = "", *, policy: Policy | None = None, today: date | None = None) -> Plea:
    """Everything there is about one candidate, read from records alone."""
    store, candidate = project.workspace.store, candidate_of(project, arm)
    made = project.dataset
    validations = project.records(Validation)
    held = Plea(
        project=project.key, candidate=candidate, adapter=store.get(Adapter, candidate.adapter) if candidate.adapter else None,
        base=store.get(Base, candidate.base), dataset=made, policy=policy or policies.fixed(project), rule=project.file.acceptance,
        today=today or datetime.now(UTC).date(), decision=project.decision,
        versions={each.id: each.number for each in project.records(Dataset)},
        trials=project.records(Trial), protocols=project.records(Protocol),
        looks=len(project.looks_at(made)),
        validation=next((v for v in reversed(validations) if v.dataset == made.id), validations[-1] if validations else None),
        reports=project.records(ResponsibleReport), waivers=project.records(Waiver), evaluations=project.records(HumanEvaluation),
        row_reviews=project.records(RowReview), dataset_approvals=project.records(DatasetApproval), fallbacks=_fallbacks(project, candidate),
        approvals=project.records(Approval),
    )  # fmt: skip
    barred, (unfounded, vacant) = _barred(project, held), _vetoes(project, held)
    return replace(held, against_live=_against_live(project, held), live=_live(project), barred=barred | unfounded, vacant=vacant)


def seen_by_signer(case: Plea, weighed: Weighed) -> str:
    """What stands for everything a signer signs: candidate, data, policy, decision, rule and evidence. Signatures are no part of it."""
    return _digest([*subject_of(case), case.policy.id, case.decision.id if case.decision else "", case.rule.id, *sorted(weighed.evidence)])


def seen_by_owner(made: Acceptance) -> str:
    """What stands for everything that a yes or no is decided on: all that a signer sees, the signatures and every objection."""
    against = [part for each in made.objections for part in (each.code, each.about, each.sentence)]
    return _digest([made.candidate, made.dataset, made.policy, made.decision, *sorted(made.evidence), "", *sorted(made.approvals), "", *against])


def sign(project: Project, role: str, says: Literal["approve", "reject"], reason: str, arm: str = "", seen: str = "") -> Approval:
    """One person's signature under one role, on what is there now. Raises NotAllowedError with every reason and who may.

    seen: `seen_by_signer` of what they read; where something else is there by now, ChangedError is raised and nothing signed.
    """
    roles.check_roles((role,))
    if role not in roles.ACTS["approval.signed"]:
        raise UsageError(f"{role} does not sign", next=f"choose one of: {', '.join(roles.ACTS['approval.signed'])}")
    if not reason.strip():
        raise UsageError("A signature needs a reason: what was looked at, and what speaks for it", next=f'whytune sign {project.name} --role {role} --reason "..."')
    # One signature of a project at a time: who is second is judged knowing the first, and each has a number of its own.
    with _alone_at(project):
        return _sign(project, role, says, reason, arm, seen)


def _sign(project: Project, role: str, says: Literal["approve", "reject"], reason: str, arm: str, seen: str) -> Approval:
    case = case_for(project, arm)
    weighed = gate.evidence(case)
    _check_seen(project, seen, seen_by_signer(case, weighed))
    if says == "approve" and weighed.objections:
        raise RefusedError(
            f"There is nothing to approve yet: {len(weighed.objections)} reasons stand against {case.candidate.arm} before any signature",
            problems=[_told(objection.sentence, objection.next) for objection in weighed.objections], next=f"whytune accept {project.name} --dry-run",
        )  # fmt: skip
    person = project.workspace.person
    signed = [given for given in standing_of(case, weighed) if given.says == "approve" and (given.person, given.role) != (person.name, role)]
    duties.check_signature(project.workspace, project, person, role, subject_of(case), signed, policy_solo=case.policy.solo)
    known = project.records(Approval)
    with project.act("approval.signed", read=[*subject_of(case), case.policy.id, *weighed.evidence]) as act:
        act.facts.update(role=role, says=says, arm=case.candidate.arm)
        return act.write(
            Approval(
                project=project.key, number=len(known) + 1, candidate=case.candidate.id, dataset=case.dataset.id, policy=case.policy.id,
                role=role, person=person.name, says=says, reason=reason.strip(), subject=tuple(sorted(weighed.evidence)), solo=person.solo,
            )
        )


def judge(project: Project, arm: str = "", *, today: date | None = None) -> Acceptance:
    """Yes or no as things stand, without writing it down."""
    case = case_for(project, arm, today=today)
    weighed = gate.weigh(case)
    on_dev, mend = _to_mend(project, case) if weighed.objections else ("", mending.ToMend((), ()))
    made = Acceptance(
        project=project.key, number=1, candidate=case.candidate.id, arm=case.candidate.arm, dataset=case.dataset.id,
        policy=case.policy.id, decision=case.decision.id if case.decision else "", accepted=not weighed.objections,
        sentence=gate.sentence(case, weighed), objections=tuple(weighed.objections), notes=tuple(weighed.notes),
        evidence=tuple(weighed.evidence), approvals=tuple(weighed.approvals), slices_to_mend=mend.slices, collection_targets=mend.targets,
        measured_on_dev=on_dev, valid_until=min(weighed.until).isoformat() if weighed.until else "",
        solo=weighed.solo,
    )  # fmt: skip
    known = project.records(Acceptance)
    if known and made.model_copy(update={"number": known[-1].number}) == known[-1]:
        return known[-1]
    return made.model_copy(update={"number": len(known) + 1})


def accept(project: Project, arm: str = "", seen: str = "") -> Acceptance:
    """Decide and write it down, once for the same evidence and signatures. seen: `seen_by_owner` of what was read, as in `sign`."""
    with _alone_at(project):
        return _accept(project, arm, seen)


def send_back(project: Project, reason: str, arm: str = "", seen: str = "") -> Acceptance:
    """The business owner's own no: a rejection with its reason, and the decision that says what the next version is to mend."""
    roles.check(project.workspace.person, "acceptance.decided")
    sign(project, "business_owner", "reject", reason, arm, seen)
    return accept(project, arm)


def _accept(project: Project, arm: str, seen: str) -> Acceptance:
    made = judge(project, arm)
    _check_seen(project, seen, seen_by_owner(made))
    known = project.workspace.store.latest(Acceptance, project.key)
    if known is not None and known.id == made.id:
        roles.check(project.workspace.person, "acceptance.decided")
        return known
    with project.act("acceptance.decided", read=[made.candidate, made.dataset, made.policy, *made.evidence, *made.approvals]) as act:
        act.facts.update(accepted="yes" if made.accepted else "no", arm=made.arm, reasons=str(len(made.objections)))
        return act.write(made)


def refused(project: Project, dataset: str) -> Acceptance | None:
    """The newest word about this dataset version, where it was no: what the next version is to mend."""
    found = [made for made in project.records(Acceptance) if made.dataset == dataset]
    return found[-1] if found and not found[-1].accepted else None


def asked(project: Project, arm: str = "") -> dict[str, list[str]]:
    """For each role that must sign and has not: who may."""
    case = case_for(project, arm)
    weighed = gate.evidence(case)
    standing = [given for given in standing_of(case, weighed) if given.says == "approve" and given.id not in case.barred]
    open_yet = [role for role in case.policy.signatures if role not in {given.role for given in standing}]
    if not project.workspace.people():
        return {role: [project.workspace.person.name] if case.policy.solo else [] for role in open_yet}
    item = duties.item_of(project.workspace, subject_of(case))
    return {role: item.who_may(role, standing) for role in open_yet}


def subject_of(case: Plea) -> list[str]:
    """What a signer must have had no part in."""
    return [case.candidate.id, case.dataset.id, *([case.candidate.adapter] if case.candidate.adapter else [])]


def standing_of(case: Plea, weighed: Weighed) -> list[Approval]:
    """The last word of each person in each role on what is there now."""
    current = set(weighed.evidence)
    last = {(given.role, given.person): given for given in _fitting(case) if current <= set(given.subject)}
    return list(last.values())


@contextmanager
def _alone_at(project: Project) -> Iterator[None]:
    with project.workspace.store.lock(f"signatures of {project.key}", wait=PATIENCE):
        yield


def _check_seen(project: Project, seen: str, now: str) -> None:
    if seen and seen != now:
        raise ChangedError(
            f"What you read about {project.name} has changed since: there is other evidence, another policy or another decision by now",
            where="nothing was signed or decided", next=f"read it again, then decide: whytune accept {project.name} --dry-run",
        )  # fmt: skip


def _digest(parts: Sequence[str]) -> str:
    return digest(canonical_json(list(parts)))


def _told(sentence: str, next: str) -> str:
    return f"{sentence} ({next})" if next else sentence


def _fitting(case: Plea) -> list[Approval]:
    wanted = (case.candidate.id, case.dataset.id, case.policy.id)
    return [given for given in case.approvals if (given.candidate, given.dataset, given.policy) == wanted]


def _barred(project: Project, case: Plea) -> dict[str, str]:
    """Signatures and waivers that the duties do not let count as things are now: roles change after a signature too."""
    last = {(given.role, given.person): given for given in _fitting(case) if given.says == "approve"}
    waived = [waiver for waiver in case.waivers if waiver.candidate == case.candidate.id and case.today <= waiver.until]
    if not last and not waived:
        return {}
    people = {person.name: person for person in project.workspace.people()}
    item = duties.item_of(project.workspace, subject_of(case))
    found: dict[str, str] = {}
    asked: list[Approval | Waiver] = [*last.values(), *waived]
    for given in asked:
        person = people.get(given.person) if people else roles.solo(given.person)
        if person is None:
            found[given.id] = f"{given.person} is no longer a person of this workspace"
            continue
        others = [other for other in last.values() if other.id != given.id and other.number < given.number] if isinstance(given, Approval) else []
        try:
            # Whether the policy lets a waiver be given alone is asked by the gate, of the waiver itself.
            duties.check_on(item.signed_with(given.id), project, person, given.role, others, policy_solo=case.policy.solo or isinstance(given, Waiver))
        except NotAllowedError as error:
            found[given.id] = "; ".join(error.problems) or error.what
    return found


def _vetoes(project: Project, case: Plea) -> tuple[dict[str, str], set[str]]:
    """Of those that say no about this candidate: which were not permitted when they were said, and why; and whose person holds that role no longer."""
    said = [given for given in case.approvals if (given.candidate, given.dataset, given.says) == (case.candidate.id, case.dataset.id, "reject")]
    if not said:
        return {}, set()
    people = {person.name: person for person in project.workspace.people()}
    book = duties.book_of(project.workspace)
    unfounded: dict[str, str] = {}
    for given in said:
        then = duties.OpenItem.of(book.until(given.id), subject_of(case))
        # Before there were people, whoever was alone held every role.
        if reasons := then.reasons(given.person, given.role) if then.people else []:
            unfounded[given.id] = "; ".join(reasons)
    return unfounded, {given.id for given in said if people and given.role not in (people[given.person].roles if given.person in people else ())}


def _live(project: Project) -> str:
    names = releasing.aliases(project.workspace)
    for name in (f"{project.key}/{CHAMPION}", CHAMPION):
        if name in names and project.workspace.store.get(Release, names[name]).project == project.key:
            return names[name]
    return ""


def _against_live(project: Project, case: Plea) -> Measure | None:
    """Candidate minus the release now live over the same test items, where both were measured on this version."""
    live = _live(project)
    if not live or not case.policy.test.behind_champion:
        return None
    from whytune.stats.paired import paired_means, paired_rates

    store = project.workspace.store
    incumbent = store.get(Release, live).candidate
    trials = {t.candidate: t for t in case.trials if t.dataset == case.dataset.id and t.split == "test"}
    if not {incumbent, case.candidate.id} <= trials.keys():
        return None
    first, second = ({row["item"]: row["value"] for row in store.read_pack(trials[each].scores)} for each in (incumbent, case.candidate.id))
    shared = sorted(first.keys() & second.keys())
    before, now = [first[item] for item in shared], [second[item] for item in shared]
    rates = all(value in (0.0, 1.0) for value in (*before, *now))
    found = (paired_rates if rates else paired_means)(before, now, case.rule.confidence)
    return Measure(name="difference", value=found.value, low=found.low, high=found.high, n=found.n, method=found.method)


def _to_mend(project: Project, case: Plea) -> tuple[str, mending.ToMend]:
    """(arm whose dev answers it comes from, what to mend); the candidate's own where it was measured on dev."""
    on_dev = [t for t in case.trials if t.split == "dev" and t.dataset == case.dataset.id]
    own = [t for t in on_dev if t.candidate == case.candidate.id]
    attribution = case.decision.attribution if case.decision else None
    best = [t for t in on_dev if attribution and t.arm == attribution.best_untrained]
    chosen: Sequence[Trial] = own or best
    if not chosen:
        return "", mending.ToMend((), ())
    trial, made, store = chosen[-1], case.dataset, project.workspace.store

    def make() -> mending.ToMend:
        scores = {row["item"]: float(row["value"]) for row in store.read_pack(trial.scores)}
        answers = mending.DevAnswers(rows=examples_of(project, made, "dev"), scores=scores, train=made.counts.get("train", 0), labelled=bool(made.labels))
        return mending.to_mend(answers, case.rule)

    # A page shows it each time it is opened; it is the same until a row is erased.
    return trial.arm, MEMORY.held(store, ("mend", trial.id, case.rule.id), (made.rows, trial.scores), make)


def _fallbacks(project: Project, candidate: Candidate) -> list[Fallback]:
    """What tuning lost of general skill. It is asked of the weights, so it holds for every candidate with that adapter."""
    found = []
    for made in project.records(Forgetting):
        adapter = project.workspace.store.get(Adapter, made.adapter)
        about = candidate.id if made.adapter == candidate.adapter else made.candidate
        found.append(Fallback(made.id, made.project, adapter.dataset, about, made.difference))
    return found
