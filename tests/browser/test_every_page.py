"""Every page there is, met by following links, as each role sees it: no dead link, no finding of axe in both themes, nothing
wider than 320 px, silent, offline. Then what has the focus, and paper.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser import looking
from tests.browser.house import HOSTILE, PASSWORD, ROLES
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
def walks(web: str) -> list[Walk]:
    """The site as `owner` finds it, and what only others are led to."""
    return [Walk(web, "owner"), Walk(web, "creator", "/projects", "/projects"), Walk(web, "admin", "/system", "/system")]


def test_no_link_leads_nowhere(walks: list[Walk]) -> None:
    assert [line for one in walks for line in one.dead] == []
    assert {one.path for one in PAGES} - {path for one in walks for path in one.met} - set(NOT_LINKED) == set()


def test_every_page_as_each_role_sees_it(walks: list[Walk], signed_in: Callable[..., Any]) -> None:
    chosen = [url for one in walks for url in one.chosen() if not url.endswith(DOWNLOADS)]
    seen: set[tuple[str, str]] = set()
    known: dict[str, set[str]] = {}
    looks: dict[str, int] = {}
    bad: list[str] = []
    for name in dict.fromkeys(("owner", *ROLES, "admin")):
        page = signed_in(name, theme="light")
        for url in dict.fromkeys((*chosen, *MORE)):
            told = page.context.request.get(url, headers={"accept": "text/html"}).text()
            if (look := (url, looking.likeness(told))) in seen:
                continue
            seen.add(look)
            looks[name] = looks.get(name, 0) + 1
            page.goto(url)
            first = url not in known  # of a page that was looked at before, axe looks at what is new in it
            new = looking.news(page, known.setdefault(url, set()))
            bad += [f"{name}: {url}: {line}" for line in looking.everything(page, "body" if first else new or "main > h1")]
        bad += [f"{name}: {line}" for line in page.context.noise.told if "the server responded with a status of 40" not in line]
        page.context.close()
    assert bad == [], "\n".join(bad)
    # What a role may do shows on some page of theirs; that it is not the whole site again is what makes this test short.
    assert looks.keys() >= {*ROLES, "admin"}
    assert sum(looks.values()) < 5 * looks["owner"]


def test_somebody_who_holds_no_role(signed_in: Callable[..., Any], visitor: Callable[..., Any], quiet: Callable[..., None]) -> None:
    admin, guest, bad = signed_in("admin"), visitor(), []
    own = {"headers": {"x-whytune-csrf": admin.csrf}}
    made = admin.context.request.post("/api/v1/people", data={"name": "guest", "roles": ["auditor"]}, **own)
    assert made.status == 201, made.text()
    invited = admin.context.request.post("/api/v1/people/guest/welcome", data={}, **own)
    assert invited.ok, invited.text()
    guest.goto(invited.json()["link"])
    bad += [f"welcome: {line}" for line in looking.everything(guest)]
    guest.get_by_label("Password", exact=True).fill(PASSWORD)
    guest.get_by_label("The same password again").fill(PASSWORD)
    guest.get_by_role("button", name="Set the password and sign in").click()
    expect(guest.get_by_role("link", name="guest")).to_be_visible()
    taken = admin.context.request.patch("/api/v1/people/guest", data={"remove": ["auditor"]}, **own)
    assert taken.ok, taken.text()
    guest.goto("/projects/support/decide")
    expect(guest.get_by_role("heading", level=1)).to_have_text("Sign in")
    bad += [f"signed out: {line}" for line in looking.everything(guest)]
    guest.get_by_label("Name").fill("guest")
    guest.get_by_label("Password").fill(PASSWORD)
    guest.get_by_role("button", name="Sign in").click()
    expect(guest.get_by_role("alert")).to_contain_text("What to do next")
    bad += [f"refused: {line}" for line in looking.everything(guest)]
    assert bad == [], "\n".join(bad)
    quiet(guest, "the server responded with a status of 40")


def test_pages_that_only_a_form_leads_to(signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    bad: list[str] = []

    def seen(page: Any, what: str) -> None:
        bad.extend(f"{what}: {line}" for line in looking.everything(page))

    success = signed_in("success")
    for project in ("support", "handbook"):
        success.goto("/review")
        success.get_by_role("article").filter(has_text=project).get_by_role("button", name="Begin").click()
        success.wait_for_selector("#card")
        success.get_by_text("Add a remark").click()
        seen(success, f"a card of {project}")
        success.get_by_role("button", name="Stop for now").click()
    quiet(success)

    owner = signed_in("owner")
    owner.goto("/projects/new")
    owner.get_by_label("Files").set_input_files({"name": "mine.csv", "mimeType": "text/csv", "buffer": ("question,answer\n" + "".join(f'"what {n} {HOSTILE[n % 6][:9]}",yes\n' for n in range(60))).replace('""', "'").encode()})
    owner.get_by_role("button", name="Upload and look").click()
    owner.wait_for_url("**/drafts/**")
    seen(owner, "a draft")
    quiet(owner)

    operator = signed_in("operator")
    operator.goto("/consumers")
    operator.get_by_label("Who will ask").fill("a b")
    operator.get_by_role("button", name="Make the key").click()
    expect(operator.get_by_role("heading", name="What you sent")).to_be_visible()
    seen(operator, "what was refused")
    operator.get_by_label("consumer").fill("shop")
    operator.get_by_role("button", name="Send again").click()
    expect(operator.get_by_label("Secret of the key")).to_be_visible()
    seen(operator, "a secret")
    quiet(operator, "the server responded with a status of 400")
    assert bad == [], "\n".join(bad)


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
