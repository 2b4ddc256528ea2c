"""The ledger: every act is one event, each event holds the hash of the one before it.

An event and the records it wrote are one transaction. Anyone who can write the file can rewrite the whole chain or cut
its tail; that is only seen by somebody who knows an earlier head, so heads go into decisions and releases and
`verify(head=...)` asks for them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, func, insert, select

from whytune.errors import StoreError, TamperedError
from whytune.records.ledger import Event, Person
from whytune.records.record import Record, digest
from whytune.store import records as record_table
from whytune.store.commits import as_sql
from whytune.store.ordering import Put
from whytune.store.tables import events

PAGE = 2_000
# Written out: every look at anything asks first whether it moved on.
HEAD = "SELECT number || ' ' || id FROM events ORDER BY number DESC LIMIT 1"
_ADD = as_sql(insert(events))
_NEWEST = as_sql(select(events.c.number, events.c.id).where(events.c.number == select(func.max(events.c.number)).scalar_subquery()))


@dataclass(frozen=True)
class Entry:
    """An act to be written down. `records` are put with it and their ids become part of `wrote`, beside digests of packs and files."""

    act: str
    project: str
    person: Person
    read: Sequence[str] = ()
    wrote: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    records: Sequence[Record] = ()


@dataclass(frozen=True)
class LedgerReport:
    """What walking the ledger found. head: id of the last event, empty where there is none. No problems: it is whole."""

    events: int
    head: str
    problems: list[str]

    @property
    def whole(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


@dataclass(frozen=True)
class Ready:
    """An entry whose records are spelled out: what can be done before the turn to write has come."""

    entry: Entry
    records: tuple[record_table.Spelled, ...]
    wrote: tuple[str, ...]


def ready(entry: Entry) -> Ready:
    """Spell its records out. Raises StoreError where one cannot be kept."""
    spelled = tuple(record_table.spell(record) for record in entry.records)
    return Ready(entry, spelled, tuple(dict.fromkeys([*entry.wrote, *(each.id for each in spelled)])))


def append(held: sqlite3.Connection, entries: Sequence[Ready]) -> tuple[Event, ...]:
    """Add events and their records inside the caller's transaction, which must hold the write lock."""
    number, previous = held.execute(_NEWEST).fetchone() or (0, "")
    added: list[Event] = []
    rows: list[Mapping[str, Any]] = []
    for each in entries:
        entry = each.entry
        if each.records:
            record_table.put(held, each.records, entry.project)
        _refuse_unplaced(each)
        number += 1
        event = Event(
            number=number,
            previous=previous,
            when=datetime.now(UTC).isoformat(timespec="microseconds"),
            act=entry.act,
            project=entry.project,
            person=entry.person.name,
            roles=entry.person.roles,
            solo=entry.person.solo,
            read=tuple(entry.read),
            wrote=each.wrote,
            facts=dict(entry.facts),
        )
        spelled = record_table.spell(event)
        previous = spelled.id
        added.append(event)
        rows.append({"number": number, "id": spelled.id, "project": entry.project, "content": spelled.content})
    held.executemany(_ADD, rows)
    return tuple(added)


def page(connection: Connection, project: str | None, after: int) -> list[Event]:
    """The next events after a number, oldest first."""
    query = select(events.c.number, events.c.id, events.c.content).where(events.c.number > after)
    if project is not None:
        query = query.where(events.c.project == project)
    return [_read(row) for row in connection.execute(query.order_by(events.c.number).limit(PAGE))]


def newest(connection: Connection) -> tuple[int, str]:
    """(number, id) of the last event; (0, "") where there is none."""
    last = connection.execute(
        select(events.c.number, events.c.id).order_by(events.c.number.desc()).limit(1)
    ).first()
    return (last.number, last.id) if last else (0, "")


def verify(
    connection: Connection, head: str, kept: Iterator[str], known: Mapping[int, str] | None = None
) -> LedgerReport:
    """Walk the chain. `head` is an id that must occur in it, `known` are ids that must stand under those numbers; `kept`
    are the digests of packs, blobs and folders there are."""
    waited_for = dict(known or {})
    problems: list[str] = []
    wrote: dict[str, int] = {}
    put: list[Put] = []
    number, previous, seen_head = 0, "", not head
    rows = connection.execute(
        select(events.c.number, events.c.id, events.c.project, events.c.content).order_by(events.c.number)
    )
    for row in rows:
        number += 1
        where = f"event {row.number}"
        if row.number != number:
            missing = f"{number}" if row.number == number + 1 else f"{number} to {row.number - 1}"
            problems.append(f"event {missing}: missing")
            number = row.number
        if row.id != f"{Event.KIND}:{digest(row.content)}":
            problems.append(f"{where}: its content does not have the hash it is stored under")
        problems += _inside(row, where, previous, put)
        previous = row.id
        seen_head = seen_head or row.id == head
        if waited_for.pop(row.number, row.id) != row.id:
            problems.append(f"{where}: it is not the one that a checkpoint was made of: the ledger was rewritten")
    if not seen_head:
        problems.append(
            f"the known head {head} is not in the ledger: its end was cut off, or it was rewritten"
        )
    problems += [
        f"event {lost}: a checkpoint was made of it, and it is not there: the ledger's end was cut off"
        for lost in sorted(waited_for)
    ]
    for each in put:
        wrote.setdefault(each.record, each.event)
    problems += record_table.problems(connection, wrote, [each for each in put if each.kind])
    digests = [id for id in wrote if ":" not in id]
    there = record_table.present(connection, [id for id in wrote if ":" in id]) | (
        set(kept) if digests else set()
    )
    problems += [
        f"event {by}: it wrote {id}, which is not there" for id, by in wrote.items() if id not in there
    ]
    return LedgerReport(events=number, head=previous, problems=problems)


def _inside(row: Any, where: str, previous: str, put: list[Put]) -> list[str]:
    try:
        event = Event.model_validate_json(row.content)
    except ValidationError as error:
        return [f"{where}: cannot be read ({error.error_count()} fields do not fit)"]
    found = []
    if event.previous != previous:
        found.append(f"{where}: it does not follow the event before it")
    if event.number != row.number:
        found.append(f"{where}: it says it is event {event.number}")
    if event.project != row.project:
        found.append(
            f"{where}: it is filed under another project ({row.project!r} instead of {event.project!r})"
        )
    # A pack or a file is named by its digest alone: it has no kind, and stands in no project.
    put += [Put(row.number, event.project, id.partition(":")[0] if ":" in id else "", id) for id in event.wrote]
    return found


def _refuse_unplaced(each: Ready) -> None:
    put = {record.id for record in each.records}
    missing = [id for id in each.wrote if ":" in id and id not in put]
    if missing:
        raise StoreError(
            f"The act {each.entry.act!r} says it wrote records that it does not put",
            next="hand the records over with the event: it alone says in which order they stand",
            problems=missing,
        )


def _read(row: Any) -> Event:
    if row.id != f"{Event.KIND}:{digest(row.content)}":
        raise TamperedError(
            f"Event {row.number} of the ledger is not what was written",
            where=row.id,
            next=record_table.RESTORE,
        )
    event = Event.model_validate_json(row.content)
    event.__dict__["id"] = row.id
    return event
