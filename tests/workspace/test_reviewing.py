"""Rounds of review from opening to what they prove: rows, labels, pairs, rubric; who is asked, what stays hidden."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.review.desk import PEOPLE, desk, examples, measured, seen_by

from whytune.errors import NotAllowedError, NotFoundError, RefusedError, UsageError
from whytune.records.proposal import Proposal
from whytune.records.review import HumanEvaluation, Queue, RowReview
from whytune.workspace import asking, concluding, reviewing
from whytune.workspace.asking import Plan
from whytune.workspace.project import Project
from whytune.workspace.reviewing import Question, Round

QUIET = Plan(sample=20, overlap=0, gold=0, repeats=0)


def opened(project: Project, purpose: str, arms: tuple[str, ...] = (), plan: Plan = QUIET, by: str = "ann") -> Queue:
    return asking.open_round(seen_by(project, by), asking.purpose_named(purpose), arms, plan)


def room(project: Project, who: str, queue: Queue) -> Round:
    return Round(seen_by(project, who) if who else project, queue)


def work(at: Round, judge: Callable[[Question], str], limit: int = 1000) -> list[Question]:
    """Judge everything there is for this person."""
    seen: list[Question] = []
    while len(seen) < limit and (question := at.take()):
        seen.append(question)
        verdict = judge(question)
        edits = [("target", verdict.partition("=")[2])] if verdict.startswith("bad=") else []
        at.answer(question.token, f"{at.queue.number}-{at.person}-{len(seen)}", verdict.partition("=")[0], edits=edits)
    return seen


def right(question: Question) -> str:
    """Whether the shown label is the one that the row's number asks for."""
    words = question.input.split()
    label = "delay" if int(words[words.index("number") + 1]) % 2 else "loss"
    return "good" if question.texts[0][1] == label else f"bad={label}"


def test_a_round_of_rows_gives_the_error_rate_its_bound_and_the_agreement(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    queue = opened(project, "rows", plan=Plan(sample=20, overlap=0.5, gold=0.1, repeats=0.1))
    assert queue.excluded == ("dana",)
    assert not queue.solo
    first = work(room(project, "ann", queue), right, limit=15)
    assert len(first) == 15
    for who in ("bo", "cy"):
        work(room(project, who, queue), right)
    made = concluding.close(room(project, "ann", queue))
    assert isinstance(made, RowReview)
    assert (made.rated, made.bad, made.unsettled, made.skipped) == (20, 0, 0, 0)
    assert made.error_rate.n == 20
    assert made.error_rate.high == pytest.approx(1 - 0.05 ** (1 / 20))
    assert made.double_rated == 10
    assert made.reviewers == ("ann", "bo", "cy")
    assert made.gold_right
    assert (made.gold_right.value, made.gold_right.n) == (1.0, 2)
    assert made.repeats_consistent
    assert made.repeats_consistent.value == 1.0
    assert [measure.name for measure in made.agreement] == ["raw agreement"]  # all said good: kappa and alpha are not defined
    assert concluding.close(room(project, "bo", queue)) == made
    assert project.events()[-1].act == "queue.closed"
    assert project.workspace.store.verify().whole
    assert not list(project.workspace.store.read_pack(made.edits))


def test_corrections_are_proposed_and_never_of_planted_rows(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    queue = opened(project, "rows", plan=dataclasses.replace(QUIET, gold=0.2))
    seen = work(room(project, "ann", queue), lambda q: "bad=loss" if q.texts[0][1] == "delay" else "good")
    assert len(seen) == 24
    made = concluding.close(room(project, "ann", queue))
    assert isinstance(made, RowReview)
    found = concluding.edits(room(project, "ann", queue))
    rows = {row.id: row for split in ("train", "dev") for row in examples(project, split)}
    assert len(found) == made.bad > 0
    assert {edit.value for edit in found} == {"loss"}
    assert {rows[edit.example].target_text for edit in found} == {"delay"}
    proposal = concluding.propose_edits(room(project, "dana", queue))
    assert isinstance(proposal, Proposal)
    assert (proposal.kind, proposal.count) == ("edits", made.bad)


def test_people_who_differ_are_settled_by_somebody_who_gave_no_opinion(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    queue = opened(project, "rows", plan=dataclasses.replace(QUIET, sample=6, overlap=1.0, overlap_max=2))
    work(room(project, "ann", queue), lambda q: "good")
    work(room(project, "bo", queue), lambda q: "bad" if "number 1" in q.input else "good")
    differ = len(room(project, "ann", queue).disputes())
    assert 0 < differ < 6
    with pytest.raises(RefusedError, match="not done") as caught:
        concluding.close(room(project, "ann", queue))
    assert "wait for somebody to decide" in caught.value.problems[0]
    assert room(project, "ann", queue).take_dispute() is None
    judge = room(project, "cy", queue)
    for number in range(differ):
        question = judge.take_dispute()
        assert question
        judge.answer(question.token, f"s{number}", "bad")
    made = concluding.close(room(project, "ann", queue))
    assert isinstance(made, RowReview)
    assert (made.adjudicated, made.bad, made.unsettled) == (differ, differ, 0)
    assert made.double_rated == 6


@pytest.mark.slow
def test_unsettled_rows_count_as_wrong_when_closed_early(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    queue = opened(project, "rows", plan=dataclasses.replace(QUIET, sample=4, overlap=1.0, overlap_max=2))
    work(room(project, "ann", queue), lambda q: "good")
    work(room(project, "bo", queue), lambda q: "bad", limit=1)
    made = concluding.close(room(project, "ann", queue), early=True)
    assert isinstance(made, RowReview)
    assert (made.rated, made.bad, made.unsettled) == (4, 1, 1)


def test_who_made_the_rows_or_lacks_a_role_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    project = desk(tmp_path / "one", people=PEOPLE)
    queue = opened(project, "rows")
    with pytest.raises(NotAllowedError, match="made part"):
        room(project, "dana", queue).take()
    with pytest.raises(NotAllowedError, match="may not do"):
        room(project, "root", queue).take()
    with pytest.raises(NotAllowedError):
        reviewing.next_question(seen_by(project, "dana"))
    lonely = {"root": ["admin"], "dana": ["data_creator"]}
    (tmp_path / "two").mkdir()
    other = desk(tmp_path / "two", people=lonely)
    with pytest.raises(NotAllowedError, match="Nobody may be asked"):
        opened(other, "rows", by="dana")


def test_labels_are_asked_blind_and_held_against_the_one_on_file(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    queue = opened(project, "labels")
    at = room(project, "ann", queue)
    seen = work(at, lambda q: "loss")
    assert all(not question.texts for question in seen)
    made = concluding.close(at)
    assert isinstance(made, RowReview)
    rows = {row.id: row.target_text for split in ("train", "dev") for row in examples(project, split)}
    items = [*at.items.values()]
    assert made.bad == sum(rows[item.example] == "delay" for item in items)
    assert {edit.value for edit in concluding.edits(at)} == {"loss"}


def both(project: Project, split: str = "dev", by: str = "root") -> None:
    """Two arms that say different things about every row."""
    names = {"prompt": "prompt says", "tuned": "tuned says"}
    for arm, words in names.items():
        measured(project, arm, lambda row, words=words: f"{words} {row.input_text[-20:]}", split="test" if split == "test" else "dev", by=by if split != "test" else "ann")


def test_pairs_are_blind_and_find_the_better_arm(tmp_path: Path) -> None:
    project = desk(tmp_path, count=300, people=PEOPLE)
    both(project)
    queue = opened(project, "pairs", ("tuned", "prompt"), Plan(sample=45, overlap=0.3, votes=40, gold=0.05, repeats=0.05))
    assert queue.arms == ("prompt", "tuned")
    assert "root" in queue.excluded

    def judge(question: Question) -> str:
        (_, left), (_, other) = question.texts
        if "says" not in left + other:
            words = question.input.split()
            target = "delay" if int(words[words.index("number") + 1]) % 2 else "loss"
            return "a" if left == target else "b"
        number = sum(map(ord, question.input))
        if number % 10 == 0:
            return "tie"
        wins = "tuned" if number % 5 else "prompt"
        return "a" if left.startswith(wins) else "b"

    questions = []
    for who in ("ann", "bo", "cy"):
        questions += work(room(project, who, queue), judge)
    shown = json.dumps([dataclasses.asdict(question) for question in questions], default=lambda value: value.model_dump())
    assert not any(name in shown for name in (*queue.subject, "candidate:", '"turn"', '"item"', '"kind"', "expected"))
    assert set(Counter(question.texts[0][1].split()[0] for question in questions)) >= {"prompt", "tuned"}
    progress = room(project, "ann", queue).progress()
    assert not {"wins", "first", "second"} & set(vars(progress))
    made = concluding.close(room(project, "ann", queue))
    assert isinstance(made, HumanEvaluation)
    assert made.conclusion == "better"
    assert made.decisive >= 40
    assert made.preference.low > 0.5
    assert made.position_bias
    assert made.position_bias.low < 0.5 < made.position_bias.high
    assert made.gold_right
    assert made.gold_right.value == 1.0
    assert made.double_rated > 5
    assert {measure.name for measure in made.agreement} == {"raw agreement", "Cohen's kappa", "Krippendorff's alpha"}
    assert made.arms == ("prompt", "tuned")
    assert "Tuned" in made.sentence
    rows = list(concluding.preferences(room(project, "ann", queue)))
    assert len(rows) > 20
    assert {row["chosen"].split()[0] for row in rows} == {"prompt", "tuned"}
    assert all(row["chosen"].split()[0] != row["rejected"].split()[0] for row in rows)
    out = tmp_path / "preferences.jsonl"
    assert concluding.write_preferences(room(project, "ann", queue), out) == len(rows) == len(out.read_text("utf-8").splitlines())


@pytest.mark.slow
def test_the_side_an_answer_stands_on_belongs_to_item_and_person(tmp_path: Path) -> None:
    project = desk(tmp_path, count=120, people=PEOPLE)
    both(project)
    queue = opened(project, "pairs", ("prompt", "tuned"), dataclasses.replace(QUIET, sample=18, overlap=1.0, votes=0))
    sides = {who: [q.texts[0][1].split()[0] for q in work(room(project, who, queue), lambda q: "a")] for who in ("ann", "bo")}
    for shown in sides.values():
        assert 2 < shown.count("tuned") < 16
    assert sides["ann"] != sides["bo"]
    made = concluding.close(room(project, "ann", queue))
    assert isinstance(made, HumanEvaluation)
    assert made.position_bias
    assert made.position_bias.value == 1.0  # both always took what stood first
    assert made.conclusion in ("not_proven", "fix_the_rubric", "tie")


@pytest.mark.slow
def test_disagreement_about_what_is_good_gives_no_winner(tmp_path: Path) -> None:
    project = desk(tmp_path, count=120, people=PEOPLE)
    both(project)
    queue = opened(project, "pairs", ("prompt", "tuned"), dataclasses.replace(QUIET, sample=18, overlap=1.0, votes=0))
    for who, arm in (("ann", "tuned"), ("bo", "prompt")):
        work(room(project, who, queue), lambda q, arm=arm: "a" if q.texts[0][1].startswith(arm) else "b")
    made = concluding.close(room(project, "ann", queue))
    assert isinstance(made, HumanEvaluation)
    assert made.conclusion == "fix_the_rubric"
    assert "mend the guideline" in made.sentence


@pytest.mark.slow
def test_a_rubric_round_compares_the_scores_of_each_row(tmp_path: Path) -> None:
    project = desk(tmp_path, count=120, people=PEOPLE)
    both(project)
    queue = opened(project, "rubric", ("tuned",), dataclasses.replace(QUIET, sample=10))
    assert queue.arms == ("prompt", "tuned")
    seen = work(room(project, "ann", queue), lambda q: "5" if q.texts[0][1].startswith("tuned") else "2")
    assert len(seen) == 20
    made = concluding.close(room(project, "ann", queue))
    assert isinstance(made, HumanEvaluation)
    assert (made.form, made.conclusion, made.wins, made.decisive) == ("rubric", "better", 10, 10)
    assert [round(score.value, 2) for score in made.scores] == [0.25, 1.0]
    assert made.position_bias is None
    with pytest.raises(NotFoundError, match="round of pairs"):
        list(concluding.preferences(room(project, "ann", queue)))


@pytest.mark.slow
def test_answers_of_the_test_set_give_no_preferences(tmp_path: Path) -> None:
    project = desk(tmp_path, count=120, people=PEOPLE)
    both(project, split="test")
    queue = opened(project, "pairs", ("prompt", "tuned"), dataclasses.replace(QUIET, sample=10, votes=0))
    assert queue.split == ("test",)
    work(room(project, "bo", queue), lambda q: "a")
    with pytest.raises(NotAllowedError):
        concluding.close(room(project, "bo", queue))
    concluding.close(room(project, "ann", queue))
    with pytest.raises(RefusedError, match="test set"):
        list(concluding.preferences(room(project, "bo", queue)))


def test_rows_of_the_test_set_are_never_shown(tmp_path: Path) -> None:
    project = desk(tmp_path)
    for purpose in ("rows", "labels"):
        queue = asking.open_round(project, asking.purpose_named(purpose), (), Plan(sample=1000, gold=0.3))
        hidden = {row.id for row in examples(project, "test")}
        items = Round(project, queue).items.values()
        assert hidden
        assert not hidden & {name for item in items for name in (item.example, item.stand_in)}
        assert queue.population == len(examples(project, "train")) + len(examples(project, "dev"))


@pytest.mark.slow
def test_answers_that_are_alike_are_ties_and_nobody_is_asked(tmp_path: Path) -> None:
    project = desk(tmp_path, count=400, people=PEOPLE)
    measured(project, "prompt", lambda row: "the same", by="root")
    measured(project, "tuned", lambda row: "the same" if int(row.input_text.split()[-3]) % 2 else "another", by="root")
    queue = opened(project, "pairs", ("prompt", "tuned"), dataclasses.replace(QUIET, sample=1000, votes=0))
    assert queue.identical + len(room(project, "ann", queue).items) == len(examples(project, "dev"))
    work(room(project, "ann", queue), lambda q: "tie")
    made = concluding.close(room(project, "ann", queue))
    assert isinstance(made, HumanEvaluation)
    assert made.identical == queue.identical > 0
    assert (made.conclusion, made.decisive) == ("tie", 0)


def test_what_cannot_be_asked_is_refused_with_every_mistake(tmp_path: Path) -> None:
    project = desk(tmp_path)
    with pytest.raises(UsageError) as caught:
        asking.open_round(project, "rows", (), Plan(sample=0, overlap=2, gold=-1, split="train"))
    assert len(caught.value.problems) == 4
    with pytest.raises(NotFoundError, match="not measured on the same split"):
        asking.open_round(project, "pairs", ("prompt", "rag"))
    with pytest.raises(UsageError, match="Two different arms"):
        asking.open_round(project, "pairs", ("prompt", "prompt"))
    with pytest.raises(UsageError, match="about 2 arms"):
        asking.open_round(project, "rows", ("prompt", "rag"))
    with pytest.raises(NotFoundError, match="no open round"):
        reviewing.next_question(project)
    queue = asking.open_round(project, "rows", (), QUIET)
    with pytest.raises(RefusedError, match="still open"):
        asking.open_round(project, "rows", (), QUIET)
    at = Round(project, queue)
    with pytest.raises(RefusedError, match="Nobody has said"):
        concluding.close(at, early=True)
    question = at.take()
    assert question
    with pytest.raises(UsageError) as caught:
        at.answer(question.token, "c1", "splendid", edits=[("group", "x"), ("target", " ")])
    assert len(caught.value.problems) == 4
    with pytest.raises(NotFoundError):
        at.answer("no such token", "c1", "good")


def test_undo_shows_the_same_question_again(tmp_path: Path) -> None:
    project = desk(tmp_path)
    at = Round(project, asking.open_round(project, "rows", (), QUIET))
    first = at.take()
    assert first
    at.answer(first.token, "c1", "bad")
    second = at.take()
    assert second
    again = at.undo("u1")
    assert again
    assert (again.token, again.input) == (first.token, first.input)
    at.answer(again.token, "c2", "good")
    following = at.take()
    assert following
    assert following.input == second.input
    assert [opinion.verdict for opinion in at.store.queues.opinions(at.queue.id)] == ["bad", "", "good"]
