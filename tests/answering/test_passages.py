"""Passages: exact offsets, nothing lost, headings, tables, code, overlap, pages."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whytune.answering.retrieval.passages import count, cut, indexed_text, words_for
from whytune.errors import UsageError
from whytune.records.data import Document, Origin

ORIGIN = Origin(source="0" * 64, file="leave.md")


def document(text: str, title: str = "Leave", **more: object) -> Document:
    return Document.model_validate({"title": title, "text": text, "origin": ORIGIN, **more})


def sentences(n: int, words: int = 10) -> str:
    return " ".join(f"Sentence {i} " + " ".join(["word"] * (words - 3)) + " end." for i in range(n))


PIECES = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="ab .!?\n#|-`~ \t日本語。ก\u3000", max_size=80),
    st.sampled_from(
        [
            "# Head\n",
            "\n## Below ##\n\n",
            "###\n",
            "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n",
            "```python\nx = 1\n\n# not a heading\n```\n",
            "~~~\nnever closed\n",
            "- item one\n- item two\n\n",
            "x" * 90,
            "Dr. Smith said so. It holds! Does it?\n\n",
            "\r\n",
            "\f",
            "今日は晴れです。明日は雨でしょう。",
        ]
    ),
)
TEXTS = st.lists(PIECES, max_size=14).map("".join)


@settings(max_examples=300, deadline=None)
@given(
    text=TEXTS,
    words=st.integers(1, 30),
    overlap=st.integers(0, 12),
    starts=st.lists(st.integers(0, 200), max_size=5),
)
def test_what_always_holds(text: str, words: int, overlap: int, starts: list[int]) -> None:
    doc = document(text, page_starts=tuple(sorted(starts)), access=("hr",))
    overlap = min(overlap, words - 1)
    passages = cut(doc, words=words, overlap=overlap)
    covered = [False] * len(text)
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        assert passage.text
        assert passage.text == passage.text.strip()
        assert count(passage.text) <= words
        assert passage.document == doc.id
        assert passage.access == ("hr",)
        covered[passage.start : passage.end] = [True] * (passage.end - passage.start)
    assert all(covered[i] or c.isspace() for i, c in enumerate(text))
    assert [p.start for p in passages] == sorted({p.start for p in passages})
    assert [p.end for p in passages] == sorted({p.end for p in passages})
    pages = [p.page for p in passages]
    assert pages == sorted(pages, key=lambda page: page or 0)
    assert all((page is None) == (not starts) and page != 0 for page in pages)
    assert len({p.id for p in passages}) == len(passages)
    for one, two in itertools.pairwise(passages):
        assert count(text[two.start : one.end]) <= overlap if two.start < one.end else True
    assert cut(doc, words=words, overlap=overlap) == passages


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, words=st.integers(2, 30))
def test_a_word_that_fits_is_never_broken(text: str, words: int) -> None:
    for passage in cut(document(text), words=words, overlap=words // 3):
        for at in (passage.start, passage.end):
            if 0 < at < len(text) and not text[at - 1].isspace() and not text[at].isspace():
                left = max((i + 1 for i in range(at) if text[i].isspace()), default=0)
                right = next((i for i in range(at, len(text)) if text[i].isspace()), len(text))
                assert count(text[left:right]) > words or text[at - 1] in "。！？"


def test_headings_stand_in_the_title_and_are_not_crossed() -> None:
    text = "# Leave\n\nIntro text.\n\n## Unpaid\n\nAsk early.\n\n### How # long\n\n## Paid ##\n\nThirty days.\n\n# Other\n"
    passages = cut(document(text))
    assert [(p.title, p.text) for p in passages] == [
        ("Leave", "# Leave\n\nIntro text."),
        ("Leave > Unpaid", "## Unpaid\n\nAsk early."),
        ("Leave > Paid", "### How # long\n\n## Paid ##\n\nThirty days."),
        ("Leave > Other", "# Other"),
    ]
    assert indexed_text(passages[1]) == "Leave > Unpaid\n## Unpaid\n\nAsk early."


def test_what_looks_like_a_heading_but_is_none() -> None:
    text = "# C#\n\n```sh\n# a comment\n```\n\n#hashtag\n\n    # indented\n"
    assert {p.title for p in cut(document(text, title=""))} == {"C#"}


def test_a_long_heading_is_shortened_in_the_title_only() -> None:
    text = "# " + "very " * 60 + "\n\ntext"
    passage = cut(document(text))[0]
    assert len(passage.title) < 120
    assert passage.title.endswith("…")
    assert passage.text.startswith("# very")


def test_tables_and_code_stay_whole_when_they_fit() -> None:
    table = "| place | days |\n|---|---|\n" + "".join(f"| town {i} | {i} |\n" for i in range(8))
    code = "```python\n" + "".join(f"step_{i} = {i}\n\n" for i in range(10)) + "```"
    text = f"# A\n\n{sentences(4)}\n\n{table}\n{sentences(4)}\n\n{code}\n\n{sentences(3)}"
    passages = cut(document(text), words=60, overlap=10)
    assert sum(table.strip() in p.text for p in passages) == 1
    assert sum(code in p.text for p in passages) == 1


def test_a_table_that_does_not_fit_breaks_between_rows() -> None:
    rows = [f"| town {i} | {i} |" for i in range(40)]
    passages = cut(document("| place | days |\n|---|---|\n" + "\n".join(rows)), words=50, overlap=10)
    assert len(passages) > 3
    assert [line for p in passages for line in p.text.split("\n")][2:] == rows  # none broken, none twice


def test_a_fence_that_nobody_closes_hides_nothing() -> None:
    assert [p.title for p in cut(document("```\ncode\n\n# Still a heading\n\ntext", title=""))] == [
        "",
        "Still a heading",
    ]


def test_paragraphs_and_sentences_are_not_broken_when_avoidable() -> None:
    text = "\n\n".join(sentences(3) for _ in range(6))
    for passage in cut(document(text), words=70, overlap=0):
        assert passage.text in ("\n\n".join([sentences(3)] * n) for n in (1, 2))
    for passage in cut(document(sentences(30)), words=45, overlap=0):
        assert passage.text.startswith("Sentence ")
        assert passage.text.endswith(" end.")


def test_a_heading_stays_with_its_first_paragraph() -> None:
    text = f"# Head of it\n\n{sentences(5)}"
    passages = cut(document(text), words=51, overlap=0)
    assert passages[0].text.startswith("# Head of it\n\nSentence 0")


def test_running_text_overlaps_by_whole_sentences() -> None:
    passages = cut(document(sentences(12)), words=40, overlap=12)
    for one, two in itertools.pairwise(passages):
        shared = document(sentences(12)).text[two.start : one.end]
        assert shared.startswith("Sentence ")
        assert shared.endswith(" end.")
    without_full_stops = cut(document("word " * 200), words=40, overlap=10)
    assert [p.start // 5 for p in without_full_stops][:3] == [0, 30, 60]


def test_pages_are_those_on_which_passages_begin() -> None:
    text = "one\n\n# B\n\ntwo\n\n# C\n\nthree"
    starts = (0, text.index("# B"), text.index("three"))
    assert [p.page for p in cut(document(text, page_starts=starts))] == [1, 2, 2]


def test_text_without_spaces_is_cut_too() -> None:
    passages = cut(document("これは文です。" * 100), words=50, overlap=5)
    assert all(p.text.endswith("。") for p in passages)
    assert [len(p.text) for p in cut(document("a" * 1000), words=10, overlap=0)] == [160] * 6 + [40]


def test_nothing_to_cut() -> None:
    assert cut(document(" \n\n \t")) == []


def test_the_default_is_about_512_tokens() -> None:
    assert words_for(512) == 393
    passages = cut(document(sentences(200)))
    assert 350 < count(passages[0].text) <= 393


def test_sizes_that_cannot_be_are_refused_together() -> None:
    with pytest.raises(UsageError) as caught:
        cut(document("text"), words=0, overlap=-1)
    assert len(caught.value.problems) == 2
    with pytest.raises(UsageError):
        cut(document("text"), words=10, overlap=10)


@pytest.mark.parametrize(
    "text",
    [
        "#" + " " * 100_000 + "x",
        "```\n" * 20_000,
        "".join("`" * n + "\n" for n in range(400, 2, -1)),
        "|\n" * 50_000,
        "a" * 300_000,
        "word " * 60_000,
        ". " * 50_000,
    ],
    ids=["spaces", "fences", "shrinking", "pipes", "one-word", "one-sentence", "stops"],
)
def test_hostile_text_takes_no_longer_than_its_length(text: str) -> None:
    began = time.perf_counter()
    assert cut(document(text))
    assert time.perf_counter() - began < 10  # a square of the length would take minutes
