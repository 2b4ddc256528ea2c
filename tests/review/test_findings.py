"""The error rate and its bound, what counts as wrong, and which corrections are taken."""

from __future__ import annotations

import pytest

from whytune.records.review import Opinion, Queue, ReviewItem, RowReview
from whytune.review.findings import error_rate, findings
from whytune.review.forms import form_for
from whytune.stats.intervals import clopper_pearson


def queue(purpose: str = "rows") -> Queue:
    form = form_for("labels", ("x", "y", "z")) if purpose == "labels" else form_for("rows")
    return Queue(project="desk", number=1, purpose=form.name, dataset="dataset:1", subject=("dataset:1",), form=form, population=9, items="0" * 64)


def said(item: str, person: str, verdict: str, turn: str = "first", edits: tuple[tuple[str, str], ...] = (), replaces: str = "") -> Opinion:
    fields = {"queue": "q", "item": item, "person": person, "client": f"{item}{person}{turn}{replaces}", "turn": turn, "verdict": verdict, "edits": edits, "replaces": replaces}
    return Opinion.model_validate(fields)


def rows(count: int, **more: object) -> list[ReviewItem]:
    return [ReviewItem.model_validate({"key": f"i{n}", "example": f"example:{n}", **more}) for n in range(count)]


def closed(items: list[ReviewItem], opinions: list[Opinion], passed: dict[str, int] | None = None, kind: str = "rows", stored: dict[str, str] | None = None) -> RowReview:
    return findings(queue(kind), items, opinions, passed or {}, stored or {}).record(edits="e", opinions="o")


def test_the_bound_of_the_error_rate_is_exact() -> None:
    assert error_rate(0, 300).high < 0.01 < error_rate(0, 298).high
    assert error_rate(0, 0).high == 1.0
    assert (error_rate(3, 60).low, error_rate(3, 60).high) == pytest.approx(clopper_pearson(3, 60, 0.90))
    made = closed(rows(300), [said(f"i{n}", "ann", "good") for n in range(300)])
    assert (made.rated, made.bad) == (300, 0)
    assert made.error_rate.high < 0.01


def test_what_nobody_could_say_is_right_counts_as_wrong() -> None:
    opinions = [said("i0", "ann", "good"), said("i1", "ann", "good"), said("i1", "bo", "bad"), said("i2", "ann", "bad")]
    made = closed(rows(6), opinions, passed={"i3": 1})
    assert (made.rated, made.bad, made.unsettled, made.skipped, made.early) == (4, 3, 1, 1, True)


def test_a_decision_and_a_majority_have_the_last_word() -> None:
    opinions = [said("i0", "ann", "good"), said("i0", "bo", "bad"), said("i0", "cy", "good", "settle")]
    opinions += [said("i1", who, verdict) for who, verdict in (("ann", "bad"), ("bo", "good"), ("cy", "bad"))]
    made = closed(rows(2), opinions)
    assert (made.bad, made.adjudicated, made.unsettled, made.double_rated) == (1, 1, 0, 2)


def test_an_opinion_that_was_taken_back_does_not_count() -> None:
    opinions = [said("i0", "ann", "bad"), said("i0", "ann", "", replaces="i0annfirst")]
    assert closed(rows(1), opinions).rated == 0
    opinions.append(said("i0", "ann", "good").model_copy(update={"client": "again"}))
    assert (closed(rows(1), opinions).rated, closed(rows(1), opinions).bad) == (1, 0)


def test_warned_and_planted_rows_stay_out_of_the_rate() -> None:
    items = [*rows(2), ReviewItem(key="w", example="example:8", kind="warned"), ReviewItem(key="g", example="example:9", kind="gold", expected="bad")]
    opinions = [said("i0", "ann", "good"), said("i1", "ann", "good"), said("w", "ann", "bad", edits=(("target", "t"),)), said("g", "ann", "bad", edits=(("target", "t"),))]
    found = findings(queue(), items, opinions, {}, {})
    made = found.record(edits="e", opinions="o")
    assert (made.rated, made.bad, made.warned_rated, made.warned_bad) == (2, 0, 1, 1)
    assert made.gold_right
    assert made.gold_right.value == 1.0
    assert [edit.example for edit in found.edits] == ["example:8"]


def test_corrections_that_differ_are_left_out_unless_somebody_decided() -> None:
    both = [said("i0", "ann", "bad", edits=(("target", "one"),)), said("i0", "bo", "bad", edits=(("target", "two"), ("input", "in")))]
    found = findings(queue(), rows(1), both, {}, {})
    assert ([(e.field, e.value, e.by) for e in found.edits], found.conflicting) == ([("input", "in", "bo")], 1)
    decided = [*both, said("i0", "cy", "bad", "settle", (("target", "three"),))]
    assert [(e.field, e.value, e.by) for e in findings(queue(), rows(1), decided, {}, {}).edits] == [("target", "three", "cy")]
    right = [*both, said("i0", "cy", "good", "settle")]
    assert not findings(queue(), rows(1), right, {}, {}).edits


def test_a_label_is_held_against_the_one_on_file() -> None:
    opinions = [said("i0", "ann", "x"), said("i1", "ann", "y"), said("i2", "ann", "x"), said("i2", "bo", "y")]
    made = closed(rows(3), opinions, kind="labels", stored={"example:0": "x", "example:1": "x", "example:2": "x"})
    assert (made.purpose, made.rated, made.bad, made.unsettled) == ("labels", 3, 2, 1)
    found = findings(queue("labels"), rows(3), opinions, {}, {"example:0": "x", "example:1": "x", "example:2": "x"})
    assert [(edit.example, edit.value) for edit in found.edits] == [("example:1", "y")]
