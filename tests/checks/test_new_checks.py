"""Languages, loops, slices, who is mentioned, and lengths in tokens: each flaw is seen, and nothing where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.checks.test_registry import CLEAN, good, of, subject

from whytune.checks.quality import language_of
from whytune.checks.subject import Ruler, Subject
from whytune.records.data import Example, Origin, SplitName
from whytune.tasks import task_named

LANGUAGES = [
    ("English", "What is the name of the person that you have met this morning?"), ("German", "Wie kann ich die Karte sperren und wer ist dafür zuständig?"),
    ("French", "Comment est-ce que je peux bloquer la carte dans le pays?"), ("Spanish", "¿Cómo puedo bloquear la tarjeta de mi hijo y por qué no funciona?"),
    ("Italian", "Come posso bloccare la carta che non è più nel portafoglio?"), ("Cyrillic", "Как заблокировать карту?"), ("Japanese", "カードを止めるにはどうすればいいですか"),
    ("Chinese", "我的卡什么时候到"), ("Arabic", "كيف يمكنني إيقاف البطاقة"), ("", "card 123 PIN"), ("", ""), ("", "Die hard die hard"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text"), LANGUAGES)
def test_a_language_is_told_where_it_is_beyond_doubt(language: str, text: str) -> None:
    assert language_of(text) == language


def test_answers_in_another_language_are_named() -> None:
    rows = good("qna")
    rows[3] = ("What is the name of the person that you have met?", "Das ist der Mann, den ich auf dem Weg zu der Schule sehe.")
    found = of("language", subject("qna", rows))
    assert (found.status, found.count) == ("warn", 1)


def test_a_dataset_of_translations_is_as_it_is_meant() -> None:
    rows = [(f"What is the colour of house {n} that you have seen?", f"Das ist die Farbe von dem Haus {n}, und die ist nicht rot.") for n in range(40)]
    assert of("language", subject("qna", rows)).status == "pass"


@pytest.mark.parametrize("text", ["I am sure that this " * 8, "so very good " + "!" * 24, "the " + "z" * 30 + " end of the matter is here"])
def test_answers_that_go_round_in_circles_are_named(text: str) -> None:
    assert of("repeated_text", subject("qna", [*good("qna"), ("what", text)])).count == 1


def test_one_long_answer_to_many_questions_is_named() -> None:
    standard = "Thank you for your message, we will come back to you as soon as we can, within two days."
    rows = [*good("qna"), *((f"question {n}", standard) for n in range(12))]
    assert of("repeated_text", subject("qna", rows)).count == 12


def tagged(rows: list[tuple[str, str, str, SplitName]], task: str = "categorization") -> Subject:
    splits: dict[SplitName, list[Example]] = {"train": [], "dev": [], "test": []}
    for text, target, tag, split in rows:
        example = Example.of(text, target, origin=Origin(source="0", file="f", line=1))
        splits[split].append(Example(**{**{name: getattr(example, name) for name in Example.model_fields}, "tags": (("channel", tag),)}))
    return Subject(task_named(task), splits, CLEAN, tuple(sorted({target for _, target, _, _ in rows})))


def test_a_slice_that_train_lacks_is_named() -> None:
    rows: list[tuple[str, str, str, SplitName]] = [(f"row {n}", f"label{n % 2}", "mail", "train") for n in range(60)]
    rows += [(f"said {n}", f"label{n % 2}", "phone", "test") for n in range(10)]
    found = of("slices", tagged(rows))
    assert (found.status, found.count) == ("warn", 10)
    assert "channel=phone" in found.message


def test_labels_that_go_with_a_slice_are_told_with_their_interval() -> None:
    rows: list[tuple[str, str, str, SplitName]] = []
    for n in range(200):
        rows.append((f"row {n}", "refund" if n % 10 < 8 else "other", "mail", "train"))
        rows.append((f"call {n}", "refund" if n % 10 < 2 else "other", "phone", "train"))
    found = of("slices", tagged(rows))
    assert found.status == "warn"
    assert "channel=mail: 'refund' +60 points (+5" in found.message


def test_labels_that_go_with_who_is_mentioned_are_told() -> None:
    rows = [(f"{'she' if n % 2 else 'he'} asks about matter {n}", "refused" if n % 2 and n % 10 < 8 else "granted") for n in range(400)]
    found = of("sensitive_terms", subject("categorization", rows))
    assert found.status == "warn"
    assert "women 200, men 200" in found.message.replace("men 200, women 200", "women 200, men 200")
    assert "'refused'" in found.message
    assert found.rows


def test_answers_that_are_shorter_or_refused_for_some_are_told() -> None:
    short, long = "It comes on Monday.", "It comes on Monday morning, and whoever brings it rings the bell twice before leaving it with a neighbour."
    rows = [(f"{'she' if n % 2 else 'he'} asks about matter {n}", short if n % 2 and n % 10 < 8 else f"{long} {n}") for n in range(400)]
    found = of("sensitive_terms", subject("qna", rows))
    assert found.status == "warn"
    assert "'a short answer'" in found.message
    refused = [(f"{'she' if n % 2 else 'he'} asks about matter {n}", "I'm sorry, but I cannot help with that." if n % 2 and n % 10 < 8 else f"{long} {n}") for n in range(400)]
    assert "women: 'a refusal'" in of("sensitive_terms", subject("chat", refused)).message
    even = [(f"{'she' if n % 2 else 'he'} asks about matter {n}", long if n % 4 < 2 else short) for n in range(400)]
    assert of("sensitive_terms", subject("qna", even)).status == "pass"


def test_a_fair_but_noisy_set_is_not_accused() -> None:
    import random

    draw, accused = random.Random(11), 0
    for _ in range(16):
        rows = [(f"{draw.choice(['she', 'he', 'the muslim', 'the christian', 'it'])} asks about matter {n}", draw.choice(["granted", "refused", "open"])) for n in range(120)]
        accused += of("sensitive_terms", subject("categorization", rows)).status == "warn"
    assert accused <= 2


def test_rows_longer_than_the_model_takes_are_named() -> None:
    ruler = Ruler("a model", lambda texts: [len(text.split()) for text in texts], limit=60, prompt=10, exact=True)
    looked_at = replace(subject("qna", [*good("qna"), ("word " * 60, "It is long.")]), tokens=ruler)
    found = of("token_length", looked_at)
    assert (found.status, found.count) == ("warn", 1)
    assert "a model's tokenizer" in found.message
    assert of("token_length", subject("qna", good("qna"))).of == 0
