"""What everybody does in the browser, whatever their role: sign in by the form, find a task, meet a refusal, follow a job, sign out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect
from tests.browser import looking
from tests.browser.house import PASSWORD

JOB = 120_000
"""Milliseconds for a process that loads a model, however busy the machine is."""
Visit = Callable[..., Any]
Quiet = Callable[..., None]


def enters(visitor: Visit, name: str, **how: Any) -> Any:
    """Opens the site, is asked to sign in, does it by the form, and stands before their tasks."""
    page = visitor(**how)
    page.goto("/tasks")
    sign_in(page, name, PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("My tasks")
    return page


def sign_in(page: Any, name: str, password: str) -> None:
    """By the form of the sign-in page."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def leaves(page: Any, quiet: Quiet, *allow: str) -> None:
    """Signs out; what they saw is closed to whoever sits there next."""
    if page.get_by_role("button", name="Sign out").count() == 0:
        page.goto("/tasks")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto("/projects/support/decide")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    quiet(page, *allow)


def task(page: Any, project: str, words: str = "") -> Any:
    """The link of a task of this use case."""
    line = page.locator("ol.tasklist > li").filter(has=page.get_by_role("link", name=project, exact=True)).filter(has_text=words)
    return line.first.get_by_role("link").first


def said(page: Any, words: str) -> None:
    """The line on top that tells what was done."""
    expect(page.locator("main > p.said")).to_contain_text(words)


def refused(button: Any, who: str) -> None:
    """A button that may not be pressed says beside it who may."""
    expect(button).to_be_disabled()
    expect(button.locator("xpath=following-sibling::*[contains(@class, 'why')][1]")).to_contain_text(f"Who may: {who}.")


def ends(page: Any) -> None:
    """Follow a job on its page until it is done."""
    expect(page.locator("#outcome h2")).to_have_text("What came out", timeout=JOB)


def signing(page: Any, role: str) -> Any:
    """The card of one signature on the page Decide."""
    return page.locator(".signs > li").filter(has=page.get_by_role("heading", name=role))


def tab_to(page: Any, target: Any, back: bool = False) -> None:
    """Press Tab until this has the focus, and is seen to have it."""
    for _ in range(200):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if target.evaluate("node => node === document.activeElement"):
            now = page.evaluate(looking.FOCUS)
            assert now["seen"], f"hidden when it has the focus: {now['what']}"
            assert now["marked"], f"the focus is not shown: {now['what']}"
            return
    raise AssertionError(f"Tab does not reach {target}")


def press(page: Any, target: Any, key: str = "Enter", back: bool = False) -> None:
    """Go there by Tab and press it."""
    tab_to(page, target, back)
    page.keyboard.press(key)


def type_in(page: Any, label: str, text: str) -> None:
    """Go to a field by Tab and write over what it holds."""
    tab_to(page, page.get_by_label(label))
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def judge(page: Any, count: int) -> None:
    """Say yes to so many questions of a round, by the key; each time another question, or the end, stands there."""
    for _ in range(count):
        page.wait_for_selector("#desk[data-ahead]")
        before = page.locator("#answer input[name=token]").get_attribute("value")
        page.keyboard.press("y")
        page.wait_for_function("before => document.querySelector('#answer input[name=token]')?.value !== before", arg=before)
