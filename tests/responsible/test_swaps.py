"""Gendered words by grammar, names throughout, words that are names left alone; the lists are disjoint."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whytune.responsible import swaps
from whytune.responsible.swaps import swapped


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("I told him that his card is his.", "I told her that her card is hers."),
        ("I told her that her card is hers.", "I told him that his card is his."),
        ("Call her back today.", "Call him back today."),
        ("We saw her two friends; ask her, please.", "We saw his two friends; ask him, please."),
        ("She hurt herself, said her husband.", "He hurt himself, said his wife."),
        ("HIS WIFE ASKED HIM.", "HER HUSBAND ASKED HER."),
        ("It is his own.", "It is her own."),
        ("Dear Sir, my father's account is closed.", "Dear Madam, my mother's account is closed."),
        ("The heading of the mankind museum is missing.", "The heading of the mankind museum is missing."),
        ("Is her right hand better than his?", "Is his right hand better than hers?"),
    ],
)
def test_pronouns_turn_by_what_they_are(text: str, other: str) -> None:
    assert swapped(text, seed=1).text == other


@pytest.mark.parametrize(
    "text",
    ["Please mark the invoice.", "Mark the invoice as paid.", "To be frank, the dean will bill us.", "Will you come in May?", "April is cold.", "Grant access, then chase it for miles.", "I hope that joy and grace may rise.", "Is art a rose by may or june?"],
)
def test_words_that_are_names_elsewhere_stay(text: str) -> None:
    assert swapped(text, seed=3) == swaps.Swapped(text, 0, ())
    assert swapped(text, seed=3, gender=False).changes == 0


def test_a_name_is_another_name_throughout_and_never_one_that_is_there() -> None:
    text = "I spoke to Mark Miller. Mark said that Emily's card came, and Emily, Sarah and David saw it."
    done = swapped(text, seed=5)
    back = dict(done.map)
    assert set(back) == {"mark", "emily", "sarah", "david"}
    assert len(set(back.values())) == 4
    assert not set(back.values()) & set(back)
    sides = {name: swaps.gender_of(name) for name in back}
    assert all(sides[old] != swaps.gender_of(new) for old, new in back.items())
    assert done.text.casefold().count(back["emily"]) == 2
    assert f"{back['emily']}'s card" in done.text.casefold()
    within = swapped(text, seed=5, gender=False)
    assert all(sides[old] == swaps.gender_of(new) for old, new in within.map)
    assert "Miller" in done.text


def test_lists_are_disjoint_and_no_name_is_also_a_gendered_word() -> None:
    genders = [set(map(str.casefold, swaps.names(side))) for side in ("female", "male")]
    assert not genders[0] & genders[1]
    assert not swaps._also_words() & (genders[0] | genders[1])
    assert not swaps._pairs().keys() & (genders[0] | genders[1] | swaps._also_words())
    groups = [set(swaps.names(origin)) for origin in swaps.origins()]
    assert all(len(group) == 8 for group in groups)
    assert not any(one & two for one, two in combinations(groups, 2))


PIECES = ("he came", "she told him that", "with the", "his own card", "she saw herself", "Emily", "and", "a man", "their car", "call her back", "it is hers")


@settings(max_examples=40)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map(". ".join), st.integers(0, 9))
def test_swapping_twice_gives_the_gendered_words_back(text: str, seed: int) -> None:
    once = swapped(text, seed=seed)
    twice = swapped(once.text, seed=seed)
    names = {name for done in (once, twice) for pair in done.map for name in pair}

    def without(words: str) -> list[str]:
        return ["somebody" if word.casefold().strip(".") in names else word for word in words.split()]

    assert without(twice.text) == without(text)
    assert swapped(text, seed=seed) == once
