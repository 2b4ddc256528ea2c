"""The first hour in the browser: the first start, a colleague's welcome link, a session that ends in the middle of a form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser.house import PASSWORD, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("begun")


@pytest.fixture(scope="module")
def web(begun: Path) -> Iterator[str]:
    """A server in an empty folder, in place of the full workspace."""
    with serving(begun, "web", "--first", "Olga Owner") as address:
        yield address


def test_from_an_empty_folder_to_two_people(begun: Path, web: str, visitor: Callable[..., Any], quiet: Callable[..., None]) -> None:
    from playwright.sync_api import expect

    (said,) = (path.read_text("utf-8") for path in begun.glob("web-*.log"))
    link = re.search(r"http://\S+/welcome\?token=\S+", said)
    assert link, said
    page = visitor(javascript=False)
    page.goto(link[0])
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome, Olga Owner")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password and sign in").click()
    expect(page.get_by_role("link", name="Olga Owner")).to_be_visible()

    page.goto("/system")
    page.get_by_text("Add a person").click()
    page.get_by_label("Name", exact=True).fill("Tess <b>Tester</b>")
    page.get_by_label("tester", exact=True).check()
    page.get_by_role("button", name="Add, and make a welcome link").click()
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("cannot be a name")  # it holds a sign of addresses; what was typed is still there
    page.get_by_label("name").fill("Tess Tester")
    page.get_by_role("button", name="Send again").click()
    shown = page.get_by_label("the welcome link").inner_text()

    tess = visitor(width=320)
    tess.goto(shown.strip())
    tess.get_by_label("Password", exact=True).fill(PASSWORD)
    tess.get_by_label("The same password again").fill(PASSWORD)
    tess.get_by_role("button", name="Set the password and sign in").press("Enter")
    expect(tess.get_by_role("link", name="Tess Tester")).to_be_visible()
    assert visitor().goto(shown.strip()).status == 403  # once

    tess.goto("/profile")
    tess.get_by_label("Colours").select_option("dark")
    tess.get_by_role("button", name="Keep").first.click()
    expect(tess.locator("html")).to_have_attribute("data-theme", "dark")

    # Her session is ended from the system page while she types.
    tess.get_by_label("Skills").fill("statistics\nzwei Wörter")
    page.goto("/system")
    page.get_by_role("button", name=re.compile("End the session of Tess Tester")).click()
    expect(page.get_by_role("status")).to_contain_text("The session has ended")
    tess.get_by_role("button", name="Keep").last.click()
    expect(tess.get_by_role("heading", level=1)).to_have_text("Sign in")
    tess.get_by_label("Name").fill("Tess Tester")
    tess.get_by_label("Password").fill(PASSWORD)
    tess.get_by_role("button", name="Sign in").click()
    expect(tess.get_by_label("skills")).to_have_value("statistics\nzwei Wörter")
    tess.get_by_role("button", name="Send", exact=True).click()
    expect(tess.get_by_role("status")).to_contain_text("Kept.")
    expect(tess.get_by_label("Skills")).to_have_value("statistics\nzwei Wörter")
    for address in ("/profile", "/team", "/system", "/team?project="):
        tess.goto(address)
        assert tess.evaluate("document.documentElement.scrollWidth <= 320"), f"{address} scrolls sideways"
        assert tess.locator("h1").count() == 1

    tess.get_by_role("button", name="Sign out").click()
    expect(tess.get_by_role("heading", level=1)).to_have_text("Sign in")
    quiet(page, "status of 400")
    quiet(tess, "status of 401")
