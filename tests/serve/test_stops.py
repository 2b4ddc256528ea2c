"""Cut in pieces or whole, an answer ends at the same place."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from whytune.serve.stops import Stopper, cut

TEXT = st.text("abEN D", max_size=30)
STOPS = st.lists(st.text("abEN D", min_size=1, max_size=4), max_size=3)


@example(text="DDbb", stops=["b", "Dbb"], cuts=[3])
@example(text="DDbb", stops=["b", "Db"], cuts=[2])
@given(text=TEXT, stops=STOPS, cuts=st.lists(st.integers(0, 30), max_size=8))
def test_pieces_give_what_the_whole_gives(text: str, stops: list[str], cuts: list[int]) -> None:
    stopper = Stopper(stops)
    places = sorted({0, len(text), *(min(at, len(text)) for at in cuts)})
    handed = ""
    for start, end in pairwise(places):
        handed += stopper.feed(text[start:end])
        assert cut(text, stops).startswith(handed)
        if stopper.found:
            break
    if not stopper.found:
        handed += stopper.rest(text)
    assert handed == stopper.said == cut(text, stops)
    assert stopper.found == (cut(text, stops) != text)
