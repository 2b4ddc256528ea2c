"""The facts rule, case by case: each line is a reference and answers that are right or wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.evaluation.facts import abstains, new_facts, states_facts

RUNS = ("How many runs has Ann Lee scored?", "Ann Lee has scored 1,000 runs.")
STYLE = ("What is Ann's batting style?", "Ann's batting style is right-handed.")
BEST = ("What is Ann's highest score?", "Ann's highest score is 106 v RR.")
AGE = ("How old is Ann?", "Ann is 24 years, 3 months and 1 day old.")
WHERE = ("Which team does Ann play for?", "Ann plays for the PBKS team.")
RETURN = ("Can I return shoes?", "Yes, you can.")
NOT_LATE = ("Can I return shoes after 30 days?", "No, after 30 days you cannot return shoes.")
OPENS = ("When does the office open?", "The office opens at 10:00 a.m.")
UNKNOWN = ("What is the pet policy?", "The documents do not say.")
BLUE = ("Is the cover blue or red?", "The cover is blue.")
ROOM = ("Where is the desk?", "In room No. 5.")
TIMES = ("How often did he take 4 wickets in a match?", "He took 4 wickets in a match 4 times.")


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        (RUNS, "1000"),
        (RUNS, "1,000 runs"),
        (RUNS, "She scored 1000.0 runs."),
        (RUNS, "1000. That is one of the best."),
        (STYLE, "Right Handed"),
        (STYLE, "She is a right-hander, right handed"),
        (BEST, "106 against RR"),
        (AGE, "24 years 3 months 1 day"),
        (AGE, "Ann is 24 years, three months and one day"),
        (WHERE, "PBKS"),
        (WHERE, "She played for pbks."),
        (RETURN, "Yes"),
        (RETURN, "You can return shoes."),
        (RETURN, "yes, of course"),
        (NOT_LATE, "No."),
        (NOT_LATE, "You can't return shoes after 30 days."),
        (OPENS, "10am"),
        (OPENS, "It opens at 10 a.m."),
        (UNKNOWN, "I don't know."),
        (UNKNOWN, "The passages do not mention pets."),
        (BLUE, "Blue"),
        (ROOM, "Room 5"),
        (TIMES, "4 times"),
        (("What is the address?", "It is help@firm.example."), "help@firm.example"),
        (("How do I write?", "By e-mail."), "Email"),
        (("北京有多少人？", "2189万人"), "北京有2189万人"),
        (("Wie hoch ist die Gebühr?", "Die Gebühr beträgt 1.234,50 €."), "beträgt 1234.5 €"),
    ],
)
def test_right(case: tuple[str, str], answer: str) -> None:
    assert states_facts(*case, answer) == (True, "")


@pytest.mark.parametrize(
    ("case", "answer", "why"),
    [
        (RUNS, "1001", "lacks 1000"),
        (RUNS, "1000 or maybe 1200", "also says 1200"),
        (RUNS, "I am not sure, 1000", "opposite"),
        (RUNS, "?!", "no words"),
        (RUNS, "How many runs has Ann Lee scored?", "lacks 1000"),
        (STYLE, "left-handed", "lacks right"),
        (BEST, "106", "lacks rr"),
        (AGE, "24 years", "lacks 3"),
        (WHERE, "Ann does not play for PBKS", "opposite"),
        (RETURN, "No", "opposite"),
        (RETURN, "No, you can't.", "opposite"),
        (RETURN, "Bananas", "neither yes nor no"),
        (NOT_LATE, "Yes, you can.", "opposite"),
        (UNKNOWN, "Pets are welcome.", "does not know"),
        (BLUE, "red", "not the same"),
        (BLUE, "The cover is red.", "not the same"),
        (TIMES, "5 times", "lacks 4"),
    ],
)
def test_wrong(case: tuple[str, str], answer: str, why: str) -> None:
    passed, said = states_facts(*case, answer)
    assert not passed
    assert why in said


def test_new_facts_are_what_the_question_does_not_say() -> None:
    assert new_facts(*RUNS) == ("1000",)
    assert new_facts(*STYLE) == ("right", "hand")
    assert new_facts(*RETURN) == ()


@pytest.mark.parametrize(
    "text",
    [
        "I don't know",
        "The text does not say.",
        "Not mentioned",
        "I cannot answer that.",
        "Sorry, I’m not sure.",
        "No information is available on this.",
    ],
)
def test_abstaining(text: str) -> None:
    assert abstains(text)


@pytest.mark.parametrize(
    "text", ["Refunds are not available.", "40", "You do not know your PIN? Reset it.", "No."]
)
def test_not_abstaining(text: str) -> None:
    assert not abstains(text)


@given(st.text(max_size=60), st.text(min_size=1, max_size=60), st.text(max_size=60))
def test_any_text_gets_an_answer(question: str, reference: str, answer: str) -> None:
    passed, why = states_facts(question, reference, answer)
    assert passed == (why == "")


@given(
    st.lists(
        st.sampled_from(
            [
                "ann",
                "plays",
                "40",
                "matches",
                "red",
                "1,000",
                "runs",
                "since",
                "2019",
                "in",
                "paris",
                "e-mail",
            ]
        ),
        min_size=1,
        max_size=8,
    )
)
def test_the_reference_itself_is_right(words: list[str]) -> None:
    reference = " ".join(words)
    assert states_facts("What about it?", reference, reference)[0]
    assert states_facts("What about it?", reference, reference.upper())[0]
