"""What votes prove: the winner, the tie, the rubric that must be mended; and how often a coin is taken for a winner."""

from __future__ import annotations

import random

import pytest

from whytune.records.review import HumanEvaluation, Opinion, Queue, ReviewItem
from whytune.review.forms import form_for
from whytune.review.preferring import evaluated, preferences

GROUPS: dict[str, str] = {}


def queue(purpose: str = "pairs", planned: int = 0, identical: int = 0) -> Queue:
    form = form_for("rubric") if purpose == "rubric" else form_for("pairs")
    return Queue(
        project="desk", number=1, purpose=form.name, dataset="dataset:1", subject=("candidate:1", "candidate:2"), arms=("prompt", "tuned"), split=("dev",),
        form=form, population=9, items="0" * 64, planned=planned, identical=identical,
    )  # fmt: skip


def items(count: int) -> list[ReviewItem]:
    return [ReviewItem(key=f"i{n}", example=f"example:{n}", shown=(0, 1)) for n in range(count)]


def said(item: int, person: str, verdict: str, shown: tuple[int, int] = (0, 1), turn: str = "first") -> Opinion:
    fields = {"queue": "q", "item": f"i{item}", "person": person, "client": f"{item} {person} {turn}", "turn": turn, "verdict": verdict, "shown": shown}
    return Opinion.model_validate(fields)


def closed(opinions: list[Opinion], count: int = 0, **more: int) -> HumanEvaluation:
    held = items(count or 1 + max(int(opinion.item[1:]) for opinion in opinions))
    return evaluated(queue(**more), held, opinions, {}, GROUPS).record(opinions="o")


@pytest.mark.parametrize(("wins", "losses", "conclusion"), [(55, 30, "better"), (30, 55, "worse"), (46, 39, "not_proven"), (9, 1, "better"), (3, 0, "not_proven")])
def test_the_conclusion_follows_the_interval(wins: int, losses: int, conclusion: str) -> None:
    made = closed([said(n, "ann", "second" if n < wins else "first") for n in range(wins + losses)])
    assert (made.conclusion, made.wins, made.decisive) == (conclusion, wins, wins + losses)
    assert (made.conclusion == "better") == (made.preference.low > 0.5)
    assert made.double_rated == 0
    assert "agreement is not known" in made.sentence


def test_many_even_votes_are_a_tie_and_few_prove_nothing() -> None:
    even = [said(n, "ann", "tie" if n % 10 else ("second" if n % 20 else "first")) for n in range(200)]
    made = closed(even)
    assert (made.conclusion, made.ties, made.decisive) == ("tie", 180, 20)
    assert closed(even[:15]).conclusion == "not_proven"
    assert closed(even[:15], identical=300).conclusion == "tie"
    assert closed([said(n, "ann", "both_bad") for n in range(90)]).both_bad == 90


def test_votes_on_one_item_are_not_counted_as_independent() -> None:
    alone = closed([said(n, "ann", "second" if n % 3 else "first") for n in range(90)])
    together = [said(n, f"p{k}", "second" if n % 3 else "first") for n in range(18) for k in range(5)]
    grouped = closed(together)
    assert alone.preference.value == grouped.preference.value
    assert grouped.preference.clusters == 18
    assert grouped.preference.low < alone.preference.low - 0.05


def test_people_who_do_not_agree_give_no_winner() -> None:
    opinions = [said(n, "ann", "second") for n in range(60)] + [said(n, "bo", "second" if n % 2 else "first") for n in range(60)]
    made = closed(opinions)
    assert made.preference.low > 0.5
    assert made.conclusion == "fix_the_rubric"
    agreeing = [said(n, who, "second" if n % 5 else "first") for n in range(60) for who in ("ann", "bo")]
    assert closed(agreeing).conclusion == "better"


def test_position_bias_and_repeats_are_measured() -> None:
    first_always = [said(n, "ann", "first" if n % 2 else "second", (0, 1) if n % 2 else (1, 0)) for n in range(40)]
    made = closed(first_always)
    assert made.position_bias
    assert (made.position_bias.value, made.position_bias.n) == (1.0, 40)
    again = [said(n, "ann", "first" if n % 4 else "second", turn="again") for n in range(1, 40, 2)]
    repeated = closed([*first_always, *again])
    assert repeated.repeats_consistent
    assert (repeated.repeats_consistent.value, repeated.repeats_consistent.n) == (1.0, 20)
    assert repeated.votes == 40


def test_a_round_that_is_cut_short_says_so() -> None:
    few = [said(n, "ann", "second") for n in range(10)]
    assert closed(few, count=50, planned=85).early
    assert "before all planned votes" in closed(few, count=50, planned=85).sentence
    assert not closed(few, count=50, planned=10).early
    assert not closed(few).early


def test_preferences_need_a_majority() -> None:
    opinions = [said(0, "ann", "second"), said(0, "bo", "second"), said(1, "ann", "first"), said(2, "ann", "tie"), said(3, "ann", "first"), said(3, "bo", "second")]
    assert preferences(queue(), items(4), opinions) == [("example:0", 1, 0, 2), ("example:1", 0, 1, 1)]


def test_a_rubric_compares_means_within_a_row() -> None:
    held = [ReviewItem(key=f"i{2 * n + which}", example=f"example:{n}", shown=(which,)) for n in range(12) for which in (0, 1)]
    opinions = [said(2 * n + which, who, str(2 + which * (n % 4 > 0) + (who == "bo" and n == 0)), (which,)) for n in range(12) for which in (0, 1) for who in ("ann", "bo")]  # type: ignore[arg-type]
    made = evaluated(queue("rubric"), held, opinions, {}, GROUPS).record(opinions="o")
    assert (made.form, made.wins, made.decisive, made.ties, made.items, made.votes) == ("rubric", 9, 9, 3, 12, 48)
    assert made.position_bias is None
    assert made.scores[1].value > made.scores[0].value
    assert made.double_rated == 24


@pytest.mark.slow
def test_a_coin_is_taken_for_a_winner_as_rarely_as_the_interval_says() -> None:
    """1,000 rounds of 85 coin flips: about 5 of 100 call somebody better or worse, and 65 to 35 is proven in about 80."""
    chance = random.Random(5)
    false, found = 0, 0
    for _ in range(1000):
        coin = [said(n, "ann", "second" if chance.random() < 0.5 else "first") for n in range(85)]
        real = [said(n, "ann", "second" if chance.random() < 0.65 else "first") for n in range(85)]
        false += closed(coin).conclusion in ("better", "worse")
        found += closed(real).conclusion == "better"
    assert 0.025 < false / 1000 < 0.075
    assert 0.75 < found / 1000 < 0.87
