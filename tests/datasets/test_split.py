"""No leak, no lost row, no dependence on order."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whytune.datasets.dedup import Families, near
from whytune.datasets.split import Built, build, verify
from whytune.errors import DataError
from whytune.records.data import SPLITS, Example, Origin, SplitPlan
from whytune.tasks import task_named
from whytune.text import normalise, shingles, words

LABELS = task_named("categorization")
FREE = task_named("qna")
WORDS = [
    "card",
    "top",
    "up",
    "money",
    "transfer",
    "late",
    "fee",
    "pin",
    "lost",
    "stolen",
    "atm",
    "cash",
    "refund",
    "rate",
    "limit",
    "phone",
    "app",
    "bank",
    "branch",
    "cheque",
]


def example(input: str, target: str, line: int = 1, group: str = "") -> Example:
    return Example.of(input, target, origin=Origin(source="0", file="f.csv", line=line), group=group)


def many(count: int, seed: int = 1, labels: int = 4) -> list[Example]:
    draw = random.Random(seed)
    rows: list[Example] = []
    for line in range(count):
        kind = draw.random()
        if rows and kind < 0.1:
            old = draw.choice(rows)
            rows.append(example(old.input_text.upper() + "!", old.target_text, line))
        elif rows and kind < 0.25:
            old = draw.choice(rows)
            rows.append(example(old.input_text + " please", draw.choice([old.target_text, "label 0"]), line))
        else:
            rows.append(
                example(
                    " ".join(draw.choices(WORDS, k=draw.randint(3, 20))),
                    f"label {draw.randrange(labels)}",
                    line,
                )
            )
    return rows


def shape(built: Built) -> list[tuple[str, str]]:
    return [(row.id, split) for row, split in built.rows]


def test_every_row_is_kept_or_removed_with_a_reason_and_a_witness() -> None:
    rows = many(400)
    built = build(rows, SplitPlan(), LABELS)
    assert len(built.rows) + len(built.removals) == len(rows)
    lines = [row.origin.line for row, _ in built.rows] + [removal.origin.line for removal in built.removals]
    assert sorted(map(str, lines)) == sorted(str(row.origin.line) for row in rows)
    kept = {row.id for row, _ in built.rows}
    for removal in built.removals:
        if removal.reason in ("exact_duplicate", "near_duplicate"):
            assert removal.witness
    assert {r.witness for r in built.removals if r.reason == "near_duplicate"} <= kept


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000), order=st.randoms(use_true_random=False), task=st.sampled_from([LABELS, FREE])
)
def test_order_changes_nothing_and_nothing_leaks(seed: int, order: random.Random, task: object) -> None:
    rows = many(120, seed)
    plan = SplitPlan(near=0.6)
    built = build(rows, plan, task)  # type: ignore[arg-type]
    shuffled = list(rows)
    order.shuffle(shuffled)
    again = build(shuffled, plan, task)  # type: ignore[arg-type]
    assert shape(again) == shape(built)
    assert Counter(r.reason for r in again.removals) == Counter(r.reason for r in built.removals)
    assert verify(built.rows, plan) == {"group": 0, "exact": 0, "near": 0}
    # Not by the package's own feature sets: plain sets of words and neighbouring words, every pair.
    test = [features(row.input_text) for row in built.of("test")]
    rest = [features(row.input_text) for row in (*built.of("train"), *built.of("dev"))]
    assert not any(alike(one, other, plan.near) for one in test for other in rest)


def features(text: str) -> tuple[set[str], set[str]]:
    tokens = words(text)
    return (
        set(shingles(tokens, 3)) if len(tokens) >= 8 else set(),
        {*tokens, *shingles(["^", *tokens, "$"], 2)} if len(tokens) <= 16 else set(),
    )


def alike(one: tuple[set[str], set[str]], other: tuple[set[str], set[str]], threshold: float) -> bool:
    # 120 rows: no n-gram stands in more texts than the 50 that would make it too common, except single words.
    long = bool(one[0] and other[0]) and len(one[0] & other[0]) / len(one[0] | other[0]) >= threshold
    short = bool(one[1] and other[1]) and len(one[1] & other[1]) / len(one[1] | other[1]) >= threshold
    return long or (short and sorted(one[1]) == sorted(other[1]))


def test_proposals_miss_no_pair() -> None:
    texts = [row.input_text for row in many(150, 3)]
    found = {(pair.first, pair.second) for pair in near(texts, 0.7)}
    longer = {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if min(len(words(texts[i])), len(words(texts[j]))) >= 8
        and len(set(shingles(words(texts[i]), 3)) & set(shingles(words(texts[j]), 3)))
        >= 0.7 * len(set(shingles(words(texts[i]), 3)) | set(shingles(words(texts[j]), 3)))
    }
    assert longer
    assert longer <= found


def test_groups_are_never_parted() -> None:
    draw = random.Random(5)
    rows = [
        example(" ".join(draw.choices(WORDS, k=12)) + f" {i}", f"label {i % 3}", i, group=f"g{i // 5}")
        for i in range(300)
    ]
    built = build(rows, SplitPlan(), LABELS)
    where: dict[str, set[str]] = {}
    for row, split in built.rows:
        where.setdefault(row.group, set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())
    assert built.certificate.components <= 60


def test_labels_keep_their_shares() -> None:
    rows = [example(f"{WORDS[i % 20]} {i * 7919} {i * 104729} {i}", f"label {i % 5}", i) for i in range(1000)]
    built = build(rows, SplitPlan(), LABELS)
    assert built.counts == {"train": 600, "dev": 150, "test": 250}
    for name, share in zip(SPLITS, (120, 30, 50), strict=True):
        assert set(Counter(row.target_text for row in built.of(name)).values()) == {share}


def test_contradictions_leave_unless_most_rows_agree() -> None:
    rows = [example(f"unique text number {i} {i * 7919}", "ab"[i % 2], i) for i in range(60)]
    rows += [example("Is it late", "a", 100), example("is it late?", "b", 101)]
    rows += [
        example("Where is it", "a", 102),
        example("where is it?", "a", 103),
        example("where IS it", "b", 104),
    ]
    built = build(rows, SplitPlan(), LABELS)
    gone = {removal.origin.line: removal for removal in built.removals}
    assert {line for line, removal in gone.items() if removal.reason == "conflict"} == {100, 101, 104}
    assert "2 of 3 rows" in gone[104].detail
    free = build(rows, SplitPlan(), FREE)
    assert not any(removal.reason == "conflict" for removal in free.removals)
    sides = {split for row, split in free.rows if normalise(row.input_text) == "is it late"}
    assert len(sides) == 1


def test_a_test_row_never_becomes_a_training_row() -> None:
    old = many(200, 8)
    first = build(old, SplitPlan(), LABELS)
    previous = {row.id: split for row, split in first.rows}
    second = build([*old, *many(300, 9)], SplitPlan(seed=99), LABELS, previous=previous)
    after = {row.id: split for row, split in second.rows}
    assert all(after.get(id, split) == split for id, split in previous.items())
    assert [id for id, split in previous.items() if split == "test" and id not in after] == []
    assert verify(second.rows, SplitPlan()) == {"group": 0, "exact": 0, "near": 0}


def test_a_bridge_between_test_and_train_is_taken_out() -> None:
    draw = random.Random(4)
    rows = [
        example(" ".join(f"w{draw.randrange(900)}" for _ in range(12)), "ab"[i % 2], i, group=f"g{i}")
        for i in range(60)
    ]
    first = build(rows, SplitPlan(), LABELS)
    previous = {row.id: split for row, split in first.rows}
    test, train = first.of("test")[0], first.of("train")[0]
    bridge = [example(test.input_text + " now", "c", 200, group=train.group)]
    second = build([*rows, *bridge], SplitPlan(near=0.7), LABELS, previous=previous)
    assert [r.origin.line for r in second.removals if r.reason == "leak"] == [200]
    assert {row.id: split for row, split in second.rows} == previous


def test_a_limit_keeps_every_label() -> None:
    rows = [
        example(f"unique text number {i} {i * 7919}", "rare" if i % 50 == 0 else f"label {i % 4}", i)
        for i in range(1000)
    ]
    built = build(rows, SplitPlan(limit=100), LABELS)
    counts = Counter(row.target_text for row, _ in built.rows)
    assert counts.total() == 100
    assert counts["rare"] == 2
    assert built.removed["sampled_out"] == 900


def test_only_the_named_labels() -> None:
    rows = [example(f"unique text number {i} {i * 7919}", f"label {i % 4}", i) for i in range(200)]
    built = build(rows, SplitPlan(labels=("label 1", "label 2")), LABELS)
    assert built.labels == ("label 1", "label 2")
    assert built.removed["unlisted_label"] == 100
    with pytest.raises(DataError) as raised:
        build(rows, SplitPlan(labels=("lable 1", "label 2")), LABELS)
    assert "did you mean 'label 1'" in raised.value.problems[0]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([example(f"text {i} {i * 7919}", "ab"[i % 2], i) for i in range(10)], "10 usable rows"),
        ([example("the very same", "a", i) for i in range(500)], "499 rows were removed as exact duplicate"),
        ([example(f"text {i} {i * 7919}", "a", i) for i in range(100)], "the same label"),
        (
            [example(f"text {i} {i * 7919}", "ab"[i % 2], i, group="one") for i in range(100)],
            "would hold no rows",
        ),
    ],
)
def test_rows_that_make_no_dataset(rows: list[Example], told: str) -> None:
    with pytest.raises(DataError) as raised:
        build(rows, SplitPlan(), LABELS)
    assert any(told in problem for problem in raised.value.problems)


def test_a_plan_that_cannot_be_is_told_whole() -> None:
    with pytest.raises(DataError) as raised:
        build(many(50), SplitPlan(train=0.9, dev=0.0, test=0.3, near=2), LABELS)
    assert len(raised.value.problems) == 3


def test_what_this_test_set_can_prove_is_asked_for() -> None:
    built = build(many(200), SplitPlan(), LABELS, power=lambda n: 1 / n)
    assert built.certificate.smallest_provable_difference == 1 / built.counts["test"]


def test_families() -> None:
    families = Families(5)
    assert families.join(3, 4)
    assert families.join(4, 1)
    assert not families.join(1, 3)
    assert [families.of(member) for member in range(5)] == [0, 1, 2, 1, 1]
