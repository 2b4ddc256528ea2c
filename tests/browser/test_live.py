"""A release in use, in a browser: the operator looks after names and keys, somebody asks the model, customer success sorts what they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.house import HOSTILE, House, serving

pytestmark = pytest.mark.slow


def test_the_operator_makes_a_key_and_gives_the_release_a_second_name(signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page = signed_in("operator")
    page.goto("/projects/support/live")
    page.get_by_role("region", name="Newest first").get_by_role("link", name="support/1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("support/1")
    expect(page.get_by_role("region", name="Bill of materials")).to_contain_text("torch")
    page.get_by_text("Put it under a name").click()
    page.get_by_label("Alias").fill("support/challenger")
    page.get_by_label("Reason").fill(f"to compare {HOSTILE[0]}")
    page.get_by_role("button", name="Set the alias").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alias support/challenger")
    expect(page.get_by_role("status")).to_contain_text("support/challenger stands for another release")
    expect(page.get_by_role("region", name="History")).to_contain_text(HOSTILE[0])
    page.goto("/consumers")
    page.get_by_label("Who will ask").fill("shop")
    page.get_by_label("support/challenger").check()
    page.get_by_role("button", name="Make the key").click()
    secret = page.get_by_label("Secret of the key").inner_text()
    assert re.fullmatch(r"wt-[0-9a-f]{8}-\S{43}", secret)
    page.reload()
    expect(page.get_by_text("There is no secret to show")).to_be_visible()
    page.get_by_role("navigation", name="Everything").get_by_role("link", name="Registry").click()
    page.get_by_role("navigation", name="Registry and serving").get_by_role("link", name="Keys of consumers").click()
    page.get_by_role("row").filter(has_text="shop").get_by_role("button", name="Take back").click()
    expect(page.get_by_role("row").filter(has_text="shop")).to_contain_text("revoked")
    quiet(page)


def test_a_question_through_a_running_endpoint_and_what_becomes_of_the_feedback(house: House, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page = signed_in("owner", javascript=False)
    page.goto("/models/champion")
    expect(page.get_by_text("no endpoint runs")).to_be_visible()
    expect(page.get_by_role("button", name="Ask")).to_be_disabled()
    with serving(house.folder, "serve", ready="/readyz", person="operator", WHYTUNE_TOKEN=house.tokens["operator"]) as address:
        page.reload()
        expect(page.get_by_label("curl command")).to_contain_text(address)
        page.get_by_label("Your question").fill(f"Where is my parcel? {HOSTILE[1]}")
        page.get_by_role("button", name="Ask").click()
        expect(page.get_by_role("heading", name="Answer", exact=True)).to_be_visible()
        page.get_by_role("radio", name="not good").check()
        page.get_by_label("What should have been said").fill(f"tomorrow {HOSTILE[4]}")
        page.get_by_label("may become training data").check()
        page.get_by_role("button", name="Send feedback").click()
        expect(page.get_by_role("status")).to_contain_text("It is in the inbox")
    quiet(page)
    success = signed_in("success", javascript=False)
    success.goto("/feedback?state=new&q=tomorrow")
    success.get_by_role("region", name="Feedback").get_by_role("link", name="fb_").click()
    expect(success.get_by_text(HOSTILE[4])).to_be_visible()
    success.get_by_role("radio", name="useful: it can").check()
    success.get_by_label("Reason").fill("right")
    success.get_by_role("button", name="Keep").click()
    expect(success.get_by_role("heading", level=1)).to_contain_text("useful")
    success.get_by_label("Question, as the row").fill("Where is my parcel?")
    success.get_by_label("Answer, as the row").fill("refund")
    success.get_by_role("button", name="Propose this row").click()
    expect(success.get_by_role("status")).to_contain_text("Proposed: 1 rows")
    quiet(success)


def test_findings_are_read_waived_and_probed_by_those_who_may(signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page = signed_in("scientist")
    page.goto("/projects/support/responsible")
    expect(page.get_by_role("button", name="Start the probes again")).to_be_disabled()
    expect(page.get_by_role("button", name="Plant secrets and train")).to_be_disabled()
    expect(page.get_by_text("Who may: rai, tester")).to_have_count(2)
    page = signed_in("rai")
    page.goto("/projects/support/responsible")
    page.locator("details", has_text="worst case").first.locator("summary").click()
    page.get_by_role("link", name="Read them in full").first.click()
    expect(page.get_by_role("heading", name="Case 1")).to_be_visible()
    page.go_back()
    page.locator("#waive > summary").click()
    page.locator("#waive").get_by_label("Reason").fill(f"read-only {HOSTILE[0]}")
    page.get_by_role("button", name="Waive").click()
    expect(page.get_by_role("region", name="Waivers")).to_contain_text(HOSTILE[0])
    quiet(page)
