"""Real files, as they came: read, split, certified. Skipped where they are not at hand (WHYTUNE_CASES names their folder)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from whytune.datasets.documents import read_corpus
from whytune.datasets.evidence import link_evidence
from whytune.datasets.importing import read_source
from whytune.datasets.spec import ReadSpec
from whytune.datasets.split import build, verify
from whytune.records.data import SplitPlan
from whytune.tasks import task_named

CASES = Path(os.environ.get("WHYTUNE_CASES") or Path(__file__).parents[3] / "shared" / "cases")
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"the real data are not at {CASES}; WHYTUNE_CASES names another folder"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "paths", "rows", "unreadable", "first"),
    [
        ("qna", ["cricket/ipl20rowsoutput.jsonl"], 181, 1, "What is the full name of the player from PBKS?"),
        (
            "qna",
            ["cricket/llama2_crick_dataset.csv"],
            180,
            0,
            "What is the full name of the player from PBKS?",
        ),
        (
            "extraction",
            ["restaurant8k/train_3.json"],
            1024,
            0,
            "Asked for: people\nThere will be 5 adults and 1 child.",
        ),
        (
            "categorization",
            ["snips"],
            2800,
            0,
            "add Stani, stani Ibar vodo songs in my playlist música libre",
        ),
        (
            "sentiment",
            ["tweeteval_sentiment/val_text.txt"],
            2000,
            0,
            "Dark Souls 3 April Launch Date Confirmed With New Trailer: Embrace the darkness.",
        ),
        (
            "summarization",
            ["dialogsum/dialogsum.dev.jsonl"],
            500,
            0,
            "#Person1#: Hello, how are you doing today?",
        ),
    ],
)
def test_a_real_source_becomes_a_split(
    task: str, paths: list[str], rows: int, unreadable: int, first: str
) -> None:
    reading = read_source(ReadSpec(paths=tuple(CASES / path for path in paths), task=task))
    assert (
        sum(source.rows for source in reading.sources)
        == rows
        == len(reading.examples) + len(reading.problems)
    )
    assert sum(source.unreadable for source in reading.sources) == unreadable
    assert reading.examples[0].input_text.startswith(first)
    assert reading.guess.confidence >= 0.75
    built = build(reading.examples, SplitPlan(), task_named(task))
    assert len(built.rows) + len(built.removals) == len(reading.examples)
    assert verify(built.rows, SplitPlan()) == {"group": 0, "exact": 0, "near": 0}


def test_answers_about_players_find_their_rows() -> None:
    corpus = read_corpus([CASES / "cricket" / "IPL_Data.csv"])
    reading = read_source(ReadSpec(paths=(CASES / "cricket" / "ipl20rowsoutput.jsonl",), task="qna"))
    linked = link_evidence(reading.examples, corpus.documents)
    titles = {document.id: document.title for document in corpus.documents}
    assert len(corpus.documents) == 237
    assert linked.found >= 150
    for example in linked.examples:
        for id in example.evidence:
            assert titles[id] in example.input_text


@pytest.mark.slow
def test_banking77_whole() -> None:
    reading = read_source(ReadSpec(paths=(CASES / "banking77",), task="categorization"))
    built = build(reading.examples, SplitPlan(), task_named("categorization"))
    assert len(reading.examples) == 13_083
    assert len(built.labels) == 77
    assert built.removed["exact_duplicate"] == 56
    assert verify(built.rows, SplitPlan()) == {"group": 0, "exact": 0, "near": 0}
