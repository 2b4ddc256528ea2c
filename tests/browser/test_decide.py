"""Compare and Decide in a real browser: read, look into cases, sign without JavaScript, and lose nothing when things have changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.browser.house import House, edit

pytestmark = pytest.mark.slow

PROJECT = "/projects/support"


def test_an_owner_reads_the_decision_and_looks_into_the_cases(signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page = signed_in("owner")
    page.goto(f"{PROJECT}/decide")
    assert page.get_by_role("heading", level=1).inner_text() == "Is fine-tuning worth it?"
    page.locator("#boards, [hx-get] table").first.wait_for()
    assert page.get_by_role("table").filter(has_text="Every trial").count() == 1, "the leaderboard came by itself"
    assert page.get_by_text("number 1").count() >= 1
    page.get_by_role("link", name="and every case").click()
    page.get_by_role("img", name="Each approach with its interval").locator("visible=true").wait_for()
    page.get_by_role("link", name="case by case", exact=False).first.click()
    page.get_by_label("Show").select_option("all")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("show=all"))
    cards = page.locator("ol.cases > li")
    shown = cards.count()
    assert shown > 0
    word = re.findall(r"[a-z]{3,}", cards.last.locator(".case-asked").inner_text())[0]
    page.get_by_label("Words").fill(word)
    page.get_by_label("Words").press("Enter")
    page.wait_for_url(re.compile(f"q={word}"))
    assert 0 < cards.count() <= shown
    cards.first.get_by_role("link", name="In full").click()
    page.get_by_role("heading", name="Answered").wait_for()
    assert "owned" not in page.title()
    quiet(page)


@pytest.mark.parametrize("path", ["compare", "compare/cases?show=all", "decide", "leaderboard"])
def test_nothing_scrolls_sideways_on_a_narrow_screen(path: str, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page = signed_in("tester", width=320, theme="dark")
    page.goto(f"{PROJECT}/{path}")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    quiet(page)


def test_signing_without_javascript_and_what_was_typed_survives_a_change(house: House, signed_in: Callable[..., Any]) -> None:
    tester, owner = signed_in("tester", javascript=False), signed_in("owner", javascript=False)
    tester.goto(f"{PROJECT}/decide")
    owner.goto(f"{PROJECT}/decide")
    assert tester.get_by_text("This takes the role business owner").count() > 0, "who may not is told why"
    edit(house.folder / "support" / "policy.toml", most_looks="30")
    house("owner", "policy", "fix", "support")
    card = tester.locator(".signs > li").filter(has=tester.get_by_role("heading", name="Tester"))
    card.get_by_text("Sign anew").click()
    card.get_by_label("What you looked at").fill("every case, <b>twice</b>")
    card.get_by_role("button", name="Approve").click()
    assert tester.get_by_role("alert").inner_text().startswith("What you read has changed.")
    assert tester.get_by_label("What you looked at").input_value() == "every case, <b>twice</b>"
    tester.get_by_role("button", name="Approve").click()
    assert "Signed as tester: approved." in tester.get_by_role("status").inner_text()
    assert tester.get_by_text("every case, <b>twice</b>").count() == 1
    owner.get_by_text("Send back…").click()
    owner.get_by_label("Why it is not accepted").fill("Refunds are missed")
    owner.get_by_role("button", name="Send back").click()
    assert owner.get_by_label("Why it is not accepted").input_value() == "Refunds are missed"
    owner.get_by_role("button", name="Send back").click()
    assert "is not accepted" in owner.get_by_role("status").inner_text()
    assert owner.locator("summary", has_text="What to mend").count() == 1


def test_on_paper_there_is_the_decision_and_no_forms(signed_in: Callable[..., Any]) -> None:
    page = signed_in("owner")
    page.goto(f"{PROJECT}/decide")
    page.emulate_media(media="print")
    assert page.get_by_role("heading", name="Provenance").is_visible()
    assert page.locator(".evidence.wide").first.is_visible()
    assert page.locator("button").locator("visible=true").count() == 0
    assert page.locator("textarea").locator("visible=true").count() == 0
