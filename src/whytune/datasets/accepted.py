"""Accepted rows join the rows of the files: as rows of their own, or in the place of the rows that they mend.

A mended row stays in the split of the row it mends. A new row goes to train or dev only, unless rows of templates or of
people are all there is in a first version; one that shares a document with the test set leaves, with its reason. It reads
no store: what was accepted is handed in, oldest first.

Example: an edit of the test row `example:ab..` gives a test row with the mended answer; a row from feedback whose
conversation stands in the test set is a removal with the reason `leak`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whytune.datasets.cleaning import input_key, target_key
from whytune.datasets.evidence import link_evidence
from whytune.records.content import Message, TextPart
from whytune.records.data import Document, Example, Origin, Removal, SplitName
from whytune.records.proposal import ProposalKind, ProposedRow
from whytune.records.record import canonical_json
from whytune.tasks import Task

NEVER_TEST: tuple[ProposalKind, ...] = ("synthesis", "feedback")
"""What a machine wrote or a consumer said is never the measure, not even in a first version."""


@dataclass(frozen=True)
class Taken:
    """What was accepted of one proposal: its id, the digest of the accepted rows, what kind they are, and the rows."""

    proposal: str
    pack: str
    kind: ProposalKind
    rows: Sequence[ProposedRow]


@dataclass(frozen=True)
class Merged:
    """All rows of the next version, and what the split must know of them."""

    examples: list[Example]
    removals: list[Removal]
    assigned: Mapping[str, SplitName]
    """Where rows stood in the version before; a mended row by its own id."""
    train_side: frozenset[str]
    """Rows that never enter the test set."""


def merge(
    examples: Sequence[Example], accepted: Sequence[Taken], task: Task, fields: tuple[str, ...], before: Mapping[str, SplitName] | None
) -> Merged:
    """The rows of the files with what was accepted. before: the splits of the version before, None where there is none."""
    shelf = _Shelf(examples, before or {}, by_content=any(taken.kind == "edits" for taken in accepted))
    wanted = fields if task.constraint == "schema" else ()
    for taken in accepted:
        sealing = before is not None or bool(examples) or taken.kind in NEVER_TEST
        for number, row in enumerate(taken.rows, start=1):
            origin = Origin(source=taken.pack, file=taken.proposal, line=number)
            mended = shelf.named(row.origin_id) if taken.kind == "edits" else None
            try:
                made = example_of(row, origin, mended, wanted)
            except ValueError as error:
                shelf.removals.append(Removal(reason="unreadable", origin=origin, detail=str(error)))
                continue
            if mended is not None:
                shelf.mend(mended, made)
            else:
                shelf.add(made, sealing=sealing)
    rows = [example for example in shelf.rows if example is not None]
    return Merged(rows, shelf.removals, shelf.assigned, frozenset(shelf.train_side))


class _Shelf:
    """The rows in their order, while accepted ones are put among them."""

    def __init__(self, examples: Sequence[Example], before: Mapping[str, SplitName], *, by_content: bool) -> None:
        self.rows: list[Example | None] = list(examples)
        self.assigned: dict[str, SplitName] = dict(before)
        self.removals: list[Removal] = []
        self.train_side: set[str] = set()
        self._by_id: dict[str, Example] = {}
        self._places: dict[tuple[str, str], list[int]] = {}
        self._sealed: set[str] = set()
        for place, example in enumerate(examples):
            self._by_id.setdefault(example.id, example)
            if by_content:
                self._places.setdefault(_said(example), []).append(place)
            if self.assigned.get(example.id) == "test":
                self._sealed.update(example.evidence)

    def named(self, id: str) -> Example | None:
        """The row of that id, or what it was mended to."""
        return self._by_id.get(id)

    def mend(self, old: Example, new: Example) -> None:
        """Put one row in the place of another, and of every row that says the same: else the old answer would contradict the new."""
        if new.id == old.id:
            return
        places = self._places.pop(_said(old), [])
        for number, place in enumerate(places):
            gone = self.rows[place]
            if gone is not None:
                self.removals.append(Removal(reason="replaced", origin=gone.origin, witness=new.id, detail=f"mended by {new.origin.file}"))
            # Said once is enough: the others would only come out as exact duplicates.
            self.rows[place] = new if number == 0 else None
        self._places.setdefault(_said(new), []).extend(places[:1])
        self._by_id[old.id] = self._by_id[new.id] = new
        if where := self.assigned.get(old.id):
            self.assigned[new.id] = where
        if old.id in self.train_side:
            self.train_side.add(new.id)

    def add(self, new: Example, *, sealing: bool) -> None:
        """One row more. sealing: there is a test set to be kept from it."""
        in_test = self.assigned.get(new.id) == "test"
        if in_test:
            self._sealed.update(new.evidence)
        if self._sealed & set(new.evidence) and new.id not in self.assigned:
            self.removals.append(Removal(reason="leak", origin=new.origin, detail="its document holds the answer to a test row"))
            return
        self._places.setdefault(_said(new), []).append(len(self.rows))
        self._by_id.setdefault(new.id, new)
        self.rows.append(new)
        if sealing and not in_test:
            self.train_side.add(new.id)


def _said(example: Example) -> tuple[str, str]:
    return input_key(example), target_key(example)


def with_evidence(rows: Sequence[ProposedRow], documents: Sequence[Document]) -> list[ProposedRow]:
    """The rows with the ids of their documents, as rows of files are linked; a row that mends another keeps that one's."""
    nowhere = Origin(source="", file="")
    own = [row for row in rows if row.evidence or not row.origin_id]
    linked = link_evidence([example_of(row, nowhere, None, ()) for row in own], documents).examples
    found = iter(linked)
    return [row.model_copy(update={"evidence": next(found).evidence}) if row.evidence or not row.origin_id else row for row in rows]


def example_of(row: ProposedRow, origin: Origin, mended: Example | None, fields: tuple[str, ...]) -> Example:
    """The example that a row stands for. Raises ValueError where its answer does not fit the fields."""
    target = fitted(row.target, fields) if fields else row.target
    messages: tuple[Message, ...] = (Message.of("user", row.input),)
    if mended is not None:
        messages = (*mended.messages[:-1], Message.of("user", row.input))
    return Example(
        messages=messages, target=(TextPart(text=target),), group=row.group or (mended.group if mended else ""),
        evidence=row.evidence or (mended.evidence if mended else ()), tags=row.tags or (mended.tags if mended else ()), origin=origin,
    )  # fmt: skip


def fitted(target: str, fields: tuple[str, ...]) -> str:
    """An extraction answer with exactly the dataset's fields, null where it says nothing."""
    try:
        values = json.loads(target)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ValueError("its answer is not a JSON object")
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ValueError(f"its answer has fields that the dataset has not: {', '.join(unknown)[:80]}")
    if not all(value is None or isinstance(value, str) for value in values.values()):
        raise ValueError("a field of its answer is neither text nor null")
    return canonical_json({name: values.get(name) or None for name in fields})
