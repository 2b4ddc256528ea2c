"""Order of answers and repeated questions: even, fixed by the seed, turned round the second time, resolved on the way in."""

from __future__ import annotations

from collections import Counter

import pytest

from whytune.records.review import Opinion, Turn
from whytune.review import blind


def test_the_order_is_even_fixed_and_independent_of_the_other_person() -> None:
    orders = {(who, item): blind.order("secret", f"item {item}", who) for who in ("ann", "bo") for item in range(500)}
    assert orders == {(who, item): blind.order("secret", f"item {item}", who) for who, item in orders}
    for who in ("ann", "bo"):
        assert 200 < Counter(order for (name, _), order in orders.items() if name == who)[(0, 1)] < 300
    assert 200 < sum(orders["ann", item] == orders["bo", item] for item in range(500)) < 300
    assert blind.order("secret", "x", "ann", "again") == blind.order("secret", "x", "ann")[::-1]
    assert [blind.order("other secret", f"item {item}", "ann") for item in range(30)] != [orders["ann", item] for item in range(30)]


@pytest.mark.parametrize(("verdict", "shown", "said"), [("a", (0, 1), "first"), ("b", (0, 1), "second"), ("a", (1, 0), "second"), ("b", (1, 0), "first"), ("tie", (1, 0), "tie"), ("good", (), "good")])
def test_sides_become_candidates(verdict: str, shown: tuple[int, ...], said: str) -> None:
    assert blind.resolve(verdict, shown) == said
    if said in ("first", "second"):
        opinion = Opinion(queue="q", item="i", person="p", client="c", verdict=said, shown=shown)
        assert blind.stood_first(opinion) == (verdict == "a")


def test_repeats_come_late_once_each_and_as_often_as_wanted() -> None:
    judged: list[tuple[str, Turn]] = []
    for number in range(200):
        again = blind.due_again(17, "ann", judged, 0.1)
        if again:
            place = judged.index((again, "first"))
            assert len(judged) - place > blind.GAP
            assert (again, "again") not in judged
            judged.append((again, "again"))
        judged.append((f"item {number}", "first"))
    assert sum(turn == "again" for _, turn in judged) in (19, 20)
    assert blind.due_again(17, "ann", judged, 0.0) == ""
