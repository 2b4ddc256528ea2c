"""Examples and answers for tests."""

from __future__ import annotations

from whytune.records.data import Example, Origin
from whytune.records.evidence import Answer, Score

ORIGIN = Origin(source="0" * 64, file="rows.csv")


def row(input: str, target: str, *, group: str = "", evidence: tuple[str, ...] = (), **tags: str) -> Example:
    """An example; keyword arguments become tags."""
    made = Example.of(input, target, origin=ORIGIN, group=group, evidence=evidence)
    return made.model_copy(update={"tags": tuple(tags.items())})


def said(example: Example, text: str, *, error: str = "", seconds: float = 0.5) -> Answer:
    """What a candidate said to it."""
    return Answer(
        candidate="candidate:1", item=example.id, text=text, tokens_in=100, tokens_computed=40, tokens_out=10,
        seconds=seconds, error=error,
    )  # fmt: skip


def scores(values: dict[str, float]) -> list[Score]:
    """Scores by item id."""
    return [Score(item=item, value=value) for item, value in values.items()]
