"""The review queue in the database: who may take which item, for how long, and every opinion that was given.

Who holds what is operational and nothing is concluded from it; what people said is kept by `opinions`, in the same
transaction. Each step is one transaction that holds the write lock, so no item is given to too many people.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, case, func, select, true, update

from whytune.errors import NotFoundError, RefusedError, UsageError
from whytune.records.review import Opinion, ReviewItem, Turn
from whytune.store import opinions as opinion_table
from whytune.store import queue_tables as sql
from whytune.store.database import Database, add_new
from whytune.store.turns import Turns

LEASE = 15 * 60.0
"""Seconds for which an item is kept for whoever took it."""
ENOUGH_LEFT = 10
"""Items that must be left before anybody gets one ahead."""
BETWEEN = 5.0
"""Seconds between two looks for leases that ran out, while there is something else to hand out."""

@dataclass(frozen=True)
class Claim:
    """An item that is kept for one person until `until` (seconds since 1970)."""

    token: str
    queue: str
    item: str
    person: str
    turn: Turn
    until: float


@dataclass(frozen=True)
class QueueStanding:
    """How far a queue is: items, items that have all the opinions asked for, places still to be filled, items being looked at."""

    items: int
    done: int
    open: int
    held: int
    given: int
    counted: int
    stop: int
    frozen: bool

    @property
    def enough(self) -> bool:
        """Whether nothing more is to be asked."""
        return self.open == 0 and self.held == 0


class Queues:
    """The queues of one store. Whoever writes takes a turn first; see `turns`."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._turns = Turns(database.file.parent / "locks" / "review.lock")
        self._looked = 0.0

    def close(self) -> None:
        """Give the file of turns back."""
        self._turns.close()

    @contextmanager
    def _writing(self, doing: str) -> Iterator[Connection]:
        with self._turns.taken(), self._database.writing(doing) as connection:
            yield connection

    @contextmanager
    def _noting(self, doing: str) -> Iterator[Connection]:
        with self._turns.taken(), self._database.noting(doing) as connection:
            yield connection

    def fill(self, queue: str, asked: Sequence[ReviewItem], *, most: int = 0, stop: int = 0) -> None:
        """Put the items up. Again is harmless. most: opinions an item may get where they differ; 0 never asks more."""
        rows = [
            {
                "queue": queue, "item": one.key, "priority": one.priority, "slots": one.opinions, "given": 0,
                "wanted": one.opinions, "most": max(most, one.opinions) if one.kind != "gold" else one.opinions,
            }
            for one in asked
        ]  # fmt: skip
        with self._writing("open a queue") as connection:
            add_new(connection, sql.items, rows)
            add_new(connection, sql.queues, [{"queue": queue, "stop": stop, "counted": 0, "frozen": 0}])

    def claim(self, queue: str, person: str, *, again: str = "") -> Claim | None:
        """The next item for this person: the one they hold, else the open one of lowest priority; None where there is none.

        again: an item they have judged already, to be judged once more; it takes nobody's place.
        """
        now = self._clock()
        with self._noting("take an item") as connection:
            row = connection.execute(sql.STANDING, {"q": queue, "p": person}).first() or _queue(connection, queue)
            if row.frozen:
                return None
            if row.token:
                connection.execute(sql.HOLD_MINE, {"q": queue, "p": person, "k": row.token, "then": now + LEASE})
                return Claim(row.token, queue, row.item, person, row.turn, now + LEASE)
            enough = bool(row.stop and row.counted >= row.stop)
            if again and not enough and (kept := _keep(connection, Claim("", queue, again, person, "again", now + LEASE))):
                return kept
            # Once the planned votes are in nothing new is begun, but who was to judge a begun item too still does:
            # else one quick person would end the round, and nobody could say whether people agree.
            where = {"q": queue, "p": person, "least": int(enough)}
            if now - self._looked > BETWEEN:
                self._looked = now
                _give_back_expired(connection, queue, now)
            item = connection.scalar(sql.FOLLOWING, where)
            if item is None and _give_back_expired(connection, queue, now):
                item = connection.scalar(sql.FOLLOWING, where)
            if item is None:
                return None
            connection.execute(sql.TAKE, {"q": queue, "i": item})
            return _keep(connection, Claim("", queue, item, person, "first", now + LEASE))

    def claim_ahead(self, queue: str, person: str, *, again: str = "") -> Claim | None:
        """The item after the one this person holds, so that it can be shown at once; None where few are left, and others may want them."""
        now = self._clock()
        with self._noting("take an item") as connection:
            row = _queue(connection, queue)
            held = [one for one in connection.execute(sql.ALL_HELD, {"q": queue, "p": person}) if one.turn != "settle"]
            if len(held) > 1:
                return _held(held[1], person)[0]
            if not held or row.frozen or (row.stop and row.counted + ENOUGH_LEFT >= row.stop):
                return None
            if again and (kept := _keep(connection, Claim("", queue, again, person, "again", now + LEASE + 1))):
                return kept
            where = {"q": queue, "p": person, "least": 0}
            if (connection.scalar(sql.WAITING, where) or 0) < ENOUGH_LEFT:
                return None
            item = str(connection.scalar(sql.FOLLOWING, where))
            connection.execute(sql.TAKE, {"q": queue, "i": item})
            return _keep(connection, Claim("", queue, item, person, "first", now + LEASE + 1))

    def claim_to_settle(self, queue: str, item: str, person: str) -> Claim | None:
        """Take an item to decide it; None where somebody else is at it or has decided."""
        now = self._clock()
        with self._noting("take an item") as connection:
            for row in connection.execute(sql.SETTLING, {"q": queue, "i": item}).all():
                if row.state == "done" or (row.state == "open" and row.until >= now and row.person != person):
                    return None
                if row.state == "open":  # what somebody passed over stays passed: they are not asked again
                    connection.execute(sql.SET_STATE, {"k": row.token, "s": "gone"})
            return _keep(connection, Claim("", queue, item, person, "settle", now + LEASE))

    def held(self, queue: str, person: str, *, settle: bool = False) -> Claim | None:
        """What this person has taken and not answered yet; nothing is taken by looking."""
        with self._database.reading("read a claim") as connection:
            row = connection.execute(sql.HELD, {"q": queue, "p": person, "settle": int(settle)}).first()
            return _held(row, person)[0] if row else None

    def waiting(self, queue: str, person: str) -> int:
        """How many items there are for this person to judge, what they hold included."""
        with self._database.reading("read a queue") as connection:
            row = _queue(connection, queue)
            if row.frozen:
                return 0
            where = {"q": queue, "p": person, "least": int(bool(row.stop and row.counted >= row.stop)), "now": self._clock()}
            mine = sum(1 for held in connection.execute(sql.ALL_HELD, {"q": queue, "p": person}) if held.turn != "settle")
            return mine + int(connection.scalar(sql.WAITING, where) or 0) + int(connection.scalar(sql.LATE, where) or 0)

    def claim_of(self, token: str) -> Claim:
        """What was taken under that token. Raises NotFoundError."""
        with self._database.reading("read a claim") as connection:
            return _claim(connection, token)[0]

    def release(self, token: str, person: str, *, passed: bool = False) -> None:
        """Give an item back. passed: the person cannot judge it and is not asked again.

        An item that as many have passed over as may be asked about it is not put before others.
        """
        with self._writing("give an item back") as connection:
            held, state = _claim(connection, token, person)
            if state != "open":
                return
            connection.execute(sql.SET_STATE, {"k": token, "s": "passed" if passed else "gone"})
            if held.turn == "first":
                where = {"q": held.queue, "i": held.item}
                given_up = passed and connection.execute(sql.PASSED_BY_ALL, where).first()
                connection.execute(sql.ASK_LESS if given_up else sql.GIVE_BACK, where)

    def submit(self, token: str, opinion: Opinion, *, counts: bool = False) -> Opinion:
        """Keep an opinion; durable when this returns. The same client id again gives the kept one back.

        counts: whether it counts towards the number at which the queue stops. Raises RefusedError where the lease ran
        out and others have taken the place, or the queue is closed.
        """
        with self._writing("keep an opinion") as connection:
            row = connection.execute(sql.BY_TOKEN_WITH_QUEUE, {"k": token}).first()
            if (row is None or row.state != "open") and (known := opinion_table.known(connection, opinion)):
                return known
            held, state = _held(row, opinion.person)
            if (held.queue, held.item, held.turn) != (opinion.queue, opinion.item, opinion.turn):
                raise UsageError("The opinion is about something else than what was taken", next="take the next item: whytune review")
            if row is not None and row.frozen:
                raise RefusedError("This round is closed and takes no more opinions", next="whytune review status")
            _still(connection, held, state)
            kept = opinion_table.add(connection, opinion, counts, self._clock())
            connection.execute(sql.SET_STATE, {"k": token, "s": "done"})
            if opinion.turn == "first":
                given, wanted, most = _count(connection, opinion, 1, counts)
                if given >= wanted and wanted < most:
                    _ask_more(connection, opinion)
            return kept

    def undo(self, queue: str, person: str, client: str, *, settle: bool = False) -> Opinion | None:
        """Take the person's last opinion (settle: decision) back and give them the item again; None where there is none."""
        now = self._clock()
        with self._writing("take an opinion back") as connection:
            if _queue(connection, queue).frozen:
                raise RefusedError("This round is closed, so nothing can be taken back", next="open a new round: whytune review open")
            known = opinion_table.by_client(connection, client)
            if known:
                return known
            mine = opinion_table.valid(connection, queue, person=person)
            last = [pair for pair in mine if (pair[1].turn == "settle") == settle][-1:]
            if not last:
                return None
            counted, given = last[0]
            for other in connection.execute(sql.ALL_HELD, {"q": queue, "p": person}).all():
                connection.execute(sql.SET_STATE, {"k": other.token, "s": "gone"})
                if other.turn == "first":
                    connection.execute(sql.GIVE_BACK, {"q": queue, "i": other.item})
            taken = given.model_copy(update={"client": client, "verdict": "", "edits": (), "note": "", "replaces": given.client, "seconds": 0.0})
            kept = opinion_table.add(connection, taken, False, now)
            token = connection.execute(sql.MINE, {"q": queue, "i": given.item, "p": person, "t": given.turn}).one().token
            connection.execute(sql.HOLD, {"k": token, "then": now + LEASE})
            if given.turn == "first":
                _count(connection, given, -1, counted)
            return kept

    def freeze(self, queue: str) -> None:
        """Take no more opinions."""
        with self._writing("close a queue") as connection:
            connection.execute(update(sql.queues).where(sql.queues.c.queue == queue).values(frozen=1))

    def opinions(self, queue: str) -> list[Opinion]:
        """Everything that was said, superseded opinions included, in order. Raises TamperedError."""
        with self._database.reading("read opinions") as connection:
            return opinion_table.whole(connection, queue)

    def judged(self, queue: str, person: str) -> list[tuple[str, Turn]]:
        """Items this person has an opinion on, in order, with the turn."""
        with self._database.reading("read opinions") as connection:
            return [(given.item, given.turn) for _, given in opinion_table.valid(connection, queue, person=person)]

    def passed(self, queue: str) -> dict[str, int]:
        """Items to the number of people who passed them over."""
        with self._database.reading("read a queue") as connection:
            claims = sql.claims
            query = select(claims.c.item, func.count()).where(claims.c.queue == queue, claims.c.state == "passed").group_by(claims.c.item)
            return {row[0]: row[1] for row in connection.execute(query)}

    def standing(self, queue: str) -> QueueStanding:
        """How far the queue is. Raises NotFoundError where there is none."""
        now, items, claims = self._clock(), sql.items, sql.claims
        with self._database.reading("read a queue") as connection:
            row = _queue(connection, queue)
            here, first = items.c.queue == queue, and_(claims.c.queue == queue, claims.c.state == "open", claims.c.turn == "first")
            asked = items.c.given > 0 if row.stop and row.counted >= row.stop else true()
            total, given = connection.execute(select(func.count(), func.coalesce(func.sum(items.c.given), 0)).where(here)).one()
            free = connection.scalar(select(func.coalesce(func.sum(items.c.slots), 0)).where(here, asked)) or 0
            done = connection.scalar(select(func.count()).select_from(items).where(here, items.c.given >= items.c.wanted)) or 0
            held = connection.scalar(select(func.count()).select_from(claims).where(first, claims.c.until >= now)) or 0
            late = connection.scalar(select(func.count()).select_from(claims).where(first, claims.c.until < now)) or 0
        return QueueStanding(total, done, free + late, held, given, row.counted, row.stop, bool(row.frozen))

    def judged_of(self, queues: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Of several queues at once: (items with as many opinions as are wanted, items)."""
        items = sql.items
        found: dict[str, tuple[int, int]] = {}
        with self._database.reading("read queues") as connection:
            for start in range(0, len(queues), 500):
                query = select(items.c.queue, func.count(), func.sum(case((items.c.given >= items.c.wanted, 1), else_=0)))
                rows = connection.execute(query.where(items.c.queue.in_(list(queues[start : start + 500]))).group_by(items.c.queue))
                found |= {row[0]: (int(row[2]), int(row[1])) for row in rows}
        return found

    def blank(self, asked: Sequence[tuple[str, str]]) -> int:
        """Erase what reviewers wrote in their own words about these (queue, item); verdicts and seals stay. Gives how many."""
        with self._writing("erase what was written") as connection:
            return opinion_table.blank(connection, asked)


def _queue(connection: Connection, queue: str) -> Any:
    row = connection.execute(sql.QUEUE, {"q": queue}).first()
    if row is None:
        raise NotFoundError("There is no such review queue in this store", where=queue, next="whytune review status")
    return row


def _claim(connection: Connection, token: str, person: str = "") -> tuple[Claim, str]:
    """The claim and its state."""
    return _held(connection.execute(sql.BY_TOKEN, {"k": token}).first(), person)


def _held(row: Any, person: str) -> tuple[Claim, str]:
    if row is None or (person and row.person != person):
        raise NotFoundError("There is no such claim, or it is somebody else's", next="take the next item: whytune review")
    return Claim(row.token, row.queue, row.item, row.person, row.turn, row.until), row.state


def _keep(connection: Connection, wanted: Claim) -> Claim | None:
    """Note who has the item; None where this person is done with it."""
    token = connection.scalar(sql.KEEP, {**asdict(wanted), "token": secrets.token_hex(12), "state": "open"})
    return replace(wanted, token=token) if token else None


def _give_back_expired(connection: Connection, queue: str, now: float) -> int:
    expired = connection.execute(sql.EXPIRED, {"q": queue, "now": now}).all()
    for row in expired:
        connection.execute(sql.SET_STATE, {"k": row.token, "s": "gone"})
        if row.turn == "first":
            connection.execute(sql.GIVE_BACK, {"q": queue, "i": row.item})
    return len(expired)


def _still(connection: Connection, held: Claim, state: str) -> None:
    """The place must still be this person's, or be free again."""
    if state == "open":
        return
    if state == "gone" and held.turn == "first":
        if connection.execute(sql.TAKE, {"q": held.queue, "i": held.item}).rowcount:
            return
        raise RefusedError("The time for this item ran out and others have judged it meanwhile", next="take the next item: whytune review")
    raise RefusedError("This item is already answered or was given back", next="take the next item: whytune review; u takes the last opinion back")


def _count(connection: Connection, opinion: Opinion, by: int, counts: bool) -> tuple[int, int, int]:
    """(opinions given, wanted, most) of the item after this one."""
    row = connection.execute(sql.GIVEN, {"q": opinion.queue, "i": opinion.item, "by": by}).one()
    if counts:
        connection.execute(sql.COUNTED, {"q": opinion.queue, "by": by})
    return row.given, row.wanted, row.most


def _ask_more(connection: Connection, opinion: Opinion) -> None:
    """One more place, unless more than half of those who were asked agree."""
    verdicts = [given.verdict for _, given in opinion_table.valid(connection, opinion.queue, item=opinion.item) if given.turn == "first"]
    if max(verdicts.count(verdict) for verdict in verdicts) * 2 <= len(verdicts):
        connection.execute(sql.ASK_MORE, {"q": opinion.queue, "i": opinion.item})
