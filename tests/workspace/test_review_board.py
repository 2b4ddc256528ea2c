"""What rounds ask of a person and how far they are: who is asked, what is left, agreement so far, names only at the end."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from tests.review.desk import PEOPLE, desk, measured, seen_by

from whytune.errors import NotFoundError
from whytune.store.queue import ENOUGH_LEFT, LEASE
from whytune.workspace import asking, concluding, review_board
from whytune.workspace.asking import Plan
from whytune.workspace.project import Project
from whytune.workspace.reviewing import Round

QUIET = {"gold": 0.0, "repeats": 0.0}


def opened(project: Project, purpose: str, arms: tuple[str, ...] = (), by: str = "ann", **plan: float) -> Round:
    acting = seen_by(project, by)
    return Round(acting, asking.open_round(acting, asking.purpose_named(purpose), arms, Plan(**{**QUIET, **plan})))  # type: ignore[arg-type]


def as_(room: Round, name: str) -> Round:
    return Round(seen_by(room.project, name), room.queue)


def judge(room: Round, verdict: str, count: int = 1000) -> int:
    given = 0
    while given < count and (question := room.take()):
        room.answer(question.token, uuid.uuid4().hex, verdict)
        given += 1
    return given


def test_what_asks_for_whom(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    room = opened(project, "rows", sample=6, overlap=1.0, overlap_max=2)

    def asked(name: str) -> list[tuple[int, int, int]]:
        return [(one.waiting, one.to_settle, one.mine) for one in review_board.asking(seen_by(project, name).workspace)]

    assert asked("bo") == [(6, 0, 0)]
    assert asked("dana") == asked("root") == []  # she made the rows; root may not review
    assert "made part" in review_board.why_not(as_(room, "dana"))
    assert "Who may" in review_board.why_not(as_(room, "root"))
    judge(as_(room, "ann"), "good")
    judge(as_(room, "bo"), "bad", 2)
    assert asked("bo") == [(4, 0, 2)]
    assert asked("cy") == [(4, 2, 0)]
    assert asked("ann") == []
    (shown,), total = review_board.board(seen_by(project, "cy"))
    assert (total, shown.people, shown.progress.disputed, shown.double_rated) == (1, (("ann", 6), ("bo", 2)), 2, 2)
    assert next((one.name, one.value) for one in shown.agreement) == ("raw agreement", 0.0)
    judge(as_(room, "bo"), "good")
    (later,), _ = review_board.board(seen_by(project, "cy"))
    assert later.double_rated == 6  # counted anew, because more was said
    assert review_board.board(project, 1, 10) == ([], 1)


def test_names_and_what_may_be_taken_away_come_with_closing(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    assert review_board.openable(project).arms == ()
    for arm in ("tuned", "prompt"):
        measured(project, arm, lambda row, arm=arm: f"{arm} {row.input_text}", by="root")
    about = review_board.openable(project)
    assert ([arm for arm, _ in about.arms], about.splits, about.labels) == (["prompt", "tuned"], ("dev",), True)
    room = opened(project, "pairs", ("prompt", "tuned"), sample=5, overlap=0, votes=0)
    (shown,), _ = review_board.board(project)
    assert (shown.arms, shown.outcome, shown.preferences) == ((), None, False)
    judge(as_(room, "bo"), "a")
    with pytest.raises(NotFoundError):
        review_board.preferences_file(room)
    concluding.close(room)
    (shown,), _ = review_board.board(project)
    assert (shown.arms, shown.share, shown.preferences, shown.waiting) == (("prompt", "tuned"), 1.0, True, 0)
    assert len(review_board.preferences_file(room)) == 5


def test_one_question_ahead_and_what_was_kept_too_long(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    room = opened(project, "rows", sample=ENOUGH_LEFT + 2, overlap=0, overlap_max=1)
    ann, bo = as_(room, "ann"), as_(room, "bo")
    queues = room.store.queues
    assert ann.ahead() is None  # nothing before it
    first = ann.take()
    following = ann.ahead()
    assert first
    assert following
    assert following.token != first.token
    again = ann.ahead()
    assert again
    assert again.token == following.token
    held = ann.held()
    taken = ann.take()
    assert held
    assert taken
    again = ann.held()
    assert again
    assert held.token == taken.token == again.token == first.token  # looking and asking again does not turn them round
    assert queues.waiting(room.queue.id, "bo") == ENOUGH_LEFT
    ann.answer(first.token, "one", "good")
    taken = ann.take()
    assert taken
    assert taken.token == following.token
    assert bo.take()
    assert bo.ahead() is None  # few are left, and others may want them
    now = queues._clock() + 2 * LEASE
    queues._clock = lambda: now
    assert queues.waiting(room.queue.id, "cy") == ENOUGH_LEFT + 1


def test_whoever_passed_a_dispute_over_is_not_asked_about_it_again(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    room = opened(project, "rows", sample=2, overlap=1.0, overlap_max=2)
    judge(as_(room, "ann"), "good")
    judge(as_(room, "bo"), "bad")
    cy, di = as_(room, "cy"), as_(room, "di")
    first = cy.take_dispute()
    assert first
    cy.skip(first.token)
    second = cy.take_dispute()
    assert second
    assert second.token != first.token
    cy.skip(second.token)
    assert cy.take_dispute() is None
    assert di.take_dispute()  # somebody else still is
    assert cy.take_dispute() is None


def test_a_field_that_nobody_touched_is_no_correction(tmp_path: Path) -> None:
    project = desk(tmp_path, people=PEOPLE)
    room = as_(opened(project, "rows", sample=2, overlap=0), "bo")
    question = room.take()
    assert question
    kept = room.answer(question.token, "one", "good", edits=question.stands)
    assert kept.edits == ()
    question = room.take()
    assert question
    stands = dict(question.stands)
    kept = room.answer(question.token, "two", "bad", edits=[("input", stands["input"]), ("target", "another")])
    assert kept.edits == (("target", "another"),)
