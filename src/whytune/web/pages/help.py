"""The documentation, offline: the same pages that lie in `docs/`, with a search."""

from __future__ import annotations

from typing import Any

from starlette.responses import FileResponse, Response

from whytune.errors import UsageError
from whytune.web.frame import page
from whytune.web.handling import WebRequest
from whytune.workspace import manual

LONGEST = 200


def contents(ask: WebRequest) -> Any:
    """What the documentation holds; with `q`, the parts that hold these words."""
    words = ask.query.get("q", "").strip()
    if len(words) > LONGEST:
        raise UsageError(f"{len(words):,} letters are too many to look for", next=f"use at most {LONGEST}")
    pages = manual.pages()
    groups = [{"title": title, "pages": [{"name": one.name, "title": one.title} for one in pages if manual.kind_of(one.name) == kind]} for kind, title in manual.KINDS]
    return {"q": words, "found": manual.search(words), "groups": groups}


def shown(ask: WebRequest) -> Any:
    """One page as Markdown; or one of its pictures."""
    name = ask.path["page"]
    if name.endswith(".png"):
        return picture(name)
    found = manual.page(name)
    kind = next((title for kind, title in manual.KINDS if kind == manual.kind_of(name)), "")
    return {"page_title": found.title, "name": found.name, "title": found.title, "kind": kind, "text": found.text}


def picture(name: str) -> Response:
    """A picture of the documentation."""
    return FileResponse(manual.picture(name), media_type="image/png", headers={"cache-control": "no-cache"})


routes = [
    *page("/help", contents, "help.html.j2", title="Help", cli="whytune --help"),
    *page("/help/{page:path}", shown, "help_page.html.j2", title="Help", cli="whytune --help"),
]
