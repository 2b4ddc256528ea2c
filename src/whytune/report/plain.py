"""Makes hostile text harmless to look at: what a model or a file said, before it is put on a page, a terminal or in Markdown.

It strips terminal sequences, control characters, direction overrides and invisible characters, and clips. It does not
escape for HTML (the template does) nor for Markdown (`markdown.escaped` does).
Example: `plain("\\x1b[31mred\\u202e", 80)` is `red`.
"""

from __future__ import annotations

import re
import unicodedata

TERMINAL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor moves
    r"|\x1b[\]PX^_].*?(?:\x1b\\|\x07|\x9c|$)"  # titles, hyperlinks and other strings, up to their end
    r"|\x1b[ -/]*[0-~]"
    r"|\x9b[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
JOINERS = "\u200c\u200d"
"""Invisible but needed: Persian, Hindi and composed emoji are written with them."""
MARKS = 3
"""Marks kept on one letter; stacks of them climb over the lines above."""


def plain(text: str, limit: int = 0) -> str:
    """One line of visible text. limit: characters kept, with an ellipsis in place of the rest; 0 keeps all."""
    kept: list[str] = []
    marks = 0
    for character in TERMINAL.sub("", text):
        kind = unicodedata.category(character)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if marks > MARKS or (kind[0] == "C" and character not in JOINERS and not character.isspace()):
            continue
        kept.append(" " if character.isspace() or kind[0] == "Z" else character)
    line = " ".join("".join(kept).split())
    if limit and len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
    return line
