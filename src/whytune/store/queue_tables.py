"""The tables of the review queue and the statements that are run for every item, put together once.

The number of open places stands in a column with a partial index, so that finding the next item counts no opinions.
All of it is operational: it says what is open and who works on it, and nothing is concluded from it.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import sqlite

from whytune.store.tables import metadata

queues = Table(
    "review_queues",
    metadata,
    Column("queue", String, primary_key=True),
    Column("stop", Integer, nullable=False),
    Column("counted", Integer, nullable=False),
    Column("frozen", Integer, nullable=False),
)
items = Table(
    "review_items",
    metadata,
    Column("queue", String, primary_key=True),
    Column("item", String, primary_key=True),
    Column("priority", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("given", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("most", Integer, nullable=False),
    sqlite_with_rowid=False,
)
# Only items with an open place are in it: the next one is found at once, however many are done.
Index("review_items_open", items.c.queue, items.c.priority, items.c.item, sqlite_where=items.c.slots > 0, postgresql_where=items.c.slots > 0)
claims = Table(
    "review_claims",
    metadata,
    Column("token", String, primary_key=True),
    Column("queue", String, nullable=False),
    Column("item", String, nullable=False),
    Column("person", String, nullable=False),
    Column("turn", String, nullable=False),
    Column("state", String, nullable=False),
    Column("until", Float, nullable=False),
    UniqueConstraint("queue", "item", "person", "turn"),
)
Index("review_claims_open", claims.c.queue, claims.c.until, sqlite_where=claims.c.state == "open", postgresql_where=claims.c.state == "open")
Index("review_claims_held", claims.c.queue, claims.c.person, sqlite_where=claims.c.state == "open", postgresql_where=claims.c.state == "open")

_here = items.c.queue == bindparam("q")
_item = and_(_here, items.c.item == bindparam("i"))
_by = bindparam("by", type_=Integer)
_mine = and_(claims.c.queue == bindparam("q"), claims.c.person == bindparam("p"), claims.c.state == "open")
_asked = and_(
    claims.c.queue == items.c.queue, claims.c.item == items.c.item, claims.c.person == bindparam("p"), claims.c.turn == "first", claims.c.state != "gone"
)  # fmt: skip
_one = and_(claims.c.queue == bindparam("q"), claims.c.item == bindparam("i"), claims.c.person == bindparam("p"), claims.c.turn == bindparam("t"))

QUEUE = select(queues).where(queues.c.queue == bindparam("q"))
_open_of = and_(claims.c.queue == queues.c.queue, claims.c.person == bindparam("p"), claims.c.state == "open", claims.c.turn != "settle")
STANDING = (
    select(queues.c.frozen, queues.c.stop, queues.c.counted, claims.c.token, claims.c.item, claims.c.turn)
    .select_from(queues.outerjoin(claims, _open_of))
    .where(queues.c.queue == bindparam("q"))
    .order_by(claims.c.until)
)
"""The queue, with the item that person p holds in it: the one before them, where they hold the next one too."""
COUNTED = update(queues).where(queues.c.queue == bindparam("q")).values(counted=queues.c.counted + _by)
FOLLOWING = (
    select(items.c.item).where(_here, items.c.slots > 0, items.c.given >= bindparam("least"), ~exists().where(_asked)).order_by(items.c.priority, items.c.item).limit(1)
)
"""The open item of lowest priority, with so many opinions at least, that person p has not had."""
WAITING = select(func.count()).select_from(items).where(_here, items.c.slots > 0, items.c.given >= bindparam("least"), ~exists().where(_asked))
"""How many open items person p has not had."""
_theirs = claims.alias("theirs")
LATE = (
    select(func.count())
    .select_from(_theirs)
    .join(items, and_(items.c.queue == _theirs.c.queue, items.c.item == _theirs.c.item))
    .where(
        _theirs.c.queue == bindparam("q"), _theirs.c.state == "open", _theirs.c.turn == "first", _theirs.c.until < bindparam("now"),
        _theirs.c.person != bindparam("p"), items.c.given >= bindparam("least"), ~exists().where(_asked),
    )
)  # fmt: skip
"""How many items person p has not had that others took and kept too long: the next who asks gets them."""
HELD = (
    select(claims)
    .where(_mine, or_(and_(claims.c.turn == "settle", bindparam("settle", type_=Integer) == 1), and_(claims.c.turn != "settle", bindparam("settle", type_=Integer) == 0)))
    .order_by(claims.c.until)
    .limit(1)
)
"""What person p is looking at: to judge, or to settle."""
TAKE = update(items).where(_item, items.c.slots > 0).values(slots=items.c.slots - 1)
GIVE_BACK = update(items).where(_item).values(slots=items.c.slots + 1)
GIVEN = update(items).where(_item).values(given=items.c.given + _by).returning(items.c.given, items.c.wanted, items.c.most)
ASK_MORE = update(items).where(_item).values(slots=items.c.slots + 1, wanted=items.c.wanted + 1)
PASSED_BY_ALL = select(items.c.item).where(
    _item,
    items.c.most
    <= select(func.count()).where(claims.c.queue == items.c.queue, claims.c.item == items.c.item, claims.c.turn == "first", claims.c.state == "passed").scalar_subquery(),
)
"""The item, where as many have passed it over as may be asked."""
ASK_LESS = update(items).where(_item).values(wanted=items.c.wanted - 1)
BY_TOKEN = select(claims).where(claims.c.token == bindparam("k"))
BY_TOKEN_WITH_QUEUE = select(claims, queues.c.frozen).join(queues, queues.c.queue == claims.c.queue).where(claims.c.token == bindparam("k"))
ALL_HELD = select(claims).where(_mine).order_by(claims.c.until)
MINE = select(claims.c.token, claims.c.state).where(_one)
EXPIRED = select(claims.c.token, claims.c.item, claims.c.turn).where(claims.c.queue == bindparam("q"), claims.c.state == "open", claims.c.until < bindparam("now"))
SETTLING = select(claims.c.token, claims.c.person, claims.c.state, claims.c.until).where(
    claims.c.queue == bindparam("q"), claims.c.item == bindparam("i"), claims.c.turn == "settle"
)
SET_STATE = update(claims).where(claims.c.token == bindparam("k")).values(state=bindparam("s"))
HOLD = update(claims).where(claims.c.token == bindparam("k")).values(state="open", until=bindparam("then"))
HOLD_MINE = (
    update(claims)
    .where(_mine, claims.c.turn != "settle")
    .values(until=case((claims.c.token == bindparam("k"), bindparam("then")), else_=bindparam("then") + 1.0))
)
"""Keep what person p holds for longer; the item of token k stays the first of them."""
_new_claim = sqlite.insert(claims)
KEEP = _new_claim.on_conflict_do_update(
    index_elements=["queue", "item", "person", "turn"], set_={"state": "open", "until": _new_claim.excluded.until}, where=claims.c.state.in_(["gone", "open"])
).returning(claims.c.token)
"""Note who has the item. A claim that was given back is taken up again; one that is done or passed is not."""
