"""Keys of consumers: made, listed, taken back; and whose secret opens a door now.

A secret is 32 random bytes behind the key's public name; it is shown once and kept as a hash. Each change is an act, so
"who could ask, and who let them" is read from the ledger.

    granted = grant(workspace, KeyTerms("shop", may=("champion",), days=90)); granted.secret -> "wt-3f9c2a1b-..."
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from whytune.errors import NotFoundError, UsageError
from whytune.records.served import SCOPES, USUAL_SCOPES, ConsumerKey

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

PREFIX = "wt"
TRY, TRY_SCOPES = "try", ("chat", "models", "feedback")
TRY_RATE, TRY_TOKENS = 20, 50_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._-]{0,63})?|release:[0-9a-f]{64}")


@dataclass(frozen=True)
class KeyTerms:
    """What a new key may do. days 0: it never expires; per_minute and daily_tokens 0: no limit."""

    consumer: str
    scopes: tuple[str, ...] = USUAL_SCOPES
    may: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    per_minute: int = 60
    daily_tokens: int = 0
    days: int = 365

    @property
    def mistakes(self) -> list[str]:
        """Everything that cannot be."""
        found = []
        if not _NAME.fullmatch(self.consumer):
            found.append(f"consumer {self.consumer!r}: letters, digits and . _ @ - only, at most 64")
        found += [f"scope {scope!r}; there are: {', '.join(SCOPES)}" for scope in self.scopes if scope not in SCOPES]
        found += [f"model {name!r} is neither an alias nor a release id" for name in self.may if not _MODEL.fullmatch(name)]
        found += [f"access label {label!r} is empty" for label in self.access if not label.strip()]
        numbers = {"rate": self.per_minute, "daily budget": self.daily_tokens, "days": self.days}
        found += [f"{name} {value} is below 0" for name, value in numbers.items() if value < 0]
        if self.days > 36_500:
            found.append(f"days {self.days} is more than a hundred years; 0 means never")
        return found


@dataclass(frozen=True)
class Granted:
    """A new key, and its secret: this is the only time that anybody sees it."""

    key: ConsumerKey
    secret: str

    def __repr__(self) -> str:
        return f"Granted({self.key!r})"


def grant(workspace: Workspace, terms: KeyTerms) -> Granted:
    """Make a key. Raises UsageError with every mistake."""
    return _granted(workspace, terms, "key.changed")


def personal(workspace: Workspace, alias: str) -> Granted:
    """A key for whoever asks, to try one alias from the browser: for a day, rarely, and for passages open to everybody."""
    return _granted(workspace, KeyTerms(trier(workspace), TRY_SCOPES, may=(alias,), per_minute=TRY_RATE, daily_tokens=TRY_TOKENS, days=1), "model.tried")


def trier(workspace: Workspace) -> str:
    """The consumer as which the person who asks tries models."""
    name = f"{TRY}.{workspace.person.name}"
    return name if _NAME.fullmatch(name) else f"{TRY}.{workspace.store.keyed_hash(name)[:24]}"


def _granted(workspace: Workspace, terms: KeyTerms, act_name: str) -> Granted:
    if terms.mistakes:
        raise UsageError("This key cannot be made", problems=terms.mistakes, next="whytune key add CONSUMER --help")
    now = datetime.now(UTC)
    key = ConsumerKey(
        key=secrets.token_hex(4), consumer=terms.consumer, scopes=tuple(dict.fromkeys(terms.scopes)), may=tuple(dict.fromkeys(terms.may)),
        access=tuple(dict.fromkeys(terms.access)), per_minute=terms.per_minute, daily_tokens=terms.daily_tokens, created=_spelled(now),
        expires=_spelled(now + timedelta(days=terms.days)) if terms.days else "",
    )  # fmt: skip
    secret = f"{PREFIX}-{key.key}-{secrets.token_urlsafe(32)}"
    # The event first: a key that nobody can trace must never open anything.
    with workspace.act(act_name) as act:
        act.facts.update(key=key.key, consumer=key.consumer, change="granted")
        act.write(key)
    workspace.store.traffic.add_key(key, secret)
    return Granted(key, secret)


def revoke(workspace: Workspace, name: str) -> ConsumerKey:
    """Take a key back at once, by its public name. Taking it back twice changes nothing."""
    held = next((key for key in keys(workspace) if key.key == name), None)
    if held is None:
        raise NotFoundError(f"There is no key {name!r}", next="whytune key list")
    if held.revoked:
        return held
    gone = held.model_copy(update={"revoked": _spelled(datetime.now(UTC))})
    with workspace.act("key.changed", read=[held.id]) as act:
        # The door first, then the event: a key taken back stays shut even if the ledger cannot be written.
        workspace.store.traffic.change_key(gone)
        act.facts.update(key=name, consumer=held.consumer, change="revoked")
        act.write(gone)
    return gone


def keys(workspace: Workspace) -> list[ConsumerKey]:
    """All keys there ever were, oldest first."""
    return workspace.store.traffic.all_keys()


def state(key: ConsumerKey) -> str:
    """valid, revoked or expired."""
    if key.revoked:
        return "revoked"
    return "expired" if key.expires and key.expires <= _spelled(datetime.now(UTC)) else "valid"


def used_today(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """Requests and tokens of each key since midnight (UTC)."""
    today = _spelled(datetime.now(UTC))[:10]
    return {key: (requests, tokens) for key, _, requests, tokens in workspace.store.traffic.usage(today)}


@dataclass(frozen=True)
class Spent:
    """What one key used since a day."""

    requests: int = 0
    tokens: int = 0
    last: str = ""
    """The last day on which it asked."""


def spent(workspace: Workspace, days: int = 14) -> dict[str, Spent]:
    """What each key used in the last days; keys that asked nothing are left out."""
    since = _spelled(datetime.now(UTC) - timedelta(days=days - 1))[:10]
    found: dict[str, Spent] = {}
    for key, day, requests, tokens in workspace.store.traffic.usage(since):
        before = found.get(key, Spent())
        found[key] = Spent(before.requests + requests, before.tokens + tokens, max(day, before.last))
    return found


def _spelled(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
