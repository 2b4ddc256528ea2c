"""The three demo cases are what their READMEs say: well-formed, varied, answerable, and without a recorded result."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest

from whytune.records.decision import VerdictCode
from whytune.workspace import config

DEMOS = Path(config.__file__).parent.parent / "demos"
CASES = ("handbook", "reviews", "tickets")
FILES = sorted(path for path in DEMOS.rglob("*") if path.is_file() and path.suffix in {".md", ".html", ".csv", ".jsonl", ".toml"})
NUMBER = re.compile(r"\d+(?:[.:,]\d+)*")


def table(name: str) -> list[dict[str, str]]:
    with open(DEMOS / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def questions() -> list[dict[str, str]]:
    """The rows that can be used, each once."""
    rows: list[Any] = [json.loads(line) for line in (DEMOS / "handbook" / "questions.jsonl").read_text("utf-8").splitlines()]
    usable = [row for row in rows if isinstance(row, dict) and row["answer"]]
    return [dict(pairs) for pairs in dict.fromkeys(tuple(row.items()) for row in usable)]


def documents() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (DEMOS / "handbook" / "documents").iterdir()}


def flat(text: str) -> str:
    return " ".join(re.findall(r"[a-z]+|\d+(?:[.:,]\d+)*", text.lower()))


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return frozenset(zip(*(words[i:] for i in range(min(3, len(words)))), strict=False))


def distinct(texts: list[str], near: float = 0.8) -> int:
    """How many are left when, of two texts as alike as that, one goes."""
    kept: list[frozenset[tuple[str, ...]]] = []
    for these in map(shingles, texts):
        if not any(len(these & those) >= near * len(these | those) for those in kept):
            kept.append(these)
    return len(kept)


def test_the_cases_are_these_three() -> None:
    assert tuple(sorted(path.parent.name for path in DEMOS.glob(f"*/{config.FILE}"))) == CASES


@pytest.mark.parametrize("case", CASES)
def test_the_project_file_is_valid_and_names_files_that_are_there(case: str) -> None:
    file = config.read(DEMOS / case)
    assert file.name == case
    assert file.model.base == "bundled"
    assert all((DEMOS / case / path).exists() for path in (*file.data.from_, *file.data.documents))
    assert "tuned" in file.arms.use


@pytest.mark.parametrize("case", CASES)
def test_the_readme_states_intent_provenance_and_limits(case: str) -> None:
    text = (DEMOS / case / "README.md").read_text("utf-8")
    for word in ("**Task:**", "**Intended to show:**", "measured live", "**Flaws, on purpose:**", "**Provenance:**", "Apache-2.0", "**Limits:**"):
        assert word in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEMOS)))
def test_nothing_is_recorded_and_nobody_is_addressed(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not [code for code in get_args(VerdictCode) if code in text], "a verdict is measured, never written down"
    assert not re.search(r"https?://|www\.|\S+@\S+\.\w", text), "no address of the real world"


def test_handbook_has_enough_questions_from_every_document() -> None:
    asked = Counter(row["document"] for row in questions())
    assert sum(asked.values()) >= 110
    assert set(asked) == set(documents())
    assert min(asked.values()) >= 5


def test_handbook_answers_stand_in_their_document() -> None:
    texts = {name: flat(text) for name, text in documents().items()}
    lost = []
    for row in questions():
        wanted = flat(re.sub(r"^(The|Room|Within|Every|Form) ", "", row["answer"]))
        if any(word.rstrip("s") not in texts[row["document"]] for word in wanted.split()):
            lost.append(row)
    assert not lost


def test_handbook_names_stand_in_one_document_only() -> None:
    texts = documents()
    names = {row["answer"]: row["document"] for row in questions() if re.fullmatch(r"(?:[A-Z]\w+ ?){1,2}", row["answer"])}
    weekdays = {"Tuesday", "Wednesday", "Thursday", "November", "Yellow", "Blue"}
    found = {name: [file for file, text in texts.items() if re.search(rf"\b{name}\b", text)] for name in names if name not in weekdays}
    assert len(found) >= 20
    assert {name: files for name, files in found.items() if files != [names[name]]} == {}


def test_handbook_answers_are_short_and_questions_differ() -> None:
    rows = questions()
    assert max(len(row["answer"].split()) for row in rows) <= 6
    assert distinct([row["question"] for row in rows]) == len(rows)
    openings = Counter(" ".join(row["question"].lower().split()[:2]) for row in rows)
    assert max(openings.values()) <= len(rows) * 0.2


def test_handbook_facts_are_not_given_away_by_the_question() -> None:
    assert not [row for row in questions() if set(NUMBER.findall(row["answer"])) & set(NUMBER.findall(row["question"]))]


def test_handbook_flaws_are_as_told() -> None:
    rows = [json.loads(line) for line in (DEMOS / "handbook" / "questions.jsonl").read_text("utf-8").splitlines()]
    assert sum(isinstance(row, str) for row in rows) == 1
    assert sum(isinstance(row, dict) and not row["answer"] for row in rows) == 1
    assert len(rows) - 2 - len(questions()) == 1


def test_tickets_are_many_and_different() -> None:
    rows = table("tickets/tickets.csv")
    texts = list(dict.fromkeys(row["text"] for row in rows if row["text"]))
    assert len(texts) >= 420
    assert distinct(texts) >= 400
    openings = Counter(" ".join(text.lower().split()[:3]) for text in texts)
    assert len(openings) >= 0.75 * len(texts)


def test_tickets_have_eight_queues_of_like_size_whose_names_the_messages_do_not_say() -> None:
    rows = table("tickets/tickets.csv")
    sizes = Counter(row["category"] for row in rows)
    assert len(sizes) == 8
    assert min(sizes.values()) >= 50
    said = re.compile("|".join(rf"\b{label}\b" for label in sizes), re.IGNORECASE)
    assert not [row["text"] for row in rows if said.search(row["text"])]


def test_tickets_are_of_uneven_length() -> None:
    lengths = sorted(len(row["text"].split()) for row in table("tickets/tickets.csv") if row["text"])
    assert lengths[int(0.98 * len(lengths))] >= 4 * lengths[len(lengths) // 10]


@pytest.mark.slow
def test_tickets_flaws_are_as_told() -> None:
    rows = table("tickets/tickets.csv")
    filed: dict[str, set[str]] = {}
    for row in rows:
        filed.setdefault(row["text"], set()).add(row["category"])
    twice = Counter((row["text"], row["category"]) for row in rows)
    assert sum(count - 1 for count in twice.values()) == 2
    assert sum(not row["text"] for row in rows) == 1
    assert sum(len(queues) > 1 for queues in filed.values()) == 1
    texts = [text for text in filed if text]
    alike = [(a, b) for a, b in itertools.combinations(texts, 2) if len(shingles(a) & shingles(b)) >= 0.5 * len(shingles(a) | shingles(b))]
    assert len(alike) == 2


def test_the_routing_guide_explains_every_queue() -> None:
    guide = (DEMOS / "tickets" / "documents" / "routing-guide.md").read_text("utf-8")
    assert set(re.findall(r"^## (\S+)$", guide, re.MULTILINE)) == {row["category"] for row in table("tickets/tickets.csv")}


def test_reviews_are_few() -> None:
    rows = table("reviews/reviews.csv")
    texts = {row["text"] for row in rows}
    sizes = Counter(row["sentiment"] for row in rows)
    assert set(sizes) == {"positive", "neutral", "negative"}
    assert 80 <= len(texts) <= 100
    assert len(rows) - len(texts) == 1
    assert min(sizes.values()) >= 25
    assert distinct(sorted(texts)) == len(texts)
