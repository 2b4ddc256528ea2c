"""Every page there is, met by following links: no dead link, no finding of axe in both themes, at 320 px, silent, offline; keyboard and print."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from tests.browser import looking
from tests.browser.walking import PAGES, Walk

pytestmark = pytest.mark.deep
NOT_LINKED = {
    "/search": "reached by its form", "/drafts/{draft}": "after an upload", "/consumers/secret/{key}": "after a key was made", "/projects/{name}/runs/compare": "by its form, with two adapters",
    "/review/{id}/disputes": "once two people differ", "/tasks": "the same as /",
}  # fmt: skip
"""Pages that no link leads to in the full workspace, and why."""
MORE = ("/search?q=support", "/projects?q=nothing-is-called-so", "/projects/none", "/help/reference/http-api", "/projects/fresh/map", "/projects/flawed/map", "/projects/flawed/data")
"""Seen beside what the links lead to: nothing found, nothing there, nothing begun, a failed gate."""
DOWNLOADS = ("report.md", "report.json", "report.html", ".json", ".md", "preferences")
BY_KEYBOARD = ("/", "/projects", "/projects/support/map", "/projects/support/decide", "/projects/support/compare", "/projects/support/runs/candidates", "/projects/support/data", "/projects/support/review", "/team", "/help")
PRINTED = ("/projects/support/decide", "/projects/support/map", "/projects/support/compare", "/projects/support/runs/candidates", "/portfolio")


@pytest.fixture(scope="module")
def walk(web: str) -> Walk:
    """The site as `owner` finds it."""
    return Walk(web, "owner")


def test_no_link_leads_nowhere(walk: Walk, web: str) -> None:
    walks = [walk, Walk(web, "creator", "/projects", "/projects"), Walk(web, "admin", "/system", "/system")]
    assert [line for one in walks for line in one.dead] == []
    assert {one.path for one in PAGES} - {path for one in walks for path in one.met} - set(NOT_LINKED) == set()


def test_every_page_in_both_themes_and_narrow(walk: Walk, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page, bad = signed_in("owner", theme="light"), []
    for url in (*(url for url in walk.chosen() if not url.endswith(DOWNLOADS)), *MORE):
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        page.goto(url)
        found = looking.axe(page) + looking.charts(page)
        found += [] if page.get_by_role("heading", level=1).count() == 1 else ["it has not exactly one h1"]
        page.emulate_media(color_scheme="dark")
        found += [f"dark: {line}" for line in looking.axe(page, looking.CONTRAST) + looking.charts(page)]
        page.set_viewport_size({"width": 320, "height": 800})
        found += [f"320 px: wider than the window: {line}" for line in looking.sideways(page)]
        bad += [f"{url}: {line}" for line in found]
    assert bad == [], "\n".join(bad)
    quiet(page, "the server responded with a status of 404")


def test_whatever_has_the_focus_is_seen(signed_in: Callable[..., Any]) -> None:
    page, bad = signed_in("owner"), []
    for url in BY_KEYBOARD:
        page.goto(url)
        bad += [f"{url}: {line}" for line in looking.focus(page)]
    page.set_viewport_size({"width": 320, "height": 600})
    page.goto("/projects/support/decide")
    bad += [f"narrow: {line}" for line in looking.focus(page)]
    assert bad == [], "\n".join(bad)


def test_on_paper(signed_in: Callable[..., Any]) -> None:
    import pypdfium2

    page = signed_in("owner", theme="dark")
    for url in PRINTED:
        page.goto(url)
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)", "paper is white"
        assert page.locator("header.bar").is_hidden()
        title = page.get_by_role("heading", level=1).inner_text()
        sheets = pypdfium2.PdfDocument(io.BytesIO(page.pdf(format="A4", print_background=False)))
        words = sheets[0].get_textpage().get_text_range()
        assert title.split()[0] in words
        sheets.close()
        assert looking.axe(page, looking.CONTRAST) == []
        page.emulate_media(media="screen")
