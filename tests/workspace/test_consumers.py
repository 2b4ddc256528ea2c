"""Keys are made and taken back by operators, and leave their trace in the ledger without their secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from whytune.errors import NotAllowedError, NotFoundError, UsageError
from whytune.records.served import ConsumerKey
from whytune.settings import Settings
from whytune.workspace.consumers import KeyTerms, grant, keys, revoke, state
from whytune.workspace.workspace import Workspace


@pytest.fixture
def room(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)


def test_a_key_opens_until_it_is_taken_back(room: Workspace) -> None:
    made = grant(room, KeyTerms("shop", may=("champion", "shop/champion"), days=1))
    assert room.store.traffic.key_of(made.secret) == made.key
    assert state(made.key) == "valid"
    assert revoke(room, made.key.key) == revoke(room, made.key.key)
    held = room.store.traffic.key_of(made.secret)
    assert held is not None
    assert state(held) == "revoked"
    assert [event.facts["change"] for event in room.events() if event.act == "key.changed"] == ["granted", "revoked"]
    assert len(room.store.list(ConsumerKey)) == 2
    with pytest.raises(NotFoundError):
        revoke(room, "nobody")


def test_the_secret_is_kept_nowhere(room: Workspace) -> None:
    made = grant(room, KeyTerms("shop"))
    assert made.secret not in repr(made)
    tail = made.secret.rpartition("-")[2].encode()
    assert not [path for path in room.root.rglob("*") if path.is_file() and tail in path.read_bytes()]


def test_a_key_ends_by_itself(room: Workspace) -> None:
    made = grant(room, KeyTerms("shop", days=1)).key
    assert state(made.model_copy(update={"expires": "2020-01-01T00:00:00+00:00"})) == "expired"
    assert grant(room, KeyTerms("shop", days=0)).key.expires == ""


def test_all_mistakes_are_told_and_no_key_is_made(room: Workspace) -> None:
    with pytest.raises(UsageError) as told:
        grant(room, KeyTerms("a b", scopes=("chat", "all"), may=("no such/thing/x",), access=(" ",), per_minute=-1, daily_tokens=-2, days=-3))
    assert len(told.value.problems) == 7
    assert keys(room) == []


def test_only_operators_hand_out_or_take_back(room: Workspace) -> None:
    made = grant(room, KeyTerms("shop"))
    room.add_person("ada", ("admin",))
    room.add_person("sol", ("data_scientist",))
    other = room.as_person("sol")
    with pytest.raises(NotAllowedError):
        grant(other, KeyTerms("mine"))
    with pytest.raises(NotAllowedError):
        revoke(other, made.key.key)
    assert [state(key) for key in keys(room)] == ["valid"]
