"""From a candidate and examples to answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from whytune.answering.answerer import Answerer, fields_schema
from whytune.answering.backends.protocol import Chat, Completion, Constraint, Labels, OnBatch, Schema
from whytune.answering.neighbours import Neighbours
from whytune.errors import NotFoundError, UsageError
from whytune.jobs.progress import Silent
from whytune.records.candidate import Candidate, Decoding, Prompt, Retrieval
from whytune.records.data import Example, Origin, Passage
from whytune.records.evidence import Answer
from whytune.tasks import TASKS

ORIGIN = Origin(source="0" * 64, file="rows.csv")


def example(text: str, target: str = "x", group: str = "", evidence: tuple[str, ...] = ()) -> Example:
    return Example.of(text, target, origin=ORIGIN, group=group, evidence=evidence)


POOL = [
    example("my card has not arrived", "arrival", "g1"),
    example("the exchange rate is wrong", "rate", "g2"),
    example("card arrived broken", "broken", "g3"),
    example("please refund me", "refund", "g4"),
]


class Echo:
    """A backend that says the last turn, in two batches, the second first."""

    context = 100

    def __init__(self) -> None:
        self.chats: list[Chat] = []
        self.constraint: Constraint = None

    def count_tokens(self, chat: Chat) -> int:
        return sum(len(turn.text.split()) for turn in chat)

    def complete(self, chats: Sequence[Chat], decoding: Decoding, constraint: Constraint, on_batch: OnBatch) -> None:
        self.chats, self.constraint = list(chats), constraint
        said = [(n, Completion(chat[-1].text, 5, 2, 1, 0.5)) for n, chat in enumerate(chats)]
        said[0] = (0, Completion("", 500, 0, 0, 0.0, "too long by 400 tokens"))
        half = len(said) // 2
        on_batch(said[half:])
        on_batch(said[:half])


class Shelf:
    """Hands out one passage an item, and notes how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...], str]] = []
        self.prepared: list[str] = []

    def prepare(self, queries: Sequence[str], retrieval: Retrieval) -> None:
        self.prepared += queries

    def find(self, query: str, retrieval: Retrieval, evidence: tuple[str, ...] = (), *, answer: str = "") -> list[Passage]:
        self.asked.append((query, evidence, answer))
        return [Passage(document="document:1", title="T", text=f"about {query}", start=0, end=5)]


class Count(Silent):
    """Counts what progress is told."""

    def __init__(self) -> None:
        self.done = 0

    def advance(self, n: int = 1, note: str = "") -> None:
        self.done += n


def run(answerer: Answerer, candidate: Candidate, examples: Sequence[Example]) -> dict[str, Answer]:
    found: list[Answer] = []
    progress = Count()

    def done(batch: list[Answer]) -> None:
        assert progress.done == len(found)
        found.extend(batch)

    answerer.answer(candidate, examples, done=done, progress=progress)
    assert progress.done == len(found) == len(examples)
    return {answer.item: answer for answer in found}


def test_every_item_has_an_answer_or_an_error() -> None:
    items = [example(f"question {number}") for number in range(5)]
    candidate = Candidate(base="base:1", prompt=Prompt())
    found = run(Answerer(Echo(), TASKS["qna"]), candidate, items)
    assert found[items[0].id].error == "too long by 400 tokens"
    assert [found[item.id].text for item in items[1:]] == [item.input_text for item in items[1:]]
    assert {answer.candidate for answer in found.values()} == {candidate.id}


def test_passages_are_handed_over_and_kept_with_the_answer() -> None:
    backend, shelf, item = Echo(), Shelf(), example("when?", "now", evidence=("document:1",))
    candidate = Candidate(base="base:1", prompt=Prompt(), retrieval=Retrieval(index="index:1"))
    found = run(Answerer(backend, TASKS["qna"], retriever=shelf), candidate, [item, example("where?")])
    assert "[1] T\nabout when?" in backend.chats[0][-1].text
    assert len(found[item.id].passages) == 1
    # Neither the evidence nor the answer is known outside the oracle arm.
    assert shelf.asked == [("when?", (), ""), ("where?", (), "")]
    assert shelf.prepared == ["when?", "where?"]


def test_the_oracle_knows_where_the_answer_stands() -> None:
    shelf, item = Shelf(), example("when?", "now", evidence=("document:1",))
    candidate = Candidate(base="base:1", prompt=Prompt(), retrieval=Retrieval(index="index:1", how="oracle"))
    run(Answerer(Echo(), TASKS["qna"], retriever=shelf), candidate, [item])
    assert shelf.asked == [("when?", ("document:1",), "now")]


def test_shots_come_from_the_pool() -> None:
    backend = Echo()
    candidate = Candidate(base="base:1", prompt=Prompt(shots=(POOL[3].id, POOL[1].id)))
    run(Answerer(backend, TASKS["categorization"], pool=POOL), candidate, [example("hello")])
    assert [turn.text for turn in backend.chats[0]] == [
        "please refund me", "refund", "the exchange rate is wrong", "rate", "hello",
    ]  # fmt: skip
    with pytest.raises(NotFoundError, match="2 of the prompt's 2 shots"):
        run(Answerer(backend, TASKS["categorization"]), candidate, [example("hello")])


def test_nearest_rows_stand_next_to_the_input_and_never_come_from_its_group() -> None:
    backend = Echo()
    candidate = Candidate(base="base:1", prompt=Prompt(nearest=2, pool="dataset:1"))
    items = [example("has my card arrived"), example("my card has not arrived yet", group="g1")]
    run(Answerer(backend, TASKS["categorization"], pool=POOL), candidate, items)
    assert [turn.text for turn in backend.chats[0]][:4:2] == ["card arrived broken", "my card has not arrived"]
    assert "my card has not arrived" not in [turn.text for turn in backend.chats[1]]
    assert len(backend.chats[1]) == 5


def test_fixed_shots_and_nearest_rows_do_not_repeat_one_another() -> None:
    backend = Echo()
    candidate = Candidate(base="base:1", prompt=Prompt(shots=(POOL[0].id,), nearest=2, pool="dataset:1"))
    run(Answerer(backend, TASKS["categorization"], pool=POOL), candidate, [example("has my card arrived")])
    said = [turn.text for turn in backend.chats[0]]
    assert len(said) == len(set(said)) == 7


def test_an_item_is_never_its_own_neighbour() -> None:
    assert POOL[0] not in Neighbours(POOL).nearest(POOL[0], 4)
    assert len(Neighbours(POOL).nearest(POOL[0], 4)) == 3
    assert Neighbours([]).nearest(POOL[0], 4) == []


def test_the_constraint_is_the_tasks() -> None:
    free, bound = Candidate(base="b", prompt=Prompt()), Candidate(base="b", prompt=Prompt(decoding=Decoding(constrained=True)))
    sorting = Answerer(Echo(), TASKS["categorization"], labels=("a", "b"))
    assert sorting.constraint(free) is None
    assert sorting.constraint(bound) == Labels(("a", "b"))
    assert Answerer(Echo(), TASKS["extraction"], fields=("city",)).constraint(bound) == Schema(fields_schema(("city",)))
    assert Answerer(Echo(), TASKS["qna"]).constraint(bound) is None
    for task in ("categorization", "extraction"):
        with pytest.raises(UsageError):
            Answerer(Echo(), TASKS[task]).constraint(bound)


def test_passages_without_an_index_are_refused() -> None:
    candidate = Candidate(base="b", prompt=Prompt(), retrieval=Retrieval(index="index:1"))
    with pytest.raises(UsageError, match="there is no index"):
        run(Answerer(Echo(), TASKS["qna"]), candidate, [example("x")])
