"""The review queue: leases, places, undo, opinions that are only added; many at once, a kill in the middle, tampering."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from tests.store.conftest import ANNA
from tests.store.test_records import tamper

from whytune.errors import NotFoundError, RefusedError, TamperedError, UsageError
from whytune.records.review import Opinion, ReviewItem
from whytune.store.queue import LEASE, Claim, Queues
from whytune.store.store import Store

ROOT = Path(__file__).parent.parent.parent
Q = "queue:test"


def items(count: int, opinions: int = 1) -> list[ReviewItem]:
    return [ReviewItem(key=f"i{n:03}", example=f"example:{n}", opinions=opinions, priority=n) for n in range(count)]


def said(claim: Claim, verdict: str = "good", client: str = "", **more: object) -> Opinion:
    name = client or f"{claim.person}-{claim.item}-{claim.turn}"
    return Opinion.model_validate({"queue": claim.queue, "item": claim.item, "person": claim.person, "client": name, "turn": claim.turn, "verdict": verdict, **more})


def take(queues: Queues, person: str) -> Claim:
    claim = queues.claim(Q, person)
    assert claim
    return claim


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queues(store: Store, clock: Clock) -> Queues:
    store.queues._clock = clock
    return store.queues


def test_items_come_in_order_and_each_person_gets_an_item_once(queues: Queues) -> None:
    queues.fill(Q, items(3, opinions=2))
    for person in ("ann", "bo"):
        got = []
        while claim := queues.claim(Q, person):
            got.append(claim.item)
            queues.submit(claim.token, said(claim))
        assert got == ["i000", "i001", "i002"]
    assert queues.claim(Q, "cy") is None
    standing = queues.standing(Q)
    assert (standing.done, standing.given, standing.open, standing.enough) == (3, 6, 0, True)


def test_a_person_holds_one_item_until_it_is_answered(queues: Queues, clock: Clock) -> None:
    queues.fill(Q, items(2))
    first = take(queues, "ann")
    clock.now += 60
    renewed = take(queues, "ann")
    assert (renewed.token, renewed.item) == (first.token, first.item)
    assert renewed.until == clock.now + LEASE


def test_an_expired_lease_comes_back_and_a_late_answer_counts_only_where_there_is_room(queues: Queues, clock: Clock) -> None:
    queues.fill(Q, items(1))
    late = take(queues, "ann")
    assert queues.claim(Q, "bo") is None
    clock.now += LEASE + 1
    other = take(queues, "bo")
    assert other.item == late.item
    queues.submit(other.token, said(other))
    with pytest.raises(RefusedError, match="ran out"):
        queues.submit(late.token, said(late))
    queues.fill("queue:second", items(1))
    again = queues.claim("queue:second", "ann")
    assert again
    clock.now += LEASE + 1
    assert queues.submit(again.token, said(again)).verdict == "good"
    assert queues.standing("queue:second").given == 1


def test_the_same_client_id_is_one_opinion(queues: Queues) -> None:
    queues.fill(Q, items(2))
    claim = take(queues, "ann")
    first = queues.submit(claim.token, said(claim, "good", "c1"))
    assert queues.submit(claim.token, said(claim, "bad", "c1")) == first
    assert queues.standing(Q).given == 1
    other = take(queues, "ann")
    with pytest.raises(UsageError, match="another opinion"):
        queues.submit(other.token, said(other, "good", "c1"))
    with pytest.raises(RefusedError, match="already answered"):
        queues.submit(claim.token, said(claim, "bad", "c2"))
    with pytest.raises(NotFoundError):
        queues.submit(other.token, said(other, client="c3").model_copy(update={"person": "bo"}))


def test_undo_adds_an_opinion_and_gives_the_item_back(queues: Queues) -> None:
    queues.fill(Q, items(2), stop=5)
    claim = take(queues, "ann")
    queues.submit(claim.token, said(claim, "first", "c1"), counts=True)
    ahead = take(queues, "ann")
    taken = queues.undo(Q, "ann", "u1")
    assert taken
    assert (taken.replaces, taken.verdict) == ("c1", "")
    assert queues.undo(Q, "ann", "u1") == taken
    assert (queues.standing(Q).given, queues.standing(Q).counted) == (0, 0)
    back = take(queues, "ann")
    assert (back.item, back.token) == (claim.item, claim.token)
    queues.submit(back.token, said(back, "second", "c2"), counts=True)
    assert [(o.client, o.verdict) for o in queues.opinions(Q)] == [("c1", "first"), ("u1", ""), ("c2", "second")]
    assert take(queues, "ann").item == ahead.item
    assert queues.undo(Q, "bo", "u2") is None


def test_a_difference_asks_one_more_person_up_to_the_most(queues: Queues) -> None:
    queues.fill(Q, items(1, opinions=2), most=3)
    for person, verdict in (("ann", "good"), ("bo", "bad"), ("cy", "bad")):
        claim = take(queues, person)
        queues.submit(claim.token, said(claim, verdict))
    assert queues.claim(Q, "di") is None
    assert queues.standing(Q).done == 1
    queues.fill("queue:agreed", items(1, opinions=2), most=3)
    for person in ("ann", "bo"):
        held = queues.claim("queue:agreed", person)
        assert held
        queues.submit(held.token, said(held, client=f"agreed-{person}"))
    assert queues.claim("queue:agreed", "cy") is None


def test_passing_over_asks_others_and_ends_when_all_have_passed(queues: Queues) -> None:
    queues.fill(Q, items(1), most=2)
    for person in ("ann", "bo"):
        queues.release(take(queues, person).token, person, passed=True)
        assert queues.claim(Q, person) is None
    assert queues.claim(Q, "cy") is None
    assert queues.standing(Q).enough
    assert queues.passed(Q) == {"i000": 2}
    queues.fill("queue:given back", items(1))
    held = queues.claim("queue:given back", "ann")
    assert held
    queues.release(held.token, "ann")
    assert queues.claim("queue:given back", "ann") == held


def test_at_the_planned_number_of_votes_nothing_new_is_begun_but_what_is_begun_gets_its_second_opinion(queues: Queues) -> None:
    queues.fill(Q, [item.model_copy(update={"opinions": 2 if n == 1 else 1}) for n, item in enumerate(items(10))], stop=2)
    for verdict in ("first", "tie", "second"):
        claim = take(queues, "ann")
        queues.submit(claim.token, said(claim, verdict), counts=verdict != "tie")
    assert queues.claim(Q, "ann") is None
    assert not queues.standing(Q).enough
    second = take(queues, "bo")
    assert second.item == "i001"
    assert queues.claim(Q, "cy") is None
    queues.submit(second.token, said(second, "first"), counts=True)
    assert queues.claim(Q, "bo") is None
    assert queues.standing(Q).enough


def test_nothing_is_taken_after_the_round_is_frozen(queues: Queues) -> None:
    queues.fill(Q, items(2))
    claim = take(queues, "ann")
    queues.freeze(Q)
    assert queues.claim(Q, "bo") is None
    with pytest.raises(RefusedError, match="closed"):
        queues.submit(claim.token, said(claim))
    with pytest.raises(RefusedError, match="closed"):
        queues.undo(Q, "ann", "u1")
    with pytest.raises(NotFoundError):
        queues.claim("queue:none", "ann")


def test_an_item_is_settled_once_and_shown_again_without_taking_a_place(queues: Queues, clock: Clock) -> None:
    queues.fill(Q, items(1))
    claim = take(queues, "ann")
    queues.submit(claim.token, said(claim))
    again = queues.claim(Q, "ann", again="i000")
    assert again
    assert again.turn == "again"
    queues.submit(again.token, said(again, "bad"))
    assert queues.claim(Q, "ann", again="i000") is None
    held = queues.claim_to_settle(Q, "i000", "bo")
    assert held
    assert queues.claim_to_settle(Q, "i000", "cy") is None
    clock.now += LEASE + 1
    taken_over = queues.claim_to_settle(Q, "i000", "cy")
    assert taken_over
    queues.submit(taken_over.token, said(taken_over, "bad"))
    assert queues.claim_to_settle(Q, "i000", "di") is None
    assert queues.standing(Q).given == 1
    assert queues.judged(Q, "ann") == [("i000", "first"), ("i000", "again")]


def test_opinions_are_never_changed_and_a_change_behind_our_back_is_seen(queues: Queues, folder: Path) -> None:
    queues.fill(Q, items(3))
    for _ in range(3):
        claim = take(queues, "ann")
        queues.submit(claim.token, said(claim, note="a remark", edits=[("target", "x")]))
    raw = sqlite3.connect(folder / "store.db")
    for statement in ("UPDATE opinions SET verdict = 'bad'", "UPDATE opinions SET said = '{}'", "DELETE FROM opinions"):
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            raw.execute(statement)
        raw.rollback()
    raw.close()
    assert queues.blank([(Q, "i001")]) == 1
    assert [o.note for o in queues.opinions(Q)] == ["a remark", "", "a remark"]
    tamper(folder, "UPDATE opinions SET verdict = 'bad' WHERE item = 'i002'")
    with pytest.raises(TamperedError, match="Opinion 3"):
        queues.opinions(Q)


def test_a_deleted_opinion_is_seen(queues: Queues, folder: Path) -> None:
    queues.fill(Q, items(3))
    for _ in range(3):
        claim = take(queues, "ann")
        queues.submit(claim.token, said(claim))
    tamper(folder, "DELETE FROM opinions WHERE item = 'i001'")
    with pytest.raises(TamperedError):
        queues.opinions(Q)


def test_fifty_people_take_turns_and_nobody_is_asked_too_often(queues: Queues) -> None:
    queues.fill(Q, items(80, opinions=2))
    failures: list[BaseException] = []

    def review(person: str) -> None:
        try:
            while claim := queues.claim(Q, person):
                queues.submit(claim.token, said(claim))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=review, args=(f"p{n:02}",)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    opinions = queues.opinions(Q)
    assert Counter(o.item for o in opinions) == {f"i{n:03}": 2 for n in range(80)}
    assert len({(o.item, o.person) for o in opinions}) == 160


REVIEWER = """
import sys
from pathlib import Path
from whytune.records.review import Opinion
from whytune.store.store import Store
folder, person = Path(sys.argv[1]), sys.argv[2]
with Store.open(folder) as store:
    print("ready", flush=True)
    while claim := store.queues.claim("queue:test", person):
        opinion = Opinion(queue=claim.queue, item=claim.item, person=person, client=f"{person}-{claim.item}", verdict="good")
        store.queues.submit(claim.token, opinion)
        print(opinion.client, flush=True)
"""


def reviewer(folder: Path, person: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", REVIEWER, str(folder), person], stdout=subprocess.PIPE, text=True, env=env)


def test_a_kill_in_mid_review_loses_nothing_acknowledged(store: Store, folder: Path) -> None:
    store.queues.fill(Q, items(200))
    with reviewer(folder, "ann") as killed:
        assert killed.stdout
        assert killed.stdout.readline() == "ready\n"
        acknowledged = [killed.stdout.readline().strip() for _ in range(12)]
        killed.send_signal(signal.SIGKILL)
        acknowledged += killed.stdout.read().split()
    kept = [opinion.client for opinion in store.queues.opinions(Q)]
    assert set(acknowledged) <= set(kept)
    assert len(kept) - len(acknowledged) <= 1
    assert len(kept) < 200
    # What the killed one held is theirs when they come back; nobody else gets it before the lease is over.
    held = store.queues.standing(Q).held
    others = [take(store.queues, person).item for person in ("bo", "cy")]
    back = take(store.queues, "ann")
    assert back.item not in others
    assert f"ann-{back.item}" not in kept
    assert held <= 1
    assert store.append_event("queue.closed", "desk", ANNA).number == 1


def test_a_store_made_before_there_were_queues_gains_them(folder: Path) -> None:
    with Store.open(folder, create=True):
        pass
    raw = sqlite3.connect(folder / "store.db")
    for table in ("review_queues", "review_items", "review_claims", "opinions"):
        raw.execute(f"DROP TABLE {table}")
    raw.commit()
    raw.close()
    with Store.open(folder) as store:
        store.queues.fill(Q, items(1))
        claim = take(store.queues, "ann")
        store.queues.submit(claim.token, said(claim))
    raw = sqlite3.connect(folder / "store.db")
    with pytest.raises(sqlite3.DatabaseError, match="append-only"):
        raw.execute("DELETE FROM opinions")
    raw.close()

