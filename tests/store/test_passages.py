"""Passage search: the sums of BM25, exact neighbours, and nothing that the asker may not read."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whytune.errors import NotFoundError, StoreError
from whytune.records.data import Passage
from whytune.store.store import Store
from whytune.store.words import K1, B

WORDS = ["parcel", "refund", "invoice", "tariff", "delay", "the", "a"]


def passage(text: str, place: int = 0, access: tuple[str, ...] = ()) -> Passage:
    return Passage(
        document="document:x", title="", text=text, start=place, end=place + len(text), access=access
    )


def bm25(texts: list[str], question: str) -> list[float]:
    """The formula, word by word."""
    cut = [text.split() for text in texts]
    mean = sum(map(len, cut)) / len(cut)
    scores = []
    for words in cut:
        score = 0.0
        for term in set(question.split()):
            holding = sum(term in other for other in cut)
            repeats = Counter(words)[term]
            rarity = math.log(1 + (len(cut) - holding + 0.5) / (holding + 0.5))
            score += rarity * repeats * (K1 + 1) / (repeats + K1 * (1 - B + B * len(words) / mean))
        scores.append(score)
    return scores


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), min_size=1, max_size=15),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
)
def test_scores_are_those_of_the_formula(drawn: list[list[str]], asked: list[str]) -> None:
    texts, question = [" ".join(words) for words in drawn], " ".join(asked)
    with tempfile.TemporaryDirectory() as place, Store.open(Path(place), create=True) as store:
        store.passages.build("i", [passage(text, n) for n, text in enumerate(texts)])
        found = store.passages.search("i", question, len(texts))
        expected = {n: score for n, score in enumerate(bm25(texts, question)) if score > 0}
        assert {each.passage.start: pytest.approx(each.score, rel=1e-4) for each in found} == expected
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


ACCESS = st.lists(st.sampled_from(["red", "green", "blue"]), max_size=2, unique=True).map(tuple)


@settings(max_examples=20, deadline=None)
@given(st.lists(ACCESS, min_size=1, max_size=20), ACCESS, st.integers(1, 25))
def test_only_what_may_be_read_is_found_and_all_of_it(
    labels: list[tuple[str, ...]], held: tuple[str, ...], k: int
) -> None:
    chance = numpy.random.default_rng(len(labels))
    vectors = chance.standard_normal((len(labels), 8)).astype(numpy.float32)
    asked = chance.standard_normal(8).astype(numpy.float32)
    made = [passage(f"parcel {n}", n, access) for n, access in enumerate(labels)]
    readable = {n for n, access in enumerate(labels) if not access or set(access) & set(held)}
    with tempfile.TemporaryDirectory() as place, Store.open(Path(place), create=True) as store:
        store.passages.build("i", made, vectors)
        by_words = store.passages.search("i", "parcel", k, held)
        by_vector = store.passages.vector_search("i", asked, k, held)
        assert list(store.passages.passages("i")) == made
    lengths = numpy.linalg.norm(vectors, axis=1) * numpy.linalg.norm(asked)
    cosines = {n: float(vectors[n] @ asked / lengths[n]) for n in readable}
    nearest = sorted(cosines, key=lambda n: -cosines[n])[:k]
    assert [found.passage.start for found in by_vector] == nearest
    assert [found.score for found in by_vector] == pytest.approx([cosines[n] for n in nearest], abs=1e-5)
    assert len(by_words) == min(k, len(readable))
    assert {found.passage.start for found in by_words} <= readable


QUESTIONS = [
    ('"', 0), ("refund OR", 1), ("NOT", 0), ("text : refund", 1), ("NEAR(refund parcel, 2)", 2), ("ref*", 0), ("^refund", 1),
    ("'; DROP TABLE passages; --", 0), ("refund\0parcel", 2), ("", 0), ("( ( (", 0), ("\ud800 refund", 1), ("{title} : refund", 1),
    ("REFUNDED", 1), ("Réfund", 1), ("refund " * 5_000, 1), (" ".join(f"w{n}" for n in range(3_000)) + " parcel", 1),
]  # fmt: skip


@pytest.mark.parametrize(("question", "hits"), QUESTIONS)
def test_a_hostile_question_is_only_words(store: Store, question: str, hits: int) -> None:
    store.passages.build(
        "i", [passage("a refund of money", 1), passage("the parcels", 2), passage("else", 3)]
    )
    assert len(store.passages.search("i", question, 10)) == hits
    assert len(list(store.passages.passages("i"))) == 3


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_no_question_breaks_a_search(text: str) -> None:
    with tempfile.TemporaryDirectory() as place, Store.open(Path(place), create=True) as store:
        store.passages.build("i", [passage("x " + text.encode("utf-8", "ignore").decode())])
        store.passages.search("i", text, 3)


@pytest.mark.parametrize(
    ("question", "start"), [("如何退款", 0), ("退款", 0), ("返品したい", 1), ("การคืนเงิน", 2), ("возврат", 3)]
)
def test_scripts_without_spaces_are_found(store: Store, question: str, start: int) -> None:
    texts = ["我想知道退款的流程", "商品を返品したいのですが", "นโยบายการคืนเงินของเรา", "Как оформить возврат"]
    store.passages.build("i", [passage(text, n) for n, text in enumerate(texts)])
    assert [found.passage.start for found in store.passages.search("i", question, 1)] == [start]


def test_headings_are_searched(store: Store) -> None:
    titled = Passage(document="d", title="Handbook > Refunds", text="We pay back.", start=0, end=12)
    store.passages.build("i", [titled])
    assert [found.passage for found in store.passages.search("i", "refund", 3)] == [titled]


def test_an_index_never_changes(store: Store) -> None:
    store.passages.build("i", [passage("one")])
    store.passages.build("i", [passage("one")])
    with pytest.raises(StoreError, match="holds other passages"):
        store.passages.build("i", [passage("two")])
    assert store.passages.has("i")
    assert not store.passages.has("j")
    with pytest.raises(NotFoundError):
        store.passages.search("j", "one", 1)


def test_an_index_of_nothing(store: Store) -> None:
    store.passages.build("i", [], numpy.zeros((0, 4), dtype=numpy.float32))
    assert store.passages.search("i", "word", 3) == []
    assert store.passages.vector_search("i", numpy.ones(4, dtype=numpy.float32), 3) == []
    assert list(store.passages.passages("i")) == []


def test_vectors_that_do_not_fit_are_refused(store: Store) -> None:
    made = [passage("one"), passage("two", 9)]
    for odd in (numpy.zeros((3, 4)), numpy.zeros(2), numpy.array([[1.0, numpy.nan], [0.0, 1.0]])):
        with pytest.raises(StoreError, match="need 2 vectors"):
            store.passages.build("i", made, odd.astype(numpy.float32))
    assert not store.passages.has("i")
    store.passages.build("i", made, numpy.eye(2, dtype=numpy.float32))
    with pytest.raises(StoreError, match="does not fit"):
        store.passages.vector_search("i", numpy.ones(3, dtype=numpy.float32), 1)
    store.passages.build("words only", made)
    with pytest.raises(StoreError, match="no embeddings"):
        store.passages.vector_search("words only", numpy.ones(2, dtype=numpy.float32), 1)


def test_passages_taken_out_are_found_by_nobody_any_more(store: Store, folder: Path) -> None:
    kept = [passage(f"the rain falls on part {n}", access=("staff",) if n % 2 else ()) for n in range(6)]
    hers = passage("the rain is what Zoe likes", access=("staff",))
    vectors = numpy.eye(7, dtype=numpy.float32)
    store.passages.build("i", [*kept[:3], hers, *kept[3:]], vectors)
    with Store.open(folder) as other:
        asked = other.passages.search("i", "what does zoe like about rain", 7, ("staff",))
        assert asked[0].passage == hers
        content = store.passages.open("i").content
        assert store.passages.redact("i", lambda one: "Zoe" in one.text) == (hers.id,)
        for where in (store, other):
            assert hers not in [hit.passage for hit in where.passages.search("i", "what does zoe like about rain", 7, ("staff",))]
            assert list(where.passages.passages("i")) == kept
            assert where.passages.open("i").content == content
            assert where.passages.open("i").erased == 1
            for place, one in zip((0, 1, 2, 4, 5, 6), kept, strict=True):
                assert where.passages.vector_search("i", vectors[place], 1, ("staff",))[0].passage == one
            assert len(where.passages.vector_search("i", vectors[0], 9)) == 3, "access is kept"
        assert store.passages.redact("i", lambda one: "Zoe" in one.text) == ()
    assert store.passages.ids() == ["i"]
    assert not [path for path in folder.rglob("*") if path.is_file() and b"Zoe" in path.read_bytes()]


@pytest.mark.parametrize("vectors", [True, False])
def test_an_index_may_lose_its_last_passage(store: Store, vectors: bool) -> None:
    store.passages.build("i", [passage("rain")], numpy.ones((1, 3), numpy.float32) if vectors else None)
    assert len(store.passages.redact("i", lambda _: True)) == 1
    assert store.passages.search("i", "rain", 3) == []
    assert list(store.passages.passages("i")) == []
    if vectors:
        assert store.passages.vector_search("i", numpy.ones(3, numpy.float32), 3) == []


@pytest.mark.parametrize("cut", ["before", "between"])
def test_an_index_is_there_whole_wherever_taking_passages_out_was_cut_short(folder: Path, monkeypatch: pytest.MonkeyPatch, cut: str) -> None:
    with Store.open(folder, create=True) as store:
        store.passages.build("i", [passage("Zoe wrote of a parcel", 0), passage("a refund came", 90)])
        true = Path.rename

        def killed(path: Path, to: Path) -> Path:
            if path.suffix == ".new" and cut == "between":
                raise KeyboardInterrupt
            if path.suffix != ".new" and Path(to).parent.name == "temporary" and cut == "before":
                raise KeyboardInterrupt
            return true(path, to)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", killed)
            with pytest.raises(KeyboardInterrupt):
                store.passages.redact("i", lambda one: "Zoe" in one.text)
    with Store.open(folder) as store:
        assert store.passages.ids() == ["i"]
        store.passages.redact("i", lambda one: "Zoe" in one.text)
        assert store.passages.ids() == ["i"]
        assert [found.passage.text for found in store.passages.search("i", "zoe refund", 5)] == ["a refund came"]
    assert not [path for path in folder.rglob("*") if path.is_file() and b"Zoe" in path.read_bytes()]
    assert not list(folder.glob("indexes/*.new"))
