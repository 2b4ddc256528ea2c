"""Reviewing in a browser: by keys, by mouse, without JavaScript, on a narrow screen, with a server that says no."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.browser.house import PASSWORD, House
from tests.review.desk import PEOPLE, desk, measured

from whytune.store import accounts
from whytune.workspace import asking, concluding
from whytune.workspace.project import Project
from whytune.workspace.reviewing import Round
from whytune.workspace.workspace import Workspace

pytestmark = pytest.mark.slow
PLAIN = {"gold": 0.0, "repeats": 0.0}
TOKEN = "#answer input[name=token]"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The desk with people, instead of the full workspace: a review needs no model."""
    folder = tmp_path_factory.mktemp("desk")
    project = desk(folder, count=200, people=PEOPLE)
    for arm in ("prompt", "tuned"):
        measured(project, arm, lambda row, arm=arm: f"{arm[::-1]} <b>{row.input_text}</b>", by="root")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "COST", 2**4)  # kept with each password: signing in is quick too
        for name in PEOPLE:
            project.workspace.store.accounts.set_password(name, PASSWORD)
    project.workspace.store.close()
    return House(folder, {})


@pytest.fixture
def project(house: House) -> Any:
    """The same project, from outside the server."""
    workspace = Workspace.open(house.folder)
    yield Project(workspace.as_person("ann"), house.folder / "desk")
    workspace.store.close()


def opened(project: Project, purpose: str, arms: tuple[str, ...] = (), **plan: Any) -> Round:
    """A round that is open; whatever was open before is closed first."""
    from whytune.workspace import reviewing

    for room in reviewing.rounds(project, open_only=True):
        if room.store.queues.opinions(room.queue.id):
            concluding.close(room, early=True)
    return Round(project, asking.open_round(project, asking.purpose_named(purpose), arms, asking.Plan(**{**PLAIN, "overlap": 0.0, **plan})))


def given(room: Round) -> list[tuple[str, str]]:
    """(person, verdict) of every opinion that counts."""
    return [(one.person, one.verdict) for one in room.store.queues.opinions(room.queue.id) if one.verdict]


def token(page: Any) -> str:
    return str(page.locator(TOKEN).get_attribute("value"))


def next_card(page: Any, before: str) -> None:
    """Wait until another question stands there."""
    page.wait_for_function("([where, before]) => document.querySelector(where)?.value !== before", arg=[TOKEN, before])


def test_keys_judge_undo_and_show_the_guideline_and_can_be_switched_off(project: Project, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    room = opened(project, "pairs", ("prompt", "tuned"), sample=30, overlap=1.0, votes=0)
    page = signed_in("bo")
    page.goto("/review")
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector("#desk[data-ahead=yes]")
    assert page.evaluate("document.activeElement.id") == "card"
    first = token(page)
    page.keyboard.press("a")
    next_card(page, first)
    page.wait_for_selector("#desk[data-ahead=yes]")
    assert "Kept." in page.locator("#told").inner_text()
    second = token(page)
    page.keyboard.press("?")
    assert page.locator("#guideline").get_attribute("open") is not None
    page.keyboard.press("Shift+X")  # as if Caps Lock were on
    next_card(page, second)
    page.wait_for_selector("#desk[data-ahead=yes]")
    page.keyboard.press("u")
    page.wait_for_selector("text=taken back, and asked again")
    assert token(page) == second
    assert [who for who, _ in given(room)] == ["bo", "bo"]
    # Keys say nothing in a text field, nor while the focus is elsewhere.
    page.get_by_text("Add a remark").click()
    page.get_by_label("Remark", exact=True).fill("")
    page.keyboard.type("abtx")
    assert page.get_by_label("Remark", exact=True).input_value() == "abtx"
    page.get_by_role("link", name="desk").focus()
    page.keyboard.press("a")
    assert token(page) == second
    page.get_by_role("button", name="Switch them off").click()
    page.wait_for_selector("text=Single keys are switched off.")
    assert page.locator("kbd").count() == 0
    page.locator("#card").focus()
    page.keyboard.press("a")
    page.wait_for_selector("#desk[data-ahead=yes]")
    assert token(page) == second
    page.get_by_role("button", name="Tie").click()
    next_card(page, second)
    page.wait_for_selector("#desk[data-ahead=yes]")
    assert [verdict for _, verdict in given(room)][-1] == "tie"
    told = page.content()
    assert not any(name in told for name in ("prompt alone", "candidate:", "trial:"))
    page.get_by_role("button", name="Stop for now").click()
    page.wait_for_selector("text=Rounds that ask for your opinion")
    assert room.store.queues.standing(room.queue.id).held == 0
    quiet(page)


def test_everything_works_without_javascript(project: Project, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    opened(project, "pairs", ("tuned", "prompt"), sample=3, overlap=1.0, votes=0, seed=5)
    room = opened(project, "rows", sample=2, overlap=1.0, overlap_max=2)
    for name, verdict in (("bo", "Right"), ("cy", "Wrong: keep my correction")):
        page = signed_in(name, javascript=False)
        page.goto(f"/review/{room.queue.id}")
        page.get_by_role("button", name="Begin").click()
        for _ in range(2):
            if verdict != "Right":
                page.locator("#mend summary").click()
                page.get_by_label("Target").fill("something <i>else</i>")
            page.get_by_role("button", name=verdict).click()
        assert page.get_by_text("There is nothing more for you").count() == 1
        quiet(page)
    assert len(room.disputes()) == 2
    page = signed_in("di", javascript=False)
    page.goto("/review")
    page.get_by_role("link", name="Decide 2").click()
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("button", name="Right").click()
    page.get_by_role("button", name="Undo my last").click()
    page.get_by_role("button", name="Right").click()
    page.get_by_role("button", name="Right").click()
    page = signed_in("ann", javascript=False)
    page.goto("/projects/desk/review")
    number = room.queue.number
    page.get_by_text(f"Close round {number}").first.click()
    page.get_by_role("button", name=f"Close round {number}").click()
    assert page.get_by_text("The round is closed.").count() == 1
    assert page.get_by_text("0 of 2 rows are wrong").count() == 1
    quiet(page)


def test_what_was_typed_comes_back_where_the_server_says_no(project: Project, signed_in: Callable[..., Any], quiet: Callable[..., None]) -> None:
    room = opened(project, "rows", sample=40, seed=3)
    page = signed_in("cy")
    page.goto(f"/review/{room.queue.id}")
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector("#desk[data-ahead=yes]")
    page.keyboard.press("e")
    page.get_by_label("Target").fill("a correction")
    page.keyboard.press("Escape")
    page.keyboard.press("y")  # right, and corrected: that cannot be
    page.wait_for_selector("text=a row that is corrected is wrong")
    assert page.get_by_label("edits.target").input_value() == "a correction"
    page.goto(f"/review/{room.queue.id}")
    page.wait_for_selector("#desk[data-ahead=yes]")
    page.context.clear_cookies()  # the session ends while they think
    page.keyboard.press("e")
    page.get_by_label("Target").fill("typed after the session ended")
    page.get_by_role("button", name="Wrong: keep my correction").click()
    page.get_by_label("Name", exact=True).fill("cy")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Send").click()
    page.wait_for_selector("#desk[data-ahead=yes]")
    assert [one.edits for one in room.store.queues.opinions(room.queue.id)] == [(("target", "typed after the session ended"),)]
    page.goto(f"/review/{room.queue.id}")
    page.wait_for_selector("#desk[data-ahead=yes]")
    before = token(page)
    page.keyboard.press("n")
    next_card(page, before)
    page.wait_for_selector("#desk[data-ahead=yes]")
    concluding.close(room, early=True)
    page.get_by_text("Add a remark").click()
    page.get_by_label("Remark", exact=True).fill("typed before it closed")
    page.get_by_role("button", name="Wrong", exact=False).first.click()
    page.wait_for_selector("text=takes no more opinions")
    assert page.get_by_label("note").input_value() == "typed before it closed"
    quiet(page, "the server responded with a status of 4")


def test_on_a_narrow_screen_nothing_scrolls_sideways_and_labels_have_keys_of_two_digits(project: Project, signed_in: Callable[..., Any], quiet: Callable[..., None], house: House) -> None:
    room = opened(project, "labels", sample=20, seed=9)
    page = signed_in("di", theme="dark", width=320)
    for path in ("/review", "/projects/desk/review", f"/review/{room.queue.id}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector("#card")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    # A label set of twelve: the first digit waits for the second, or for Enter.
    page.evaluate("""() => {
        const [one] = document.querySelectorAll('[data-key]');
        for (let number = 3; number <= 12; number++) { const more = one.cloneNode(true); more.dataset.key = String(number); more.value = number < 12 ? 'never' : 'delay'; one.after(more); }
    }""")
    page.wait_for_selector("#desk[data-ahead=yes]")
    before = token(page)
    page.keyboard.press("1")
    assert "Enter takes it, or type the next digit" in page.locator("#told").inner_text()
    assert token(page) == before
    page.keyboard.press("2")
    next_card(page, before)
    page.wait_for_selector("#desk[data-ahead=yes]")
    assert given(room) == [("di", "delay")]
    quiet(page)
