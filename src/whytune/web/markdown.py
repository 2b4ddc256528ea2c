"""Markdown of the documentation as HTML that can do nothing: no HTML of its own, no script, links only to where they may lead.

Headings get the anchors that other pages link to; tables and code scroll in a region of their own. Example:

    html("See [reviews](review.md#agreement).", "how-to/people")    # <a href="/help/how-to/review#agreement">
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from whytune.workspace.manual import anchor_of

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

HELP = "/help"
COMMENT = re.compile(r"(?m)^<!--.*?-->\n?")
BREAK = "<br>"


@lru_cache(maxsize=128)
def html(text: str, name: str) -> Markup:
    """The page `name` (as `how-to/review`), whose Markdown is `text`."""
    reader = _reader()
    tokens = reader.parse(COMMENT.sub("", text))
    heading = "this page"
    taken: dict[str, int] = {}
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = "".join(child.content for child in tokens[at + 1].children or ())
            token.attrSet("id", _free(anchor_of(heading), taken))
        elif token.type in ("table_open", "fence", "code_block"):
            token.meta["beneath"] = heading
        _lead(token.children or [], posixpath.dirname(name))
    # Every letter of it comes from the renderer below, which escapes text and passes no HTML on.
    return Markup(reader.renderer.render(tokens, reader.options, {}))


@lru_cache(maxsize=1)
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from markdown_it.common.utils import escapeHtml

    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.inline.ruler.before("html_inline", "line_break", _line_break)

    def code(_: Any, tokens: Sequence[Token], at: int, *__: Any) -> str:
        about = escapeHtml(f"Code under {tokens[at].meta['beneath']}")
        return f'<pre class="copy" tabindex="0" role="region" aria-label="{about}"><code>{escapeHtml(tokens[at].content)}</code></pre>\n'

    def table(_: Any, tokens: Sequence[Token], at: int, *__: Any) -> str:
        about = escapeHtml(f"Table under {tokens[at].meta['beneath']}")
        return f'<div class="scroll" tabindex="0" role="region" aria-label="{about}"><table>\n'

    def end(*_: Any) -> str:
        return "</table></div>\n"

    for name, rule in (("fence", code), ("code_block", code), ("table_open", table), ("table_close", end)):
        made.add_render_rule(name, rule)
    return made


def _line_break(state: Any, silent: bool) -> bool:
    """`<br>` in a cell of a table, the one thing that Markdown cannot say without HTML."""
    if not state.src.startswith(BREAK, state.pos):
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos += len(BREAK)
    return True


def _lead(children: list[Token], place: str) -> None:
    """Point links to pages under /help; a link to what is not among them becomes plain text."""
    kept: list[bool] = []
    for token in children:
        if token.type == "link_open":
            target = str(token.attrGet("href") or "")
            href = _address(target, place)
            kept.append(bool(href))
            if href:
                token.attrSet("href", href)
                if "://" in href:
                    token.attrSet("rel", "noreferrer noopener")
            else:
                _mute(token)
        elif token.type == "link_close" and not kept.pop():
            _mute(token)
        elif token.type == "image":
            token.attrSet("src", f"{HELP}/{posixpath.normpath(posixpath.join(place, str(token.attrGet('src') or '')))}")
            token.attrSet("loading", "lazy")


def _mute(token: Token) -> None:
    token.type, token.tag, token.nesting, token.content, token.attrs = "text", "", 0, "", {}


def _address(target: str, place: str) -> str:
    """Where a link of a page in the folder `place` leads; empty where it leads out of the documentation."""
    if target.startswith(("http://", "https://", "mailto:", "#")):
        return target
    path, _, anchor = target.partition("#")
    there = posixpath.normpath(posixpath.join(place, path))
    if there.startswith("..") or not there.endswith(".md"):
        return ""
    name = there.removesuffix(".md")
    return (HELP if name == "index" else f"{HELP}/{name}") + (f"#{anchor}" if anchor else "")


def _free(anchor: str, taken: dict[str, int]) -> str:
    number = taken[anchor] = taken.get(anchor, -1) + 1
    return f"{anchor}-{number}" if number else anchor
