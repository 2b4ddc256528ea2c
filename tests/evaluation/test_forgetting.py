"""The forgetting probe: enough items of its own, scored as written down, and a record that says no more than it knows."""

from __future__ import annotations

from collections import Counter

import pytest

from whytune.evaluation.forgetting import ENOUGH, MARGIN, PROMPT, Asked, SkillItem, forgetting, items
from whytune.records.choice import Forgetting

ABOUT = Asked("support", "candidate:1", "adapter:1", "base:1")
RIGHT = {
    "matches": {
        "Write the number 7 and nothing else.": "7", "Write the number 42 and nothing else.": "42.", "Write only the word blue.": "Blue",
        "Write only the word yes.": "yes", "Answer with one word: what colour is grass?": "Green.", "Answer with one word: what is the opposite of hot?": "cold",
        "Answer with one word: what is the opposite of up?": "Down", "Answer with one word: what is the opposite of big?": "small",
        "Ask me a question.": "How are you today?", "Write three words.": "sun, moon, stars",
        "Write a list of two fruits, each on its own line.": "- apple\n- pear", "Write one full sentence about a dog. It ends with a full stop.": "The dog sleeps.",
        "Write the letters a, b and c with commas between them.": "a, b, c", "Write the word stop in capital letters.": "STOP",
        "Count from 1 to 5 with commas between the numbers.": "1, 2, 3, 4, 5", "Write a date in the form YYYY-MM-DD.": "2024-05-17",
    }
}  # fmt: skip


def right(item: SkillItem) -> str:
    return RIGHT["matches"][item.question] if item.how == "matches" else f"{item.right.split('|')[0].capitalize()}, I think."


def measured(before: int, after: int, lost: int = 0) -> Forgetting:
    """So many of the first items right before, and after, when the first `lost` are wrong."""
    asks = items()
    said = [{item.example.id: right(item) for item in some} for some in (asks[:before], asks[lost:after])]
    return forgetting(ABOUT, said[0], said[1])


def test_there_are_enough_items_and_each_is_its_own() -> None:
    asks = items()
    assert len(asks) >= 60
    assert len({item.question for item in asks}) == len({item.example.id for item in asks}) == len(asks)
    assert min(Counter(item.skill for item in asks).values()) >= 10
    assert not PROMPT.decoding.constrained


@pytest.mark.parametrize("item", items(), ids=lambda item: item.question)
def test_a_right_answer_passes_and_others_do_not(item: SkillItem) -> None:
    assert item.passes(right(item))
    assert not item.passes("")
    assert not item.passes("purple monkeys dishwashing 123456 over and over" if item.question != "Name one colour of the rainbow." else "no idea")


def test_whole_words_count_and_where_they_stand() -> None:
    paris = SkillItem("facts", "Capital of France?", "Paris", "contains")
    assert [paris.passes(text) for text in ("It is PARIS.", "Parisians", "Lyon")] == [True, False, False]
    yes = SkillItem("yes_or_no", "Is ice cold?", "yes", "begins")
    assert [yes.passes(text) for text in ("Yes, it is.", "I say yes", "yesterday")] == [True, False, False]


def test_a_loss_is_proven_and_its_absence_too_but_never_from_nothing() -> None:
    n = len(items())
    lost = measured(n, n - 20)
    assert (lost.conclusion, lost.before.value) == ("worse", 1.0)
    assert lost.difference.high < 0
    assert sum(skill.lost for skill in lost.skills) == 20
    assert "provably forgotten" in lost.sentence
    same = measured(n // 2, n // 2)
    assert (same.conclusion, same.difference.value) == ("not_worse", 0.0)
    assert same.difference.low > -MARGIN
    a_little = measured(n // 2, n // 2 + 8, lost=12)
    assert a_little.conclusion == "not_proven"
    assert "neither" in a_little.sentence
    assert [sum(getattr(skill, name) for skill in a_little.skills) for name in ("lost", "gained")] == [12, 8]
    nothing = measured(int(ENOUGH * n) - 1, int(ENOUGH * n) - 1)
    assert nothing.conclusion == "not_proven"
    assert "too few" in nothing.sentence
    assert measured(n // 3, n).conclusion == "better"
