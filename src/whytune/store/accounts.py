"""How people prove who they are: passwords, tokens, sign-in sessions. Operational: it may change, evidence never rests on it.

No secret is kept: a password as scrypt with a salt of its own, a token or session as the sha256 of 32 random bytes. It
knows no roles, and does not say whether a person exists. Five wrong passwords in a row lock a name for 15 minutes; an
attempt is counted before it is checked, so that many at once gain nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import sqlite

from whytune.errors import NotFoundError, UsageError
from whytune.records.record import digest
from whytune.store.database import Database
from whytune.store.tables import metadata

COST, BLOCK, LANES = 2**15, 8, 1
"""scrypt: 32 MiB and about a tenth of a second for each attempt. Kept with each password, so that they can be raised."""
SHORTEST, LONGEST = 10, 512
WRONG, LOCKED = 5, timedelta(minutes=15)
STRANGERS = 10_000
"""Names nobody has that are remembered as tried: each try takes as long as a real one, so that many take longer than a lock lasts."""
SESSION, WELCOME = timedelta(hours=12), timedelta(hours=1)
REMEMBERED = timedelta(days=1)
"""For so long it is known whose an ended session was: what they were just sending is kept for them."""
TOKEN, LINK = "wt_", "wl_"
MOST_DAYS = 3650
SELDOM = timedelta(minutes=1)
"""When a token was used is written down at most this often: reading must not cost a write each time."""

passwords = Table(
    "account_passwords",
    metadata,
    Column("person", String, primary_key=True),
    Column("salt", String, nullable=False),
    Column("hash", String, nullable=False),
    Column("cost", Integer, nullable=False),
    Column("block", Integer, nullable=False),
    Column("lanes", Integer, nullable=False),
    Column("set_at", String, nullable=False),
)
attempts = Table(
    "account_attempts",
    metadata,
    Column("person", String, primary_key=True),
    Column("wrong", Integer, nullable=False),
    Column("locked_until", String, nullable=False),
)
tokens = Table(
    "account_tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("secret", String, nullable=False, unique=True),
    Column("person", String, nullable=False),
    Column("label", String, nullable=False),
    Column("created", String, nullable=False),
    Column("expires", String, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("used", String, nullable=False),
    Index("account_tokens_by_person", "person"),
)
sessions = Table(
    "account_sessions",
    metadata,
    Column("secret", String, primary_key=True),
    Column("person", String, nullable=False),
    Column("csrf", String, nullable=False),
    Column("expires", String, nullable=False),
)
welcomes = Table(
    "account_welcomes",
    metadata,
    Column("secret", String, primary_key=True),
    Column("person", String, nullable=False),
    Column("expires", String, nullable=False),
)


@dataclass(frozen=True)
class TokenNote:
    """What is known of a token; never the token. Times are UTC; used is empty until it is."""

    id: str
    person: str
    label: str
    created: str
    expires: str
    revoked: bool
    used: str


@dataclass(frozen=True)
class SessionNote:
    """What is known of a session; never its secret. opened and expires are UTC."""

    id: str
    person: str
    opened: str
    expires: str


@dataclass(frozen=True)
class SignIn:
    """A session just opened: both secrets are told once. csrf goes back with every change, as a header."""

    secret: str
    csrf: str
    expires: str


def _utc() -> datetime:
    return datetime.now(UTC)


class Accounts:
    """The store's part for people. clock is asked for the time, in UTC."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = _utc) -> None:
        self._database = database
        self.clock = clock
        # Names that nobody has are counted and locked like the others, or a lock would say which there are. In memory:
        # what people type into the field for a name may be a password, and stands in no table.
        self._strangers: dict[str, tuple[int, datetime | None]] = {}
        self._counting = threading.Lock()

    # Passwords

    def set_password(self, person: str, password: str) -> None:
        """Keep a new password; open sessions of that person end. Raises UsageError for one that is too weak."""
        plain = _strong(person, password)
        salt = secrets.token_bytes(16)
        row = {
            "person": person, "salt": salt.hex(), "hash": _scrypt(plain, salt, COST, BLOCK, LANES).hex(),
            "cost": COST, "block": BLOCK, "lanes": LANES, "set_at": self._now(),
        }  # fmt: skip
        with self._database.writing("keep a password") as connection:
            connection.execute(sqlite.insert(passwords).on_conflict_do_update(index_elements=["person"], set_=row), row)
            connection.execute(delete(attempts).where(attempts.c.person == person))
            for table in (sessions, welcomes):
                connection.execute(delete(table).where(table.c.person == person))

    def check_password(self, person: str, password: str) -> bool:
        """Whether it is the password. False for a wrong one, an unknown name and a locked one alike: nothing is given away."""
        with self._database.writing("check a password") as connection:
            known = connection.execute(select(passwords).where(passwords.c.person == person)).first()
            row = connection.execute(select(attempts).where(attempts.c.person == person)).first()
            lifted = bool(row and row.locked_until and row.locked_until <= self._now())
            locked = bool(row and row.locked_until and not lifted)
            if known and not locked:
                wrong = 1 if row is None or lifted else row.wrong + 1
                until = (self.clock() + LOCKED).isoformat() if wrong >= WRONG else ""
                kept = {"person": person, "wrong": wrong, "locked_until": until}
                connection.execute(sqlite.insert(attempts).on_conflict_do_update(index_elements=["person"], set_=kept), kept)
        if known is None:
            self._count_stranger(person)
        plain = unicodedata.normalize("NFKC", password[: LONGEST + 1])
        if known is None or locked:
            _scrypt(plain, b"\0" * 16, COST, BLOCK, LANES)  # takes as long as a real one
            return False
        right = hmac.compare_digest(_scrypt(plain, bytes.fromhex(known.salt), known.cost, known.block, known.lanes), bytes.fromhex(known.hash))
        if right:
            with self._database.writing("check a password") as connection:
                connection.execute(delete(attempts).where(attempts.c.person == person))
        return right

    def has_password(self, person: str) -> bool:
        """Whether this person has a password."""
        with self._database.reading("look for a password") as connection:
            return connection.scalar(select(passwords.c.person).where(passwords.c.person == person)) is not None

    def locked_for(self, person: str) -> int:
        """Seconds, rounded up, for which wrong passwords have locked this name, whether or not anybody has it; 0 where it is not locked."""
        with self._counting:
            _, until = self._strangers.get(person, (0, None))
        text = self.locked().get(person, "")
        ends = datetime.fromisoformat(text) if text else until
        return max(0, math.ceil((ends - self.clock()).total_seconds())) if ends else 0

    def _count_stranger(self, person: str) -> None:
        with self._counting:
            wrong, until = self._strangers.pop(person, (0, None))
            if until is None or until <= self.clock():
                wrong = 1 if until else wrong + 1
                until = self.clock() + LOCKED if wrong >= WRONG else None
            self._strangers[person] = (wrong, until)
            while len(self._strangers) > STRANGERS:
                del self._strangers[next(iter(self._strangers))]

    def locked(self) -> dict[str, str]:
        """Names that wrong passwords have locked, and until when (UTC)."""
        with self._database.reading("look for locked names") as connection:
            rows = connection.execute(select(attempts).where(attempts.c.locked_until > self._now()).order_by(attempts.c.person))
            return {row.person: row.locked_until for row in rows}

    def secured(self, person: str) -> bool:
        """Whether this person has a password or a token that still counts: their name alone no longer lets anybody act."""
        if self.has_password(person):
            return True
        with self._database.reading("look for a token") as connection:
            return connection.scalar(select(tokens.c.id).where(tokens.c.person == person, *self._live()).limit(1)) is not None

    # Tokens

    def make_token(self, person: str, label: str = "", days: int = 90) -> str:
        """A new token, told this once."""
        if not 1 <= days <= MOST_DAYS:
            raise UsageError(f"A token cannot be good for {days} days", next=f"choose 1 to {MOST_DAYS}: whytune user token {person} --days 90")
        plain = TOKEN + secrets.token_urlsafe(32)
        row = {
            "id": secrets.token_hex(4), "secret": digest(plain), "person": person, "label": label[:80], "created": self.clock().isoformat(timespec="microseconds"),
            "expires": (self.clock() + timedelta(days=days)).isoformat(timespec="seconds"), "revoked": False, "used": "",
        }  # fmt: skip
        with self._database.writing("keep a token") as connection:
            connection.execute(insert(tokens), row)
        return plain

    def person_of_token(self, token: str) -> str | None:
        """Whose token it is; None where it is unknown, expired or revoked."""
        with self._database.reading("check a token") as connection:
            row = connection.execute(select(tokens).where(tokens.c.secret == digest(token), *self._live())).first()
        if row is None:
            return None
        if row.used < (self.clock() - SELDOM).isoformat(timespec="seconds"):
            with self._database.writing("note that a token was used") as connection:
                connection.execute(update(tokens).where(tokens.c.id == row.id).values(used=self._now()))
        return str(row.person)

    def tokens(self, person: str = "") -> list[TokenNote]:
        """What is known of all tokens, or of one person's; oldest first."""
        query = select(*(column for column in tokens.c if column.name != "secret")).order_by(tokens.c.created, tokens.c.id)
        with self._database.reading("list tokens") as connection:
            return [TokenNote(**row._mapping) for row in connection.execute(query.where(tokens.c.person == person) if person else query)]

    def revoke(self, id: str) -> TokenNote:
        """End a token now. Raises NotFoundError where there is none of that id."""
        found = next((note for note in self.tokens() if note.id == id), None)
        if found is None:
            raise NotFoundError(f"There is no token {id!r}", next="whytune user tokens lists them")
        with self._database.writing("revoke a token") as connection:
            connection.execute(update(tokens).where(tokens.c.id == id).values(revoked=True))
        return found

    def shut_out(self, person: str) -> int:
        """End every token, session and the password of a person; gives the number of tokens ended."""
        with self._database.writing("shut a person out") as connection:
            ended = connection.execute(update(tokens).where(tokens.c.person == person, *self._live()).values(revoked=True)).rowcount
            for table in (sessions, passwords, attempts, welcomes):
                connection.execute(delete(table).where(table.c.person == person))
        return ended

    # Sign-in sessions

    def open_session(self, person: str) -> SignIn:
        """A session for somebody whose password was right. Sessions that ended are swept away."""
        made = SignIn(secrets.token_urlsafe(32), secrets.token_urlsafe(32), (self.clock() + SESSION).isoformat(timespec="seconds"))
        row = {"secret": digest(made.secret), "person": person, "csrf": digest(made.csrf), "expires": made.expires}
        with self._database.writing("open a session") as connection:
            connection.execute(delete(sessions).where(sessions.c.expires <= (self.clock() - REMEMBERED).isoformat(timespec="seconds")))
            connection.execute(insert(sessions), row)
        return made

    def person_of_session(self, secret: str, csrf: str | None = None) -> str | None:
        """Whose session it is; None where it is unknown or ended, or where a `csrf` is given that is not its own."""
        with self._database.reading("check a session") as connection:
            row = connection.execute(select(sessions).where(sessions.c.secret == digest(secret), sessions.c.expires > self._now())).first()
        if row is None or (csrf is not None and not hmac.compare_digest(row.csrf, digest(csrf))):
            return None
        return str(row.person)

    def person_of_ended_session(self, secret: str) -> str | None:
        """Whose session it was, where it has ended by its time within the last day; it opens nothing."""
        with self._database.reading("look for a session that ended") as connection:
            row = connection.execute(select(sessions).where(sessions.c.secret == digest(secret), sessions.c.expires <= self._now())).first()
        return str(row.person) if row else None

    def close_session(self, secret: str) -> None:
        """Sign out."""
        with self._database.writing("close a session") as connection:
            connection.execute(delete(sessions).where(sessions.c.secret == digest(secret)))

    def sessions(self, person: str = "") -> list[SessionNote]:
        """Sessions that are open, of everybody or of one person; those that end first come first."""
        query = select(sessions).where(sessions.c.expires > self._now()).order_by(sessions.c.expires, sessions.c.secret)
        with self._database.reading("list sessions") as connection:
            rows = connection.execute(query.where(sessions.c.person == person) if person else query).all()
        return [SessionNote(_session_id(row.secret), row.person, (datetime.fromisoformat(row.expires) - SESSION).isoformat(timespec="seconds"), row.expires) for row in rows]

    def session_id(self, secret: str) -> str:
        """Under which id `sessions` lists the session of this secret."""
        return _session_id(digest(secret))

    def end_session(self, id: str) -> bool:
        """End a session now; whether there was one of that id."""
        with self._database.writing("end a session") as connection:
            found = [secret for secret in connection.scalars(select(sessions.c.secret)) if _session_id(secret) == id]
            connection.execute(delete(sessions).where(sessions.c.secret.in_(found)))
        return bool(found)

    # Welcome links

    def make_welcome(self, person: str) -> str:
        """A secret that sets this person's password, once, within the hour. It is told this once; an earlier one ends."""
        plain = LINK + secrets.token_urlsafe(32)
        row = {"secret": digest(plain), "person": person, "expires": (self.clock() + WELCOME).isoformat(timespec="seconds")}
        with self._database.writing("make a welcome link") as connection:
            connection.execute(delete(welcomes).where((welcomes.c.person == person) | (welcomes.c.expires <= self._now())))
            connection.execute(insert(welcomes), row)
        return plain

    def person_of_welcome(self, link: str) -> str | None:
        """Whom this link welcomes; None where it is unknown, used or too old. Looking does not use it up."""
        with self._database.reading("look at a welcome link") as connection:
            found = connection.scalar(select(welcomes.c.person).where(welcomes.c.secret == digest(link), welcomes.c.expires > self._now()))
        return None if found is None else str(found)

    def spend_welcome(self, link: str, password: str) -> str | None:
        """Set the password of whom this link welcomes; the link is used up. None where it opens nothing (any more)."""
        person = self.person_of_welcome(link)
        if person is None:
            return None
        _strong(person, password)  # a password that cannot be used leaves the link as it is
        with self._database.writing("use a welcome link") as connection:
            mine = connection.execute(delete(welcomes).where(welcomes.c.secret == digest(link))).rowcount == 1
        if not mine:  # another sender of the same link was faster
            return None
        self.set_password(person, password)
        return person

    def _live(self) -> tuple[ColumnElement[bool], ...]:
        return (tokens.c.revoked.is_(False), tokens.c.expires > self._now())

    def _now(self) -> str:
        return self.clock().isoformat(timespec="seconds")


def _strong(person: str, password: str) -> str:
    """The password in the form that is hashed. Raises UsageError for one that is too weak, with every reason."""
    plain = unicodedata.normalize("NFKC", password)
    problems = []
    if not SHORTEST <= len(plain) <= LONGEST:
        problems.append(f"it has {len(plain)} characters; {SHORTEST} to {LONGEST} are needed")
    if plain.casefold().strip() == person.casefold() or len(set(plain)) < 5:
        problems.append("it is the name, or made of fewer than five different characters")
    if problems:
        raise UsageError("This password cannot be used", problems=problems, next=f"choose another one; at the terminal: whytune user password {person}")
    return plain


def _session_id(hashed: str) -> str:
    return hashed[:12]


_AT_ONCE = threading.BoundedSemaphore(4)
"""Each takes 32 MiB: a crowd that tries passwords waits in line, instead of taking the machine's memory."""


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    with _AT_ONCE:
        return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=cost, r=block, p=lanes, maxmem=2 * 128 * cost * block * lanes + 2**20, dklen=32)
