"""Records about the workspace itself (people, broken glass, skills, the team's table), read once until the ledger moves on.

Who may come in is asked at every request, and what a team lacks for every use case of a page. Each question asks the
ledger's head first, so an act of any process is seen by the next one.

    lately.standing(workspace.store, Person)      # everybody, in the order in which they were last recorded
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast
from weakref import WeakKeyDictionary

from whytune.records.record import Record

if TYPE_CHECKING:
    from whytune.store.store import Store

R = TypeVar("R", bound=Record)
_read: WeakKeyDictionary[Store, dict[type[Record], tuple[tuple[int, str], tuple[Record, ...]]]] = WeakKeyDictionary()


def standing(store: Store, kind: type[R]) -> tuple[R, ...]:
    """All records of a kind, as `Store.standing` gives them. For kinds of which there are few."""
    head, known = store.head(), _read.setdefault(store, {})
    held = known.get(kind)
    if held is None or held[0] != head:
        held = known[kind] = (head, tuple(store.standing(kind)))
    return cast("tuple[R, ...]", held[1])
