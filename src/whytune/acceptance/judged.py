"""The gate's questions to people: the review of rows, the dataset's approval, the human evaluation, the signatures."""

from __future__ import annotations

from collections.abc import Sequence

from whytune.acceptance.plea import Made, Plea, Weighed, alone, newest
from whytune.records.evidence import Measure
from whytune.records.release import Approval
from whytune.records.review import HumanEvaluation
from whytune.records.wording import exact, phrase, span

SEEN_FROM_FIRST = {"better": "worse", "worse": "better"}
"""A conclusion is about the second candidate; for the first it is the other way round."""


def row_review(case: Plea, weighed: Weighed) -> None:
    """People looked at a random sample of the rows, and few enough are bad, provably."""
    terms, again = case.policy.human, f"whytune review open {case.name} --rows"
    found = newest(case, weighed, case.row_reviews, what="review of the rows by people", next=again)
    if found is None:
        return
    alone(case, weighed, found.solo, "The review of the rows", found)
    said = ["failed" if each.error_rate.low > terms.most_bad_rows else "not proven" if each.error_rate.high > terms.most_bad_rows else "passed" for each in case.row_reviews if each.dataset == case.dataset.id]
    _rounds(case, weighed, "The review of the rows", said, found)
    if found.error_rate.high > terms.most_bad_rows:
        weighed.object(
            "failed" if found.error_rate.low > terms.most_bad_rows else "not_proven",
            f"Up to {exact(round(found.error_rate.high, 4))} of the rows may be bad ({found.bad} of {found.rated} looked at); the policy allows {exact(terms.most_bad_rows)}",
            again if found.error_rate.low <= terms.most_bad_rows else f"whytune data proposals {case.name}", found.id,
        )  # fmt: skip
    if found.double_rated < terms.double_rated:
        weighed.object("too_few", f"{found.double_rated} rows were rated by two people; the policy asks for {terms.double_rated}", again, found.id)
    elif terms.double_rated:
        _agreement(case, weighed, found.agreement, "about the rows", found)


def dataset_approval(case: Plea, weighed: Weighed) -> None:
    """Somebody who wrote none of the rows approved the version."""
    found = newest(case, weighed, case.dataset_approvals, what="approval of the dataset", next=f"whytune data approve {case.name}")
    if found:
        alone(case, weighed, found.solo, "The approval of the dataset", found)


def human_evaluation(case: Plea, weighed: Weighed) -> None:
    """People, blind, did not find it worse."""
    terms, arm = case.policy.human, case.candidate.arm
    again = f"whytune review open {case.name} --pairs ARM {arm}"
    found = newest(case, weighed, case.evaluations, what="human evaluation of its answers", next=again, about=lambda e: case.candidate.id in e.candidates)
    if found is None:
        return
    alone(case, weighed, found.solo, "The human evaluation", found)
    about = [each for each in case.evaluations if each.dataset == case.dataset.id and case.candidate.id in each.candidates]
    _rounds(case, weighed, "The human evaluation", [conclusion(each, case.candidate.id).replace("_", " ") for each in about], found)
    if len(set(found.reviewers)) < terms.reviewers:
        weighed.object("too_few", f"{len(set(found.reviewers))} people judged the answers; the policy asks for {terms.reviewers}", again, found.id)
    elif terms.reviewers > 1:
        _agreement(case, weighed, found.agreement, "about the answers", found)
    said = conclusion(found, case.candidate.id)
    if said not in terms.conclusions:
        other = next((phrase(a) for a, c in zip(found.arms, found.candidates, strict=True) if c != case.candidate.id), "the other")
        weighed.object(
            "failed" if said == "worse" else "not_proven",
            f"People found {phrase(arm)} {said.replace('_', ' ')} against {other}: share of decisive votes {span(found.preference)} (n = {found.decisive:,})", again, found.id,
        )  # fmt: skip


def _rounds(case: Plea, weighed: Weighed, what: str, said: Sequence[str], found: Made) -> None:
    """People who are asked about the same thing often enough say yes by chance: every round counts, and is told."""
    if len(said) < 2:
        return
    most = case.policy.human.most_rounds
    told = f"{what} is round {len(said)} about the same; earlier: {', '.join(said[:-1])}"
    if len(said) > most:
        weighed.object("rounds", f"{told}; the policy allows {most}", "bring new rows, or mend the candidate: what is new is asked about anew", found.id)
    else:
        weighed.notes.append(told)


def conclusion(found: HumanEvaluation, candidate: str) -> str:
    """What a round concluded, seen from this candidate."""
    if candidate == found.candidates[0] and len(found.candidates) > 1:
        return SEEN_FROM_FIRST.get(found.conclusion, found.conclusion)
    return found.conclusion


def signatures(case: Plea, weighed: Weighed) -> None:
    """Every role that must sign has signed what is there today, each a different person, and nobody said no."""
    refused = _vetoes(case, weighed)
    current = set(weighed.evidence)
    standing: dict[tuple[str, str], Approval] = {}
    past: dict[str, Approval] = {}
    for given in case.approvals:
        fits = (given.project, given.candidate, given.dataset, given.policy) == (case.project, case.candidate.id, case.dataset.id, case.policy.id)
        if fits and current <= set(given.subject):
            standing[given.role, given.person] = given  # a later word of the same person takes the place of an earlier one
        else:
            past[given.role] = given
            standing.pop((given.role, given.person), None) if fits else None
    given_by: dict[str, str] = {}
    for role in case.policy.signatures:
        yes = [given for given in standing.values() if given.role == role and given.says == "approve"]
        good = [given for given in yes if _counts(case, weighed, given, given_by)]
        ask = f"whytune sign {case.name} --role {role} --reason \"...\""
        if good:
            given_by[good[-1].person] = role
            weighed.approvals.append(good[-1].id)
            weighed.solo = weighed.solo or good[-1].solo
        elif yes or role in refused:
            continue  # told above
        elif role in past:
            weighed.object("stale", f"The {role} signed {_what_changed(case, past[role], current)}", ask, past[role].id)
        else:
            weighed.object("unsigned", f"The {role} has not signed", ask)


def _vetoes(case: Plea, weighed: Weighed) -> set[str]:
    """A no stands, whatever is measured or asked for later, until it is taken back; gives the roles in which one stands.

    Who said it takes it back by signing. Somebody else can only where that person no longer holds the role: so that a no
    cannot be got rid of by getting rid of a person, nor stand for ever because one left.
    """
    last = {(given.role, given.person): given for given in case.approvals if (given.project, given.candidate, given.dataset) == (case.project, case.candidate.id, case.dataset.id)}
    refused = set()
    for given in last.values():
        if given.says != "reject":
            continue
        said = f"{given.person} ({given.role}) says no: {given.reason}"
        heirs = [each for each in last.values() if each.role == given.role and each.says == "approve" and each.policy == case.policy.id and each.number > given.number]
        lifted = next((each for each in heirs if given.id in case.vacant and each.id not in case.barred), None)
        if given.id in case.barred:
            weighed.notes.append(f"A no does not count, because {case.barred[given.id]}: {said}")
        elif lifted:
            weighed.notes.append(f"{lifted.person}, who is {given.role} now, lifted a no ({lifted.reason}): {said}")
        else:
            who = f"whoever is {given.role} now may lift it" if given.id in case.vacant else f"only {given.person} can take it back"
            weighed.object("rejected", said, f"mend it; {who}: whytune sign {case.name} --role {given.role} --reason \"...\"", given.id)
            weighed.approvals.append(given.id)
            refused.add(given.role)
    return refused


def _counts(case: Plea, weighed: Weighed, given: Approval, given_by: dict[str, str]) -> bool:
    """Whether one signature counts; why it does not is one more objection."""
    if given.id in case.barred:
        weighed.object("not_independent", f"{given.person} may not sign as {given.role}: {case.barred[given.id]}", "somebody else must sign", given.id)
        return False
    if given.solo and not case.policy.solo:
        weighed.object("not_independent", f"{given.person} signed as {given.role} alone, and the policy asks for independent people", "whytune user add NAME --role ROLE", given.id)
        return False
    if given.person in given_by and not given.solo:
        weighed.object("not_independent", f"{given.person} signed as {given_by[given.person]} and as {given.role}; nobody gives two of the required signatures", "somebody else must sign", given.id)
        return False
    return True


def _what_changed(case: Plea, given: Approval, current: set[str]) -> str:
    if given.candidate != case.candidate.id:
        return "another candidate"
    if given.dataset != case.dataset.id:
        return "another dataset version"
    if given.policy != case.policy.id:
        return "under another policy"
    return f"before {len(current - set(given.subject))} piece(s) of evidence came to be"


def _agreement(case: Plea, weighed: Weighed, measures: Sequence[Measure], about: str, made: Made) -> None:
    floor = case.policy.human.alpha
    alpha = next((measure for measure in measures if "alpha" in measure.name), None)
    raw = next((measure for measure in measures if measure.name == "raw agreement"), None)
    if alpha is None and raw is not None and raw.value == 1.0:
        # Alpha compares with chance, and has nothing to compare where everybody gave the one same verdict.
        weighed.notes.append(f"Everybody said the same {about} ({raw.n:,} judged by two or more), so alpha is not defined")
    elif alpha is None:
        weighed.object("not_proven", f"How far people agree {about} is not known", f"whytune review status {case.name}", made.id)
    elif alpha.value < floor:
        weighed.object("not_proven", f"People hardly agree {about}: alpha {alpha.value:.2f} ({alpha.low:.2f} to {alpha.high:.2f}, n = {alpha.n:,}); the policy asks for {floor:.2f}", "mend the guideline and ask again", made.id)
