"""Long lists: every line can be reached, several lists on one page turn their pages apart, and filters stay in the address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.web.shelf import shelf
from tests.workspace import compared_desks

from whytune.errors import UsageError
from whytune.store import accounts as accounts_module
from whytune.web import paging
from whytune.web.app import make_app
from whytune.web.pages import compare, data, new, registry, responsible, runs
from whytune.workspace import people
from whytune.workspace.workspace import Workspace

HERE = "http://127.0.0.1:8765"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    made = shelf(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def web(room: Workspace) -> Iterator[TestClient]:
    with TestClient(make_app(room.root), base_url=HERE, client=("127.0.0.1", 1), follow_redirects=False) as made:
        yield made


def test_a_list_beside_another_has_a_word_of_its_own() -> None:
    assert paging.beside({"page": "3", "per": "7"}, "sessions", 20) == paging.Page(1, 20)
    assert paging.beside({"sessions": "3"}, "sessions", 20).cut(range(100)) == list(range(40, 60))
    with pytest.raises(UsageError, match="cannot be shown") as told:
        paging.beside({"sessions": "0"}, "sessions")
    assert told.value.next == "?sessions=1"


def test_sessions_on_system_turn_their_pages_apart_from_people(room: Workspace, web: TestClient) -> None:
    people.add(room, "ada", ["admin"])
    for _ in range(60):
        room.store.accounts.open_session("ada")
    who = {"authorization": f"Bearer {room.store.accounts.make_token('ada')}"}
    pages = [web.get(f"/api/v1/system?q=ada&sessions={number}", headers=who).json() for number in (1, 2, 3)]
    assert [len(one["sessions"]) for one in pages] == [50, 10, 0]
    assert len({note["id"] for one in pages for note in one["sessions"]}) == pages[0]["sessions_page"]["total"] == 60
    assert [line["name"] for line in pages[1]["people"]] == ["ada"]
    text = web.get("/system?q=ada", headers={**who, "accept": "text/html"}).text
    assert re.search(r'aria-label="Pages of sessions".*?href="/system\?q=ada&amp;sessions=2">Next', text, re.DOTALL)


def test_every_adapter_is_reached(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    every = [{"id": f"adapter:{number}"} for number in range(120)]
    monkeypatch.setattr(runs.following, "trained", lambda _: every)
    pages = [web.get(f"/api/v1/projects/support/runs?page=1&adapters={number}").json() for number in (1, 2, 3)]
    assert [one["id"] for page in pages for one in page["adapters"]] == [one["id"] for one in every]
    assert {page["adapters_page"]["total"] for page in pages} == {120}


def test_names_drafts_and_reports_have_pages(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new.drafting, "drafts", lambda _: list(range(120)))
    assert web.get("/api/v1/projects/new?page=3").json()["drafts"] == list(range(100, 120))
    ids = registry.releasing.aliases
    monkeypatch.setattr(registry.releasing, "aliases", lambda room: {f"name{number:03}": next(iter(ids(room).values())) for number in range(120)})
    assert [one["alias"] for one in web.get("/api/v1/aliases?page=3").json()["names"]] == [f"name{number:03}" for number in range(100, 120)]
    monkeypatch.setattr(responsible, "_history", lambda *_: list(range(50)))
    assert web.get("/api/v1/projects/support/responsible?reports=3").json()["history"] == list(range(40, 50))


def test_versions_and_looks_have_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = compared_desks.desk(tmp_path)
    room = f"/api/v1/projects/{project.name}"
    every = list(range(50))
    monkeypatch.setattr(data.dataroom, "looks", lambda *_: every)
    monkeypatch.setattr(compare.comparing, "compared", lambda *_: SimpleNamespace(looks=every))
    made = data.versions.versions
    monkeypatch.setattr(data.versions, "versions", lambda project: made(project) * 30)
    person = project.workspace.people()[0].name
    who = {"authorization": f"Bearer {project.workspace.store.accounts.make_token(person)}"}
    with project.workspace.store, TestClient(make_app(project.workspace.root), base_url=HERE, client=("127.0.0.1", 1), headers=who) as web:
        shown = web.get(f"{room}/data?looks=3&versions=2").json()
        assert "newest" in shown, shown
        assert (shown["newest"]["looks"], shown["newest"]["looks_page"]["total"]) == (every[40:], 50)
        assert (len(shown["versions"]), shown["versions_page"]["total"], shown["versions"][-1]["before"]) == (10, 30, None)
        assert web.get(f"{room}/data").json()["versions"][-1]["before"] == 1, "the last of a page is beside the first of the next"
        found: Any = web.get(f"{room}/compare?looks=3").json()
        assert (found["looks"], found["looks_page"]["total"]) == (every[40:], 50)
