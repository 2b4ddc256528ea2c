"""The three cases shown are those on which arms differ most, each telling another story."""

from __future__ import annotations

from whytune.acceptance.shown import choose
from whytune.records.data import Example, Origin

ORIGIN = Origin(source="s", file="f.csv")
ROWS = [Example.of(f"question {n}", f"answer {n}", origin=ORIGIN) for n in range(6)]


def table(**arms: list[float]) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, float]]]:
    texts = {arm: {row.id: f"{arm} says {at}" for at, row in enumerate(ROWS)} for arm in arms}
    return texts, {
        arm: {row.id: value for row, value in zip(ROWS, values, strict=True)} for arm, values in arms.items()
    }


def test_different_stories_come_first_and_order_of_rows_does_not_matter() -> None:
    texts, scores = table(rag=[1, 1, 1, 0, 1, 0], tuned=[0, 0, 0, 1, 1, 0])
    found = choose(ROWS, texts, scores)
    assert found == choose(ROWS[::-1], texts, scores)
    assert [shown.why for shown in found[:2]] == [
        "Best: document search (RAG).",
        "Best: the tuned model.",
    ] or [shown.why for shown in found[:2]] == ["Best: the tuned model.", "Best: document search (RAG)."]
    assert found[2].why in {"All approaches are right.", "No approach is right."}
    for shown in found:
        assert [answer[0] for answer in shown.answers] == ["rag", "tuned"]


def test_few_items_and_no_arms() -> None:
    texts, scores = table(prompt=[0, 0, 0, 0, 0, 0])
    assert len(choose(ROWS[:2], texts, scores)) == 2
    assert choose(ROWS, {}, {}) == ()
    del scores["prompt"][ROWS[0].id]
    assert ROWS[0].id not in {shown.item for shown in choose(ROWS[:2], texts, scores)}
