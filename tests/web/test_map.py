"""The map, my tasks, the list of use cases, the portfolio and the search: pages and their twins, filters, bad input, strangers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.workspace.judged_desks import SIGNERS, kept

from whytune.web.app import make_app
from whytune.workspace import accepting
from whytune.workspace.box_places import PLACES
from whytune.workspace.workspace import Workspace

PAGES = ("/", "/tasks", "/projects", "/projects/desk/map", "/portfolio", "/search?q=desk")
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


class Seen(HTMLParser):
    """What stands in a page: tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def links(self) -> list[str]:
        return [str(given["href"]) for tag, given in self.tags if tag == "a" and given.get("href")]


class Visit:
    """A workspace over HTTP, as somebody."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.room = Workspace.open(folder)
        stack.callback(self.room.store.close)
        self._client = stack.enter_context(TestClient(make_app(folder), base_url="http://127.0.0.1", client=("127.0.0.1", 5000), raise_server_exceptions=False))
        self._tokens: dict[str, str] = {}

    def __call__(self, name: str, path: str, status: int = 200) -> Any:
        if name not in self._tokens:
            self._tokens[name] = self.room.store.accounts.make_token(name, "test", 1)
        answer = self._client.get(path, headers={"authorization": f"Bearer {self._tokens[name]}", "accept": "text/html"})
        assert answer.status_code == status, answer.text[:500]
        return answer


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def calm(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """One for all tests that only look."""
    folder = tmp_path_factory.mktemp("calm") / "room"
    shutil.copytree(made, folder)
    with ExitStack() as stack:
        yield Visit(folder, stack)


@pytest.fixture
def visit(made: Path, tmp_path: Path) -> Iterator[Visit]:
    shutil.copytree(made, tmp_path / "room")
    with ExitStack() as stack:
        yield Visit(tmp_path / "room", stack)


@pytest.mark.slow
def test_every_page_has_its_twin_and_every_link_leads_somewhere(calm: Visit) -> None:
    links: set[str] = set()
    for path in PAGES:
        page = calm("bea", path)
        seen = Seen(page.text)
        assert sum(tag == "h1" for tag, _ in seen.tags) == 1
        assert not any(name.startswith("on") or name == "style" for _, given in seen.tags for name in given)
        assert f'href="/api/v1{path if path != "/" else "/tasks"}"' in page.text
        links |= {link.partition("#")[0] for link in seen.links()}
        assert calm("bea", f"/api/v1{path if path != '/' else '/tasks'}").headers["content-type"] == "application/json"
    assert {"/projects/desk/map", "/projects/desk/decide", "/projects/new", "/tasks"} <= links
    own = [link for link in sorted(links) if link.startswith(("/projects/", "/review", "/feedback"))]
    lost = [link for link in own if calm._client.get(link, headers={"authorization": f"Bearer {calm._tokens['bea']}"}).status_code in (404, 405)]
    assert lost == []


def test_the_map_shows_every_box_and_who_acts_next(calm: Visit) -> None:
    page = calm("bea", "/projects/desk/map").text
    boxes = [given for tag, given in Seen(page).tags if tag == "a" and str(given.get("class", "")).startswith("box ")]
    assert len(boxes) == len(PLACES) == 15
    assert any(given["aria-label"] == "Accepted?: due. The evidence is there; to sign: business owner, responsible ai, tester" for given in boxes)
    assert re.search(r"Next to act: you, rita, tess", page)
    assert re.search(r"Next to act: bea, rita, tess", calm("carl", "/projects/desk/map").text)
    told = calm("bea", "/api/v1/projects/desk/map").json()
    assert [box["key"] for box in told["boxes"]] == list(PLACES)
    assert (told["due"][0]["what"], told["due"][0]["link"]) == ("Read the decision and sign, or say no", "/projects/desk/decide")
    assert told["rule"]["bar"] == 0.5


def test_my_tasks_are_mine_and_go_when_they_are_done(visit: Visit) -> None:
    assert "Read the decision and sign" in visit("bea", "/").text
    assert "Nothing waits for you" in visit("dana", "/").text
    assert "Nothing of this kind" in visit("bea", "/tasks?kind=review").text
    for role, name in SIGNERS.items():
        accepting.sign(visit.room.as_person(name).project("desk"), role, "approve", "looked at every figure")
    (task,) = visit("bea", "/api/v1/tasks").json()["tasks"]
    assert (task["kind"], task["link"]) == ("decide", "/projects/desk/decide")
    assert visit("rita", "/api/v1/tasks").json()["tasks"] == []


def test_use_cases_are_filtered_and_paged_by_their_address(calm: Visit) -> None:
    for query, names in (("", ["desk"]), ("q=CATEGOR", ["desk"]), ("q=nothing", []), ("stage=Accepted%3F&who=tess", ["desk"]), ("who=olga", []), ("page=2", [])):
        assert [one["name"] for one in calm("bea", f"/api/v1/projects?{query}").json()["projects"]] == names
    told = calm("bea", "/api/v1/projects").json()
    assert {"name", "task", "headline", "next"} <= told["projects"][0].keys()
    assert told["page"] == {"number": 1, "per": 50, "total": 1}
    assert "No use case fits" in calm("bea", "/projects?q=nothing").text
    assert len(told["projects"][0]["dots"]) == len(told["dots"]) == 10
    (line,) = calm("bea", "/api/v1/portfolio").json()["lines"]
    assert (line["case"]["stage"], line["risk"]["looks"], line["money"]["saving"]) == ("Accepted?", 1, None)


def test_bad_addresses_get_a_page_that_says_why(calm: Visit) -> None:
    for path, status in (
        ("/projects?page=0", 400), ("/tasks?per=999", 400), (f"/search?q={'x' * 201}", 400), ("/search?q=a&kind=zebra", 400), (f"/portfolio?q={'x' * 201}", 400),
        ("/projects/none/map", 404), ("/projects/..%2Fdesk/map", 404),
    ):  # fmt: skip
        assert "<h1" in calm("bea", path, status).text
        assert calm("bea", f"/api/v1{path}", status).json()["next"]


def test_what_people_write_is_shown_as_text(visit: Visit) -> None:
    file = visit.room.root / "desk" / "whytune.toml"
    file.write_text(file.read_text("utf-8").replace('purpose = ""', f"purpose = '{EVIL}'", 1), "utf-8")
    for path in ("/projects/desk/map", "/search?q=script", "/search?q=%3Cscript%3E", f"/projects?q={EVIL}", f"/tasks?kind={EVIL}", f"/portfolio?q={EVIL}"):
        page = visit("bea", path, 400 if "kind=" in path else 200).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


def test_a_private_use_case_is_not_there_for_others(visit: Visit) -> None:
    file = visit.room.root / "desk" / "whytune.toml"
    file.write_text(file.read_text("utf-8").replace("private = false", "private = true").replace("people = []", 'people = ["rita"]'), "utf-8")
    assert "desk" in visit("rita", "/projects").text
    visit("rita", "/projects/desk/map")
    for path in ("/tasks", "/projects", "/portfolio", "/search?q=carl"):
        assert "desk" not in visit("tess", path).text
    visit("tess", "/projects/desk/map", 404)
    assert "its owners and auditors" in visit("rita", "/projects/desk/map").text


def test_one_broken_file_leaves_the_other_use_cases_reachable(visit: Visit) -> None:
    (visit.room.root / "other").mkdir()
    (visit.room.root / "other" / "whytune.toml").write_text("name = 'other'\ntask = 'no such'\n", "utf-8")
    page = visit("bea", "/projects").text
    assert "cannot be read" in page
    assert "/projects/desk/map" in page
    visit("bea", "/projects/desk/map")
    visit("bea", "/portfolio")
