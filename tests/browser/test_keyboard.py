"""The work that matters most with Tab, Space and Enter alone: whatever has the focus on the way is seen, and single keys are not needed."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import expect
from tests.browser import acting
from tests.browser.acting import JOB, Quiet, Visit, press, said, signing, type_in
from tests.browser.house import PASSWORD, House

pytestmark = pytest.mark.deep


@pytest.fixture(autouse=True)
def tidy(house: House) -> Iterator[None]:
    """No job outlives the tests."""
    yield
    for each in psutil.process_iter(["cmdline"]):
        if "perform" in (each.info["cmdline"] or ()) and each.environ().get("WHYTUNE_HOME", "").startswith(str(house.folder)):
            each.kill()


def test_signing_in_and_leaping_over_the_bar(visitor: Visit, quiet: Quiet) -> None:
    page = visitor(width=320)
    page.goto("/projects/support/map")
    type_in(page, "Name", "owner")
    type_in(page, "Password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("support")
    page.keyboard.press("Tab")
    leap = page.get_by_role("link", name="To the content")
    expect(leap).to_be_focused()
    expect(leap).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null"), "the next thing is of the page itself"
    quiet(page)


def test_a_row_and_a_blind_pair_are_judged_with_single_keys_off(house: House, signed_in: Visit, quiet: Quiet) -> None:
    house("tester", "review", "open", "support", "--pairs", "few_shot", "tuned", "--sample", "40", "--votes", "0", "--gold", "0", "--repeats", "0", "--overlap", "1.0", "--split", "test")
    page = signed_in("legal")
    token = page.locator("#answer input[name=token]")
    for words, verdict in (("rows: are they right?", "Right"), ("which of two is better?", "Tie")):
        page.goto("/review")
        press(page, page.get_by_role("article").filter(has_text=words).get_by_role("button", name="Begin"))
        page.wait_for_selector("#desk[data-ahead=yes]")
        if page.locator("kbd").count():
            press(page, page.get_by_role("button", name="Switch them off"))
            expect(page.get_by_text("Single keys are switched off.")).to_be_visible()
            page.wait_for_selector("#desk[data-ahead=yes]")
        assert page.locator("kbd").count() == 0
        before = token.get_attribute("value")
        page.keyboard.type("abtxyn")
        assert token.get_attribute("value") == before, "letters do nothing"
        press(page, page.get_by_role("button", name=verdict, exact=True))
        page.wait_for_function("before => document.querySelector('#answer input[name=token]')?.value !== before", arg=before)
        expect(page.locator("#card")).to_be_focused()  # and the next Tab goes on from there
        page.wait_for_selector("#desk[data-ahead=yes]")
        press(page, page.get_by_role("button", name="Undo my last"))
        said(page, "Your last answer is taken back, and asked again.")
        assert token.get_attribute("value") == before
        press(page, page.get_by_role("button", name="Stop for now"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Rounds that ask for your opinion")
    quiet(page)


def test_a_decision_is_signed_and_sent_back(signed_in: Visit, quiet: Quiet) -> None:
    page = signed_in("owner")
    page.goto("/projects/support/decide")
    mine = signing(page, "Business owner")
    press(page, mine.get_by_text("Sign anew"))
    acting.tab_to(page, mine.get_by_label("What you looked at"))
    page.keyboard.type("every case, at the keyboard")
    press(page, mine.get_by_role("button", name="Approve"))
    said(page, "Signed as business owner: approved.")
    press(page, page.get_by_text("Send back…"))
    type_in(page, "Why it is not accepted", "refunds are missed")
    press(page, page.get_by_role("button", name="Send back"))
    expect(page.get_by_role("status").first).to_contain_text("is not accepted")
    quiet(page)


def test_a_run_is_started_and_stopped(house: House, signed_in: Visit, quiet: Quiet) -> None:
    house("owner", "run", "fresh", "--until", "usecase")
    house("creator", "run", "fresh", "--until", "check")
    page = signed_in("scientist")
    page.goto("/projects/fresh/runs")
    press(page, page.get_by_text("Start one thing only"))
    press(page, page.get_by_role("button", name="Train", exact=True))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Training: fresh")
    press(page, page.get_by_role("button", name="Stop", exact=True))
    expect(page.locator("#outcome h2")).to_have_text("It was stopped", timeout=JOB)
    quiet(page)


def test_a_use_case_is_made_from_a_file(signed_in: Visit, quiet: Quiet) -> None:
    page = signed_in("owner")
    page.goto("/projects")
    press(page, page.get_by_role("link", name="New use case"))
    expect(page.get_by_role("heading", level=1)).to_have_text("New use case")
    acting.tab_to(page, page.get_by_label("Files"))
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")
    rows = "".join(f"what is asked under the number {n},{('delay', 'loss')[n % 2]}\n" for n in range(80))
    chosen.value.set_files({"name": "by-hand.csv", "mimeType": "text/csv", "buffer": f"text,category\n{rows}".encode()})
    press(page, page.get_by_role("button", name="Upload and look"))
    page.wait_for_url("**/drafts/**")
    acting.tab_to(page, page.get_by_role("textbox", name="Name", exact=True))
    page.keyboard.press("Control+A")
    page.keyboard.type("by-hand")
    press(page, page.get_by_role("button", name="Create the use case"))
    page.wait_for_url("**/projects/by-hand/**", timeout=JOB)
    quiet(page)
