"""Signed checkpoints of the ledger, the anchor file that holds them elsewhere, and what an auditor takes along.

A chain of hashes shows a change only to who knows an earlier head: whoever owns the disk can recompute the whole chain.
An anchor is a file outside the store, on another disk or in other hands, with one line for each checkpoint. Given it,
an edited, reordered, deleted, cut or wholly recomputed ledger is seen, up to the last checkpoint; what came after it
rests on the chain alone, and `Audit.unanchored` says how many events that are.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from whytune.errors import NotAllowedError, NotFoundError, StoreError, TamperedError, UsageError
from whytune.records.erasure import Erasure
from whytune.records.ledger import Event, LedgerCheckpoint
from whytune.records.record import canonical_json
from whytune.store.keys import verify as signed_by

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

RESTORE = "restore the .whytune folder from a backup that still fits the anchor"
AGAIN = "name a file that can be written with --anchor, outside the .whytune folder, best on another machine"


@dataclass(frozen=True)
class Audit:
    """What was found. anchored: number of the last event that a checkpoint of the anchor vouches for, 0 without an anchor."""

    events: int
    head: str
    problems: tuple[str, ...]
    checkpoints: int
    anchored: int
    halfway: tuple[str, ...] = ()
    """When each erasure began that is not written down yet: at work now, or cut short."""

    @property
    def unanchored(self) -> int:
        """Events that rest on the chain alone."""
        return max(0, self.events - self.anchored)


def checkpoint(workspace: Workspace, anchor: Path | None = None) -> LedgerCheckpoint:
    """Sign the ledger's head, and add it to the anchor file where one is named. A ledger that is not whole is not signed."""
    if anchor is not None:
        _outside(workspace, anchor)
    found = audit(workspace, anchor=anchor if anchor is not None and anchor.exists() else None)
    if found.problems:
        raise TamperedError("The ledger is not what was written, so it is not signed", problems=found.problems, next=RESTORE)
    if not found.events:
        raise NotFoundError("The ledger is empty: there is nothing to sign yet", next="whytune init NAME --task TASK --from FILE")
    signer = workspace.store.signer()
    when = datetime.now(UTC).isoformat(timespec="seconds")
    signature = signer.sign(LedgerCheckpoint.message(found.events, found.head, when)).hex()
    made = LedgerCheckpoint(
        number=found.events, head=found.head, when=when, public_key=signer.public_key_hex, signature=signature
    )
    with workspace.act("ledger.checkpointed", read=[made.head]) as act:
        act.facts["number"] = str(made.number)
        act.write(made)
    if anchor is not None:
        _append(anchor, made)
    return made


def audit(workspace: Workspace, *, head: str = "", anchor: Path | None = None, key: str = "", deep: bool = False) -> Audit:
    """Recompute every hash, and hold the ledger against every checkpoint: those it keeps itself and those of the anchor.

    head: an event id known from elsewhere. key: the public key that must have signed, 64 hexadecimal digits; without it,
    that of the anchor's first line. deep: read every pack, file and folder that is kept, and hold blank rows against erasures.
    """
    if key and not re.fullmatch("[0-9a-f]{64}", key):
        raise UsageError(f"{key!r} is not a public key", next="give the 64 hexadecimal digits that `whytune audit checkpoint` printed")
    own = workspace.store.list(LedgerCheckpoint)
    problems = [f"checkpoint of event {each.number}: {slip}" for each in own if (slip := _slip(each))]
    known, lines = {each.number: each.head for each in own}, 0
    anchored = 0
    if anchor is not None:
        marks, unread = read_anchor(anchor)
        problems += unread
        lines = len(marks)
        wanted = key or (marks[0][1].public_key if marks else "")
        last = 0
        for number, mark in marks:
            slip = _slip(mark) or (f"it was signed by another key ({mark.public_key[:16]}...)" if mark.public_key != wanted else "")
            if slip:
                problems.append(f"anchor line {number}: {slip}")
                continue
            if mark.number < last:
                problems.append(f"anchor line {number}: it is about an earlier event than the line before it")
            if known.get(mark.number, mark.head) != mark.head:
                problems.append(f"anchor line {number}: the store keeps another checkpoint of event {mark.number}")
            known[mark.number], last = mark.head, max(last, mark.number)
        anchored = last
        if not marks:
            problems.append(f"{anchor}: it holds no checkpoint, so it proves nothing")
    report = workspace.store.verify(head, known)
    problems += report.problems
    if deep:
        blanked: Counter[str] = Counter()
        for made in workspace.store.list(Erasure):
            blanked.update(made.packs)
        problems += workspace.store.erasing.damaged(blanked)
    return Audit(report.events, report.head, tuple(problems), lines, anchored, tuple(workspace.store.erasing.begun()))


def read_anchor(anchor: Path) -> tuple[list[tuple[int, LedgerCheckpoint]], list[str]]:
    """(line number and checkpoint of each line; what is wrong with the other lines)."""
    try:
        lines = anchor.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise NotFoundError("There is no anchor file", where=str(anchor), next="whytune audit checkpoint --anchor FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"The anchor file cannot be read: {error}", where=str(anchor), next="name the file that `whytune audit checkpoint --anchor` writes") from None
    marks: list[tuple[int, LedgerCheckpoint]] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            marks.append((number, LedgerCheckpoint.model_validate_json(line)))
        except ValidationError:
            problems.append(f"anchor line {number}: it is not a checkpoint")
    return marks, problems


def export(workspace: Workspace, out: Path) -> int:
    """Write every event as one line of JSON, `{"id": ..., "event": {...}}`, for who has no whytune; gives their number."""
    from whytune.workspace.writing import write_whole

    if workspace.hidden:
        raise NotAllowedError("The ledger speaks of private projects that you do not see, and only whole can it be proven", next="ask an auditor for it")
    events: list[Event] = workspace.events()
    lines = [canonical_json({"id": event.id, "event": event.model_dump(mode="json")}) for event in events]
    write_whole(out, "".join(f"{line}\n" for line in lines))
    return len(lines)


def _slip(mark: LedgerCheckpoint) -> str:
    try:
        signature = bytes.fromhex(mark.signature)
    except ValueError:
        return "its signature is not hexadecimal"
    message = LedgerCheckpoint.message(mark.number, mark.head, mark.when)
    return "" if signed_by(mark.public_key, message, signature) else "its signature does not fit"


def _outside(workspace: Workspace, anchor: Path) -> None:
    if anchor.resolve().is_relative_to(workspace.store.folder.resolve()):
        raise UsageError("An anchor inside the store would be rewritten together with it", where=str(anchor), next=AGAIN)


def _append(anchor: Path, made: LedgerCheckpoint) -> None:
    """One line, on the disk when this returns; lines before it are never touched."""
    line = json.dumps(made.model_dump(mode="json"), sort_keys=True) + "\n"
    try:
        descriptor = os.open(anchor, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = "\n" + line  # a line that a crash cut off must not swallow this one
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(
            f"The checkpoint is in the ledger, but the anchor file cannot be written: {error.strerror}", where=str(anchor), next=AGAIN
        ) from error
