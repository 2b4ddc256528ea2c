"""Passwords, tokens, sessions: what counts, what ends, what is kept, and what a thief of the file would find."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from whytune.errors import NotFoundError, UsageError
from whytune.store import accounts as accounts_module
from whytune.store.accounts import Accounts
from whytune.store.store import Store

GOOD = "correct horse battery"


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accounts]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)  # the real cost is a tenth of a second an attempt
    with Store.open(tmp_path / ".whytune", create=True) as store:
        yield store.accounts


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_five_wrong_passwords_lock_a_name_for_fifteen_minutes(accounts: Accounts) -> None:
    clock = Clock()
    accounts.clock = clock
    accounts.set_password("ada", GOOD)
    assert accounts.check_password("ada", GOOD)
    assert [accounts.check_password("ada", "no") for _ in range(4)] == [False] * 4
    assert accounts.check_password("ada", GOOD)  # four are forgiven
    for _ in range(5):
        accounts.check_password("ada", "no")
    assert not accounts.check_password("ada", GOOD)
    for _ in range(5):  # a name that nobody has is locked just so
        assert not accounts.check_password("nobody", "no")
    clock.now += timedelta(minutes=14, seconds=59)
    assert [accounts.locked_for(name) for name in ("ada", "nobody", "bo")] == [1, 1, 0]
    assert list(accounts.locked()) == ["ada"]
    assert not accounts.check_password("ada", GOOD)
    clock.now += timedelta(seconds=2)
    assert [accounts.locked_for(name) for name in ("ada", "nobody")] == [0, 0]
    assert accounts.check_password("ada", GOOD)
    assert not accounts.check_password("bo", GOOD)


def test_many_attempts_at_once_gain_nothing(accounts: Accounts) -> None:
    accounts.set_password("ada", GOOD)
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(lambda _: accounts.check_password("ada", "no"), range(12)))
    assert not accounts.check_password("ada", GOOD)


def test_the_same_password_typed_on_another_keyboard_counts(accounts: Accounts) -> None:
    accounts.set_password("ada", "nai\u0308ve cafe\u0301 42")
    assert accounts.check_password("ada", "na\u00efve caf\u00e9 42")
    assert not accounts.check_password("ada", "naive cafe 42")


def test_a_weak_password_is_refused_and_the_old_one_stays(accounts: Accounts) -> None:
    accounts.set_password("adalovelace", GOOD)
    for weak in ("short", "aaaaaaaaaaaa", "x" * 600, "adalovelace"):
        with pytest.raises(UsageError, match="cannot be used"):
            accounts.set_password("adalovelace", weak)
    assert accounts.check_password("adalovelace", GOOD)


def test_a_token_counts_until_it_expires_or_is_revoked(accounts: Accounts) -> None:
    clock = Clock()
    accounts.clock = clock
    first, second = accounts.make_token("ada", "laptop", 1), accounts.make_token("ada", "server", 30)
    assert (accounts.person_of_token(first), accounts.person_of_token(second)) == ("ada", "ada")
    assert accounts.person_of_token(first[:-1]) is None
    assert accounts.secured("ada")
    clock.now += timedelta(days=1)
    assert accounts.person_of_token(first) is None
    note = next(note for note in accounts.tokens("ada") if note.label == "server")
    assert note.used == "2030-01-01T00:00:00+00:00"
    accounts.revoke(note.id)
    assert accounts.person_of_token(second) is None
    assert not accounts.secured("ada")
    with pytest.raises(NotFoundError, match="no token 'nope'"):
        accounts.revoke("nope")
    with pytest.raises(UsageError, match="good for 0 days"):
        accounts.make_token("ada", days=0)


def test_a_session_ends_by_itself_by_signing_out_and_with_a_new_password(accounts: Accounts) -> None:
    clock = Clock()
    accounts.clock = clock
    one, two, three = (accounts.open_session("ada") for _ in range(3))
    assert accounts.person_of_session(one.secret) == "ada"
    assert accounts.person_of_session(one.secret, one.csrf) == "ada"
    assert accounts.person_of_session(one.secret, two.csrf) is None
    accounts.close_session(one.secret)
    assert accounts.person_of_session(one.secret) is None
    clock.now += timedelta(hours=12)
    assert accounts.person_of_session(two.secret) is None
    fresh = accounts.open_session("ada")
    accounts.set_password("ada", GOOD)
    assert accounts.person_of_session(fresh.secret) is None
    assert accounts.person_of_session(three.secret) is None


def test_nobody_shut_out_comes_in_again(accounts: Accounts) -> None:
    accounts.set_password("ada", GOOD)
    token, session = accounts.make_token("ada"), accounts.open_session("ada")
    assert accounts.shut_out("ada") == 1
    assert accounts.person_of_token(token) is None
    assert accounts.person_of_session(session.secret) is None
    assert not accounts.check_password("ada", GOOD)


def test_no_secret_stands_in_the_file(accounts: Accounts, tmp_path: Path) -> None:
    accounts.set_password("ada", GOOD)
    token, session = accounts.make_token("ada"), accounts.open_session("ada")
    held = b"".join(path.read_bytes() for path in (tmp_path / ".whytune").glob("store.db*"))
    assert b"ada" in held
    assert not [secret for secret in (GOOD, token, token[3:], session.secret, session.csrf) if secret.encode() in held]
