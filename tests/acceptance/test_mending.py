"""What to mend comes from dev alone, says its n, and asks for about as many rows as train would miss."""

from __future__ import annotations

from whytune.acceptance.mending import MOST, DevAnswers, to_mend
from whytune.records.data import Example, Origin
from whytune.records.project import AcceptanceRule

RULE = AcceptanceRule(metric="accuracy", bar=0.8, margin=0.05)


def row(number: int, label: str, **tags: str) -> Example:
    made = Example.of(f"message {number}", label, origin=Origin(source="s", file="f"))
    return made.model_copy(update={"tags": tuple(tags.items())})


def answers(rows: list[Example], right: set[int], labelled: bool = True) -> DevAnswers:
    return DevAnswers(rows=rows, scores={each.id: float(n in right) for n, each in enumerate(rows)}, train=4 * len(rows), labelled=labelled)


def test_the_slice_that_falls_short_is_named_with_its_interval_and_what_to_collect() -> None:
    rows = [row(n, ("delay", "loss", "refund")[n % 3]) for n in range(30)]
    found = to_mend(answers(rows, {n for n in range(30) if n % 3 != 2}), RULE)
    (weak,), (target,) = found.slices, found.targets
    assert (weak.name, weak.value, weak.share, weak.n) == ("wanted", "refund", 0.0, 10)
    assert 0 == weak.low < weak.high < 0.4
    assert target.rows == 40
    assert set(target.examples) == {rows[n].id for n in range(30) if n % 3 == 2}


def test_tags_are_slices_worst_first_and_no_more_than_are_read() -> None:
    rows = [row(n, "x", channel=f"c{n % 12}") for n in range(120)]
    right = {n for n in range(120) if n % 12 > 9 or (n % 12 and n < 60)}
    found = to_mend(answers(rows, right, labelled=False), RULE)
    assert len(found.slices) == MOST
    assert found.slices[0].value == "c0"
    assert [s.share for s in found.slices] == sorted(s.share for s in found.slices)


def test_without_slices_the_whole_of_dev_is_told() -> None:
    rows = [row(n, f"answer {n}") for n in range(20)]
    found = to_mend(answers(rows, set(range(8)), labelled=False), RULE)
    assert [(s.name, s.share) for s in found.slices] == [("all", 0.4)]


def test_few_items_tell_nothing_and_a_good_candidate_has_nothing_to_mend() -> None:
    rows = [row(n, ("delay", "loss")[n % 2]) for n in range(8)]
    assert to_mend(answers(rows[:4], set()), RULE).slices == ()
    assert [(s.name, s.n) for s in to_mend(answers(rows, set()), RULE).slices] == [("all", 8)], "slices too small to tell apart are told together"
    many = [row(n, ("delay", "loss")[n % 2]) for n in range(40)]
    assert to_mend(answers(many, set(range(40))), RULE).slices == ()


def test_an_item_without_a_dev_answer_is_not_counted() -> None:
    rows = [row(n, "delay") for n in range(20)]
    held = answers(rows, set())
    found = to_mend(DevAnswers(rows=rows, scores=dict(list(held.scores.items())[:10]), train=40, labelled=True), RULE)
    assert found.slices[0].n == 10
