"""Each check sees the flaw it is for, and says nothing where there is none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from whytune.checks.personal import iban_fits, luhn_fits
from whytune.checks.registry import CHECKS, run
from whytune.checks.subject import Subject
from whytune.records.data import Certificate, Example, Finding, Origin, SplitName
from whytune.tasks import TASKS, task_named

CLEAN = Certificate(same_group=0, exact=0, near=0, purged=0, pairs_verified=0, components=9, method="x")
SPLIT: tuple[SplitName, ...] = ("train", "train", "train", "dev", "test")


def example(input: str, target: str) -> Example:
    return Example.of(input, target, origin=Origin(source="0", file="f.csv", line=1))


def subject(
    task: str,
    pairs: Sequence[tuple[str, str]],
    removed: dict[str, int] | None = None,
    certificate: Certificate = CLEAN,
) -> Subject:
    splits: dict[SplitName, list[Example]] = {"train": [], "dev": [], "test": []}
    for number, (input, target) in enumerate(pairs):
        splits[SPLIT[number % 5]].append(example(input, target))
    labels = tuple(sorted({target for _, target in pairs}))
    return Subject(
        task_named(task),
        splits,
        certificate,
        labels,
        ("city", "day") if task == "extraction" else (),
        removed or {},
    )


def good(task: str) -> list[tuple[str, str]]:
    if task in ("categorization", "sentiment"):
        return [(f"this is message number {i} of many", f"label{i % 10 // 5}") for i in range(100)]
    if task == "extraction":
        return [(f"to Bonn on day{i} number {i}", f'{{"city":"Bonn","day":"day{i}"}}') for i in range(100)]
    return [
        (f"what is thing number {i} about", f"It is about some matter {i} and ends with a full stop here.")
        for i in range(100)
    ]


@pytest.mark.parametrize("task", list(TASKS))
def test_good_rows_pass_every_check_of_every_task(task: str) -> None:
    findings = run(subject(task, good(task)))
    assert [finding.check for finding in findings] == [*TASKS[task].checks, "personal_data", "secrets"]
    wanted = {"summarization": {"unsupported"}}.get(task, set())  # its numbers do stand in the text
    assert {f.check: f.message for f in findings if f.status != "pass" and f.check not in wanted} == {}


def test_every_check_that_a_task_names_is_there() -> None:
    assert {name for task in TASKS.values() for name in task.checks} <= set(CHECKS)


FLAWS: list[tuple[str, str, tuple[str, str]]] = [
    ("empty", "qna", ("what is it", "...")),
    ("refusals", "qna", ("what is it", "I'm sorry, but I can't help with that.")),
    ("truncated", "qna", ("what is it", "It is a thing that one may use for the")),
    ("template_leakage", "chat", ("hello", "Hello<|im_end|>")),
    (
        "copies_input",
        "summarization",
        ("the cat sat on the mat all day long today", "The cat sat on the mat all day long today."),
    ),
    ("length", "qna", ("word " * 1300, "It is long.")),
    ("label_set", "categorization", ("another message", "Label-1")),
    ("unsupported", "summarization", ("a man buys a pan", "A man named Robert buys it.")),
    ("schema", "extraction", ("to Ulm", '{"city":"Ulm"}')),
    ("ungrounded_fields", "extraction", ("to Ulm", '{"city":"Berlin","day":null}')),
    ("personal_data", "qna", ("write to anna.smith@firm.org please", "Done.")),
    ("personal_data", "qna", ("pay to DE89 3704 0044 0532 0130 00", "Done.")),
    ("personal_data", "qna", ("my card is 4111 1111 1111 1111", "Done.")),
    ("personal_data", "qna", ("call +49 170 1234567 now", "Done.")),
    ("secrets", "qna", ("use AKIAIOSFODNN7EXAMPLE here", "Done.")),
    ("secrets", "qna", ("password: hunter2hunter2", "Done.")),
]


@pytest.mark.parametrize(("check", "task", "row"), FLAWS)
def test_a_flaw_is_found_and_its_row_named(check: str, task: str, row: tuple[str, str]) -> None:
    found = {finding.check: finding for finding in run(subject(task, [*good(task)[:40], row]))}[check]
    assert found.status != "pass"
    assert example(*row).id in found.rows
    assert found.next
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.count / found.of <= found.high


def of(check: str, looked_at: Subject) -> Finding:
    return CHECKS[check](looked_at)


def test_dates_and_example_addresses_are_no_personal_data() -> None:
    rows = [
        ("on 2018/04/24 01:00 and 12.05.2024 to 14.05.2024", "ok"),
        ("mail a@example.com", "ok"),
        ("order 1234 5678", "ok"),
    ]
    assert of("personal_data", subject("qna", rows)).count == 0


def test_removals_are_counted_against_the_source() -> None:
    looked_at = subject(
        "qna", good("qna"), {"exact_duplicate": 100, "near_duplicate": 2, "conflict": 10, "missing_field": 5}
    )
    assert of("exact_duplicates", looked_at).status == "warn"
    assert (of("exact_duplicates", looked_at).count, of("exact_duplicates", looked_at).of) == (100, 217)
    assert of("near_duplicates", looked_at).status == "pass"
    assert of("conflicts", looked_at).count == 10
    assert of("empty", looked_at).count == 5


def test_different_answers_to_one_input_are_told() -> None:
    rows = [*good("qna"), ("Who is it?", "Me."), ("who is it", "You.")]
    assert of("conflicts", subject("qna", rows)).count == 2


def test_a_leak_fails_whatever_the_certificate_says() -> None:
    rows = good("qna")
    rows[4] = rows[0]
    assert of("leakage", subject("qna", rows)).status == "fail"
    said = CLEAN.model_copy(update={"near": 3})
    assert of("leakage", subject("qna", good("qna"), certificate=said)).count == 3


def test_a_label_that_training_never_sees_fails() -> None:
    rows = good("categorization")
    rows[4] = (rows[4][0], "unseen")
    assert of("label_set", subject("categorization", rows)).status == "fail"


def test_answers_that_are_no_labels_fail() -> None:
    assert (
        of("label_set", subject("categorization", [(f"text {i}", f"answer {i}") for i in range(50)])).status
        == "fail"
    )


def test_balance_tells_what_always_answering_the_largest_would_score() -> None:
    rows = [(f"text {i}", "a" if i % 10 else "b") for i in range(200)]
    found = of("balance", subject("categorization", rows))
    assert found.status == "warn"
    assert "90%" in found.message
    assert (found.count, found.of) == (180, 200)


def test_several_values_of_a_field_are_looked_for_one_by_one() -> None:
    rows = [("from Bonn to Ulm", '{"city":"Bonn; Ulm","day":null}')] * 5
    assert of("ungrounded_fields", subject("extraction", rows)).count == 0


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("DE89370400440532013000", True),
        ("DE89370400440532013001", False),
        ("GB82 WEST 1234 5698 7654 32", True),
    ],
)
def test_iban(number: str, fits: bool) -> None:
    assert iban_fits(number) is fits


@pytest.mark.parametrize(
    ("number", "fits"),
    [("4111 1111 1111 1111", True), ("4111 1111 1111 1112", False), ("0000000000000", False)],
)
def test_luhn(number: str, fits: bool) -> None:
    assert luhn_fits(number) is fits
