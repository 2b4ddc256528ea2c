"""A day of each role in the browser: sign in by the form, follow My tasks, do the work of the role, be refused once, sign out.

One workspace, one server; the scripts stand in the order of the work, and each finds what those before it left:
the use case `fresh` is fixed by the owner, checked by the creator, trained by the scientist and measured by the tester.
`success` uses the keyboard alone, `second` has no JavaScript, `legal` a window of 320 px, `architect` a dark screen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from playwright.sync_api import expect
from tests.browser import acting
from tests.browser.acting import Quiet, Visit, ends, enters, leaves, refused, said, sign_in, signing, task
from tests.browser.house import HOSTILE, PASSWORD, House, edit

pytestmark = pytest.mark.deep


@pytest.fixture(scope="module", autouse=True)
def tidy(house: House) -> Iterator[None]:
    """`fresh` has few rows and trains few steps; no job outlives the tests."""
    edit(house.folder / "fresh" / "whytune.toml", epochs="1.0", limit="90", rank="8", checkpoints="1", max_length="512", dtype='"float32"', use='["prompt", "tuned"]')
    yield
    for each in psutil.process_iter(["cmdline"]):
        if "perform" in (each.info["cmdline"] or ()) and each.environ().get("WHYTUNE_HOME", "").startswith(str(house.folder)):
            each.kill()


def test_admin_adds_a_person_and_changes_roles_but_not_their_own(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "admin")
    page.get_by_role("navigation", name="Everything").get_by_role("link", name="System").click()
    page.get_by_text("Add a person").click()
    page.get_by_label("Name", exact=True).fill("nora")
    page.get_by_label("auditor", exact=True).check()
    page.get_by_role("button", name="Add, and make a welcome link").click()
    link = page.get_by_label("the welcome link").inner_text().strip()
    nora = visitor()
    nora.goto(link)
    nora.get_by_label("Password", exact=True).fill(PASSWORD)
    nora.get_by_label("The same password again").fill(PASSWORD)
    nora.get_by_role("button", name="Set the password and sign in").click()
    expect(nora.locator("main")).to_contain_text("nora (auditor)")
    page.goto("/system")
    page.get_by_role("link", name="nora").click()
    page.get_by_role("checkbox", name="legal").check()
    page.get_by_role("button", name="Keep these roles").click()
    said(page, "nora is now: ")
    nora.reload()
    expect(nora.locator("main")).to_contain_text("legal")
    page.get_by_role("row").filter(has_text="you").get_by_role("link", name="admin").click()
    expect(page.get_by_text("Nobody changes their own roles; another admin may.")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    sent = {name: page.locator(f"[name={name}]").first.input_value() for name in ("_csrf", "_once")} | {"roles": "tester"}
    answer = page.context.request.post("/system/people/admin/roles", form=sent, headers={"accept": "text/html"})
    assert answer.status == 403
    assert "another admin" in answer.text()
    page.goto("/consumers")
    refused(page.get_by_role("button", name="Make the key"), "operator")
    leaves(nora, quiet)
    leaves(page, quiet)


def test_owner_fixes_the_rule_and_signs(visitor: Visit, quiet: Quiet) -> None:
    page = visitor()
    page.goto("/tasks?kind=step")
    sign_in(page, "owner", "not the password")
    expect(page.get_by_role("alert")).to_contain_text("What to do next")
    expect(page.get_by_label("Name")).to_have_value("owner")
    sign_in(page, "owner", PASSWORD)
    expect(page).to_have_url(re.compile(r"/tasks\?kind=step$"))
    task(page, "fresh", "Fix the use case").click()
    page.get_by_label("Walk the flow as far as").select_option("usecase")
    page.get_by_role("button", name="Run", exact=True).click()
    ends(page)
    page.goto("/projects/fresh/data")
    refused(page.get_by_role("button", name="Read the data and check it"), "creator, second")
    page.goto("/projects/support/decide")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("Fine-tuning is worth it.")
    mine = signing(page, "Business owner")
    mine.get_by_text("Sign anew").click()
    mine.get_by_label("What you looked at").fill(f"all three arms, {HOSTILE[0]}")
    mine.get_by_role("button", name="Approve").click()
    said(page, "Signed as business owner: approved.")
    expect(signing(page, "Business owner")).to_contain_text(HOSTILE[0])
    leaves(page, quiet, "status of 401")


def test_success_triages_and_proposes_by_keyboard_alone(visitor: Visit, quiet: Quiet) -> None:
    page = visitor()

    page.goto("/tasks")
    acting.type_in(page, "Name", "success")
    acting.type_in(page, "Password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("My tasks")
    acting.tab_to(page, task(page, "support", "Look at new feedback"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Feedback")
    acting.tab_to(page, page.get_by_role("row").filter(has_text="new").get_by_role("link", name="fb_"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2, name="Is it of use?")).to_be_visible()
    acting.tab_to(page, page.get_by_role("radio", name="useful: it can"))
    page.keyboard.press("Space")
    acting.type_in(page, "Reason", "a clear correction")
    acting.tab_to(page, page.get_by_role("button", name="Keep"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("useful")
    acting.type_in(page, "Question, as the row", "My money has not come back yet")
    acting.tab_to(page, page.get_by_role("button", name="Propose this row"))
    page.keyboard.press("Enter")
    said(page, "Proposed: 1 rows")
    acting.tab_to(page, page.get_by_role("row").filter(has_text="success").first.get_by_role("link"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("1 rows proposed by success")
    refused(page.get_by_role("button", name="Accept all 1 rows"), "creator, second, tester")
    acting.tab_to(page, page.get_by_role("link", name="My tasks"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Look at new feedback")).to_have_count(0)
    acting.tab_to(page, page.get_by_role("button", name="Sign out"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    quiet(page)


def test_creator_reads_data_and_proposes_a_row(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "creator")
    task(page, "flawed", "Mend the dataset").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What the checks found in version 1")
    expect(page.get_by_role("article").filter(has_text="Balance")).to_contain_text("79 of 80 rows")
    page.goto("/tasks")
    task(page, "fresh").click()
    page.get_by_role("navigation", name="Use case fresh").get_by_role("link", name="Data").click()
    page.get_by_role("button", name="Read the data and check it").click()
    said(page, "Started")
    ends(page)
    page.get_by_role("link", name="Show what came out").click()
    expect(page.get_by_text("No check fails")).to_be_visible()
    page.goto("/projects/support/data/proposals")
    page.get_by_label("Given").fill("grass fish 90210 about refund")
    page.get_by_label("Wanted").fill("refund")
    page.get_by_label("Why these rows").fill("too few refunds")
    page.get_by_role("button", name="Propose").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 rows proposed by creator")
    expect(page.get_by_text("nobody accepts their own").first).to_be_visible()
    refused(page.get_by_role("button", name="Accept all 1 rows"), "second, tester")
    leaves(page, quiet)


def test_second_accepts_without_javascript(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "second", javascript=False)
    lines = page.locator("ol.tasklist > li").filter(has_text="Accept proposed rows")
    for by in ("proposed by creator", "proposed by success"):
        while lines.filter(has_text=by).count():
            before = lines.filter(has_text=by).count()
            task(page, "support", by).click()
            page.get_by_label("State").select_option("open")
            page.get_by_role("button", name="Show").click()
            page.get_by_role("row").filter(has_text=by.rpartition(" ")[2]).get_by_role("link").last.click()
            page.get_by_role("button", name=re.compile("Accept all")).click()
            said(page, "rows accepted, 0 not")
            page.get_by_role("link", name="My tasks").click()
            expect(lines.filter(has_text=by)).to_have_count(before - 1)
    page.goto("/projects/support/data")
    expect(page.get_by_text("9 accepted rows wait for the next version.")).to_be_visible()
    page.goto("/projects/support/decide")
    refused(page.get_by_role("button", name="Accept Tuned"), "owner")
    leaves(page, quiet)


def test_architect_sees_who_is_missing_and_changes_the_chart_in_the_dark(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "architect", theme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != "rgb(255, 255, 255)"
    expect(task(page, "handbook", "Measure prompt and RAG")).to_be_visible()
    page.get_by_role("navigation", name="Everything").get_by_role("link", name="Team").click()
    gap = page.get_by_role("row").filter(has_text="nobody has declared: retrieval")
    expect(gap).to_have_count(1)
    page.get_by_role("link", name="their own page").click()
    page.get_by_label("Skills").fill("retrieval")
    page.get_by_role("button", name="Keep").last.click()
    said(page, "Kept.")
    page.goto("/team")
    expect(gap).to_have_count(0)
    page.get_by_role("link", name="Edit the chart").click()
    chart = page.get_by_label("The chart").input_value()
    page.get_by_label("The chart").fill(chart.replace('"architect"', '"wizard"'))
    page.get_by_role("button", name="Put it in force").click()
    expect(page.get_by_role("alert")).to_contain_text("wizard")
    again = page.get_by_label("text")
    assert "wizard" in again.input_value()
    again.fill(chart.replace("Solution Architects", "Solution Designers"))
    page.get_by_role("button", name="Send again").click()
    said(page, "The new chart is in force.")
    expect(page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Architects"))).to_contain_text("Solution Designers")
    page.goto("/portfolio")
    page.get_by_role("row").filter(has_text="handbook").get_by_role("link", name="handbook").click()
    page.get_by_role("navigation", name="Use case handbook").get_by_role("link", name="Data").click()
    refused(page.get_by_role("button", name="Read the data again and check it"), "creator, second")
    page.goto("/models/champion")
    expect(page.get_by_role("heading", level=1)).to_contain_text("champion")
    leaves(page, quiet, "status of 400")


def test_scientist_trains_and_looks_at_cases(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "scientist")
    task(page, "fresh").click()
    page.get_by_text("Start one thing only").click()
    refused(page.get_by_role("button", name="Probe"), "rai, tester")
    page.get_by_label("Walk the flow as far as").select_option("train")
    page.get_by_role("button", name="Run", exact=True).click()
    ends(page)
    expect(page.locator("#plot canvas")).to_be_visible()
    page.get_by_role("link", name="Show what came out").click()
    expect(page.get_by_role("table", name="Adapters, newest first")).to_contain_text("lora, rank 8")
    page.goto("/projects/support/compare")
    page.get_by_role("link", name="case by case", exact=False).first.click()
    page.get_by_label("Show").select_option("all")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("ol.cases > li").first).to_be_visible()
    leaves(page, quiet)


def test_tester_judges_closes_opens_a_round_and_opens_the_test(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "tester")
    task(page, "handbook", "Judge 20 items").click()
    page.get_by_role("button", name="Begin").click()
    acting.judge(page, 3)
    page.wait_for_selector("#desk[data-ahead=yes]")  # the last one is kept
    page.get_by_role("link", name="handbook", exact=True).click()
    page.get_by_text("Close round 1").first.click()
    page.get_by_label("Close it early").check()
    page.get_by_role("button", name="Close round 1").click()
    closed = page.get_by_role("article").filter(has_text="Round 1:")
    expect(closed).to_contain_text("0 of 3 rows are wrong")
    expect(closed).to_contain_text("Judged by tester")
    page.get_by_text("What to ask, and of how much").click()
    for label, value in (("Items drawn", "4"), ("Share that two", "0"), ("Share of planted", "0"), ("Share that a person", "0")):
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Open the round").click()
    page.get_by_role("button", name="Begin round 2: 4 for you").click()
    acting.judge(page, 4)
    expect(page.get_by_text("nothing for you in this round")).to_be_visible()

    page.goto("/projects/fresh/data")
    expect(page.get_by_role("row").filter(has_text="sealed")).to_contain_text("looked at 0 times")
    refused(page.get_by_role("button", name="Read the data again and check it"), "creator, second")
    page.goto("/projects/fresh/runs")
    page.get_by_role("button", name="Run", exact=True).click()
    ends(page)
    page.goto("/projects/fresh/data")
    expect(page.get_by_role("row").filter(has_text="sealed")).not_to_contain_text("looked at 0 times")
    leaves(page, quiet)


def test_rai_reads_the_worst_cases_and_starts_probes(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "rai")
    page.goto("/projects/support/responsible")
    page.locator("details", has_text="worst case").first.locator("summary").click()
    page.get_by_role("link", name="Read them in full").first.click()
    expect(page.get_by_role("heading", name="Case 1")).to_be_visible()
    page.goto("/projects/fresh/runs")
    page.get_by_text("Start one thing only").click()
    refused(page.get_by_role("button", name="Train", exact=True), "architect, scientist")
    page.get_by_role("navigation", name="Use case fresh").get_by_role("link", name="Responsible AI").click()
    expect(page.get_by_text("Nothing was probed yet")).to_be_visible()
    page.get_by_label("quick: few rows").check()
    page.get_by_role("button", name="Start the probes").click()
    said(page, "They go on when you close this page.")
    page.goto("/projects/support/responsible")
    page.get_by_role("button", name="Plant secrets and train").click()
    ends(page)
    expect(page.get_by_text("Secrets given away:").first).to_be_visible()
    page.goto("/projects/support/responsible")
    expect(page.get_by_role("region", name="Planted secrets").get_by_role("row")).to_have_count(5)
    expect(page.get_by_text("planted after the probes above")).to_be_visible()
    leaves(page, quiet)


def test_operator_moves_a_name_back_and_forth_and_hands_out_a_key(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "operator")
    page.get_by_role("navigation", name="Everything").get_by_role("link", name="Registry").click()
    page.get_by_role("link", name="support/1").click()
    page.get_by_text("Put it under a name").click()
    page.get_by_label("Alias").fill("support/next")
    page.get_by_role("button", name="Set the alias").click()
    said(page, "support/next stands for another release")
    page.get_by_text("Take the name out of use").click()
    page.locator("#remove").get_by_label("Reason").fill("too early")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("It stands for nothing")).to_be_visible()
    page.get_by_text("Roll back", exact=True).first.click()
    page.locator("#rollback").get_by_label("Reason").fill("it was wanted")
    page.get_by_role("button", name="Roll back").click()
    said(page, "Rolled back")
    expect(page.get_by_role("region", name="History").locator("tbody tr")).to_have_count(3)
    page.goto("/aliases/champion")
    page.get_by_text("Roll back", exact=True).first.click()
    page.locator("#rollback").get_by_label("Reason").fill("there is nothing before it")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("alert")).to_contain_text("stood for no earlier release")
    expect(page.get_by_label("reason")).to_have_value("there is nothing before it")
    page.goto("/consumers")
    page.get_by_label("Who will ask").fill("shop")
    page.get_by_role("button", name="Make the key").click()
    assert re.fullmatch(r"wt-[0-9a-f]{8}-\S{43}", page.get_by_label("Secret of the key").inner_text())
    page.reload()
    expect(page.get_by_text("There is no secret to show")).to_be_visible()
    page.get_by_role("link", name="Keys of consumers").first.click()
    page.get_by_role("row").filter(has_text="shop").get_by_role("button", name="Take back").click()
    expect(page.get_by_role("row").filter(has_text="shop")).to_contain_text("revoked")
    page.goto("/team/edit")
    refused(page.get_by_role("button", name="Put it in force"), "admin, architect, owner")
    leaves(page, quiet, "status of 404")


def test_legal_waives_until_a_day_and_tightens_the_policy_on_a_narrow_screen(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "legal", width=320)
    narrow = "document.documentElement.scrollWidth <= 320"
    expect(task(page, "support", "Judge")).to_be_visible()
    assert page.evaluate(narrow)
    page.goto("/projects/support/responsible")
    page.locator("#waive > summary").click()
    waive, until = page.locator("#waive"), (datetime.now(UTC).date() + timedelta(days=14)).isoformat()
    waive.get_by_label("Reason").fill(f"for staff only {HOSTILE[4]}")
    waive.get_by_label("Until").fill(until)
    waive.get_by_role("button", name="Waive").click()
    said(page, f"Waived until {until}")
    expect(page.get_by_role("region", name="Waivers").get_by_role("row").filter(has_text=until)).to_contain_text("legal (legal)")
    assert page.evaluate(narrow)
    page.goto("/projects/support/decide")
    refused(page.get_by_role("button", name="Accept Tuned"), "owner")
    page.get_by_text("Change the policy").click()
    text = page.get_by_label("policy.toml").input_value()
    page.get_by_label("policy.toml").fill(re.sub(r"(?m)^most_looks = .*$", "most_looks = 9", text))
    page.get_by_role("button", name="Put it into force").click()
    expect(page.locator("#policy + dl")).to_contain_text("at most 9 looks")
    assert page.evaluate(narrow)
    leaves(page, quiet)


def test_owner_comes_back_and_sends_it_back(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "owner")
    page.goto("/projects/fresh/decide")
    expect(page.get_by_role("region", name="Verdict")).to_be_visible()  # what four others did today
    page.goto("/projects/support/decide")
    expect(signing(page, "Tester")).to_contain_text("not signed")  # the policy has changed since
    expect(page.get_by_text("other signatures, earlier or for something else")).to_be_visible()
    page.get_by_text("Send back…").click()
    page.get_by_label("Why it is not accepted").fill("Sign again under the new policy")
    page.get_by_role("button", name="Send back").click()
    said(page, "is not accepted")
    expect(page.locator("summary", has_text="What to mend")).to_have_count(1)
    leaves(page, quiet)


def test_auditor_proves_the_ledger_takes_it_away_and_can_press_nothing(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "auditor")
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    page.get_by_role("navigation", name="Everything").get_by_role("link", name="System").click()
    page.get_by_role("link", name="Prove the ledger").click()
    expect(page.get_by_text("Every hash fits")).to_be_visible()
    page.goto("/projects/support/decide")
    for kind in ("HTML", "Markdown", "JSON"):
        answer = page.context.request.get(page.locator(".takeaway").get_by_role("link", name=kind).get_attribute("href"))
        assert answer.ok
        assert "by topic" in answer.text()
    page.goto("/registry")
    page.get_by_role("link", name="support/1").click()
    with page.expect_download() as taken:
        page.get_by_role("link", name="card.json").click()
    assert "support" in json.dumps(json.loads(taken.value.path().read_text("utf-8")))
    release = page.url
    page.get_by_role("link", name="Verify now").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    tabs = [f"/projects/{name}/{tab}" for name in ("support", "fresh") for tab in ("data", "data/proposals", "runs", "review", "responsible", "decide", "live")]
    pages = (*tabs, release, "/aliases/champion", "/consumers", "/feedback", "/team/edit", "/system/people/owner", "/projects/new", "/projects/flawed/data", "/review")
    met = 0
    for address in pages:
        page.goto(address)
        buttons = page.locator("main form[method=post]:not([action^='/profile/']) button")
        met += buttons.count()
        free = [f"{one.inner_text()} {one.get_attribute('aria-label') or ''}" for one in buttons.all() if one.is_enabled()]
        assert free == [], f"{address}: an auditor can press {free}"
        assert not buttons.count() or "Who may:" in page.locator("main").text_content(), address
    assert met > 30
    leaves(page, quiet)


def test_rai_comes_back_to_what_the_probes_found(visitor: Visit, quiet: Quiet) -> None:
    page = enters(visitor, "rai")
    page.goto("/projects/fresh/runs")
    page.get_by_role("table", name="Jobs of this use case").get_by_role("link", name="Responsible-AI probes").click()
    ends(page)
    page.get_by_role("link", name="Show what came out").click()
    expect(page.get_by_role("region", name="Reports so far")).to_contain_text("rai")
    leaves(page, quiet)
