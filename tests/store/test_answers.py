"""The answer cache: the first answer stays, missing ones are left out."""

from __future__ import annotations

from whytune.records.evidence import Answer
from whytune.store import answers
from whytune.store.store import Store


def answer(item: str, text: str = "yes", candidate: str = "c") -> Answer:
    return Answer(
        candidate=candidate,
        item=item,
        text=text,
        tokens_in=3,
        tokens_computed=2,
        tokens_out=1,
        seconds=0.5,
        passages=("p",),
    )


def test_answers_come_back_by_item_in_the_order_asked(store: Store) -> None:
    many = [answer(f"i{n}") for n in range(2 * answers.CHUNK + 7)]
    store.put_answers(many)
    items = [each.item for each in reversed(many)]
    found = store.answers("c", ["none", *items])
    assert list(found) == items
    assert list(found.values()) == many[::-1]


def test_the_first_answer_stays(store: Store) -> None:
    store.put_answers([answer("i", "first"), answer("i", "twice")])
    store.put_answers([answer("i", "second"), answer("j")])
    assert store.answers("c", ["i", "j"]) == {"i": answer("i", "first"), "j": answer("j")}


def test_candidates_do_not_share_answers(store: Store) -> None:
    store.put_answers([answer("i", "a", "c"), answer("i", "b", "d")])
    assert store.answers("d", ["i"]) == {"i": answer("i", "b", "d")}
    assert store.answers("e", ["i"]) == {}
    assert store.answers("c", []) == {}


def test_nothing_is_nothing(store: Store) -> None:
    store.put_answers([])
    assert store.answers("c", ["i"]) == {}
