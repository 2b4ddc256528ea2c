"""Wrong labels that were planted are found, right ones mostly left alone, and nothing is said where words tell nothing."""

from __future__ import annotations

import csv
import os
import random
from pathlib import Path

import pytest
from tests.checks.test_registry import subject

from whytune.checks.suspects import label_errors, suspects

TOPICS = {
    "card": ["card", "plastic", "pin", "chip", "wallet", "contactless", "expired", "magnetic", "reader", "swipe"],
    "loan": ["loan", "interest", "instalment", "mortgage", "repay", "borrow", "lender", "credit", "debt", "term"],
    "fraud": ["stolen", "thief", "unknown", "suspicious", "scam", "phishing", "police", "hacked", "blocked", "report"],
}
FILLER = ["please", "tell", "me", "how", "why", "is", "my", "the", "a", "this", "about", "again", "today", "with", "for", "when", "need", "help", "would", "like"]


def planted(count: int, share: float, seed: int = 1) -> tuple[list[str], list[str], set[int]]:
    """Texts, labels of which some are wrong, and which."""
    draw = random.Random(seed)
    texts, labels, wrong = [], [], set()
    for number in range(count):
        topic = draw.choice(list(TOPICS))
        texts.append(" ".join(draw.sample(FILLER, 5) + draw.sample(TOPICS[topic], 3)))
        if draw.random() < share:
            wrong.add(number)
            topic = draw.choice([other for other in TOPICS if other != topic])
        labels.append(topic)
    return texts, labels, wrong


def test_planted_wrong_labels_are_found() -> None:
    texts, labels, wrong = planted(600, 0.05)
    found = suspects(texts, labels)
    assert found.predictable
    assert found.judged == 600
    assert len(wrong & set(found.rows)) >= 0.8 * len(wrong)
    assert len(set(found.rows) - wrong) <= 0.1 * len(found.rows)
    assert found.rows == suspects(texts, labels).rows, "the same rows each time"


def test_right_labels_pass() -> None:
    texts, labels, _ = planted(600, 0)
    found = label_errors(subject("categorization", list(zip(texts, labels, strict=True))))
    assert (found.status, found.count) == ("pass", 0)


def test_planted_wrong_labels_warn_and_name_the_rows() -> None:
    texts, labels, wrong = planted(600, 0.05)
    found = label_errors(subject("categorization", list(zip(texts, labels, strict=True))))
    assert found.status == "warn"
    assert "review" in found.next
    assert 0 < len(found.rows) <= 20
    assert len(wrong) * 0.7 < found.count < len(wrong) * 1.3


def test_labels_that_words_do_not_tell_are_not_judged() -> None:
    texts, _, _ = planted(400, 0)
    draw = random.Random(3)
    found = suspects(texts, [draw.choice(["yes", "no"]) for _ in texts])
    assert not found.predictable
    assert found.rows == []


def test_a_weak_model_names_rows_without_a_warning() -> None:
    draw = random.Random(9)
    texts, labels = [], []
    for number in range(500):
        topic = draw.choice(list(TOPICS))
        texts.append(" ".join(draw.sample(FILLER, 5) + draw.sample(TOPICS[topic], 3)))
        # Every other row says nothing of its label.
        labels.append(topic if number % 2 else draw.choice(list(TOPICS)))
    found = label_errors(subject("categorization", list(zip(texts, labels, strict=True))))
    assert found.status == "pass"
    assert found.count > 0
    assert "may be right as they are" in found.message


@pytest.mark.parametrize("count", [0, 20])
def test_too_few_rows_are_not_judged(count: int) -> None:
    texts, labels, _ = planted(count, 0.2)
    assert suspects(texts, labels).judged == 0


BANKING = Path(os.environ.get("WHYTUNE_CASES") or Path(__file__).parents[3] / "shared" / "cases") / "banking77" / "train.csv"


@pytest.mark.slow
@pytest.mark.skipif(not BANKING.is_file(), reason="the banking77 case is not there")
def test_two_thirds_of_wrong_labels_of_a_real_set_are_found() -> None:
    with BANKING.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    names = sorted({row["category"] for row in rows})
    draw = random.Random(5)
    labels, wrong = [], set()
    for number, row in enumerate(rows):
        label = row["category"]
        if draw.random() < 0.05:
            wrong.add(number)
            label = draw.choice([name for name in names if name != label])
        labels.append(label)
    found = suspects([row["text"] for row in rows], labels)
    hit = len(wrong & set(found.rows))
    assert hit >= 0.55 * len(wrong)
    assert hit >= 0.55 * len(found.rows), "banking77 has wrong labels of its own, which count against us here"
