"""What an open blind round holds back, from whom and until when: in the workspace, so that every door has the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workspace import compared_desks
from tests.workspace.desks import acting

from whytune.errors import NotAllowedError
from whytune.records.responsible import ProbeResult, ResponsibleReport, WorstCase
from whytune.records.review import Queue
from whytune.workspace import asking, blindness, cases, concluding, inspecting, worst
from whytune.workspace.asking import Plan
from whytune.workspace.cases import CaseQuestion
from whytune.workspace.creating import examples_of
from whytune.workspace.project import Project
from whytune.workspace.reviewing import Round
from whytune.workspace.workspace import Workspace

EVERY = Plan(sample=1000, overlap=0, votes=0, gold=0, repeats=0, split="test")
SOME = Plan(sample=5, overlap=0, votes=0, gold=0.2, repeats=0, split="test")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blind")
    compared_desks.desk(folder).workspace.store.close()
    return folder


@pytest.fixture
def project(first: Path, tmp_path: Path) -> Iterator[Project]:
    """Tickets, two arms measured and decided, people of every kind; nothing asked yet."""
    room = Workspace.open(shutil.copytree(first, tmp_path / "room"))
    yield room.project("desk")
    room.store.close()


def opened(project: Project, plan: Plan, purpose: str = "pairs") -> Queue:
    arms = {"pairs": ("prompt", "few_shot"), "rubric": ("few_shot",)}[purpose]
    return asking.open_round(acting(project, "tess"), asking.purpose_named(purpose), arms, plan)


def closed(project: Project, queue: Queue) -> None:
    room = Round(acting(project, "bea"), queue)
    question = room.take()
    assert question
    room.answer(question.token, "bea-1", "tie" if queue.purpose == "pairs" else question.choices[0].verdict)
    concluding.close(Round(acting(project, "tess"), queue), early=True)


def everything(project: Project, name: str) -> set[str]:
    found = cases.cases(acting(project, name), CaseQuestion("prompt", "few_shot", show="all"), limit=1000)
    return {line.item for line in found.lines}


@pytest.mark.parametrize("purpose", ["pairs", "rubric"])
def test_who_may_judge_sees_the_other_items_only_until_the_round_is_closed(project: Project, purpose: str) -> None:
    before = everything(project, "bea")
    queue = opened(project, SOME, purpose)
    asked = {item.example for item in Round(project, queue).items.values()}
    assert 0 < len(asked) < len(before)
    assert {name: everything(project, name) for name in ("bea", "rita", "tess")} == dict.fromkeys(("bea", "rita", "tess"), before - asked)
    assert everything(project, "carl") == before, "who made the rows is not asked"
    # An operator cannot judge, and dana, who made what is judged, is not asked.
    assert everything(project, "olga") == everything(project, "dana") == before
    found = cases.cases(acting(project, "bea"), CaseQuestion("prompt", "few_shot", show="all"), limit=1000)
    assert (found.held_back, found.counts["all"], [each.number for each in found.rounds]) == (len(asked), len(before - asked), [queue.number])
    assert "until somebody closes it" in found.rounds[0].said
    for item in asked:
        with pytest.raises(NotAllowedError, match="held back") as caught:
            cases.case(acting(project, "bea"), item)
        assert queue.form.question in caught.value.problems[0]
        assert cases.case(acting(project, "olga"), item).answers
    closed(project, queue)
    assert everything(project, "bea") == before


def test_searching_does_not_tell_whose_answer_a_held_back_item_has(project: Project) -> None:
    row = next(iter(examples_of(project, project.dataset, "test")))
    words = row.input_text
    assert cases.cases(acting(project, "bea"), CaseQuestion("prompt", "few_shot", show="all", words=words)).total == 1
    opened(project, Plan(sample=1000, overlap=0, votes=0, gold=0, repeats=0, split="test"), "rubric")
    found = cases.cases(acting(project, "bea"), CaseQuestion("prompt", "few_shot", show="all", words=words))
    assert (found.total, set(found.counts.values())) == (0, {0})
    with pytest.raises(NotAllowedError, match="held back"):
        blindness.check_question(acting(project, "bea"), f"  {words.upper()}\n")
    blindness.check_question(acting(project, "bea"), "something else")
    blindness.check_question(acting(project, "olga"), words)


def test_the_decision_and_its_report_leave_out_examples_and_keep_their_id(project: Project) -> None:
    decision = project.decision
    assert decision is not None
    assert decision.examples
    opened(project, EVERY, "rubric")
    shown = blindness.decision(acting(project, "bea"))
    assert shown is not None
    assert (shown.examples, shown.id) == ((), decision.id)
    assert "held back" in shown.limits[-1]
    for kind in ("html", "md", "json"):
        told, whole = acting(project, "bea").report(kind), acting(project, "olga").report(kind)
        for example in decision.examples:
            assert example.input not in told
            assert example.item not in told
        assert decision.examples[0].input[:30] in whole
        assert "held back from you" in told
        assert "held back from you" not in whole
    assert blindness.decision(acting(project, "olga")) == decision


def test_worst_cases_of_probes_are_held_back_too(project: Project) -> None:
    queue = opened(project, SOME, "rubric")
    asked = next(item.example for item in Round(project, queue).items.values())
    other = next(row.id for row in examples_of(project, project.dataset, "dev"))
    candidate = next(trial.candidate for trial in project.trials("test") if trial.arm == "few_shot")
    result = ProbeResult(
        dimension="robustness", probe="typos", status="FAIL", sentence="Worse.", worst=(WorstCase(item=asked, change="a typo", result="score 1.00 became 0.00"), WorstCase(item=other, change="a typo")),
    )  # fmt: skip
    store = project.workspace.store
    kept = store.put_pack([{"side": "tuned", "candidate": candidate, "probe": "typos", "variant": "typo", "source": asked, "item": asked, "text": "said so", "error": ""}], "answers")
    with acting(project, "rita").act("responsible.measured", read=[candidate]) as act:
        made = act.write(ResponsibleReport(project=project.key, dataset=project.dataset.id, candidate=candidate, arm="few_shot", reference=candidate, results=(result,), seed=17, items=60, suites={}, limits="0", answers=kept))
    blind = inspecting.report_of(acting(project, "bea"), "few_shot")
    assert blind.id == made.id
    assert [each.item for each in blind.results[0].worst] == [other]
    assert "1 worst case is held back" in blind.results[0].notes[-1]
    _, told = worst.words(acting(project, "bea"), made, "typos")
    assert [each.item for each in told] == [other]
    assert inspecting.report_of(acting(project, "olga"), "few_shot") == made
    _, whole = worst.words(acting(project, "olga"), made, "typos")
    assert [said.text for said in whole[0].answers] == ["said so"]


@pytest.mark.slow
def test_one_person_alone_waits_for_the_end_of_the_round_too(tmp_path: Path) -> None:
    project = compared_desks.documents(tmp_path)
    before = cases.cases(project, CaseQuestion(show="all"), limit=1000)
    queue = asking.open_round(project, "pairs", ("prompt", "rag"), EVERY)
    room = Round(project, queue)
    assert room.queue.solo
    given = 0
    while question := room.take():
        given += 1
        room.answer(question.token, f"me-{given}", "tie")
    assert given == len(room.items)
    found = cases.cases(project, CaseQuestion(show="all"), limit=1000)
    assert found.total == before.total - given, "an opinion can still be taken back and given anew"
    concluding.close(room)
    assert cases.cases(project, CaseQuestion(show="all"), limit=1000) == before
    project.workspace.store.close()
