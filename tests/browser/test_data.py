"""Data in a browser: a use case from an uploaded file, its data read and checked, rows accepted; without scripts, on a narrow screen too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.browser.house import HOSTILE
from tests.cli.living import tickets

pytestmark = pytest.mark.slow


def test_a_use_case_from_an_upload(signed_in: Any, quiet: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    file = tickets(tmp_path / "desk tickets.csv")
    page = signed_in("owner")
    page.goto("/projects/new")
    page.get_by_label("Files").set_input_files([file])
    page.get_by_role("button", name="Upload and look").click()
    expect(page.get_by_role("status")).to_contain_text("Look at what was guessed")
    expect(page.get_by_role("table", name="The first rows as they would be imported").locator("tbody tr")).to_have_count(3)
    page.get_by_label("The bar").fill("2")
    page.get_by_label("Purpose").fill("Sort mail\nby topic")
    page.get_by_role("button", name="Create the use case").click()
    expect(page.get_by_text("1 thing to mend")).to_be_visible()
    expect(page.get_by_label("Purpose")).to_have_value("Sort mail\nby topic")

    plain = signed_in("owner", javascript=False, width=320)  # the draft goes on in another browser, without scripts
    plain.goto("/projects/new")
    plain.get_by_role("link", name="desk-tickets").click()
    assert plain.evaluate("document.documentElement.scrollWidth") == 320
    plain.get_by_label("The bar").fill("0.6")
    plain.get_by_role("button", name="Create the use case").click()
    expect(plain.get_by_role("heading", level=1, name="Data")).to_be_visible()
    plain.get_by_role("button", name="Fix the use case first").click()
    expect(plain.get_by_role("status").first).to_contain_text("Started")
    job = "/api/v1" + plain.url.partition("?")[0].removeprefix(page.url.partition("/drafts")[0])
    ended(plain, job)

    creator = signed_in("creator", theme="dark")
    creator.goto("/projects/desk-tickets/data")
    creator.get_by_role("button", name="Read the data and check it").click()
    expect(creator.get_by_role("heading", name="What came out")).to_be_visible(timeout=60_000)
    creator.get_by_role("link", name="Show what came out").click()
    expect(creator.get_by_role("heading", level=1)).to_have_text("What the checks found in version 1")
    creator.get_by_role("link", name="Overview").click()
    expect(creator.get_by_role("table", name="What was read, and what of it is not in the dataset")).to_contain_text("data/desk tickets.csv")
    quiet(page)
    quiet(creator)


def test_rows_are_proposed_and_accepted_and_hostile_ones_stay_text(signed_in: Any, quiet: Any) -> None:
    from playwright.sync_api import expect

    creator = signed_in("creator")
    creator.goto("/projects/support/data/proposals")
    creator.get_by_label("Given").fill(HOSTILE[0] + " where is my parcel?")
    creator.get_by_label("Wanted").fill("delay")
    creator.get_by_role("button", name="Propose").click()
    expect(creator.get_by_role("heading", level=1)).to_have_text("1 rows proposed by creator")
    expect(creator.get_by_role("button", name="Accept all 1 rows")).to_be_disabled()
    expect(creator.get_by_text("nobody accepts their own").first).to_be_visible()
    second = signed_in("second", javascript=False)
    second.goto(creator.url)
    second.get_by_role("checkbox", name="Take row 1").check()
    second.get_by_role("button", name="Accept the ticked rows").click()
    expect(second.get_by_role("status")).to_contain_text("1 rows accepted, 0 not")
    for at in ("/rows?q=owned", "/rows?q=onerror", "/findings", "/diff"):
        creator.goto(f"/projects/support/data{at}")
        assert creator.title().endswith("whytune"), at
        assert creator.get_by_role("heading", level=1).count() == 1
    quiet(creator)


def test_the_address_holds_the_filters(signed_in: Any, quiet: Any) -> None:
    from playwright.sync_api import expect

    page = signed_in("auditor", width=320)
    page.goto("/projects/handbook/data/rows")
    page.get_by_label("Split").select_option("train")
    page.get_by_label("Says").fill("floor")
    page.get_by_label("Says").press("Enter")
    page.wait_for_url("**/rows?split=train&q=floor")
    expect(page.get_by_label("Says")).to_have_value("floor")
    page.get_by_role("link", name="Compare versions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Version 1 and version 2")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    quiet(page)


def ended(page: Any, job: str) -> None:
    """Wait until a job is over; it was done."""
    for _ in range(600):
        found = page.context.request.get(job).json()
        state = found.get("state") or found["job"]["state"]
        if state not in ("waiting", "running", "stopping"):
            assert state == "done", found
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{job} goes on and on")
