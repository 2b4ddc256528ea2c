"""Runs in a browser: started by a button, followed live in two of them, ended early; without scripts and on a narrow screen too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from tests.browser.house import House, edit

pytestmark = pytest.mark.slow
LONG = 300_000
"""Milliseconds for what loads a model and trains, however busy the machine is."""


@pytest.fixture
def tidy(house: House) -> Iterator[None]:
    """No job outlives its test, however that ends: jobs belong to no server and to no browser."""
    yield
    for each in psutil.process_iter(["cmdline"]):
        if "perform" in (each.info["cmdline"] or ()) and each.environ().get("WHYTUNE_HOME", "").startswith(str(house.folder)):
            each.kill()


@pytest.mark.usefixtures("tidy")
@pytest.mark.deep
def test_a_training_is_started_followed_and_ended_early(house: House, signed_in: Any, quiet: Any) -> None:
    from playwright.sync_api import expect

    house("owner", "run", "fresh", "--until", "usecase")
    house("creator", "run", "fresh", "--until", "check")
    edit(house.folder / "fresh" / "whytune.toml", epochs="2000.0", checkpoints="200", max_length="512", use='["prompt", "tuned"]')
    page = signed_in("scientist")
    page.goto("/projects/fresh/runs")
    page.get_by_text("Start one thing only").click()
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Training: fresh")
    expect(page.locator("#phase")).to_have_text("training", timeout=LONG)
    expect(page.locator("#looks tbody tr").nth(1)).to_be_attached(timeout=LONG)
    expect(page.locator("#plot canvas")).to_be_visible()

    other = signed_in("tester", width=320, theme="dark")
    other.goto(page.url)
    expect(other.locator("#looks tbody tr").nth(1)).to_be_attached()
    expect(other.get_by_role("button", name="Stop")).to_have_count(0)
    assert other.evaluate("document.documentElement.scrollWidth") == 320

    before = page.locator("#looks tbody tr").count()
    page.reload()
    assert page.locator("#looks tbody tr").count() >= before, "a reload loses no point"
    expect(page.locator("#looks tbody tr").nth(before)).to_be_attached(timeout=LONG)

    plain = signed_in("scientist", javascript=False)
    plain.goto(page.url)
    expect(plain.locator("#drawn polyline")).to_have_count(2)
    expect(plain.get_by_role("link", name="Show where it stands now")).to_be_visible()
    plain.get_by_role("button", name="End training, keep the best").click()
    expect(plain.get_by_role("status").first).to_contain_text("the best weights are kept")

    for each in (page, other):
        expect(each.get_by_role("heading", name="What came out")).to_be_visible(timeout=LONG)
        expect(each.get_by_text("its training was ended early")).to_be_visible()
        quiet(each)
    page.get_by_role("link", name="Show what came out").click()
    expect(page.get_by_role("table", name="Adapters, newest first")).to_contain_text("ended early")


def test_two_runs_are_chosen_and_compared_by_keyboard(house: House, signed_in: Any, quiet: Any) -> None:
    from playwright.sync_api import expect

    page = signed_in("owner")
    page.goto("/projects/support/runs")
    expect(page.get_by_role("radio")).to_have_count(2)
    page.get_by_role("radio", name="A is").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("radio", name="A is")).to_be_checked()
    one = page.get_by_role("radio", name="A is").get_attribute("value")
    page.goto(f"/projects/support/runs/compare?one={one}&two={one}")
    expect(page.get_by_text("None: both were trained the same way.")).to_be_visible()
    expect(page.get_by_role("img", name="Loss over epochs")).to_be_visible()
    quiet(page)
