"""The page as text: complete, self-contained, deterministic, escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sample_decision import evidence, imprint, typical, usecase

from whytune.acceptance.decision import decide
from whytune.records.decision import Decision, Shown
from whytune.report.html import html
from whytune.report.view import view

ALLOWED = {"html", "head", "meta", "title", "link", "style", "body", "header", "main", "footer", "section", "article", "figure",
           "figcaption", "h1", "h2", "p", "b", "strong", "small", "span", "div", "ul", "li", "dl", "dt", "dd", "code", "table", "caption",
           "thead", "tbody", "tr", "th", "td", "svg", "desc", "line", "text", "circle", "path"}  # fmt: skip

TYPICAL = typical()


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(decision: Decision) -> Reader:
    reader = Reader()
    reader.feed(html(decision))
    return reader


def hostile(text: str) -> Decision:
    shown = Shown(item=text, input=text, target=text, answers=(("prompt", text, 0.0),), why=text)
    changes = {"title": text, "purpose": text, "person": text, "base": text, "command": text, "price_source": text,
               "task": text, "when": text, "examples": (shown,), "limits": (text,), "hashes": {text: text}}  # fmt: skip
    return TYPICAL.model_copy(update=changes)


def test_everything_the_page_must_say() -> None:
    decision = typical()
    said = " ".join(" ".join(read(decision).words).replace("\u00a0", " ").split())
    page = view(decision)
    for words in (page.headline, page.sentence, page.command, page.stamp, *page.limits, *page.changes):
        assert words in said
    for arm in page.arms:
        for words in (arm.title, arm.right, arm.share, arm.interval, arm.per_1000, arm.seconds, arm.bar):
            assert words in said
    for line in page.pairs:
        assert f"{line.difference} ({line.interval})" in said
        assert line.won in said
    for name, digits in page.hashes:
        assert f"{name} {digits}" in said


def test_nothing_external_and_no_script() -> None:
    text = html(typical())
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text
    assert not re.search(r"<script|javascript:|@import|url\(|\ssrc=|\son\w+=", text)
    assert re.findall(r'href="([^"]*)"', text) == ["data:,"]
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}
    assert text == html(typical())


def test_landmarks_and_table_headers() -> None:
    tags = read(typical()).tags
    names = [tag for tag, _ in tags]
    assert (names.count("h1"), names.count("main"), names.count("header"), names.count("footer")) == (
        1,
        1,
        1,
        1,
    )
    assert dict(tags)["html"] == {"lang": "en"}
    assert names.count("caption") == names.count("table") == 3
    assert all(attrs.get("scope") in {"col", "row"} for tag, attrs in tags if tag == "th")
    ids = [attrs["id"] for _, attrs in tags if attrs.get("id")]
    assert len(ids) == len(set(ids))
    named = {word for _, attrs in tags for word in (attrs.get("aria-labelledby") or "").split()}
    assert named <= set(ids)


def test_sections_without_content_are_left_out_or_say_so() -> None:
    page = html(decide(evidence({}, usecase(), applicable=("prompt",)), imprint()))
    assert "Not measured." in page
    assert "What it costs" not in page
    assert "Cases on which they differ" not in page


def test_known_attacks() -> None:
    text = html(
        hostile("</title><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}\x1b[31m\u202e")
    )
    assert "<script" not in text
    assert "<img" not in text
    assert "{{ 7*7 }}" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("<>&\"'/=`{}%-!\x1b\x00"))))
def test_no_text_makes_a_tag_or_an_attribute(text: str) -> None:
    clean = [(tag, sorted(attrs)) for tag, attrs in read(hostile("x")).tags]
    dirty = [(tag, sorted(attrs)) for tag, attrs in read(hostile(text)).tags]
    assert {tag for tag, _ in dirty} <= ALLOWED
    if view(hostile(text)).purpose:
        assert dirty == clean
