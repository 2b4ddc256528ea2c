"""Putting a prompt together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.answering.rendering import chat, fill, neutralise, passages_text
from whytune.records.candidate import Prompt
from whytune.records.content import Message
from whytune.records.data import Example, Origin, Passage

ORIGIN = Origin(source="0" * 64, file="rows.csv")
CONTROL = ("<|im_start|>", "<|im_end|>", "<s>", "</s>", "aa")


def passage(title: str, text: str) -> Passage:
    return Passage(document="document:1", title=title, text=text, start=0, end=len(text))


def test_system_shots_and_input_stand_in_this_order() -> None:
    shot = Example.of("Where is my card?", "arrival", origin=ORIGIN)
    made = chat(Prompt(system="Be brief.", template="Q: {input}"), (Message.of("user", "Lost!"),), shots=[shot])
    assert [(turn.role, turn.text) for turn in made] == [
        ("system", "Be brief."),
        ("user", "Q: Where is my card?"),
        ("assistant", "arrival"),
        ("user", "Q: Lost!"),
    ]


def test_passages_stand_in_the_last_turn_only_numbered_with_their_titles() -> None:
    shot = Example.of("a", "b", origin=ORIGIN)
    prompt = Prompt(context_template="Use:\n{context}\nThen: {input}")
    made = chat(prompt, (Message.of("user", "When?"),), [passage("Leave > Paid", "30 days."), passage("", "None.")], [shot])
    assert [turn.text for turn in made] == ["a", "b", "Use:\n[1] Leave > Paid\n30 days.\n\n[2] None.\nThen: When?"]


def test_earlier_turns_stay_and_system_texts_become_one() -> None:
    turns = (Message.of("system", "Shop."), Message.of("user", "Hi"), Message.of("assistant", "Yes?"), Message.of("user", "Bye"))
    made = chat(Prompt(system="Be brief.", template="<{input}>"), turns)
    assert [turn.text for turn in made] == ["Be brief.\n\nShop.", "Hi", "Yes?", "<Bye>"]


def test_no_system_text_no_system_turn() -> None:
    assert [turn.role for turn in chat(Prompt(), (Message.of("user", "Hi"),))] == ["user"]


def test_a_chat_that_does_not_end_with_the_user_is_refused() -> None:
    with pytest.raises(ValueError, match="user's turn"):
        chat(Prompt(), (Message.of("assistant", "Hi"),))


@given(st.text(), st.text())
def test_braces_in_a_users_text_stay_what_they_are(words: str, context: str) -> None:
    given_words = "{context}{input}" + words
    assert fill("{input}|{context}", input=given_words, context=context) == f"{given_words}|{context}"


@given(st.lists(st.sampled_from([*CONTROL, "<", "|", "im_end", "|>", "a", "x", " ", "s>"])).map("".join))
def test_no_control_token_is_left_and_nothing_but_spaces_is_added(text: str) -> None:
    made, count = neutralise(text, CONTROL)
    assert not [token for token in CONTROL if token in made]
    assert made.replace(" ", "") == text.replace(" ", "")
    assert (made == text) == (count == 0)


def test_no_passages_no_text() -> None:
    assert passages_text([]) == ""
