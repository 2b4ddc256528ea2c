"""Coming in: the sign-in page, welcome links, forms of an ended session, and everybody who tries it the wrong way."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whytune.settings import Settings
from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.web.auth import COOKIE, csrf_of, local_path
from whytune.workspace import people
from whytune.workspace.workspace import Workspace

GOOD, OTHER = "correct horse battery", "another long password"
HERE = "http://127.0.0.1:8765"
ONCE = "a" * 32


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    people.add(room, "ada", ["business_owner"])
    people.add(room, "bo", ["tester"])
    people.set_password(room.as_person("ada"), "ada", GOOD)
    yield room
    room.store.close()


def browser(room: Workspace, **how: Any) -> TestClient:
    headers = {"accept": "text/html,*/*", "origin": HERE}
    return TestClient(make_app(room.root, **how), base_url=HERE, client=("127.0.0.1", 5000), headers=headers, follow_redirects=False, raise_server_exceptions=False)


def signed_in(room: Workspace, name: str = "ada", password: str = GOOD) -> TestClient:
    web = browser(room)
    assert web.post("/sign-in", data={"person": name, "password": password}).status_code == 303
    return web


def secrets_of(web: TestClient) -> dict[str, str]:
    return {"_csrf": csrf_of(web.cookies[COOKIE]), "_once": ONCE}


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page, as a browser would send them."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def test_who_is_not_signed_in_is_led_to_the_sign_in_page_and_back(room: Workspace) -> None:
    web = browser(room)
    led = web.get("/system?q=bo")
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?then=%2Fsystem%3Fq%3Dbo")
    page = web.get(led.headers["location"])
    assert page.status_code == 200
    assert hidden(page.text)["then"] == "/system?q=bo"
    back = web.post("/sign-in", data={"person": "ada", "password": GOOD, "then": hidden(page.text)["then"]})
    assert (back.status_code, back.headers["location"]) == (303, "/system?q=bo")
    assert "ada" in web.get("/system?q=bo").text
    assert web.get("/sign-in?then=/team").headers["location"] == "/team"


@pytest.mark.parametrize("then", ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "/\t/evil.example", "///evil.example", "/sign-out", "/welcome?token=x"])
def test_no_link_leads_from_here_to_another_site(room: Workspace, then: str) -> None:
    web = browser(room)
    assert hidden(web.get("/sign-in", params={"then": then}).text)["then"] == "/"
    answer = web.post("/sign-in", data={"person": "ada", "password": GOOD, "then": then})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert local_path(then) == "/"


def test_signing_in_opens_a_new_session_and_ends_the_one_that_was_brought_along(room: Workspace) -> None:
    planted = room.store.accounts.open_session("bo").secret
    answer = browser(room).post("/sign-in", data={"person": "ada", "password": GOOD}, headers={"cookie": f"{COOKIE}={planted}"})
    cookie = answer.headers["set-cookie"]
    assert planted not in cookie
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert room.store.accounts.person_of_session(planted) is None
    assert browser(room).get("/profile", headers={"cookie": f"{COOKIE}=made-up-by-somebody"}).status_code == 303


def test_behind_a_proxy_the_cookie_travels_only_through_tls(room: Workspace) -> None:
    web = TestClient(make_app(room.root, behind_proxy=True), base_url="https://tune.example", client=("10.0.0.7", 1), headers={"accept": "text/html"}, follow_redirects=False)
    assert "secure" in web.post("/sign-in", data={"person": "ada", "password": GOOD}).headers["set-cookie"].lower()


def test_nothing_says_whether_a_name_exists_and_five_wrong_passwords_lock_it(room: Workspace) -> None:
    web = browser(room)
    told: dict[int, set[tuple[int, str]]] = {}
    for number in range(7):  # the fifth wrong one locks a name, whether or not anybody has it
        for name in ("ada", "nobody"):
            answer = web.post("/sign-in", data={"person": name, "password": GOOD if number > 5 else "wrong"})
            told.setdefault(number, set()).add((answer.status_code, re.sub(r"value=\"(ada|nobody)\"", "", answer.text)))
    assert [{status for status, _ in said} for said in told.values()] == [{401}] * 5 + [{429}] * 2
    assert all(len(said) == 1 for said in told.values())
    assert "lock a name for 15 minutes" in told[0].pop()[1]
    locked = web.post("/sign-in", data={"person": "ada", "password": GOOD})
    assert "locked for 15 more minutes" in locked.text
    assert 0 < int(locked.headers["retry-after"]) <= 900
    over_json = web.post("/api/v1/session", json={"name": "nobody", "password": GOOD})
    assert (over_json.status_code, over_json.json()["code"], 0 < int(over_json.headers["retry-after"]) <= 900) == (429, "wait", True)
    assert web.post("/api/v1/session", json={"name": "bo", "password": "wrong"}).status_code == 401
    assert 'value="ada"' in locked.text
    assert GOOD not in locked.text
    assert list(room.store.accounts.locked()) == ["ada"]
    bo = signed_in_by_link(room, "bo")
    assert "locked until" not in bo.get("/system").text  # whose name is locked is an admin's business
    people.add(room.as_person("ada"), "di", ["admin"])
    assert "locked until" in signed_in_by_link(room, "di").get("/system").text


def signed_in_by_link(room: Workspace, name: str, by: str = "ada") -> TestClient:
    link = people.welcome(room.as_person(by), name)
    web = browser(room)
    assert name in web.get(f"/welcome?token={link}").text
    answer = web.post("/welcome", data={"token": link, "password": OTHER, "again": OTHER})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return web


def test_a_welcome_link_sets_a_password_and_signs_in_once(room: Workspace) -> None:
    link = people.welcome(room.as_person("ada"), "bo")
    web = browser(room)
    for _ in range(2):  # looking uses nothing up
        assert "Welcome, bo" in web.get(f"/welcome?token={link}").text
    short, differ = ({"token": link, "password": one, "again": two} for one, two in (("short", "short"), (OTHER, OTHER + "x")))
    assert [web.post("/welcome", data=data).status_code for data in (short, differ)] == [400, 400]
    assert web.post("/welcome", data={"token": link, "password": OTHER, "again": OTHER}).status_code == 303
    assert web.get("/profile").status_code == 200
    again = browser(room)
    assert again.get(f"/welcome?token={link}").status_code == 403
    assert again.post("/welcome", data={"token": link, "password": GOOD, "again": GOOD}).status_code == 403
    assert signed_in(room, "bo", OTHER).get("/profile").status_code == 200


def test_a_welcome_link_ends_with_its_hour_a_newer_one_and_the_persons_last_role(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = room.store.accounts
    first, second = (people.welcome(room.as_person("ada"), "bo") for _ in range(2))
    assert [accounts.person_of_welcome(link) for link in (first, second, "wl_made-up", "")] == [None, "bo", None, None]
    now = accounts.clock()
    monkeypatch.setattr(accounts, "clock", lambda: now + timedelta(hours=1, seconds=1))
    assert accounts.person_of_welcome(second) is None
    assert accounts.spend_welcome(second, OTHER) is None
    monkeypatch.undo()
    third = people.welcome(room.as_person("ada"), "bo")
    people.change(room.as_person("ada"), "bo", take=["tester"])
    assert accounts.person_of_welcome(third) is None
    assert browser(room).post("/welcome", data={"token": third, "password": OTHER, "again": OTHER}).status_code == 403


def test_no_secret_of_a_link_or_session_stands_in_the_store(room: Workspace) -> None:
    link, web = people.welcome(room.as_person("ada"), "bo"), signed_in(room)
    room.store._database.fold()
    held = b"".join(path.read_bytes() for path in (room.root / ".whytune").glob("store.db*"))
    assert b"account_welcomes" in held
    assert link.encode() not in held
    assert web.cookies[COOKIE].encode() not in held


def test_who_hands_out_a_link_could_be_the_other(room: Workspace) -> None:
    from whytune.workspace.duties import book_of

    people.welcome(room.as_person("ada"), "bo")
    assert {whose: [each.by for each in lent] for whose, lent in book_of(room).lent().items()} == {"bo": ["ada"]}


def test_a_change_needs_the_secret_of_its_own_session(room: Workspace) -> None:
    web, other = signed_in(room), signed_in(room)
    body = {"functions": "Business/Management", "years": "3"}
    for csrf in ("", "nonsense", "é", csrf_of(other.cookies[COOKIE]), web.cookies[COOKIE]):
        assert web.post("/profile/skills", data={**body, "_csrf": csrf, "_once": ONCE}).status_code == 403
    assert web.post("/profile/skills", data={**body, **secrets_of(web)}, headers={"origin": "https://evil.example"}).status_code == 403
    assert web.post("/profile/skills", data={**body, **secrets_of(web)}, headers={"origin": "null"}).status_code == 403
    assert web.post("/api/v1/people/ada/skills", data={**body, **secrets_of(web)}).status_code in (403, 405)
    assert web.post("/profile/skills", data={**body, **secrets_of(web)}).status_code == 303
    assert "Business/Management" in web.get("/api/v1/profile").text


FORGED = (
    {"host": "evil.example"}, {"host": "127.0.0.1:8765@evil.example"}, {"host": ""},
    {"host": "evil.example", "x-forwarded-host": "127.0.0.1:8765"}, {"host": "127.0.0.1.evil.example"},
)  # fmt: skip


@pytest.mark.parametrize("headers", FORGED)
def test_another_host_name_is_refused_whatever_else_is_claimed(room: Workspace, headers: dict[str, str]) -> None:
    web = signed_in(room)
    assert web.get("/profile", headers=headers).status_code == 403
    assert web.get("/sign-in", headers=headers).status_code == 403


def test_a_link_on_another_site_reaches_who_is_signed_in(room: Workspace) -> None:
    """Its first step comes without the cookie, which is strict; the page that answers leads on to the same place from here."""
    led = browser(room).get("/team?project=x", headers={"sec-fetch-site": "cross-site"})
    step = browser(room).get(led.headers["location"], headers={"sec-fetch-site": "cross-site"})
    onward = html.unescape(re.findall(r'content="0; url=([^"]+)"', step.text)[0])
    assert onward == led.headers["location"]
    assert signed_in(room).get(onward, headers={"sec-fetch-site": "same-origin"}).headers["location"] == "/team?project=x"
    assert "Password" in browser(room).get(onward, headers={"sec-fetch-site": "same-origin"}).text
    assert signed_in(room).post("/profile/skills", data={}, headers={"sec-fetch-site": "cross-site", "origin": ""}).status_code == 403


def test_claims_of_a_proxy_change_nothing(room: Workspace) -> None:
    claims = {"x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1;host=127.0.0.1", "x-real-ip": "127.0.0.1", "x-forwarded-user": "ada", "remote-user": "ada"}
    far = TestClient(make_app(room.root), base_url=HERE, client=("203.0.113.9", 1), headers={**claims, "accept": "text/html"}, follow_redirects=False)
    assert far.get("/sign-in").status_code == 403
    assert browser(room).get("/profile", headers=claims).status_code == 303
    page = signed_in(room).get("/system", headers={**claims, "x-forwarded-host": "evil.example", "x-forwarded-proto": "gopher"})
    assert page.status_code == 200
    assert "evil.example" not in page.text


def test_a_method_in_a_header_or_field_is_not_obeyed(room: Workspace) -> None:
    web = signed_in(room)
    tricks = {"x-http-method-override": "POST", "x-method-override": "DELETE", "x-http-method": "PUT"}
    before = len(room.events())
    assert web.get("/profile/skills?_method=POST", headers=tricks).status_code in (404, 405)
    assert web.get("/sign-out", headers=tricks).status_code in (404, 405)
    assert web.post("/profile", data={"_method": "PUT", **secrets_of(web)}, headers=tricks).status_code == 405
    assert (web.get("/profile").status_code, len(room.events())) == (200, before)


def test_what_was_typed_outlives_the_session(room: Workspace) -> None:
    web = signed_in(room)
    sent = {**secrets_of(web), "reason": "Rückfrage <b>\nzwei Zeilen", "hours": "2"}
    room.store.accounts.close_session(web.cookies[COOKIE])
    before = len(room.events())
    asked = web.post("/system/break-glass", data=sent)
    assert asked.status_code == 401
    assert "Your session has ended" in asked.text
    assert "<b>\n" not in asked.text
    kept = hidden(asked.text)
    wrong = web.post("/sign-in", data={**kept, "person": "ada", "password": "wrong"})
    assert wrong.status_code == 401
    assert hidden(wrong.text) == kept
    back = web.post("/sign-in", data={**kept, "person": "ada", "password": GOOD})
    assert back.status_code == 200
    assert 'action="/system/break-glass"' in back.text
    assert "Rückfrage &lt;b&gt;\nzwei Zeilen</textarea>" in back.text
    assert len(room.events()) == before  # nothing was done by itself
    resent = web.post("/system/break-glass", data={"reason": sent["reason"], "hours": "2", **hidden(back.text)})
    assert resent.status_code == 303
    assert people.open_glass(room)[0].reason == sent["reason"]


def test_a_password_never_travels_through_the_sign_in_page_nor_a_failure_page(room: Workspace) -> None:
    web = signed_in(room)
    sent = {"old": GOOD, "password": OTHER, "again": OTHER + "x", **secrets_of(web)}
    failed = web.post("/profile/password", data=sent)
    assert failed.status_code == 400
    assert OTHER not in failed.text
    assert GOOD not in failed.text
    assert failed.text.count('type="password"') == 3
    room.store.accounts.close_session(web.cookies[COOKIE])
    asked = web.post("/profile/password", data=sent)
    assert asked.status_code == 401
    assert OTHER not in asked.text
    assert GOOD not in asked.text
    assert 'name="password" type="password"' in web.post("/sign-in", data={**hidden(asked.text), "person": "ada", "password": GOOD}).text


def test_an_upload_without_a_session_is_let_go_and_the_page_says_so(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from whytune.web.pages import entrance

    web = browser(room)
    small = web.post("/projects/new", data={"name": "mine"}, files={"upload": ("rows.csv", b"a,b\n")})
    assert small.status_code == 401
    assert "rows.csv" in small.text
    assert "mine" in small.text
    monkeypatch.setattr(entrance, "LARGEST_FORM", 1_000)
    large = web.post("/projects/new", data={"name": "mine"}, files={"upload": ("rows.csv", b"a" * 5_000)})
    assert large.status_code == 401
    assert "too large to be kept" in large.text
    assert web.post("/sign-in/interrupted", data={"name": "x"}).headers["location"] == "/sign-in"


def test_what_comes_along_is_believed_in_nothing(room: Workspace) -> None:
    web = browser(room)
    for send, kept in (("https://evil.example/", "[]"), ("/profile/skills", "nonsense"), ("/profile/skills", '[["a"], 1, ["b", 2]]'), ("/profile/skills", "[" * 100_000), ("/profile/skills", r'[["a", "\ud800"]]')):
        answer = web.post("/sign-in", data={"person": "ada", "password": GOOD, "send": send, "kept": kept})
        assert answer.status_code == 200
        assert "evil.example" not in answer.text
        room.store.accounts.close_session(web.cookies[COOKIE])


def test_signing_out_ends_the_session_here_and_in_the_list(room: Workspace) -> None:
    web = signed_in(room)
    assert [note.person for note in room.store.accounts.sessions()] == ["ada"]
    assert web.post("/sign-out", data={"_once": ONCE}).status_code == 403  # another site cannot sign anybody out
    out = web.post("/sign-out", data=secrets_of(web))
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert room.store.accounts.sessions() == []
    assert web.get("/profile").status_code == 303


def test_open_addresses_show_nothing_of_who_runs_the_server(room: Workspace) -> None:
    for path in ("/sign-in", "/welcome?token=x", "/static/nothing.css"):
        page = browser(room).get(path)
        assert page.status_code < 500
        assert 'href="/profile"' not in page.text
