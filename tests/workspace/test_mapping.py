"""The flowchart of a use case box by box, what waits for whom, the portfolio, the search: all from records, and read once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.sample_decision import SHARES, evidence, imprint, scored, usecase
from tests.workspace.desks import acting, labelled
from tests.workspace.judged_desks import kept, policy, signed

from whytune.acceptance.decision import decide
from whytune.jobs.progress import Silent
from whytune.records.data import Finding, Validation
from whytune.records.project import Prices
from whytune.records.proposal import Proposal
from whytune.records.record import Record
from whytune.store.records import Gathered
from whytune.store.store import Store
from whytune.workspace import (
    accepting,
    asking,
    held,
    mapping,
    my_tasks,
    portfolio,
    proposing,
    reviewing,
    searching,
    working,
)
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A measured project with people, nothing signed; not to be changed."""
    return kept(tmp_path_factory.getbasetemp())


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(made, tmp_path / "room")
    room = Workspace.open(tmp_path / "room")
    yield Project(room.as_person("root"), room.root / "desk")
    room.store.close()


def words(project: Project) -> dict[str, str]:
    return {box.key: box.word for box in mapping.boxes(project)}


def first(project: Project) -> mapping.BoxState:
    return mapping.due(mapping.boxes(project))[0]


def waits(project: Project, name: str) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(task.kind, task.place, task.roles) for task in my_tasks.tasks_for(project.workspace.as_person(name))]


def test_a_person_alone_is_next_in_every_box(tmp_path: Path) -> None:
    project = labelled(tmp_path)
    alone = project.workspace.person.name
    box = first(project)
    assert (box.key, box.act, box.who, box.owner) == ("validate", "dataset.checked", (alone,), alone)
    assert list(words(project).values()).count("done") == 4  # use case, task, find, create
    assert box.since == project.events()[-1].when
    (task,) = my_tasks.tasks_for(project.workspace)
    assert (task.kind, task.title, task.cli, task.others) == ("step", "Check the dataset", "whytune data check desk", ())


def test_it_is_followed_from_signature_to_release(project: Project) -> None:
    assert {key: word for key, word in words(project).items() if word == "done"}.keys() == {"usecase", "task", "rag", "find", "create", "validate", "test", "board", "enough"}
    assert words(project)["responsible"] == "not needed"  # the policy asks for the test alone
    box = first(project)
    assert (box.key, box.act, box.who, box.roles) == ("accepted", "approval.signed", ("bea", "rita", "tess"), ("business_owner", "responsible_ai", "tester"))
    assert waits(project, "rita") == [("sign", "accepted", ("responsible_ai",))]
    assert waits(project, "dana") == []  # made part of it, so does not sign
    signed(project)
    assert waits(project, "rita") == []
    assert waits(project, "bea") == [("decide", "accepted", ("business_owner",))]
    last = project.events()[-1]
    assert last.act == "approval.signed"
    assert first(project).since == last.when
    accepting.accept(acting(project, "bea"))
    assert waits(project, "olga") == [("step", "registry", ("operator",))]
    found = {box.key: box for box in mapping.boxes(project)}
    assert (found["accepted"].word, found["accepted"].by) == ("done", "bea")
    assert (found["registry"].act, found["registry"].who) == ("release.made", ("bea", "olga"))


def test_a_no_goes_back_to_the_dataset(project: Project) -> None:
    policy(project, cost_per_1000="0.000001")
    assert words(project)["accepted"] == "not started"
    assert "1,000 answers cost" in {box.key: box for box in mapping.boxes(project)}["accepted"].detail
    accepting.accept(acting(project, "bea"))
    assert words(project)["accepted"] == "stopped"
    assert (first(project).key, first(project).who) == ("create", ("carl",))
    assert [kind for kind, place, _ in waits(project, "carl") if place == "create"] == ["step"]
    policy(project, cost_per_1000="0.0")  # what stood against it is gone: it may be signed after all
    assert first(project).act == "approval.signed"


def test_failed_checks_stop_it_before_anything_else(project: Project) -> None:
    bad = Validation(dataset=project.dataset.id, findings=(Finding(check="balance", status="fail", message="one label only"), Finding(check="empty", status="pass", message="none")))
    acting(project, "dana").once(bad, "dataset.checked")
    box = first(project)
    assert (box.key, box.word, box.short, box.who) == ("validate", "stopped", "1 of 2 fail", ("carl",))
    (task,) = [task for task in my_tasks.tasks_for(project.workspace.as_person("carl")) if task.kind == "mend"]
    assert (task.title, task.project) == ("Mend the dataset", "desk")
    (line,) = portfolio.portfolio(project.workspace).lines
    assert (line.case.stage, line.risk.stopped) == ("Validate dataset", ("Checks",))


def test_a_job_is_at_work_in_its_box_until_it_ends(project: Project) -> None:
    with working.recorded(acting(project, "dana"), "train", {}, Silent()):
        box = next(box for box in mapping.boxes(project) if box.key == "train")
        assert (box.word, box.act, box.who) == ("at work", "", ())
        assert box.job == working.jobs(project.workspace, "desk")[0][0].id
        assert box.detail.startswith("dana started train")
        (line,) = portfolio.use_cases(project.workspace)
        assert line.working.startswith("train")
    assert words(project)["train"] == "not started"


def test_rounds_of_review_are_told_by_how_far_they_are(project: Project) -> None:
    queue = asking.open_round(acting(project, "carl"), "rows", (), asking.Plan(sample=4, overlap=0.0))
    box = next(box for box in mapping.boxes(project) if box.key == "validate")
    assert (box.word, box.short) == ("at work", "0 of 4 judged")
    mine = [task for task in my_tasks.tasks_for(project.workspace.as_person("tess")) if task.kind == "review"]
    assert [(task.title, task.target, task.roles) for task in mine] == [("Judge 4 items in round 1", queue.id, ("tester", "legal"))]
    room = reviewing.round_named(acting(project, "tess"))
    for number in range(9):
        if question := room.take():
            room.answer(question.token, f"c{number}", "good")
    found = {task.kind for task in my_tasks.tasks_for(project.workspace.as_person("tess"))}
    assert "review" not in found
    assert "close" in found
    assert "close" not in {task.kind for task in my_tasks.tasks_for(project.workspace.as_person("bea"))}


def test_proposed_rows_wait_for_another_person(project: Project) -> None:
    proposing.propose(acting(project, "carl"), "manual", [{"input": "where is my parcel", "target": "delay"}], ["missing"])
    assert waits(project, "carl") == []
    (task,) = [task for task in my_tasks.tasks_for(project.workspace.as_person("tess")) if task.kind == "rows"]
    assert (task.detail, task.since) == ("1 rows (manual) proposed by carl", project.events()[-1].when)


def test_records_are_read_once_and_again_only_when_the_ledger_moved_on(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    gather = Store.gather

    def counted(self: Store, kinds: Sequence[type[Record]], name: str) -> dict[type[Record], Gathered]:
        read.append(name)
        return gather(self, kinds, name)

    monkeypatch.setattr(Store, "gather", counted)
    for _ in range(3):
        mapping.boxes(project)
        portfolio.portfolio(project.workspace)
    assert read == ["desk"]
    other = Workspace.open(project.workspace.root)  # another process, as far as this one can see
    proposing.propose(other.as_person("carl").project("desk"), "manual", [{"input": "a new one", "target": "loss"}], ["more"])
    other.store.close()
    assert held.project(project).records(Proposal)
    with acting(project, "tess").workspace.act("subject.erased", project="elsewhere"):
        pass
    mapping.boxes(project)
    assert read == ["desk"] * 3  # an erasure may have emptied records of any project


def test_what_is_private_shows_nowhere(project: Project) -> None:
    file = project.folder / "whytune.toml"
    text = file.read_text("utf-8").replace("private = false", "private = true").replace("people = []", 'people = ["rita"]')
    file.write_text(text, "utf-8")
    for name, seen in (("rita", True), ("tess", False), ("root", False)):
        room = project.workspace.as_person(name)
        assert [line.name for line in portfolio.use_cases(room)] == ["desk"] * seen
        assert len(portfolio.portfolio(room).lines) == seen
        assert [task.project for task in my_tasks.tasks_for(room)] == ["desk"] * seen
        assert {hit.kind for hit in searching.search(room, "desk")} - {"documentation"} == ({"use case", "dataset"} if seen else set())


def test_a_slip_in_one_file_hides_no_other_use_case(project: Project) -> None:
    broken = project.workspace.root / "other"
    broken.mkdir()
    (broken / "whytune.toml").write_text('name = "other"\ntask = "no such"\n', "utf-8")
    room = held.looking(project.workspace)
    assert [line.name for line in portfolio.use_cases(room)] == ["desk"]
    ((folder, why),) = room.broken
    assert folder == "other"
    assert "no such" in why


def test_search_finds_every_kind_by_all_its_words(project: Project) -> None:
    def found(text: str) -> list[tuple[str, str]]:
        return [(hit.kind, hit.title) for hit in searching.search(project.workspace, text)]

    assert ("person", "rita") in found("responsible ai rita")
    assert ("dataset", "desk version 1") in found("DESK v1")
    assert ("use case", "desk") in found("categorization desk")
    assert any(kind == "documentation" for kind, _ in found("blind pairs"))
    assert found("") == found("  ") == found("zzz-nothing") == []


def test_the_saving_is_against_the_dearest_arm_that_reaches_the_bar_too() -> None:
    prices = Prices(source="set by the test", answers_per_month=20_000, monthly_tuning=50, monthly_rag=20)
    shares = {**SHARES, "rag": 0.9, "tuned_rag": 0.92}
    case = usecase(bar=0.75, prices=prices)
    measured = evidence(scored(400, shares), case, costs={"rag": 0.5, "tuned_rag": 2.0})
    decision = decide(measured, imprint())
    reaching = {line.arm: line for line in decision.arms if line.reaches_bar == "yes"}
    assert decision.verdict.winner == "rag"
    saving, why = portfolio.saving_of(decision)
    month = {arm: line.cost.monthly + 20 * line.cost.per_1000 for arm, line in reaching.items()}
    assert saving == pytest.approx(max(month.values()) - month["rag"])
    assert "20,000 answers a month" in why
    assert portfolio.saving_of(None) == (None, "there is no decision yet")
