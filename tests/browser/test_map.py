"""The map, the tasks and the lists in a browser: by keyboard, narrow, without JavaScript, and that names of people act as they should."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_the_map_is_walked_by_keyboard_and_is_a_list_where_it_is_narrow(signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page = signed_in("owner")
    page.goto("/projects/support/map")
    boxes = page.locator("svg.flow a.box")
    assert boxes.count() == 15
    labels = [one.get_attribute("aria-label") for one in boxes.all()]
    assert any(label.startswith("Accepted?: done.") for label in labels)
    # A colour never stands alone: each box has its sign.
    assert all(re.match("[✔▶●✖○–] ", text) for text in page.locator("svg.flow .word").all_text_contents())
    boxes.nth(2).focus()
    width = page.evaluate("getComputedStyle(document.activeElement.querySelector('rect, path')).strokeWidth")
    assert width == "6px"
    page.keyboard.press("Enter")
    page.wait_for_url("**/projects/support/compare")
    narrow = signed_in("owner", width=320, theme="dark")
    narrow.goto("/projects/support/map")
    assert not narrow.locator("svg.flow").is_visible()
    assert narrow.locator("ol.boxes > li").count() == 15
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 320
    quiet(page)
    quiet(narrow)


def test_tasks_and_lists_work_without_javascript(signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    page = signed_in("success", javascript=False)
    page.goto("/")
    assert page.get_by_role("heading", level=1).text_content() == "My tasks"
    page.get_by_role("link", name="Look at new feedback").click()
    page.wait_for_url("**/feedback?project=support")
    page.goto("/projects")
    page.get_by_label("Waits for").select_option("creator")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**who=creator*")
    assert page.locator("table.cases tbody tr").count() == 1
    assert page.locator("table.cases tbody th a").text_content() == "flawed"
    page.get_by_label("Search").fill("topic")
    page.get_by_label("Search").press("Enter")
    page.wait_for_url("**/search?q=topic")
    assert page.get_by_text("<b>by topic</b>").count() == 1  # what somebody wrote, as text
    page.goto("/portfolio")
    assert page.get_by_role("img", name="Use cases by where they stand").count() == 1
    quiet(page)
