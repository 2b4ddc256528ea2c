"""The gate: everything in favour is a yes; each single thing against it is a no that says so; nothing is told alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.acceptance.cases import (
    ADAPTER,
    CANDIDATE,
    DATA,
    EVALUATION,
    FINDINGS,
    KEPT,
    POLICY,
    PROTOCOL,
    REPORT,
    REVIEW,
    RULE,
    TODAY,
    TRIAL,
    VALIDATION,
    approval,
    decision,
    good,
    measure,
    unsigned,
)

from whytune.acceptance import gate
from whytune.acceptance.plea import Plea
from whytune.records.candidate import Candidate, Retrieval
from whytune.records.data import Finding
from whytune.records.release import Policy
from whytune.records.responsible import Waiver


def codes(case: Plea) -> set[str]:
    return {objection.code for objection in gate.weigh(case).objections}


def changed(record: Any, **fields: Any) -> Any:
    return record.model_copy(update=fields)


def poor(dimension: str, status: str) -> Any:
    results = tuple(changed(r, status=status) if r.dimension == dimension else r for r in REPORT.results)
    return changed(REPORT, results=results)


OTHER = changed(DATA, number=2)
SPOILT: dict[str, tuple[str, dict[str, Any]]] = {
    "no decision": ("missing", {"decision": None}),
    "a decision about other data": ("stale", {"decision": decision(hashes={"dataset": OTHER.id})}),
    "a decision of another project": ("foreign", {"decision": decision(project="other")}),
    "the bar was moved": ("stale", {"rule": changed(RULE, bar=0.7)}),
    "the test set was opened early": ("invalid_test", {"decision": decision(opened_early=True)}),
    "another arm won": ("not_winner", {"decision": decision(verdict=changed(decision().verdict, winner="rag"))}),
    "no official trial": ("missing", {"trials": ()}),
    "only a trial on dev": ("missing", {"trials": (changed(TRIAL, split="dev"),)}),
    "a trial of another candidate": ("stale", {"trials": (changed(TRIAL, candidate="candidate:x"),)}),
    "a trial on another version": ("stale", {"trials": (changed(TRIAL, dataset=OTHER.id),)}),
    "a trial of another project": ("foreign", {"trials": (TRIAL, changed(TRIAL, project="other"))}),
    "a trial without a protocol": ("stale", {"protocols": ()}),
    "a protocol that does not name it": ("stale", {"protocols": (changed(PROTOCOL, candidates=("candidate:x",)),)}),
    "below the bar": ("failed", {"trials": (changed(TRIAL, primary=measure("facts", 0.5, 0.45, 0.55, 300)),)}),
    "the bar lies within the interval": ("not_proven", {"trials": (changed(TRIAL, primary=measure("facts", 0.76, 0.72, 0.8, 300)),)}),
    "a small test set": ("too_few", {"trials": (changed(TRIAL, primary=measure("facts", 1.0, 0.9, 1.0, 40)),)}),
    "many looks": ("looks", {"looks": 13}),
    "a leaked test split": ("leak", {"dataset": changed(DATA, certificate=changed(DATA.certificate, exact=2))}),
    "no checks": ("missing", {"validation": None}),
    "checks of another version": ("stale", {"validation": changed(VALIDATION, dataset=OTHER.id)}),
    "a failed check": ("failed", {"validation": changed(VALIDATION, findings=(*FINDINGS, Finding(check="schema", status="fail", message="3 rows")))}),
    "personal data": ("personal_data", {"validation": changed(VALIDATION, findings=(FINDINGS[0], changed(FINDINGS[1], status="warn"), FINDINGS[2]))}),
    "nobody looked for secrets": ("personal_data", {"validation": changed(VALIDATION, findings=FINDINGS[:2])}),
    "an unknown licence": ("licence", {"base": changed(good().base, licence="")}),
    "no responsible-AI report": ("missing", {"reports": ()}),
    "a report on another candidate": ("stale", {"reports": (changed(REPORT, candidate="candidate:x"),)}),
    "a failed dimension": ("failed", {"reports": (poor("safety", "FAIL"),)}),
    "a dimension not proven": ("not_proven", {"reports": (poor("privacy", "NOT PROVEN"),)}),
    "no human evaluation": ("missing", {"evaluations": ()}),
    "people found it worse": ("failed", {"evaluations": (changed(EVALUATION, conclusion="worse"),)}),
    "people found nothing": ("not_proven", {"evaluations": (changed(EVALUATION, conclusion="not_proven"),)}),
    "one reviewer": ("too_few", {"evaluations": (changed(EVALUATION, reviewers=("ann",)),)}),
    "reviewers who disagree": ("not_proven", {"evaluations": (changed(EVALUATION, agreement=(measure("alpha", 0.2, 0.0, 0.4),)),)}),
    "agreement not known": ("not_proven", {"evaluations": (changed(EVALUATION, agreement=()),)}),
    "an evaluation by one person alone": ("not_independent", {"evaluations": (changed(EVALUATION, solo=True),)}),
    "no review of rows": ("missing", {"row_reviews": ()}),
    "too many bad rows": ("failed", {"row_reviews": (changed(REVIEW, error_rate=measure("bad", 0.1, 0.07, 0.14, 300)),)}),
    "bad rows not bounded": ("not_proven", {"row_reviews": (changed(REVIEW, error_rate=measure("bad", 0.03, 0.01, 0.07, 100)),)}),
    "few double ratings": ("too_few", {"row_reviews": (changed(REVIEW, double_rated=5),)}),
    "nobody approved the data": ("missing", {"dataset_approvals": ()}),
    "forgetting not measured": ("missing", {"fallbacks": ()}),
    "it forgot": ("failed", {"fallbacks": (replace(KEPT, difference=measure("difference", -0.2, -0.3, -0.1, 60)),)}),
    "it may have forgotten": ("not_proven", {"fallbacks": (replace(KEPT, difference=measure("difference", -0.04, -0.1, 0.02, 60)),)}),
    "an adapter of another version": ("stale", {"adapter": changed(ADAPTER, dataset=OTHER.id)}),
    "too dear": ("cost", {"policy": changed(POLICY, ceilings=changed(POLICY.ceilings, cost_per_1000=0.1))}),
    "too slow": ("time", {"policy": changed(POLICY, ceilings=changed(POLICY.ceilings, median_seconds=0.1))}),
    "a policy of another project": ("foreign", {"policy": changed(POLICY, project="other")}),
    "the policy changed": ("stale", {"policy": changed(POLICY, number=2)}),
    "nobody signed": ("unsigned", {"approvals": ()}),
    "a signer who may not": ("not_independent", {"barred": {good().approvals[0].id: "bea made part of it"}}),
    "a signer alone": ("not_independent", {"approvals": tuple(changed(a, solo=True) for a in good().approvals)}),
    "behind what is live": ("behind", {"policy": changed(POLICY, test=changed(POLICY.test, behind_champion=0.05)), "live": "release:1", "against_live": measure("d", -0.04, -0.09, 0.01)}),
    "not measured against what is live": ("not_proven", {"policy": changed(POLICY, test=changed(POLICY.test, behind_champion=0.05)), "live": "release:1"}),
}  # fmt: skip


def test_everything_in_its_favour_is_a_yes() -> None:
    weighed = gate.weigh(good())
    assert weighed.objections == []
    assert len(weighed.approvals) == 3
    assert not weighed.solo
    assert gate.sentence(good(), weighed) == "The tuned model is accepted on 8 pieces of evidence and 3 signatures."
    assert {TRIAL.id, REPORT.id, EVALUATION.id, REVIEW.id, VALIDATION.id, KEPT.id} < set(weighed.evidence)


@pytest.mark.parametrize("what", SPOILT)
def test_one_thing_against_it_is_a_no(what: str) -> None:
    code, change = SPOILT[what]
    weighed = gate.weigh(good(**change))
    assert code in {objection.code for objection in weighed.objections}
    assert all(objection.sentence and objection.next for objection in weighed.objections)
    assert "not accepted" in gate.sentence(good(), weighed)


@settings(max_examples=25)
@given(st.sets(st.sampled_from([what for what in SPOILT if not SPOILT[what][1].keys() & {"policy", "approvals", "barred", "dataset"}]), min_size=1, max_size=5))
def test_all_reasons_come_at_once(spoilt: set[str]) -> None:
    changes: dict[str, Any] = {}
    used = set()
    for what in sorted(spoilt):
        code, change = SPOILT[what]
        if not change.keys() & changes.keys():
            changes |= change
            used.add(code)
    # Without a trial nothing can be said of the arm, so what hangs on it may be silent; the no may not.
    found = codes(good(**changes))
    assert found
    if not {"trials", "decision", "rule"} & changes.keys():
        assert used <= found


def test_evidence_after_the_signatures_makes_them_stale() -> None:
    newer = changed(EVALUATION, votes=140)
    weighed = gate.weigh(good(evaluations=(EVALUATION, newer)))
    assert {objection.code for objection in weighed.objections} == {"stale"}
    assert len(weighed.objections) == 3
    assert "came to be" in weighed.objections[0].sentence


def test_the_last_word_of_a_person_counts() -> None:
    first = good().approvals
    no = approval("tester", "tess", first[0].subject, 4, says="reject", reason="two answers are dangerous")
    said = gate.weigh(good(approvals=(*first, no)))
    assert [objection.code for objection in said.objections] == ["rejected"]
    assert "two answers are dangerous" in said.objections[0].sentence
    again = approval("tester", "tess", first[0].subject, 5)
    assert not codes(good(approvals=(*first, no, again)))


def test_a_veto_counts_though_the_role_need_not_sign() -> None:
    veto = approval("legal", "lea", good().approvals[0].subject, 4, says="reject", reason="no right to these rows")
    assert codes(good(approvals=(*good().approvals, veto))) == {"rejected"}


def test_a_no_stands_until_it_is_taken_back_by_those_who_may() -> None:
    subject = good().approvals[0].subject
    veto = approval("legal", "lea", subject, 4, says="reject", reason="no right to these rows")
    signed = (*good().approvals, veto)
    newer = changed(EVALUATION, votes=140)
    again = tuple(changed(each, number=each.number + 10, subject=(*subject, newer.id)) for each in good().approvals)
    assert codes(good(approvals=(*signed, *again), evaluations=(EVALUATION, newer))) == {"rejected"}, "newer evidence does not lift it"
    assert "rejected" in codes(good(approvals=signed, policy=changed(POLICY, number=2))), "nor another policy"
    other = approval("legal", "leo", subject, 5, reason="the rows are ours by contract")
    assert codes(good(approvals=(*signed, other))) == {"rejected"}, "while lea is legal, only lea takes it back"
    assert "only lea can take it back" in gate.weigh(good(approvals=signed)).objections[0].next
    gone = gate.weigh(good(approvals=signed, vacant={veto.id}))
    assert [o.code for o in gone.objections] == ["rejected"], "a person who is gone takes no veto along"
    assert "whoever is legal now may lift it" in gone.objections[0].next
    lifted = gate.weigh(good(approvals=(*signed, other), vacant={veto.id}))
    assert not lifted.objections
    assert any("leo, who is legal now, lifted a no (the rows are ours by contract)" in note for note in lifted.notes)
    earlier = (*good().approvals, changed(other, number=3), veto)
    assert codes(good(approvals=earlier, vacant={veto.id})) == {"rejected"}, "what was said before the no does not lift it"
    assert codes(good(approvals=(*signed, other), vacant={veto.id}, barred={other.id: "leo made part of it"})) == {"rejected"}
    assert not codes(good(approvals=signed, barred={veto.id: "lea was not legal"})), "it must have been permitted when it was said"
    assert not codes(good(approvals=(*signed, approval("legal", "lea", subject, 6))))


def test_nobody_gives_two_of_the_required_signatures() -> None:
    subject = good().approvals[0].subject
    signed = (*good().approvals[:2], approval("tester", "bea", subject, 3))
    assert codes(good(approvals=signed)) == {"not_independent"}


def test_one_person_alone_where_the_policy_lets_them_is_stamped() -> None:
    policy = changed(POLICY, solo=True)
    subject = tuple(gate.evidence(unsigned(policy=policy)).evidence)
    signed = tuple(approval(role, "root", subject, n, solo=True, policy=policy.id) for n, role in enumerate(policy.signatures, 1))
    weighed = gate.weigh(unsigned(policy=policy, approvals=signed))
    assert not weighed.objections
    assert weighed.solo
    assert "not independently approved" in gate.sentence(good(), weighed)


@pytest.mark.parametrize(("until", "found"), [(date(2026, 12, 1), set()), (TODAY, set()), (date(2026, 11, 21), {"failed"})])
def test_a_waiver_counts_until_its_day(until: date, found: set[str]) -> None:
    report = poor("security", "FAIL")
    waiver = Waiver(project="support", candidate=CANDIDATE.id, report=report.id, dimension="security", person="rita", role="responsible_ai", reason="only inside", until=until)
    weighed = gate.evidence(unsigned(reports=(report,), waivers=(waiver,)))
    assert {objection.code for objection in weighed.objections} == found
    assert weighed.until == ([] if found else [until])
    assert (waiver.id in weighed.evidence) is not bool(found), "what a waiver lets through is part of what is signed"
    assert any("rita" in note for note in weighed.notes)


def test_a_waiver_given_alone_or_by_somebody_who_may_not_lets_nothing_through() -> None:
    report = poor("security", "FAIL")
    waiver = Waiver(project="support", candidate=CANDIDATE.id, report=report.id, dimension="security", person="rita", role="responsible_ai", reason="only inside", until=TODAY, solo=True)
    weighed = gate.evidence(unsigned(reports=(report,), waivers=(waiver,)))
    assert [objection.code for objection in weighed.objections] == ["not_independent"]
    assert weighed.objections[0].about == waiver.id
    assert gate.evidence(unsigned(reports=(report,), waivers=(waiver,), policy=changed(POLICY, solo=True))).objections == []
    spoilt = gate.evidence(unsigned(reports=(report,), waivers=(waiver,), policy=changed(POLICY, solo=True), barred={waiver.id: "rita made part of it"}))
    assert [objection.code for objection in spoilt.objections] == ["failed"]
    assert any("rita made part of it" in note for note in spoilt.notes)
    assert waiver.id not in spoilt.evidence
    another = changed(waiver, person="lea", role="legal", solo=False)
    assert gate.evidence(unsigned(reports=(report,), waivers=(waiver, another), barred={waiver.id: "rita made part of it"})).objections == []


def test_a_dimension_nobody_ran_is_missed_and_one_with_nothing_to_ask_is_noted() -> None:
    few = changed(REPORT, results=tuple(r for r in REPORT.results if r.dimension != "privacy"))
    assert {o.code for o in gate.evidence(unsigned(reports=(few,))).objections} == {"not_proven", "missing"}
    nothing = changed(REPORT, results=tuple(changed(r, status="NOT RUN", sentence="Not run: nothing was trained.") if r.dimension == "privacy" else r for r in REPORT.results))
    unnamed = changed(POLICY, responsible=changed(POLICY.responsible, probes=()))
    weighed = gate.evidence(unsigned(reports=(nothing,), policy=unnamed))
    assert not weighed.objections
    assert "Responsible AI, privacy: Not run: nothing was trained." in weighed.notes
    named = changed(unnamed, responsible=changed(unnamed.responsible, dimensions={"privacy": ("PASS",)}))
    assert {o.code for o in gate.evidence(unsigned(reports=(nothing,), policy=named)).objections} == {"not_proven"}


def test_a_probe_that_the_policy_names_must_have_run_though_its_dimension_passes_without() -> None:
    results = tuple(changed(r, status="NOT RUN", sentence="Not run: no secrets were planted.") if r.probe == "canaries" else r for r in REPORT.results)
    report = changed(REPORT, results=results)
    assert report.statuses()["privacy"] == "PASS"
    (objection,) = gate.evidence(unsigned(reports=(report,))).objections
    assert (objection.code, objection.about) == ("missing", report.id)
    assert "the probe canaries is asked for and has no result: Not run: no secrets were planted." in objection.sentence
    assert objection.next == "whytune responsible canaries support --arm tuned, then: whytune responsible run support --arm tuned"
    waiver = Waiver(project="support", candidate=CANDIDATE.id, report=report.id, dimension="privacy", probe="canaries", person="rita", role="responsible_ai", reason="public rows", until=TODAY)
    assert not gate.evidence(unsigned(reports=(report,), waivers=(waiver,))).objections
    plain = Candidate(base=good().base.id, prompt=CANDIDATE.prompt)
    untrained = gate.evidence(unsigned(candidate=plain, adapter=None, reports=(changed(report, candidate=plain.id),)))
    assert not any("canaries" in o.sentence for o in untrained.objections), "where nothing was trained, no secret can be held"
    typos = changed(POLICY, responsible=changed(POLICY.responsible, probes=("typos",)))
    (missing,) = gate.evidence(unsigned(reports=(report,), policy=typos)).objections
    assert missing.next == "whytune responsible run support --arm tuned"


def test_a_round_that_is_repeated_until_it_passes_is_told_and_then_refused() -> None:
    bad = changed(REVIEW, queue="queue:3", error_rate=measure("bad", 0.1, 0.07, 0.14, 300))
    unsure = changed(REVIEW, queue="queue:4", error_rate=measure("bad", 0.03, 0.01, 0.07, 100))
    twice = gate.evidence(unsigned(row_reviews=(bad, REVIEW)))
    assert not twice.objections
    assert "The review of the rows is round 2 about the same; earlier: failed" in twice.notes
    thrice = gate.evidence(unsigned(row_reviews=(bad, unsure, REVIEW)))
    assert [o.code for o in thrice.objections] == ["rounds"]
    assert "round 3 about the same; earlier: failed, not proven; the policy allows 2" in thrice.objections[0].sentence
    assert not gate.evidence(unsigned(row_reviews=(changed(bad, dataset=OTHER.id), changed(unsure, dataset=OTHER.id), REVIEW))).objections, "another version begins again"
    worse, tie = changed(EVALUATION, queue="queue:5", conclusion="worse"), changed(EVALUATION, queue="queue:6", form="rubric", conclusion="tie")
    other = changed(EVALUATION, queue="queue:7", candidates=("candidate:prompt", "candidate:rag"))
    told = gate.evidence(unsigned(evaluations=(worse, other, EVALUATION)))
    assert not told.objections
    assert "The human evaluation is round 2 about the same; earlier: worse" in told.notes
    assert [o.code for o in gate.evidence(unsigned(evaluations=(worse, tie, EVALUATION))).objections] == ["rounds"]
    one = changed(POLICY, human=changed(POLICY.human, most_rounds=1))
    assert [o.code for o in gate.evidence(unsigned(evaluations=(worse, EVALUATION), policy=one)).objections] == ["rounds"]


def test_the_first_candidate_of_a_round_reads_its_conclusion_the_other_way_round() -> None:
    turned = changed(EVALUATION, candidates=(CANDIDATE.id, "candidate:rag"), arms=("tuned", "rag"))
    assert "failed" in {o.code for o in gate.evidence(unsigned(evaluations=(turned,))).objections}
    worse = changed(turned, conclusion="worse")
    assert not gate.evidence(unsigned(evaluations=(worse,))).objections


def test_a_candidate_without_an_adapter_cannot_have_forgotten() -> None:
    plain = Candidate(base=good().base.id, prompt=CANDIDATE.prompt)
    assert not any("forgot" in o.sentence for o in gate.evidence(unsigned(candidate=plain, adapter=None, fallbacks=())).objections)


def test_the_oracle_is_never_accepted() -> None:
    told = Candidate(base=good().base.id, prompt=CANDIDATE.prompt, retrieval=Retrieval(how="oracle", index="index:1"))
    assert "closed" in {o.code for o in gate.evidence(unsigned(candidate=told, adapter=None)).objections}


def test_what_the_policy_does_not_ask_for_is_not_missed() -> None:
    lean = Policy(project="support", number=1, evidence=("test",), signatures=("tester",))
    case = unsigned(policy=lean, reports=(), evaluations=(), row_reviews=(), dataset_approvals=(), fallbacks=())
    assert [o.code for o in gate.weigh(case).objections] == ["unsigned"]


def test_where_everybody_says_the_same_alpha_is_not_defined_and_nothing_stands_against_it() -> None:
    """Alpha compares with chance; with one verdict from everybody there is no chance to compare with."""
    unanimous = changed(REVIEW, agreement=(measure("raw agreement", 1.0, 0.9, 1.0, 75),))
    weighed = gate.weigh(good(row_reviews=(unanimous,)))
    assert "not_proven" not in {objection.code for objection in weighed.objections}
    assert any("75 judged by two or more" in note for note in weighed.notes)
    unknown = changed(REVIEW, agreement=())
    assert "not_proven" in codes(good(row_reviews=(unknown,)))
