"""Whether records stand in the order in which the events put them: which of them is newest hangs on it, and no hash holds it.

    problems([Placed(1, "support", "policy", "policy:…")], [Put(7, "support", "policy", "policy:…")])     # []

Only events put records, so the placings are what the events wrote, in their order: one less or more, or two in each
other's place, and an old role or policy would count again. A record that an event put where it was the newest already
has a placing of its own only if what stands beside it had changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Placed(NamedTuple):
    """A row of the table `placings`."""

    position: int
    project: str
    kind: str
    record: str

    @property
    def what(self) -> tuple[str, str, str]:
        """Which record, where."""
        return self[1:]


class Put(NamedTuple):
    """A record that an event wrote."""

    event: int
    project: str
    kind: str
    record: str

    @property
    def what(self) -> tuple[str, str, str]:
        """Which record, where."""
        return self[1:]


def problems(placed: Sequence[Placed], put: Sequence[Put]) -> list[str]:
    """One line for each placing that no event accounts for, and for each that is missing or not in its turn; both in their order."""
    found: list[str] = []
    newest: dict[tuple[str, str], str] = {}
    at, turn, total = 0, 0, len(placed)
    settled: set[tuple[str, str, str]] = set()
    event = 0
    # From the first placing that does not fit on: how often each is still needed, and there.
    need: Counter[tuple[str, str, str]] | None = None
    have: Counter[tuple[str, str, str]] = Counter()
    while turn < len(put) or at < total:
        due = put[turn] if turn < len(put) else None
        there = placed[at] if at < total else None
        if due and there and due[1:] == there[1:]:
            if due.event != event:
                event, settled = due.event, set()
            settled.add(due.what)
            newest[due.project, due.kind] = due.record
            at, turn = at + 1, turn + 1
            if need is not None:
                need[due.what] -= 1
                have[due.what] -= 1
            continue
        if due and newest.get((due.project, due.kind)) == due.record:
            turn += 1  # it was the newest already, beside the same
            if need is not None:
                need[due.what] -= 1
            continue
        if there and there.what in settled and sum(each[:2] == there[1:3] for each in settled) > 1:
            at += 1  # one event put several of a kind, this one more than once
            have[there.what] -= 1
            continue
        if need is None:
            need, have = Counter(each.what for each in put[turn:]), Counter(each.what for each in placed[at:])
        if there and need[there.what] <= 0:
            found.append(_surplus(there, put))
            have[there.what] -= 1
            at += 1
        elif due and have[due.what] <= 0:
            found.append(f"event {due.event}: it put {due.record} into {due.project!r}, where no placing is left of it")
            need[due.what] -= 1
            turn += 1
        elif due and there:
            found.append(f"event {due.event}: {due.record} does not stand where it was put: {there.record} has its place (placing {there.position})")
            return found  # what follows is out of step with the events too
    return found


def _surplus(there: Placed, put: Sequence[Put]) -> str:
    by = next((each.event for each in put if each.record == there.record), 0)
    if not by:
        return f"record {there.record}: it is placed in {there.project!r} (placing {there.position}), and no event wrote it"
    return f"event {by}: {there.record}, which it wrote, is placed in {there.project!r} once more than the events say (placing {there.position})"
