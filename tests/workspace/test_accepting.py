"""From a decision to yes or no: who may sign, what makes a signature stale, and a no that the next version stands on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.workspace.desks import acting, people
from tests.workspace.judged_desks import (
    ROLES,
    SIGNERS,
    alone,
    badly,
    desk,
    kept,
    policy,
    signed,
)

from whytune.errors import NotAllowedError, NotFoundError, RefusedError, UsageError
from whytune.records.data import Dataset
from whytune.records.release import Acceptance, Approval
from whytune.records.responsible import DIMENSIONS, ProbeResult, ResponsibleReport
from whytune.workspace import accepting, creating, inspecting
from whytune.workspace.inspecting import Wish
from whytune.workspace.people import make_token
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A measured project with people, nothing signed; not to be changed."""
    return kept(tmp_path_factory.getbasetemp())


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    """A copy of it; the base model stays where it is."""
    import shutil

    shutil.copytree(made, tmp_path / "room")
    room = Workspace.open(tmp_path / "room")
    yield Project(room.as_person("root"), room.root / "desk")
    room.store.close()


def as_(project: Project, name: str) -> Project:
    return acting(project, name)


def said(made: Acceptance) -> set[str]:
    return {objection.code for objection in made.objections}


def test_signed_by_those_who_may_it_is_accepted_once(project: Project) -> None:
    assert accepting.asked(project) == {"business_owner": ["bea"], "responsible_ai": ["rita"], "tester": ["tess"]}
    signed(project)
    assert accepting.asked(project) == {}
    bea = as_(project, "bea")
    made = accepting.accept(bea)
    assert made.accepted, made.objections
    assert not made.solo
    assert accepting.accept(bea).id == made.id
    assert len(project.records(Acceptance)) == 1
    event = project.events()[-1]
    assert event.act == "acceptance.decided"
    assert {*made.approvals, *made.evidence, made.candidate, made.dataset, made.policy} == set(event.read)


def test_judging_writes_nothing(project: Project) -> None:
    before = len(project.events())
    assert said(accepting.judge(project)) == {"unsigned"}
    assert len(project.events()) == before


def test_who_made_a_part_of_it_does_not_sign_the_administrator_included(project: Project) -> None:
    with pytest.raises(NotAllowedError) as told:
        accepting.sign(as_(project, "dana"), "tester", "approve", "mine is fine")
    assert any("dev.measured" in problem for problem in told.value.problems)
    assert "tess" in told.value.next
    admin = project.workspace
    assert admin.person.name == "root"
    with pytest.raises(NotAllowedError):
        accepting.sign(project, "business_owner", "approve", "I am the admin")
    assert project.records(Approval) == []


def test_nobody_signs_twice_or_in_a_role_that_is_not_theirs(project: Project) -> None:
    tess = as_(project, "tess")
    accepting.sign(tess, "tester", "approve", "looked")
    with pytest.raises(NotAllowedError, match="tess may not sign"):
        accepting.sign(tess, "legal", "approve", "looked again")
    with pytest.raises(NotAllowedError):
        accepting.sign(as_(project, "olga"), "business_owner", "approve", "looked")
    with pytest.raises(UsageError, match="auditor does not sign"):
        accepting.sign(tess, "auditor", "approve", "looked")
    with pytest.raises(UsageError, match="needs a reason"):
        accepting.sign(as_(project, "bea"), "business_owner", "approve", "  ")
    with pytest.raises(UsageError, match="No role is named boss"):
        accepting.sign(tess, "boss", "approve", "x")


def test_a_signature_that_the_duties_let_through_then_counts_no_longer_when_roles_are_taken(project: Project) -> None:
    signed(project)
    project.workspace.add_person("rita", ("customer_success",))
    made = accepting.judge(project)
    assert said(made) == {"not_independent"}
    assert "rita" in made.objections[0].sentence


def test_a_way_to_sign_in_given_after_the_signature_has_no_part_in_it(project: Project) -> None:
    accepting.sign(as_(project, "tess"), "tester", "approve", "looked")
    accepting.sign(as_(project, "bea"), "business_owner", "approve", "looked")
    room = project.workspace
    for name in SIGNERS.values():
        make_token(room, name)
    rita = Project(room.as_person("rita"), project.folder)
    accepting.sign(rita, "responsible_ai", "approve", "looked")
    assert accepting.judge(rita).accepted, "one hand in one signature"
    tess = Project(room.as_person("tess"), project.folder)
    with pytest.raises(NotAllowedError) as caught:
        accepting.sign(tess, "tester", "approve", "looked again")
    assert caught.value.problems == (
        "root gave tess a way to sign in while it was open, and had a hand in the signature of rita (responsible_ai), who signed it, too",
    )


def inspected(project: Project) -> None:
    """A report in which all but one dimension is well, and a policy that asks for it."""
    results = tuple(ProbeResult(dimension=name, probe=f"{name}_probe", status="FAIL" if name == "transparency" else "PASS", sentence="Looked.") for name in DIMENSIONS)
    candidate = accepting.candidate_of(project).id
    with project.act("responsible.measured") as act:
        act.write(
            ResponsibleReport(
                project=project.key, dataset=project.dataset.id, candidate=candidate, arm="prompt", reference=candidate, results=results, seed=1, items=9, suites={}, limits="l"
            )
        )
    policy(project, evidence='["test", "responsible"]')


WAIVED = Wish("transparency", "owners follow", datetime.now(UTC).date() + timedelta(days=30))


def test_a_waiver_counts_only_while_its_person_may_give_it(project: Project) -> None:
    inspected(as_(project, "rita"))
    assert "failed" in said(accepting.judge(project))
    made = inspecting.waive(as_(project, "rita"), WAIVED)
    signed(project)
    assert accepting.judge(project).accepted
    assert made.id in accepting.judge(project).evidence
    project.workspace.add_person("rita", ("customer_success",))
    without = accepting.judge(project)
    assert "failed" in said(without)
    assert made.id not in without.evidence
    assert any(note.startswith("A waiver does not count, because rita is not responsible_ai") for note in without.notes)


def test_a_no_counts_and_can_be_taken_back(project: Project) -> None:
    signed(project)
    rita = as_(project, "rita")
    accepting.sign(rita, "responsible_ai", "reject", "the refund answers are rude")
    made = accepting.accept(as_(project, "bea"))
    assert said(made) == {"rejected"}
    accepting.sign(rita, "responsible_ai", "approve", "they were mended")
    again = accepting.accept(as_(project, "bea"))
    assert again.accepted
    accepting.sign(rita, "responsible_ai", "reject", "the refund answers are rude")
    third = accepting.accept(as_(project, "bea"))
    assert not third.accepted
    assert (made.number, again.number, third.number) == (1, 2, 3), "the same words at another time are another decision"
    assert project.latest(Acceptance).id == third.id


def test_a_no_outlives_the_role_of_who_said_it_and_whoever_holds_it_then_lifts_it(project: Project) -> None:
    signed(project)
    room = project.workspace
    accepting.sign(as_(project, "rita"), "responsible_ai", "reject", "the refund answers are rude")
    room.add_person("rita", ("customer_success",))
    assert said(accepting.judge(project)) == {"rejected"}
    policy(project, smallest="11")
    assert "rejected" in said(accepting.judge(project)), "another policy does not lift it"
    room.add_person("rolf", ("responsible_ai",))
    with pytest.raises(NotAllowedError):
        accepting.sign(as_(project, "dana"), "responsible_ai", "approve", "fine by me")
    for role, name in {**SIGNERS, "responsible_ai": "rolf"}.items():
        accepting.sign(as_(project, name), role, "approve", "they were mended")
    made = accepting.judge(project)
    assert made.accepted, made.objections
    assert any("rolf, who is responsible_ai now, lifted a no" in note for note in made.notes)


def test_a_no_of_somebody_who_might_not_sign_when_they_said_it_does_not_count(project: Project) -> None:
    signed(project)
    candidate, known = accepting.candidate_of(project), project.records(Approval)
    with as_(project, "tess").act("approval.signed") as act:
        act.write(known[-1].model_copy(update={"number": 9, "person": "dana", "role": "tester", "says": "reject", "candidate": candidate.id}))
    made = accepting.judge(project)
    assert made.accepted
    assert any("A no does not count, because dana made part of it" in note for note in made.notes)


def test_a_changed_policy_makes_signatures_stale(project: Project) -> None:
    signed(project)
    policy(project, smallest="12")
    made = accepting.judge(project)
    assert said(made) == {"stale"}
    assert "another policy" in made.objections[0].sentence


def test_a_new_version_of_the_data_makes_everything_stale(project: Project) -> None:
    signed(project)
    with (project.folder.parent / "rows.csv").open("a", encoding="utf-8") as file:
        file.write("a wholly new message about a lost parcel in Chur,loss\n")
    carl = as_(project, "carl")
    carl.run(until="data")
    made = accepting.accept(as_(project, "bea"))
    assert not made.accepted
    assert {"stale"} <= said(made) <= {"stale", "missing"}
    assert sum(objection.code == "stale" for objection in made.objections) >= 5, "decision, trial, checks and three signatures"
    with pytest.raises(RefusedError, match="nothing to approve"):
        accepting.sign(as_(project, "bea"), "business_owner", "approve", "looked")


def test_only_the_owner_decides(project: Project) -> None:
    signed(project)
    with pytest.raises(NotAllowedError):
        accepting.accept(as_(project, "dana"))


@pytest.mark.slow
def test_a_no_names_what_to_mend_from_dev_and_the_next_version_stands_on_it(tmp_path: Path) -> None:
    project = desk(tmp_path, badly)
    made = accepting.accept(as_(project, "bea"))
    assert {"failed", "not_winner"} <= said(made) or {"not_proven", "not_winner"} <= said(made)
    assert {("wanted", "loss")} <= {(s.name, s.value) for s in made.slices_to_mend} <= {("wanted", "loss"), ("wanted", "refund")}
    assert [target.about for target in made.collection_targets] == [f"{s.name} = {s.value}" for s in made.slices_to_mend]
    test = {row.id for row in creating.examples_of(project, project.dataset, "test")}
    dev = {row.id for row in creating.examples_of(project, project.dataset, "dev")}
    named = {id for target in made.collection_targets for id in target.examples}
    assert named
    assert named <= dev
    assert not any(id in made.model_dump_json() for id in test), "a missed test item is never told"
    with (tmp_path / "rows.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"please give the money of order {n * 7919} back to me,refund\n" for n in range(3))
    as_(project, "carl").run(until="data")
    event = [each for each in project.events() if each.act == "dataset.created"][-1]
    assert made.id in event.read
    assert event.facts["follows a no"] == made.id
    assert Project(project.workspace, project.folder).dataset.parent == project.records(Dataset)[0].id


@pytest.mark.slow
def test_alone_it_is_possible_where_the_policy_says_so_and_stamped(tmp_path: Path) -> None:
    project = alone(tmp_path)
    inspected(project)
    inspecting.waive(project, WAIVED)
    for role in SIGNERS:
        assert accepting.sign(project, role, "approve", "nobody else is here").solo
    made = accepting.accept(project)
    assert made.accepted
    assert made.solo
    assert "not independently approved" in made.sentence
    people(project, **ROLES)
    later = accepting.judge(Project(project.workspace.as_person("bea"), project.folder))
    assert "not_independent" in said(later), "once there are others, a signature given alone does not count"
    assert "failed" in said(later), "nor does a waiver that an author gave while alone"
    policy(project, solo="false")
    assert not accepting.judge(Project(project.workspace.as_person("bea"), project.folder)).accepted


def test_a_decision_and_an_arm_that_was_measured_are_needed(project: Project, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No arm 'rag' was measured"):
        accepting.judge(project, "rag")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "whytune.toml").write_text('name = "other"\ntask = "qna"\n[acceptance]\nmetric = "facts"\nbar = 0.5\nmargin = 0.05\n', "utf-8")
    with pytest.raises(NotFoundError, match="no decision"):
        accepting.judge(Project(project.workspace, tmp_path / "other"))
