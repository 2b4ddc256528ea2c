"""The Markdown twin says the same, and nothing in it acts."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from tests.sample_decision import typical

from whytune.records.decision import Shown
from whytune.report.markdown import code, escaped, markdown
from whytune.report.view import view


def test_it_says_what_the_page_says() -> None:
    decision = typical()
    text, page = markdown(decision).replace("\\", ""), view(decision)
    assert page.headline in text
    assert page.sentence in text
    for arm in page.arms:
        assert (
            f"| {arm.title}{' (chosen)' if arm.wins else ''} | {arm.right} | {arm.share} | {arm.interval} |"
            in text
        )
    for line in (*page.limits, *page.changes):
        assert line in text


def test_tables_keep_their_columns_under_attack() -> None:
    shown = Shown(
        item="example:1",
        input="| a | b |\n# heading\n![x](http://evil/p.png) <img src=x onerror=alert(1)>",
        target="[click](javascript:alert(1)) `code` **bold** http://evil.example www.evil.example a@b.example",
        answers=(("prompt", "- list\n1. one\n> quote\n---\n```\nfence", 0.0),),
        why="x",
    )
    decision = typical().model_copy(
        update={"examples": (shown,), "title": "a | b\n# c", "price_source": "<b>|</b>"}
    )
    text = markdown(decision)
    assert not re.search(r"(?<!\\)<|(?<!\\)!(?<!\\)\[|(?<!\\)\]\(|https?:|www\.(?<!\\)evil", text)
    for block in text.split("\n\n"):
        lines = block.split("\n")
        if lines[0].startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


def test_code_spans_cannot_be_left() -> None:
    assert code("a `b` ``c``") == "``` a `b` ``c`` ```"
    assert code("a\nb") == "`a b`"


@given(st.text())
def test_escaped_text_holds_no_acting_character(text: str) -> None:
    found = escaped(text)
    bare = re.sub(r"\\.", "", found)
    assert not set(bare) & set("`*_{}[]<>#|!~$&^=\\@")
    assert "\n" not in found
    assert not re.match(r"\s*([-+]|\d+[.)])(\s|$)", found)
