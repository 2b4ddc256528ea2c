"""Retrieval: fusion, access, oracle, distractors, and the measurement that switches embeddings on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from whytune.answering.retrieval.passages import cut, indexed_text
from whytune.answering.retrieval.retriever import Retriever, distractors, fuse, readable, terms
from whytune.answering.retrieval.tuning import tune
from whytune.errors import StoreError, UsageError
from whytune.records.candidate import Retrieval
from whytune.records.data import Document, Example, Origin, Passage
from whytune.store.passages import Indexes

ORIGIN = Origin(source="0" * 64, file="handbook.md")
WORDS = ("leave", "pay", "travel", "laptop", "holiday", "badge")
SAME = {"vacation": "holiday", "salary": "pay"}


def document(title: str, text: str, access: tuple[str, ...] = ()) -> Document:
    return Document(title=title, text=text, access=access, origin=ORIGIN)


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """An embedding that knows two synonyms, which words alone do not."""
    rows = []
    for text in texts:
        found = [SAME.get(term, term) for term in terms(text)]
        row = np.array([float(found.count(word)) for word in WORDS] + [0.01])
        rows.append(row / np.linalg.norm(row))
    return np.array(rows, dtype=np.float32)


class Index:
    """An exact index in memory that filters before it scores."""

    def __init__(self, passages: Iterable[Passage], leaky: bool = False) -> None:
        self.kept = list(passages)
        self.leaky = leaky

    def _seen(self, access: tuple[str, ...]) -> list[Passage]:
        return [passage for passage in self.kept if self.leaky or readable(passage, access)]

    def search(
        self, index_id: str, question: str, k: int, access: tuple[str, ...]
    ) -> list[tuple[Passage, float]]:
        wanted = set(terms(question))
        scored = [(p, float(len(wanted & set(terms(p.title + " " + p.text))))) for p in self._seen(access)]
        return sorted((s for s in scored if s[1]), key=lambda s: (-s[1], s[0].start))[:k]

    def vector_search(
        self, index_id: str, vector: NDArray[np.float32], k: int, access: tuple[str, ...]
    ) -> list[tuple[Passage, float]]:
        seen = self._seen(access)
        scored = [(p, float(v @ vector)) for p, v in zip(seen, embed([p.text for p in seen]), strict=True)]
        return sorted(scored, key=lambda s: -s[1])[:k]

    def passages(self, index_id: str) -> list[Passage]:
        return self.kept


HOLIDAY = document(
    "Holiday", "# Holiday\n\nThirty days of holiday a year.\n\n# Carry over\n\nFive days go on."
)
PAY = document("Pay", "Pay day is the 25th. The money comes by transfer.")
SECRET = document("Boss", "The pay of the boss is 1,000,000.", access=("board",))
TRAVEL = document("Travel", "Book travel early. Trains before planes.")
DOCUMENTS = (HOLIDAY, PAY, SECRET, TRAVEL)
PASSAGES = [passage for doc in DOCUMENTS for passage in cut(doc)]


def example(question: str, answer: str, *documents: Document) -> Example:
    return Example.of(question, answer, origin=ORIGIN, evidence=tuple(doc.id for doc in documents))


def test_lexical_search_gives_the_k_best() -> None:
    found = Retriever(Index(PASSAGES)).find("When is pay day?", Retrieval(index="i", k=1))
    assert [passage.document for passage in found] == [PAY.id]


def test_hybrid_finds_what_words_do_not() -> None:
    retriever = Retriever(Index(PASSAGES), embed)
    assert retriever.find("vacation", Retrieval(index="i", k=1)) == []
    assert retriever.find("vacation", Retrieval(index="i", k=1, hybrid=True))[0].document == HOLIDAY.id


def test_hybrid_without_an_embedder_is_refused() -> None:
    with pytest.raises(UsageError, match="without an embedder"):
        Retriever(Index(PASSAGES)).find("pay", Retrieval(index="i", hybrid=True))


def test_a_query_without_words_finds_nothing_by_words() -> None:
    assert Retriever(Index(PASSAGES)).find("?! …", Retrieval(index="i")) == []


def test_words_of_a_question() -> None:
    assert terms('NEAR("Pay" OR pay) AND col:x_y*') == ["near", "pay", "or", "and", "col", "x", "y"]


@pytest.mark.parametrize("how", ["search", "all", "oracle"])
@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize(("access", "seen"), [((), False), (("staff",), False), (("board", "staff"), True)])
def test_nobody_sees_a_passage_without_its_label(
    how: str, hybrid: bool, access: tuple[str, ...], seen: bool
) -> None:
    retrieval = Retrieval.model_validate(
        {"how": how, "index": "i", "k": 9, "hybrid": hybrid, "access": access}
    )
    found = Retriever(Index(PASSAGES), embed).find("pay of the boss", retrieval, (SECRET.id, PAY.id))
    assert (SECRET.id in {passage.document for passage in found}) is seen
    assert PAY.id in {passage.document for passage in found}


@pytest.mark.parametrize("hybrid", [False, True])
def test_an_index_that_leaks_is_noticed(hybrid: bool) -> None:
    with pytest.raises(StoreError, match="may not read") as caught:
        Retriever(Index(PASSAGES, leaky=True), embed).find("pay", Retrieval(index="i", hybrid=hybrid))
    assert "1,000,000" not in str(caught.value)


def test_all_is_every_passage_in_document_order() -> None:
    found = Retriever(Index(PASSAGES)).find(
        "anything", Retrieval(index="i", how="all", k=1, access=("board",))
    )
    assert found == PASSAGES


def test_oracle_hands_over_the_documents_that_hold_the_answer() -> None:
    retriever = Retriever(Index(PASSAGES))
    oracle = Retrieval(index="i", how="oracle", k=3)
    found = retriever.find("How many days go on?", oracle, (HOLIDAY.id,))
    assert [passage.title for passage in found] == ["Holiday > Carry over", "Holiday"]
    assert retriever.find("How many days go on?", oracle, ("document:gone",)) == []
    assert retriever.find("How many days go on?", oracle) == []


def test_oracle_picks_the_passage_that_holds_the_answer_when_there_are_many() -> None:
    long = document(
        "Long", "".join(f"# Part {i}\n\nDays days days {i}.\n\n" for i in range(30)) + "# End\n\nAsk Kim."
    )
    retriever = Retriever(Index(cut(long)))
    oracle = Retrieval(index="i", how="oracle", k=2)
    assert retriever.find("Days?", oracle, (long.id,), answer="Ask Kim")[0].title == "Long > End"
    assert retriever.find("What stands in part 12?", oracle, (long.id,))[0].title == "Long > Part 12"


def test_it_fits_the_stores_index(tmp_path: Path) -> None:
    index = Indexes(tmp_path)
    texts = [indexed_text(passage) for passage in PASSAGES]
    index.build("i", PASSAGES, embed(texts))
    retriever = Retriever(index, embed)
    try:
        assert retriever.find('When is "pay" AND day?', Retrieval(index="i", k=1))[0].document == PAY.id
        assert retriever.find("vacation", Retrieval(index="i", k=1, hybrid=True))[0].document == HOLIDAY.id
        for hybrid in (False, True):
            everything = Retrieval(index="i", k=9, hybrid=hybrid)
            assert SECRET.id not in {p.document for p in retriever.find("pay of the boss", everything)}
        assert retriever.find("", Retrieval(index="i", how="all", access=("board",))) == PASSAGES
        assert (
            retriever.find("days", Retrieval(index="i", how="oracle"), (TRAVEL.id,))[0].document == TRAVEL.id
        )
    finally:
        index.close()


def test_fusion_by_hand() -> None:
    a, b, c, d, _ = PASSAGES
    assert next(p.id for p in fuse([[a, b, c], [c, d]])) == c.id
    first, second = sorted((a, b), key=lambda p: (p.document, p.start))
    assert fuse([[a, d], [b, c]])[:2] == [first, second]


@given(st.lists(st.permutations(PASSAGES), min_size=1, max_size=3), st.integers(0, 5))
def test_fusion_keeps_all_once_and_knows_no_order_of_lists(rankings: list[list[Passage]], short: int) -> None:
    rankings[0] = rankings[0][:short]
    fused = fuse(rankings)
    assert {p.id for p in fused} == {p.id for ranking in rankings for p in ranking}
    assert len({p.id for p in fused}) == len(fused)
    assert fuse(rankings[::-1]) == fused
    if len(rankings) == 1:
        assert fused == rankings[0]


def test_a_passage_first_in_both_lists_is_first() -> None:
    a, b, c, *_ = PASSAGES
    assert fuse([[b, a], [b, c]])[0] == b


def test_tuning_compares_the_same_questions() -> None:
    asked = [
        example("How much vacation?", "thirty days", HOLIDAY),
        example("When is pay day?", "the 25th", PAY),
        example("trains or planes", "trains", TRAVEL, PAY),
        example("no evidence", "x"),
    ]
    result = tune(Retriever(Index(PASSAGES), embed), asked, Retrieval(index="i", k=1))
    assert (result.k, result.skipped, len(result.questions)) == (1, 1, 3)
    assert result.lexical.hit == (0.0, 1.0, 1.0)
    assert result.lexical.recall == (0.0, 1.0, 0.5)
    assert result.lexical.reciprocal_rank == (0.0, 1.0, 1.0)
    assert result.hybrid.hit == (1.0, 1.0, 1.0)
    assert result.gain == (1.0, 0.0, 0.0)
    assert (result.lexical.hit_at_k, result.lexical.recall_at_k) == (pytest.approx(2 / 3), 0.5)
    assert result.hybrid.mrr == 1.0


def test_tuning_without_evidence_gives_no_figure() -> None:
    result = tune(Retriever(Index(PASSAGES), embed), [example("q", "a")], Retrieval(index="i"))
    assert result.questions == ()
    assert math.isnan(result.lexical.mrr)


def test_a_question_is_embedded_once() -> None:
    calls: list[int] = []

    def counted(texts: Sequence[str]) -> NDArray[np.float32]:
        calls.append(len(texts))
        return embed(texts)

    retriever = Retriever(Index(PASSAGES), counted)
    hybrid = Retrieval(index="i", hybrid=True)
    retriever.prepare(["pay", "leave", "pay"], hybrid)
    retriever.find("leave", hybrid)
    retriever.prepare(["pay"], Retrieval(index="i"))
    assert calls == [2]


MANY = [document(f"City {i}", f"The office in city {i} opens at {i} o'clock.") for i in range(12)]
MANY_PASSAGES = [passage for doc in MANY for passage in cut(doc)]


def test_distractors_hide_one_right_passage_among_wrong_ones() -> None:
    retriever = Retriever(Index(MANY_PASSAGES))
    retrieval = Retrieval(index="i", k=4)
    places = set()
    for i, doc in enumerate(MANY):
        asked = example(f"When does the office in city {i} open?", f"at {i} o'clock", doc)
        found = distractors(retriever, asked, retrieval, seed=3)
        assert found == distractors(retriever, asked, retrieval, seed=3)
        assert len({p.id for p in found}) == 4
        assert [p.document for p in found].count(doc.id) == 1
        places.add([p.document for p in found].index(doc.id))
    assert len(places) > 2
    asked = example("When does the office in city 1 open?", "at 1 o'clock", MANY[1])
    orders = {tuple(p.id for p in distractors(retriever, asked, retrieval, seed=seed)) for seed in range(8)}
    assert len(orders) > 1


def test_distractors_are_filled_up_and_the_right_one_may_be_left_out() -> None:
    retriever = Retriever(Index(MANY_PASSAGES))
    asked = example("zzz", "at 5 o'clock", MANY[5])
    assert len(distractors(retriever, asked, Retrieval(index="i", k=4))) == 4
    without = distractors(retriever, asked, Retrieval(index="i", k=4), gold_share=0.0)
    assert len(without) == 4
    assert MANY[5].id not in {p.document for p in without}


def test_a_distractor_does_not_hold_the_answer() -> None:
    twin = document("Twin", "In city 5 it opens at 5 o'clock too.")
    retriever = Retriever(Index([*cut(twin), *MANY_PASSAGES]))
    asked = example("When does city 5 open?", "at 5 o'clock", MANY[5])
    assert twin.id not in {p.document for p in distractors(retriever, asked, Retrieval(index="i", k=12))}


def test_without_evidence_training_sees_what_the_search_finds() -> None:
    retriever = Retriever(Index(PASSAGES))
    asked = example("When is pay day?", "the 25th")
    retrieval = Retrieval(index="i", k=2)
    assert distractors(retriever, asked, retrieval) == retriever.find("When is pay day?", retrieval)


def test_distractors_keep_to_the_access_labels() -> None:
    asked = example("pay of the boss", "a lot", PAY)
    found = distractors(Retriever(Index(PASSAGES)), asked, Retrieval(index="i", k=9))
    assert SECRET.id not in {p.document for p in found}
