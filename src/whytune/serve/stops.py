"""Stop texts: an answer ends before the one that is complete first, also where it comes in pieces.

Example: `Stopper(("END",))` fed "so E" hands out "so " and keeps "E" back until it is known how it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence


def cut(text: str, stops: Sequence[str]) -> str:
    """The text before the stop text that is complete first; of those that end together, before the longest."""
    # Not the one that begins first: whoever reads along cannot know yet that a longer one would have been complete later.
    found = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(found)[1]] if found else text


class Stopper:
    """Hands out what is certain to stand before every stop text."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._came = ""
        self.said = ""
        """What was handed out."""
        self.found = False

    def feed(self, piece: str) -> str:
        """Some more came; gives what may be handed out now."""
        self._came += piece
        whole = cut(self._came, self._stops)
        self.found = len(whole) < len(self._came)
        return self._hand_out(whole if self.found else self._came[: len(self._came) - self._open()])

    def rest(self, whole: str) -> str:
        """The answer is at its end and this is all of it; gives what was not handed out."""
        text = cut(whole, self._stops)
        self.found = len(text) < len(whole)
        return self._hand_out(text)

    def _hand_out(self, until: str) -> str:
        new, self.said = until[len(self.said) :], until if len(until) > len(self.said) else self.said
        return new

    def _open(self) -> int:
        """Characters at the end that may be the beginning of a stop text."""
        sizes = (size for stop in self._stops for size in range(1, len(stop)) if self._came.endswith(stop[:size]))
        return max(sizes, default=0)
