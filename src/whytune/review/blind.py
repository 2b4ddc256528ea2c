"""Who sees which answer where, and when somebody is shown an item once more: decided and kept on the server.

The order is drawn anew for each item and person, so that no side belongs to a candidate; the second time it is turned
round. Example: `order("secret", "ab12", "ann", "first")` is `(1, 0)` or `(0, 1)`, always the same one.
"""

from __future__ import annotations

from collections.abc import Sequence

from whytune.records.record import digest
from whytune.records.review import Opinion, Turn
from whytune.review.forms import FIRST, LEFT, RIGHT, SECOND

GAP = 8
"""Items a person must have judged since, before one is shown again."""


def order(secret: str, item: str, person: str, turn: Turn = "first") -> tuple[int, int]:
    """Which of two answers stands first. secret: the store's for this round; from a seed that is known anybody could draw it anew."""
    swapped = _draw(secret, "order", item, person) < 0.5
    return (1, 0) if swapped != (turn == "again") else (0, 1)


def due_again(seed: int, person: str, judged: Sequence[tuple[str, Turn]], share: float) -> str:
    """The item this person is now shown again; empty where none is due."""
    done = [item for item, turn in judged if turn == "first"]
    seen = {item for item, turn in judged if turn == "again"}
    if share <= 0 or len(seen) >= round(share * len(done)):
        return ""
    old = [item for item in done[:-GAP] if item not in seen]
    return min(old, key=lambda item: _draw(seed, "again", item, person)) if old else ""


def resolve(verdict: str, shown: Sequence[int]) -> str:
    """What was said about the sides, said about the candidates."""
    if verdict in (LEFT, RIGHT) and len(shown) == 2:
        return (FIRST, SECOND)[shown[verdict == RIGHT]]
    return verdict


def stood_first(opinion: Opinion) -> bool | None:
    """Whether the preferred answer stood first; None where none was preferred."""
    if opinion.verdict not in (FIRST, SECOND) or len(opinion.shown) != 2:
        return None
    return opinion.shown[0] == (FIRST, SECOND).index(opinion.verdict)


def _draw(seed: int | str, what: str, item: str, person: str) -> float:
    return int(digest(f"{seed}\n{what}\n{item}\n{person}")[:12], 16) / 16**12
