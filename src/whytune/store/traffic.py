"""Served traffic: keys, tokens a day, responses, the feedback inbox. Operational: it may change, evidence never rests on it.

Secrets are kept as sha256 of 32 random bytes. What was asked and said stands in columns of its own, filled with
consent only, and `erase` overwrites them on the disk. Everything else is ids, counts and times.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import sqlite

from whytune.errors import NotFoundError, StoreError
from whytune.records.record import Value, canonical_json, digest
from whytune.records.served import ConsumerKey, Dialogue, Feedback, Response
from whytune.store.database import Database, Shortcut
from whytune.store.tables import metadata

ERASED = ""
GOOD = ("stop", "length")
"""Outcomes of an answer that was given."""
PORTION = 500
"""Ids in one statement: databases limit the number of parameters."""

keys = Table(
    "traffic_keys",
    metadata,
    Column("key", String, primary_key=True),
    Column("secret", String, nullable=False, unique=True),
    Column("content", Text, nullable=False),
)

days = Table(
    "traffic_days",
    metadata,
    Column("key", String, primary_key=True),
    Column("day", String, primary_key=True),
    Column("requests", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
)

responses = Table(
    "traffic_responses",
    metadata,
    Column("id", String, primary_key=True),
    Column("release", String, nullable=False),
    Column("project", String, nullable=False),
    Column("alias", String, nullable=False),
    Column("consumer", String, nullable=False),
    Column("key", String, nullable=False),
    Column("conversation", String, nullable=False),
    Column("when", String, nullable=False),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String, nullable=False),
    Column("exchange", Text, nullable=False),
    Index("traffic_responses_by_conversation", "conversation"),
    Index("traffic_responses_by_release", "release", "when"),
)

feedback = Table(
    "traffic_feedback",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("response", String, nullable=False),
    Column("consumer", String, nullable=False),
    Column("conversation", String, nullable=False),
    Column("when", String, nullable=False),
    Column("rating", String, nullable=False),
    Column("consent", Boolean, nullable=False),
    Column("correction", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("by", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("proposal", String, nullable=False),
    Column("erased", Boolean, nullable=False),
    Index("traffic_feedback_by_state", "state", "position"),
    Index("traffic_feedback_by_conversation", "conversation"),
)


_RESPONSE = tuple(column.name for column in responses.columns)
# Written out: these two are run for every answer, and compiling them took longer than running them.
_ADD_RESPONSE = f"INSERT INTO traffic_responses ({', '.join(map(json.dumps, _RESPONSE))}) VALUES ({', '.join('?' * len(_RESPONSE))})"
_ADD_USE = """INSERT INTO traffic_days (key, day, requests, tokens) VALUES (?, ?, ?, ?) ON CONFLICT (key, day)
DO UPDATE SET requests = requests + excluded.requests, tokens = tokens + excluded.tokens"""


@dataclass(frozen=True)
class ErasedTraffic:
    """What an erasure found, or would find: ids only."""

    responses: tuple[str, ...]
    feedback: tuple[str, ...]
    releases: tuple[str, ...]


@dataclass(frozen=True)
class FeedbackWanted:
    """Which feedback: of this project, in this state, with these words in one of its texts; empty: any. without: never of these projects."""

    project: str = ""
    state: str = ""
    words: str = ""
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """What one release answered in a while. failed: errors, timeouts and questions given up; last: when it answered last."""

    requests: int
    failed: int
    tokens: int
    mean_seconds: float
    last: str


class Traffic:
    """The gateway's part of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shortcut, self._hasty = database.shortcut(), database.shortcut(hasty=True)

    # Keys

    def add_key(self, key: ConsumerKey, secret: str) -> None:
        """Keep a key under the hash of its secret."""
        with self._database.writing("keep a key") as connection:
            connection.execute(insert(keys), {"key": key.key, "secret": digest(secret), "content": _spell(key)})

    def change_key(self, key: ConsumerKey) -> None:
        """Replace what a key may do; its secret stays. Raises NotFoundError."""
        with self._database.writing("change a key") as connection:
            changed = connection.execute(update(keys).where(keys.c.key == key.key).values(content=_spell(key)))
            if not changed.rowcount:
                raise NotFoundError(f"There is no key {key.key!r}", next="whytune key list")

    def all_keys(self) -> list[ConsumerKey]:
        """All keys, revoked and expired ones too, oldest first."""
        with self._database.reading("list keys") as connection:
            found = [ConsumerKey.model_validate_json(row.content) for row in connection.execute(select(keys.c.content))]
        return sorted(found, key=lambda key: (key.created, key.key))

    def key_of(self, secret: str) -> ConsumerKey | None:
        """Whose secret that is. The hash is looked up, so nothing is learnt from how long it takes."""
        with self._database.reading("look up a key") as connection:
            content = connection.scalar(select(keys.c.content).where(keys.c.secret == digest(secret)))
        return ConsumerKey.model_validate_json(content) if content else None

    def stamp(self) -> int:
        """The number of the ledger's last event. What acts decide (keys, aliases) is as it was while this is the same."""
        return int(self._shortcut.value("SELECT max(number) FROM events") or 0)

    def any_key(self) -> bool:
        """Whether a key was ever made."""
        return self._shortcut.value("SELECT 1 FROM traffic_keys LIMIT 1") is not None

    def spent(self, key: str, day: str) -> int:
        """Tokens in and out that the key used on that day."""
        return int(self._shortcut.value("SELECT tokens FROM traffic_days WHERE key = ? AND day = ?", (key, day)) or 0)

    def usage(self, since: str) -> list[tuple[str, str, int, int]]:
        """(key, day, requests, tokens) from a day on."""
        with self._database.reading("look up what was used") as connection:
            rows = connection.execute(select(days).where(days.c.day >= since).order_by(days.c.day, days.c.key))
            return [(row.key, row.day, row.requests, row.tokens) for row in rows]

    # Responses

    def record(self, answered: Sequence[tuple[Response, Dialogue | None]]) -> None:
        """Keep what was answered and add it to the day's use, many in one transaction. Outlives a kill when this returns."""
        self._record(self._shortcut, answered)

    def record_at_once(self, answered: Sequence[tuple[Response, Dialogue | None]]) -> bool:
        """As `record`, within a fraction of a millisecond or not at all: then it gives False, and nothing is kept."""
        try:
            self._record(self._hasty, answered)
        except StoreError:  # whatever it is: whoever has the time to wait will see it too, and tell
            return False
        return True

    @staticmethod
    def _record(shortcut: Shortcut, answered: Sequence[tuple[Response, Dialogue | None]]) -> None:
        rows: list[tuple[Any, ...]] = []
        used: dict[tuple[str, str], tuple[int, int]] = {}
        for response, dialogue in answered:
            fields = {**response.__dict__, "exchange": _spell(dialogue) if dialogue else ERASED}
            rows.append(tuple(fields[name] for name in _RESPONSE))
            key = (response.key, response.when[:10])
            requests, tokens = used.get(key, (0, 0))
            used[key] = (requests + 1, tokens + response.tokens_in + response.tokens_out)
        spent = [(*key, *amounts) for key, amounts in used.items()]
        if rows:
            shortcut.write("keep what was answered", [(_ADD_RESPONSE, rows), (_ADD_USE, spent)])

    def close(self) -> None:
        """Give the file back."""
        self._shortcut.close()
        self._hasty.close()

    def response(self, id: str) -> Response | None:
        """What is known of one response."""
        with self._database.reading("read a response") as connection:
            row = connection.execute(select(responses).where(responses.c.id == id)).first()
        if row is None:
            return None
        fields = {name: value for name, value in row._mapping.items() if name != "exchange"}
        return Response(**fields, kept=bool(row.exchange))

    def exchange(self, id: str) -> Dialogue | None:
        """What was asked and said, where it is kept and not erased."""
        with self._database.reading("read an exchange") as connection:
            content = connection.scalar(select(responses.c.exchange).where(responses.c.id == id))
        return Dialogue.model_validate_json(content) if content else None

    # Feedback

    def add_feedback(self, given: Feedback) -> bool:
        """Put it into the inbox; False where it is there already. Durable when this returns."""
        with self._database.writing("keep feedback") as connection:
            added = connection.execute(sqlite.insert(feedback).on_conflict_do_nothing(), given.model_dump())
            return added.rowcount > 0

    def feedback(self, id: str) -> Feedback:
        """One of the inbox. Raises NotFoundError."""
        with self._database.reading("read feedback") as connection:
            row = connection.execute(select(feedback).where(feedback.c.id == id)).first()
        if row is None:
            raise NotFoundError(f"There is no feedback {id!r}", next="whytune feedback list")
        return _feedback(row)

    def inbox(self, state: str = "", limit: int = 1000, *, without: Sequence[str] = ()) -> list[Feedback]:
        """Oldest first; of one state or of all. without: projects whose feedback is left out."""
        query = select(feedback).order_by(feedback.c.position).limit(limit)
        if without:
            query = query.where(feedback.c.response.not_in(select(responses.c.id).where(responses.c.project.in_(without))))
        if state:
            query = query.where(feedback.c.state == state)
        with self._database.reading("read the inbox") as connection:
            return [_feedback(row) for row in connection.execute(query)]

    def looked_through(self, wanted: FeedbackWanted, offset: int, limit: int) -> tuple[list[tuple[Feedback, Response]], int]:
        """Feedback of some projects, newest first, each with the answer it is about, and how many there are in all."""
        joined = feedback.join(responses, responses.c.id == feedback.c.response)
        fits = _fits(wanted)
        about = [column.label(f"about_{column.name}") for column in responses.c if column.name != "exchange"]
        query = select(*feedback.c, *about, (responses.c.exchange != ERASED).label("about_kept")).select_from(joined).where(*fits)
        with self._database.reading("read the inbox") as connection:
            total = connection.scalar(select(func.count()).select_from(joined).where(*fits)) or 0
            rows = connection.execute(query.order_by(feedback.c.position.desc()).limit(limit).offset(offset)).all()
        return [(_feedback(row), _about(row)) for row in rows], total

    def feedback_states(self, wanted: FeedbackWanted) -> dict[str, int]:
        """How many pieces of feedback are in each state, whatever state is wanted."""
        joined = feedback.join(responses, responses.c.id == feedback.c.response)
        query = select(feedback.c.state, func.count()).select_from(joined).where(*_fits(replace(wanted, state=""))).group_by(feedback.c.state)
        with self._database.reading("count the inbox") as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def answered(self, since: str) -> dict[str, Answered]:
        """What each release answered since a time."""
        columns = responses.c
        bad = func.sum(case((columns.outcome.in_(GOOD), 0), else_=1))
        query = select(columns.release, func.count(), bad, func.sum(columns.tokens_in + columns.tokens_out), func.avg(columns.seconds), func.max(columns.when))
        with self._database.reading("count what was answered") as connection:
            rows = connection.execute(query.where(columns.when >= since).group_by(columns.release)).all()
        return {row[0]: Answered(*row[1:]) for row in rows}

    def settle(self, changed: Sequence[Feedback]) -> None:
        """Write down how far these got: state, by, reason, proposal."""
        with self._database.writing("settle feedback") as connection:
            for item in changed:
                fields = item.model_dump(include={"state", "by", "reason", "proposal"})
                connection.execute(update(feedback).where(feedback.c.id == item.id).values(**fields))

    def tally(self) -> list[tuple[str, str, int, str]]:
        """(project, state, pieces of feedback, when the oldest of them came); what was erased is not counted."""
        query = (
            select(responses.c.project, feedback.c.state, func.count(), func.min(feedback.c.when))
            .select_from(feedback.join(responses, feedback.c.response == responses.c.id))
            .where(~feedback.c.erased)
            .group_by(responses.c.project, feedback.c.state)
        )
        with self._database.reading("count feedback") as connection:
            return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]

    # Erasure

    def find(self, subject: str, matches: Callable[[str], bool] | None = None) -> ErasedTraffic:
        """Everything of a subject: an id of a response, conversation, consumer or feedback, or a text that matches (that holds it)."""
        sought = _folded(subject)
        speaks = matches or (lambda text: sought in _folded(text))

        def named(row: Any, names: Sequence[str], texts: Sequence[str]) -> bool:
            fields = row._mapping
            return any(fields[name] == subject for name in names) or any(speaks(fields[text]) for text in texts)

        with self._database.reading("look for a subject") as connection:
            answered = {
                row.id: row.release
                for row in connection.execute(select(responses))
                if named(row, ("id", "conversation", "consumer"), ()) or (row.exchange and speaks(_said(row.exchange)))
            }
            said = {
                row.id: row.response
                for row in connection.execute(select(feedback))
                if row.response in answered or named(row, ("id", "conversation", "consumer"), ("correction", "comment", "question", "reason"))
            }
            wanted = set(answered) | set(said.values())
            releases = {row.release for row in connection.execute(select(responses.c.id, responses.c.release)) if row.id in wanted}
        return ErasedTraffic(tuple(answered), tuple(said), tuple(sorted(releases)))

    def erase(self, subject: str, matches: Callable[[str], bool] | None = None) -> ErasedTraffic:
        """Overwrite every text that `find` finds; ids, counts and times stay. Gives what it found."""
        found = self.find(subject, matches)
        blank = {"correction": ERASED, "comment": ERASED, "question": ERASED, "reason": ERASED, "erased": True}
        with self._database.writing("erase a subject") as connection:
            for ids in _portions(found.responses):
                connection.execute(update(responses).where(responses.c.id.in_(ids)).values(exchange=ERASED))
            for ids in _portions(found.feedback):
                connection.execute(update(feedback).where(feedback.c.id.in_(ids)).values(**blank))
        # The write-ahead log still holds the old pages until it is folded into the file.
        self._database.fold()
        return found


def _spell(value: Value) -> str:
    return canonical_json(value.model_dump(mode="json"))


def _said(exchange: str) -> str:
    kept = Dialogue.model_validate_json(exchange)
    return "\n".join([*(message.text for message in kept.asked), kept.answer])


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), PORTION):
        yield ids[start : start + PORTION]


def _feedback(row: Any) -> Feedback:
    return Feedback(**{name: value for name, value in row._mapping.items() if name in Feedback.model_fields})


def _about(row: Any) -> Response:
    return Response(**{name.removeprefix("about_"): value for name, value in row._mapping.items() if name.startswith("about_")})


def _fits(wanted: FeedbackWanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [responses.c.project.not_in(wanted.without)] if wanted.without else []
    if wanted.project:
        found.append(responses.c.project == wanted.project)
    if wanted.state:
        found.append(feedback.c.state == wanted.state)
    for word in wanted.words.split():
        named = (feedback.c.id, feedback.c.consumer, feedback.c.correction, feedback.c.comment, feedback.c.question)
        found.append(or_(*(column.icontains(word, autoescape=True) for column in named)))
    return found
