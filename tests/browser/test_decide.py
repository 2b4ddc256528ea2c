"""Compare and Decide in a real browser: read, look into cases, sign without JavaScript, and lose nothing when things have changed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from tests.browser.house import House, edit
from tests.sample_decision import SHOWN

from whytune.records.candidate import ARM_TITLES
from whytune.workspace import accepting
from whytune.workspace.workspace import Workspace

pytestmark = pytest.mark.slow

PROJECT = "/projects/support"
SIX = {arm: title for arm, title in ARM_TITLES.items() if arm != "oracle"}


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


def _full(house: House) -> None:
    """The decision with all six arms, five pairs, long examples and more limits than usual; signed by three people."""
    room = Workspace.open(house.folder)
    as_person = {name: room.as_person(name).project("support") for name in ("owner", "rai", "tester")}
    decision = as_person["tester"].decision
    assert decision is not None
    known = {line.arm: line for line in decision.arms}
    arms = tuple(
        known[arm] if arm in known else known["few_shot"].model_copy(update={"arm": arm, "title": title, "candidate": "", "cost": known["few_shot"].cost.model_copy(update={"arm": arm})})
        for arm, title in SIX.items()
    )  # fmt: skip
    pairs = tuple(decision.comparisons[0].model_copy(update={"first_arm": arm, "second_arm": "tuned"}) for arm in SIX if arm != "tuned")
    shown = tuple(each.model_copy(update={"input": each.input * 3}) for each in SHOWN)
    limits = (*decision.limits, *(f"{number} of the twelve groups have fewer than ten cases; a slice that small says nothing by itself, here or on the screen." for number in (2, 3, 4)))
    with as_person["tester"].act("decision.made") as act:
        act.write(decision.model_copy(update={"arms": arms, "comparisons": pairs, "examples": shown, "limits": limits}))
    for name, role in (("owner", "business_owner"), ("rai", "responsible_ai"), ("tester", "tester")):
        accepting.sign(as_person[name], role, "reject", "Every figure was read, the worst cases too; what customers are told about refunds stays with a person for now.")
    room.store.close()


def test_the_decision_is_one_sheet_of_paper(house: House, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    import pypdfium2

    _full(house)
    page = signed_in("owner", theme="dark")
    for arm in ("tuned", "prompt"):
        page.goto(f"{PROJECT}/decide?arm={arm}")
        page.wait_for_load_state("networkidle")
        sentence = page.locator("[aria-label=Verdict] strong").inner_text()
        sheets = pypdfium2.PdfDocument(io.BytesIO(page.pdf(format="A4", print_background=False)))
        assert len(sheets) == 1, arm
        words = " ".join(sheets[0].get_textpage().get_text_range().split())
        for wanted in (sentence, "your bar 50 %", *SIX.values(), "95 % interval", "A month", "Case by case", "I ordered the blue one", "Limits", "opened 3 times", "ledger head", "whytune run support"):
            assert wanted in words, f"{arm}: {wanted}"
        for left_out in ("Leaderboard", "Policy in force", "Send back", "Sign anew", "Sign out", "My tasks", "policy.toml"):
            assert left_out not in words, f"{arm}: {left_out}"
        if arm == "tuned":
            assert all(f"{name}, 20" in words for name in ("owner", "rai", "tester")), "who signed, and when"
        drawn = sheets[0].render(scale=1.5).to_numpy().reshape(-1, 3).astype(int)
        blue = numpy.count_nonzero((drawn[:, 0] > drawn[:, 2] + 60) | (drawn[:, 2] > drawn[:, 0] + 60))
        assert blue > 300, "the chart keeps its colours without backgrounds"
        sheets.close()
    quiet(page)
