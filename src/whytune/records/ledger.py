"""Who did what, chained by hash: people, roles and events."""

from __future__ import annotations

from typing import ClassVar

from whytune.records.record import Record, canonical_json

ROLES: dict[str, str] = {
    "business_owner": "defines the use case and the bar; accepts",
    "architect": "designs",
    "data_creator": "brings sources and rows; cannot accept their own rows",
    "data_scientist": "runs and trains candidates; never approves",
    "tester": "owns the sealed test set and the official evaluation",
    "responsible_ai": "responsible-AI review, with a veto",
    "legal": "legal and compliance review, with a veto",
    "operator": "deploys accepted releases, keys, rollback",
    "customer_success": "feedback",
    "auditor": "reads everything, changes nothing",
    "admin": "users and roles; not exempt from any rule",
}


class Person(Record):
    """Somebody who acts. solo: the only person of the workspace, holding every role, and stamped so."""

    KIND: ClassVar[str] = "person"
    name: str
    roles: tuple[str, ...]
    solo: bool = False


class Event(Record):
    """One act. `previous` is the id of the event before it (empty for the first); ids are of records, never content."""

    KIND: ClassVar[str] = "event"
    number: int
    previous: str
    when: str
    """UTC, ISO 8601, to the microsecond."""
    act: str
    project: str
    person: str
    roles: tuple[str, ...]
    solo: bool
    read: tuple[str, ...]
    wrote: tuple[str, ...]
    facts: dict[str, str] = {}


class LedgerCheckpoint(Record):
    """The ledger's last event at a moment, signed: who holds a copy elsewhere sees whether anything up to it was changed."""

    KIND: ClassVar[str] = "checkpoint"
    number: int
    """Of the last event; the checkpoint's own event comes after it."""
    head: str
    """Id of that event."""
    when: str
    """UTC, ISO 8601."""
    public_key: str
    """Ed25519, 64 hexadecimal digits."""
    signature: str
    """Of `message`, in hexadecimal."""

    @staticmethod
    def message(number: int, head: str, when: str) -> bytes:
        """The bytes that are signed."""
        said = {"format": "whytune.checkpoint/1", "number": number, "head": head, "when": when}
        return canonical_json(said).encode()
