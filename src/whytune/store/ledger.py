"""The ledger: every act is one event, each event holds the hash of the one before it.

An event and the records it wrote are one transaction. Anyone who can write the file can rewrite the whole chain or cut
its tail; that is only seen by somebody who knows an earlier head, so heads go into decisions and releases and
`verify(head=...)` asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, insert, select

from whytune.errors import StoreError, TamperedError
from whytune.records.ledger import Event, Person
from whytune.records.record import Record, canonical_json, digest
from whytune.store import records as record_table
from whytune.store.tables import events

PAGE = 2_000


@dataclass(frozen=True)
class Entry:
    """An act to be written down. `records` are put with it and their ids become part of `wrote`."""

    act: str
    project: str
    person: Person
    read: Sequence[str] = ()
    wrote: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    records: Sequence[Record] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """Ids of everything it wrote, each once, in order."""
        return tuple(dict.fromkeys([*self.wrote, *(record.id for record in self.records)]))


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


def append(connection: Connection, entries: Iterable[Entry]) -> list[Event]:
    """Add events and their records inside the caller's transaction, which must hold the write lock."""
    number, previous = newest(connection)
    added: list[Event] = []
    for entry in entries:
        if entry.records:
            record_table.put(connection, entry.records, entry.project)
        _refuse_unknown(connection, entry)
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
            wrote=entry.written,
            facts=dict(entry.facts),
        )
        previous = event.id
        added.append(event)
    if added:
        rows = [
            {"number": event.number, "id": event.id, "project": event.project, "content": _spell(event)}
            for event in added
        ]
        connection.execute(insert(events), rows)
    return added


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
        problems += _inside(row, where, previous, wrote)
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
    problems += record_table.problems(connection, wrote)
    digests = [id for id in wrote if ":" not in id]
    there = record_table.present(connection, [id for id in wrote if ":" in id]) | (
        set(kept) if digests else set()
    )
    problems += [
        f"event {by}: it wrote {id}, which is not there" for id, by in wrote.items() if id not in there
    ]
    return LedgerReport(events=number, head=previous, problems=problems)


def _inside(row: Any, where: str, previous: str, wrote: dict[str, int]) -> list[str]:
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
    for id in event.wrote:
        wrote.setdefault(id, row.number)
    return found


def _refuse_unknown(connection: Connection, entry: Entry) -> None:
    asked = [id for id in entry.written if ":" in id]
    there = record_table.present(connection, asked)
    missing = [id for id in asked if id not in there]
    if missing:
        raise StoreError(
            f"The act {entry.act!r} says it wrote what is not in the store",
            next="put the records first, or hand them over with the event",
            problems=missing,
        )


def _spell(event: Event) -> str:
    return canonical_json(event.model_dump(mode="json"))


def _read(row: Any) -> Event:
    if row.id != f"{Event.KIND}:{digest(row.content)}":
        raise TamperedError(
            f"Event {row.number} of the ledger is not what was written",
            where=row.id,
            next=record_table.RESTORE,
        )
    event = Event.model_validate(json.loads(row.content))
    event.__dict__["id"] = row.id
    return event
