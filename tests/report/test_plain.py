"""Hostile text comes out harmless: nothing that moves a cursor, turns a line around or hides."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from whytune.report.plain import plain

HOSTILE = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("\x1b[]31m\x07\u202e\u2066\u200b\ufeff\x9b;\\"))
)


def test_known_attacks() -> None:
    assert plain("\x1b[31mred\x1b[0m") == "red"
    assert plain("\x1b]8;;http://evil\x07click\x1b]8;;\x07") == "click"
    assert plain("\x1b]0;title\x1b\\x") == "x"
    assert plain("abc\u202egnp.exe") == "abcgnp.exe"
    assert plain("a\u200bb\ufeffc\x00d\x85e") == "abcd e"
    assert plain("a\r\nb\tc\u2028d\u00a0e") == "a b c d e"
    assert plain("Z" + "\u0301" * 50) == "Z" + "\u0301" * 3
    assert plain("\ud800x") == "x"


def test_needed_joiners_and_other_scripts_stay() -> None:
    for text in ("می\u200cخواهم", "हिन्दी", "日本語", "👩\u200d🔧", "Größe"):
        assert plain(text) == text


def test_clipped() -> None:
    assert plain("x" * 100, 10) == "x" * 9 + "…"
    assert plain("x" * 10, 10) == "x" * 10


@given(HOSTILE, st.integers(1, 40))
def test_never_a_character_that_acts(text: str, limit: int) -> None:
    found = plain(text, limit)
    assert len(found) <= limit
    assert all(unicodedata.category(char)[0] != "C" or char in "\u200c\u200d" for char in found)
    assert found == plain(found, limit)
