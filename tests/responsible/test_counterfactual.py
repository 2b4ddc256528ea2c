"""A planted bias is caught, a noisy but fair model is cleared, and a fair one is not accused; the controls carry it."""

from __future__ import annotations

import re

import pytest
from tests.responsible.models import LABELS, inspected, noise, rows, subject

from whytune.records.evidence import Answer
from whytune.responsible import swaps
from whytune.responsible.counterfactual import Counterfactual, gender_twin, origin_twin, words_twin
from whytune.responsible.swaps import found_names

FEMALE = {name.casefold() for name in swaps.names("female")}
ORIGIN_OF = {name.split()[-1].casefold(): origin for origin in swaps.origins() for name in swaps.names(origin)}
DEV = rows(90)


def plainly(text: str) -> str:
    """A fair model: the number in the row decides."""
    return LABELS[int(re.findall(r"\d+", text)[0]) % 2]


def female(text: str) -> bool:
    return bool(FEMALE & {word.casefold().strip(".,") for word in text.split()})


@pytest.mark.parametrize("kind", ["gender", "names"])
def test_a_planted_bias_is_caught(kind: str) -> None:
    def biased(text: str) -> str:
        against = female(text) if kind == "gender" else ORIGIN_OF.get(text.rsplit(maxsplit=1)[-1].casefold()) not in (None, "english")
        return "decline" if against and noise(text.split("\n", maxsplit=1)[0], 0.6) else plainly(text)

    found = inspected(Counterfactual(kind), subject(DEV), biased, plainly)[kind]
    assert found.status == "FAIL"
    assert found.tuned is not None
    assert found.tuned.low > 0.10
    assert found.base is not None
    assert found.base.value == 0.0
    assert len(found.worst) == 5
    assert all("approve became decline" in worst.result or "decline became approve" in worst.result for worst in found.worst)
    if kind == "gender":
        assert any("female gets 'decline' oftener than male" in note for note in found.notes), found.notes


@pytest.mark.parametrize("kind", ["gender", "names"])
def test_a_noisy_but_fair_model_is_cleared(kind: str) -> None:
    def noisy(text: str) -> str:
        return "decline" if noise(text, 0.08) else plainly(text)

    dev = rows(240)
    found = inspected(Counterfactual(kind), subject(dev, items=240), noisy, plainly)[kind]
    assert found.status == "PASS", found.sentence
    assert found.tuned is not None
    assert found.tuned.low < 0 < found.tuned.high
    assert not any("oftener" in note for note in found.notes)
    changed, within = (float(share) for share in re.findall(r"([\d.]+)%", found.notes[0])[:2])
    assert changed > 5, "it does change its mind, only not by group"
    assert within > 5


def test_few_rows_prove_nothing() -> None:
    assert inspected(Counterfactual("gender"), subject(rows(12)), plainly, plainly)["gender"].status == "NOT PROVEN"


def test_the_same_prompt_is_really_asked_again() -> None:
    said = iter(range(10_000))

    def forgetful(text: str) -> str:
        return LABELS[next(said) % 2]

    found = inspected(Counterfactual("gender"), subject(rows(60)), forgetful, plainly)["gender"]
    assert not found.notes[0].endswith(" 0.0% when asked again")


def test_rows_with_people_are_mirrored_and_rows_without_are_signed() -> None:
    (named,) = rows(1, lambda n: "Emily pays")
    named = named.model_copy(update={"messages": (named.messages[0].of("user", "Emily says that her card is lost."),)})
    twin = gender_twin(named, 17)
    assert twin.first == named
    assert "his card" in twin.other.input_text
    assert twin.other.target_text.casefold() == f"{dict(twin.back)['emily']} pays", "the right answer changes with the row"
    assert "her card" in twin.within.input_text
    assert "Emily" not in twin.within.input_text
    (bare,) = rows(1)
    twin = gender_twin(bare, 17)
    sides = [swaps.gender_of(next(iter(found_names(swaps.TOKEN.findall(row.input_text)).values()))) for row in (twin.first, twin.other, twin.within)]
    assert sides[0] == sides[2] != sides[1]
    assert twin.groups == (sides[0], sides[1])


def test_origins_differ_between_and_agree_within() -> None:
    for row in rows(40):
        twin = origin_twin(row, 17)
        first, other, within = (ORIGIN_OF[each.input_text.split()[-1].casefold()] for each in (twin.first, twin.other, twin.within))
        assert first == within == twin.groups[0]
        assert other == twin.groups[1] != first
        assert twin.first.input_text != twin.within.input_text


def test_the_owners_own_groups() -> None:
    groups = {"home": (("flat", "house"), ("caravan", "tent"))}
    found = words_twin(rows(7)[6], groups, 17)
    assert found is not None
    assert re.search("caravan|tent", found.other.input_text)
    assert "house" in found.within.input_text
    assert words_twin(rows(1)[0], groups, 17) is None
    about = subject(tuple(row for row in rows(900) if "flat" in row.input_text), groups=groups)
    against = inspected(Counterfactual("own_groups"), about, lambda text: "decline" if re.search("caravan|tent", text) else "approve", plainly)["own_groups"]
    assert against.status == "FAIL"
    assert inspected(Counterfactual("own_groups"), subject(rows(20)), plainly)["own_groups"].status == "NOT RUN"


def test_names_in_extracted_fields_are_no_change() -> None:
    """A model that copies the signature into a field answers alike; the name is read back."""
    about = subject(rows(60), task="extraction", fields=("who",), score=lambda example, answer: 0.0)
    found = inspected(Counterfactual("names"), about, lambda text: f'{{"who": "{text.split(chr(10))[-1]}"}}')["names"]
    assert found.tuned is not None
    assert found.tuned.value == 0.0


def test_a_declined_or_missing_answer_is_an_outcome() -> None:
    about = subject(rows(60), task="qna", score=lambda example, answer: 1.0)

    def refuses_women(text: str) -> str:
        return "I'm sorry, but I can't help with that." if female(text) else "It will be sent to you on Monday."

    assert inspected(Counterfactual("gender"), about, refuses_women)["gender"].status == "FAIL"
    empty = Answer(candidate="c", item="i", text="", tokens_in=1, tokens_computed=1, tokens_out=0, seconds=0, error="too long")
    assert empty.error
