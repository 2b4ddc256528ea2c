"""A group that fares worse is caught, chance differences are not, small groups say nothing."""

from __future__ import annotations

import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.responsible.models import LABELS, inspected, rows, subject

from whytune.responsible.slices import Slices, gap


def tagged(count: int, groups: int):  # type: ignore[no-untyped-def]
    return tuple(row.model_copy(update={"tags": (("region", f"r{n % groups}"),)}) for n, row in enumerate(rows(count)))


def number(text: str) -> int:
    return int(re.findall(r"\d+", text)[0])


def test_a_worse_group_is_named() -> None:
    def unfair(text: str) -> str:
        return LABELS[number(text) % 2] if number(text) % 4 else "approve and more"

    found = inspected(Slices(), subject(tagged(240, 4)), unfair, lambda text: LABELS[number(text) % 2])
    assert found["slices"].status == "FAIL"
    assert "region=r0" in found["slices"].notes[0]
    assert found["slices"].base is not None
    assert found["slices"].base.value == 0.0


def test_an_even_model_passes_and_few_rows_prove_nothing() -> None:
    even = inspected(Slices(), subject(tagged(360, 3)), lambda text: LABELS[number(text) % 2])
    assert even["slices"].status == even["label_classes"].status == "PASS"
    few = inspected(Slices(), subject(tagged(30, 10)), lambda text: "approve")
    assert few["slices"].status == "NOT PROVEN"
    assert few["slices"].tuned is None
    assert inspected(Slices(), subject(rows(60), task="qna"), lambda text: "x")["label_classes"].status == "NOT RUN"


def test_a_class_that_is_never_said_is_caught() -> None:
    assert inspected(Slices(), subject(rows(200)), lambda text: "approve")["label_classes"].status == "FAIL"


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.lists(st.floats(0, 1), min_size=2, max_size=30), st.integers(1, 20))
def test_a_gap_lies_in_its_interval_and_more_groups_widen_it(group: list[float], rest: list[float], groups: int) -> None:
    found = gap(group, rest, groups, "g")
    assert found.low <= found.value <= found.high
    more = gap(group, rest, groups + 5, "g")
    assert more.low <= found.low + 1e-12
    assert more.high >= found.high - 1e-12


def test_the_worst_of_many_even_groups_is_rarely_called_worse() -> None:
    """Bonferroni holds: over many runs of ten equal groups, a false alarm at a ceiling of nought stays below one in twenty."""
    chance = random.Random(7)
    alarms = 0
    for _ in range(60):
        scores = [[float(chance.random() < 0.8) for _ in range(40)] for _ in range(10)]
        alarms += any(gap(group, [s for other in scores if other is not group for s in other], 10, "").low > 0 for group in scores)
    assert alarms <= 5


def test_a_gap_that_training_opened_is_caught_where_the_gap_itself_is_allowed() -> None:
    """The base serves one region better than the rest, the tuned model worse: each gap is small, the turn is not."""

    def served(better: bool):  # type: ignore[no-untyped-def]
        def answer(text: str) -> str:
            n = number(text)
            here = n % 3 == 0
            wrong = (not here and n % 10 < 2) if better else (here and n % 10 < 2)
            return "approve and more" if wrong else LABELS[n % 2]

        return answer

    found = inspected(Slices(), subject(tagged(900, 3)), served(better=False), served(better=True))["slices"]
    assert found.difference is not None
    assert found.difference.low > 0.15
    assert found.status == "FAIL"
    assert "region=r0" in found.notes[-1]
    level = inspected(Slices(), subject(tagged(900, 3)), served(better=True), served(better=True))["slices"]
    assert level.status != "FAIL"
    assert level.difference is not None
    assert level.difference.value == 0.0
