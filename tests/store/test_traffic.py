"""Keys, use and feedback are kept as they were given; what is erased is nowhere on the disk."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from whytune.errors import NotFoundError
from whytune.records.content import Message
from whytune.records.served import ConsumerKey, Dialogue, Feedback, Response
from whytune.store.database import BUSY_SECONDS, FILE
from whytune.store.store import Store
from whytune.store.traffic import Traffic

KEY = ConsumerKey(key="k1", consumer="shop")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / ".whytune", create=True) as made:
        yield made


def response(id: str, **fields: object) -> Response:
    usual = {
        "id": id, "release": "release:1", "project": "p", "alias": "champion", "consumer": "shop", "key": "k1", "conversation": "c1",
        "when": "2026-03-01T10:00:00", "tokens_in": 10, "tokens_out": 5,
    }  # fmt: skip
    return Response.model_validate({**usual, **fields})


def feedback(id: str, **fields: object) -> Feedback:
    usual = {"id": id, "response": "r1", "consumer": "shop", "conversation": "c1", "when": "2026-03-01", "rating": "down", "consent": True}
    return Feedback.model_validate({**usual, **fields})


def exchange(asked: str, answer: str = "fine") -> Dialogue:
    return Dialogue(asked=(Message.of("user", asked),), answer=answer)


def on_disk(folder: Path, text: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_a_key_is_found_by_its_secret_alone_and_the_secret_is_nowhere(store: Store) -> None:
    store.traffic.add_key(KEY, "wt-k1-hush")
    assert store.traffic.key_of("wt-k1-hush") == KEY
    assert store.traffic.key_of("wt-k1-hus") is None
    assert store.traffic.key_of("k1") is None
    assert on_disk(store.folder, "wt-k1-hush") == []
    with pytest.raises(NotFoundError):
        store.traffic.change_key(KEY.model_copy(update={"key": "k2"}))


def test_use_adds_up_by_key_and_day(store: Store) -> None:
    traffic = store.traffic
    traffic.record([(response("r1"), None), (response("r2"), None), (response("r3", when="2026-03-02T00:00:00"), None)])
    traffic.record([(response("r4", key="k2"), None), (response("r5"), None)])
    assert traffic.spent("k1", "2026-03-01") == 45
    assert traffic.spent("k1", "2026-03-03") == 0
    assert traffic.usage("2026-03-01") == [("k1", "2026-03-01", 3, 45), ("k2", "2026-03-01", 1, 15), ("k1", "2026-03-02", 1, 15)]


def test_at_once_means_now_or_not_at_all(store: Store) -> None:
    traffic = store.traffic
    assert traffic.record_at_once([(response("r1"), None)])
    with sqlite3.connect(store.folder / FILE, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        assert not traffic.record_at_once([(response("r2"), None)])
        assert time.monotonic() - begun < BUSY_SECONDS / 4
        other.execute("ROLLBACK")
    assert traffic.response("r1")
    assert not traffic.response("r2")
    assert traffic.record_at_once([(response("r2"), None)])
    assert traffic.spent("k1", "2026-03-01") == 30


def test_what_is_written_at_once_leaves_folding_the_log_to_what_may_wait(store: Store) -> None:
    log = store.folder / f"{FILE}-wal"
    answers = [(response(f"r{number}"), exchange("x" * 4000)) for number in range(700)]
    for answer in answers[:-1]:
        assert store.traffic.record_at_once([answer])
    assert log.stat().st_size > 2000 * 4096  # much more than what is usually folded
    store.traffic.record(answers[-1:])
    grown = log.stat().st_size
    for number in range(20):
        assert store.traffic.record_at_once([(response(f"s{number}"), None)])
    assert log.stat().st_size == grown  # its beginning is written over now


def test_content_is_kept_only_where_it_was_given(store: Store) -> None:
    store.traffic.record([(response("r1"), None), (response("r2"), exchange("Where is it?"))])
    assert store.traffic.exchange("r1") is None
    assert store.traffic.exchange("r2") == exchange("Where is it?")
    first, second = store.traffic.response("r1"), store.traffic.response("r2")
    assert first is not None
    assert second is not None
    assert (first.kept, second.kept) == (False, True)


def test_feedback_given_twice_is_there_once(store: Store) -> None:
    assert store.traffic.add_feedback(feedback("f1"))
    assert not store.traffic.add_feedback(feedback("f1", comment="again"))
    assert [item.comment for item in store.traffic.inbox()] == [""]
    store.traffic.settle([feedback("f1", state="useful", by="ada")])
    assert [item.by for item in store.traffic.inbox("useful")] == ["ada"]
    assert store.traffic.inbox("new") == []


def full(traffic: Traffic) -> None:
    kept = [(response("r1"), exchange("I am Ada Løvelace")), (response("r2", conversation="c2", release="release:2"), exchange("no name"))]
    traffic.record([*kept, (response("r3", conversation="c3", release="release:3"), None)])
    traffic.add_feedback(feedback("f1", comment="too long an answer"))
    traffic.add_feedback(feedback("f2", response="r3", conversation="c3", correction="say: ADA LØVELACE"))
    traffic.add_feedback(feedback("f3", response="r2", conversation="c2", comment="good"))


def test_erasing_a_name_leaves_no_byte_of_it_and_touches_nothing_else(store: Store) -> None:
    full(store.traffic)
    before = store.traffic.find("ada løvelace")
    found = store.traffic.erase("ada løvelace")
    assert found == before
    assert (found.responses, found.feedback, found.releases) == (("r1",), ("f1", "f2"), ("release:1", "release:3"))
    assert on_disk(store.folder, "Løvelace") == on_disk(store.folder, "LØVELACE") == on_disk(store.folder, "too long an answer") == []
    assert store.traffic.exchange("r2") == exchange("no name")
    assert store.traffic.feedback("f3").comment == "good"
    assert store.traffic.feedback("f2").erased
    assert store.traffic.spent("k1", "2026-03-01") == 45, "counts stay"
    assert store.traffic.find("ada løvelace").responses == ()


@pytest.mark.parametrize("subject", ["c2", "r2", "f3"])
def test_erasing_by_id_reaches_the_texts(store: Store, subject: str) -> None:
    full(store.traffic)
    store.traffic.erase(subject)
    assert store.traffic.feedback("f3").comment == ""
    assert (store.traffic.exchange("r2") is None) == (subject != "f3")
    assert store.traffic.exchange("r1") is not None
