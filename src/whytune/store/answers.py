"""What candidates answered, kept by (candidate, item) so that no answer is computed twice.

A cache: the first answer stays, and evidence is the pack a trial names, never this table.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from whytune.records.evidence import Answer
from whytune.records.record import canonical_json
from whytune.store.database import add_new
from whytune.store.tables import answers

CHUNK = 500
"""Items asked for in one query: databases limit the number of parameters."""


def put(connection: Connection, new: Sequence[Answer]) -> None:
    """Keep answers inside the caller's transaction; those there already stay as they are."""
    rows = [
        {
            "candidate": answer.candidate,
            "item": answer.item,
            "content": canonical_json(answer.model_dump(mode="json")),
        }
        for answer in new
    ]
    add_new(connection, answers, rows)


def get(connection: Connection, candidate: str, items: Sequence[str]) -> dict[str, Answer]:
    """Answers by item, in the order of the items; those not answered yet are left out."""
    found: dict[str, Answer] = {}
    for start in range(0, len(items), CHUNK):
        part = items[start : start + CHUNK]
        query = select(answers.c.item, answers.c.content).where(
            answers.c.candidate == candidate, answers.c.item.in_(part)
        )
        rows = {row.item: row.content for row in connection.execute(query)}
        found |= {item: Answer.model_validate_json(rows[item]) for item in part if item in rows}
    return found
