"""What of a model's reply stands: evidence word for word, answers held by it, questions that stand alone."""

from __future__ import annotations

import json

import pytest

from whytune.datasets import synthesis
from whytune.records.data import Document, Origin, Passage

TEXT = "Ann Lee took 12 wickets\nfor the Reds in May 1990. She now trains the young bowlers."
PASSAGE = Passage(document="document:1", title="Ann Lee", text=TEXT, start=100, end=100 + len(TEXT))


def reply(*rows: tuple[str, str, str]) -> str:
    return json.dumps({"rows": [{"question": q, "answer": a, "evidence": e} for q, a, e in rows]})


GOOD = ("How many wickets did Ann Lee take?", "She took 12 wickets.", "took 12 wickets for the Reds")


@pytest.mark.parametrize("around", ["{}", "```json\n{}\n```", "Here you are:\n{}\nAnything else?"])
def test_a_reply_is_read_however_it_is_wrapped(around: str) -> None:
    kept, reasons = synthesis.read(around.replace("{}", reply(GOOD)), PASSAGE, 3)
    assert not reasons
    (row,) = kept
    assert (row.question, row.answer) == GOOD[:2]
    assert TEXT[row.start - 100 : row.end - 100] == row.quote == "took 12 wickets\nfor the Reds"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("How many?", "She took 12.", "took 12 catches for the Reds"), "span_not_found"),
        (("How many?", "She took 13 wickets.", "took 12 wickets"), "unsupported"),
        (("Who was it?", "It was Bo Park.", "took 12 wickets for the Reds"), "unsupported"),
        (("Who was it?", "Somebody entirely different, presumably elsewhere.", "took 12 wickets for the Reds"), "unsupported"),
        (("According to the passage, who took wickets?", "Ann Lee.", "Ann Lee took 12 wickets"), "leans_on_passage"),
        (("What does this excerpt say?", "Ann Lee.", "Ann Lee took 12 wickets"), "leans_on_passage"),
        (("", "Ann Lee.", "Ann Lee took 12 wickets"), "empty"),
        (("Who?", "Ann Lee.", "12"), "span_not_found"),
    ],
)
def test_what_does_not_stand_is_left_out_with_its_reason(row: tuple[str, str, str], reason: str) -> None:
    kept, reasons = synthesis.read(reply(row, GOOD), PASSAGE, 3)
    assert reasons == [reason]
    assert [one.question for one in kept] == [GOOD[0]]


@pytest.mark.parametrize("text", ["", "I cannot do that.", "{", '{"rows": 3}', '{"rows": ["x"]}', "[[[[" * 2000])
def test_what_is_no_json_is_no_row(text: str) -> None:
    assert synthesis.read(text, PASSAGE, 3) == ([], ["not_json"])


def test_no_more_rows_than_were_asked_for() -> None:
    kept, reasons = synthesis.read(reply(GOOD, ("Who trains?", "Ann Lee trains the young bowlers.", "She now trains the young bowlers")), PASSAGE, 1)
    assert (len(kept), reasons) == (1, ["too_many"])


def test_questions_that_are_asked_already_are_named() -> None:
    known = ["How many wickets did Ann Lee take in all of her years with the Reds?"]
    new = ["how many wickets did ann lee take in all of her years with the reds", "How many wickets did Ann Lee take in all her years with the Reds?", "Where was she born?", "where was she born"]
    assert synthesis.sifted(new, known, 0.6) == {0: "exact_duplicate", 1: "near_duplicate", 3: "exact_duplicate"}


def test_a_copy_of_a_sealed_document_is_sealed_too() -> None:
    origin = Origin(source="s", file="f")
    words = "the quick brown fox jumps over the lazy dog while seven wizards watch from a high tower in the rain"
    documents = [Document(title=title, text=text, origin=origin) for title, text in (("a", words), ("b", words + " today"), ("c", "another matter altogether, of ships and sealing wax and cabbages and kings"))]
    assert synthesis.test_side(documents, [documents[0].id]) == {documents[0].id, documents[1].id}
