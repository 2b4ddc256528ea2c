"""Who reads in a browser is led by links: on a page that says what went wrong, and wherever a command says what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer
from starlette.testclient import TestClient
from tests.web.shelf import shelf

from whytune.cli.app import app
from whytune.store import accounts as accounts_module
from whytune.web import linking
from whytune.web.app import make_app, make_routes
from whytune.web.linking import Onward, onward
from whytune.workspace import people
from whytune.workspace.workspace import Workspace

HERE = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts_module, "COST", 2**4)
        for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
            patch.delenv(name, raising=False)
        made = shelf(tmp_path_factory.mktemp("linking"))
        yield made
        made.store.close()


@pytest.fixture(scope="module")
def web(room: Workspace) -> Iterator[TestClient]:
    with TestClient(make_app(room.root), base_url=HERE, client=("127.0.0.1", 1), headers={"accept": "text/html"}, follow_redirects=False, raise_server_exceptions=False) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("whytune decide support", Onward("", "whytune decide support", "/projects/support/decide", "Decide")),
        ("`whytune report support -o report.html`", Onward("", "whytune report support -o report.html", "/projects/support/decide", "Decide")),
        ("12 proposed rows wait: whytune data proposals support", Onward("12 proposed rows wait", "whytune data proposals support", "/projects/support/data/proposals", "Proposals")),
        ("mend support/whytune.toml, then: whytune status", Onward("mend support/whytune.toml", "whytune status", "/projects/support/map", "Map")),
        ("whytune user add NAME --role ROLE", Onward("", "whytune user add NAME --role ROLE", "/system", "System")),
        ("`whytune user token NAME` makes one", Onward("", "whytune user token NAME makes one", "/system", "System")),
        ("GET /api/v1/events?after=0", Onward()),
        ("go on with the next question at /review/queue:1", Onward("go on with the next question at /review/queue:1", "", "/review/queue:1", "Go on")),
        ("wait and try again", Onward("wait and try again")),
    ],
)
def test_a_next_step_has_its_page_and_its_command(text: str, found: Onward) -> None:
    assert onward(text, "support") == found


def test_every_command_that_has_a_page_is_a_command_and_every_page_is_there() -> None:
    there = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert {name.partition(" ")[0] for name in (*linking.ROOMS, *linking.HALLS)} - there == set()
    paths = {one.path for one in make_routes()}
    assert {f"/projects/{{name}}/{place}" for place, _ in linking.ROOMS.values()} | {href for href, _ in linking.HALLS.values()} <= paths


def alert(page: str) -> str:
    found = re.search(r'role="alert">(.*?)</div>', page, re.DOTALL)
    assert found
    return found[1]


def test_a_page_that_is_not_there_leads_on(web: TestClient) -> None:
    for path in ("/nowhere", "/projects/none/map", "/registry/none", "/runs/none"):
        answer = web.get(path)
        assert (path, answer.status_code) == (path, 404)
        assert '<a href="/projects">Use cases</a>' in alert(answer.text)
        assert "/api/" not in alert(answer.text)
    inside = alert(web.get("/projects/support/data/versions/9", headers={"referer": f"{HERE}/projects/support/data?split=dev"}).text)
    assert '<a href="/projects/support/map">Map of support</a>' in inside
    assert '<a href="/projects/support/data?split=dev">Back</a>' in inside
    assert "Back" not in alert(web.get("/nowhere", headers={"referer": "http://evil.example/projects"}).text)


def test_a_command_stands_beneath_as_what_is_typed_at_a_terminal(web: TestClient) -> None:
    told = alert(web.get("/projects/support/decide/report.html").text + web.get("/registry/none").text)
    for command in re.findall(r"whytune [a-z]+", told):
        assert f"At the terminal: <code>{command}" in told


def test_a_form_is_mended_as_a_form_and_json_as_json(web: TestClient) -> None:
    form = web.post("/system/people", data={"_once": "a" * 32, "nonsense": "x"})
    assert (form.status_code, "mend the form and send it again" in form.text, "JSON body" in form.text) == (400, True, False)
    assert web.post("/api/v1/people", json={}).json()["next"] == "mend the JSON body and send it again"


def test_the_sign_in_page_names_what_can_be_had_there(room: Workspace, web: TestClient) -> None:
    told = web.post("/sign-in", data={"person": "nobody", "password": "wrong"}).text
    assert "welcome link" in alert(told)
    assert "token" not in alert(told)


def test_a_page_names_the_command_with_what_it_knows(web: TestClient) -> None:
    assert "<code>whytune search when support</code>" in web.get("/search?q=when+support").text
    assert web.get("/api/v1/search?q=two+words").json()["page_cli"] == "whytune search two words"
