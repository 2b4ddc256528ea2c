"""The web door: who comes in, what they see, and that no mistake leaves with a stack trace."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from whytune.errors import (
    DataError,
    NotAllowedError,
    NotProvenError,
    RefusedError,
    StoreError,
    UnavailableError,
    UsageError,
)
from whytune.settings import Settings
from whytune.store import accounts as accounts_module
from whytune.web import auth
from whytune.web.app import check_address, make_app
from whytune.web.errors import status_of
from whytune.workspace import people
from whytune.workspace.workspace import Workspace

GOOD = "correct horse battery"
PROJECT = 'name = "support"\ntask = "categorization"\n[data]\nfrom = ["rows.csv"]\n[acceptance]\nmetric = "accuracy"\nbar = 0.8\nmargin = 0.05\n'


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "whytune.toml").write_text(PROJECT, "utf-8")
    yield room
    room.store.close()


def client(room: Workspace, token: str = "", **how: Any) -> TestClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return TestClient(make_app(room.root, **how), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers=headers, raise_server_exceptions=False)


def staffed(room: Workspace) -> tuple[str, str]:
    """Tokens of an admin and of a tester."""
    people.add(room, "ada", ["business_owner"])
    people.add(room, "bo", ["tester"])
    bo = people.make_token(room, "bo")
    return people.make_token(room, "ada"), bo


def test_a_person_alone_on_this_machine_needs_no_token(room: Workspace) -> None:
    web = client(room)
    assert web.get("/healthz").json() == {"status": "ok"}
    assert web.get("/api/v1/session").json()["person"]["solo"] is True
    assert web.get("/api/v1/projects").json()["projects"][0]["name"] == "support"
    assert web.get("/api/v1/projects/support").json()["usecase"]["rule"]["bar"] == 0.8
    assert web.get("/api/v1/projects/support/status").json()["steps"][0]["name"] == "usecase"
    assert web.get("/api/v1/projects/support/gaps").json() == {"project": "support", "gaps": []}
    assert web.get("/api/v1/teams").json()["team"]["head"] == "Chief AI Officer"
    assert web.post("/api/v1/people", json={"name": "ada", "roles": ["tester"]}).status_code == 201
    assert web.get("/api/v1/projects").status_code == 401  # from here on everybody says who they are


def test_a_token_is_its_person_in_their_roles(room: Workspace) -> None:
    ada, bo = staffed(room)
    assert client(room, bo).get("/api/v1/session").json()["person"]["name"] == "bo"
    refused = client(room, bo).post("/api/v1/people", json={"name": "cy", "roles": ["legal"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")
    assert set(refused.json()) == {"code", "what", "where", "problems", "next"}
    made = client(room, ada).post("/api/v1/people", json={"name": "cy", "roles": ["legal"]})
    assert (made.status_code, made.json()["roles"]) == (201, ["legal"])
    assert client(room, ada).patch("/api/v1/people/cy", json={"add": ["tester"]}).json()["roles"] == ["tester", "legal"]
    assert client(room, ada).patch("/api/v1/people/ada", json={"add": ["tester"]}).status_code == 403
    token = client(room, ada).post("/api/v1/people/cy/tokens", json={"label": "x"}).json()["token"]
    cy = client(room, token)
    assert cy.put("/api/v1/people/cy/skills", json={"skills": ["law"], "years": 2}).json()["skills"] == ["law"]
    (note,) = cy.get("/api/v1/tokens").json()["tokens"]
    assert cy.delete(f"/api/v1/tokens/{note['id']}").status_code == 204
    assert cy.get("/api/v1/session").status_code == 401
    events = client(room, bo).get("/api/v1/events?after=3").json()["events"]
    assert [event["number"] for event in events] == list(range(4, 4 + len(events)))
    assert {event["person"] for event in events if event["act"] == "skills.declared"} == {"cy"}


STRANGERS = (
    ({}, 401),
    ({"Authorization": "Bearer nonsense"}, 401),
    ({"Authorization": "Basic YWRhOmFkYQ=="}, 401),
    ({"Cookie": "whytune_session=nonsense"}, 401),
    ({"Cookie": "a b=;;=\x7f"}, 401),
    ({"Host": "evil.example"}, 403),
    ({"Host": "127.0.0.1.evil.example:8765"}, 403),
)


def test_nobody_else_comes_in(room: Workspace) -> None:
    staffed(room)
    for headers, status in STRANGERS:
        for method, path in (("GET", "/api/v1/projects"), ("POST", "/api/v1/people"), ("GET", "/api/v1/nowhere")):
            answer = client(room).request(method, path, headers=headers)
            assert (headers, answer.status_code) == (headers, status)
            assert answer.json()["next"]


def test_no_other_protocol_gets_past_the_door(room: Workspace) -> None:
    with pytest.raises(WebSocketDisconnect) as closed, client(room).websocket_connect("/api/v1/projects"):
        raise AssertionError("nobody may be connected")
    assert closed.value.code == 1008


def test_a_stranger_from_elsewhere_is_refused_though_nobody_is_known(room: Workspace) -> None:
    web = TestClient(make_app(room.root), base_url="http://127.0.0.1:8765", client=("203.0.113.9", 1), raise_server_exceptions=False)
    assert web.get("/api/v1/projects").status_code == 403
    assert web.get("/healthz").status_code == 403


def test_behind_a_proxy_there_must_be_people_and_tokens(room: Workspace) -> None:
    far = {"base_url": "https://tune.example", "client": ("10.0.0.7", 1), "raise_server_exceptions": False}
    assert TestClient(make_app(room.root, behind_proxy=True), **far).get("/api/v1/projects").status_code == 403
    ada, _ = staffed(room)
    web = TestClient(make_app(room.root, behind_proxy=True), **far)
    assert web.get("/api/v1/projects").status_code == 401
    assert web.get("/api/v1/projects", headers={"Authorization": f"Bearer {ada}"}).status_code == 200
    with pytest.raises(NotAllowedError, match="can be reached from elsewhere"):
        check_address("0.0.0.0", behind_proxy=False)


def test_signing_in_with_a_password_and_out(room: Workspace) -> None:
    staffed(room)
    people.set_password(room.as_person("ada"), "ada", GOOD)
    web = client(room)
    assert web.post("/api/v1/session", json={"name": "ada", "password": "wrong"}).status_code == 401
    signed = web.post("/api/v1/session", json={"name": "ada", "password": GOOD})
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in signed.headers["set-cookie"].split(";")}
    assert signed.headers["cache-control"] == "no-store"
    csrf = {auth.CSRF: signed.json()["csrf"]}
    assert web.get("/api/v1/session").json()["person"]["name"] == "ada"
    body = {"name": "cy", "roles": ["legal"]}
    assert web.post("/api/v1/people", json=body).status_code == 403
    assert web.post("/api/v1/people", json=body, headers={auth.CSRF: "x"}).status_code == 403
    assert web.post("/api/v1/people", json=body, headers={**csrf, "Origin": "https://evil.example"}).status_code == 403
    assert web.post("/api/v1/people", json=body, headers={**csrf, "Origin": "http://127.0.0.1:8765"}).status_code == 201
    assert web.delete("/api/v1/session", headers=csrf).status_code == 204
    assert web.get("/api/v1/session").status_code == 401


def test_a_password_is_changed_by_who_knows_the_old_one(room: Workspace) -> None:
    ada, bo = staffed(room)
    path, other = "/api/v1/people/bo/password", "another good one"
    assert client(room, bo).put(path, json={"password": GOOD}).status_code == 204
    assert client(room, bo).put(path, json={"password": other}).status_code == 403
    assert client(room, bo).put(path, json={"password": other, "old": GOOD}).status_code == 204
    assert client(room, bo).put("/api/v1/people/ada/password", json={"password": other}).status_code == 403
    assert client(room, ada).put(path, json={"password": "short"}).status_code == 400
    assert client(room).post("/api/v1/session", json={"name": "bo", "password": other}).status_code == 201
    assert client(room, ada).post("/api/v1/break-glass", json={"reason": "the server is down", "hours": 1}).status_code == 201
    assert client(room, bo).get("/api/v1/people").json()["break_glass"][0]["person"] == "ada"


def test_a_form_of_another_site_changes_nothing_though_nobody_needs_a_token(room: Workspace) -> None:
    web = client(room)
    body = '{"name": "eve", "roles": ["admin"]}'
    assert web.post("/api/v1/people", content=body, headers={"Content-Type": "text/plain"}).status_code == 400
    assert web.post("/api/v1/people", json={"name": "eve", "roles": ["admin"]}, headers={"Origin": "null"}).status_code == 403
    assert room.people() == []


BODIES = (
    (b"{", 0), (b"[1]", 0), (b"\xff", 0), (b"[" * 100_000, 0), (b" " * 1_000_001, 0), (b"{}", 2),
    (b'{"name": 1, "roles": "tester", "x": 0}', 3), (b'{"name": "b", "roles": [1]}', 1), (b'{"name": "../b", "roles": ["king"]}', 0),
)  # fmt: skip


def test_every_mistake_of_a_body_is_told_and_none_is_a_fault(room: Workspace) -> None:
    web = client(room)
    for content, problems in BODIES:
        answer = web.post("/api/v1/people", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in ((413,) if len(content) > 1_000_000 else (400, 404)), content[:40]
        assert len(answer.json()["problems"]) >= problems
        assert "Traceback" not in answer.text
    assert room.people() == []


def test_what_is_not_there_is_not_found(room: Workspace) -> None:
    web = client(room)
    for path in ("/api/v1/projects/nope", "/api/v1/projects/..", "/api/v1/projects/%2e%2e", "/api/v1/projects/support%2F..", "/api/v1/nowhere", "/nowhere"):
        answer = web.get(path)
        assert (path, answer.status_code, answer.json()["code"]) == (path, 404, "not-found")


def test_pages_of_events_and_their_mistakes(room: Workspace) -> None:
    staffed(room)
    ada = client(room, people.make_token(room.as_person("ada"), "ada"))
    first = ada.get("/api/v1/events?limit=2").json()
    assert ([event["number"] for event in first["events"]], first["next"]) == ([1, 2], 2)
    wrong = ada.get("/api/v1/events?limit=0&after=-1")
    assert (wrong.status_code, len(wrong.json()["problems"])) == (400, 2)


def test_a_fault_of_ours_tells_nothing_of_the_inside(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Workspace) -> list[Any]:
        raise RuntimeError("secret path")

    web = client(room)
    monkeypatch.setattr(Workspace, "projects", broken)
    answer = web.get("/api/v1/projects")
    assert (answer.status_code, answer.json()["what"]) == (500, "Something went wrong inside")
    assert "secret path" not in answer.text


def test_the_error_tree_has_its_statuses() -> None:
    kinds = {UsageError: 400, DataError: 400, NotAllowedError: 403, RefusedError: 409, NotProvenError: 409, UnavailableError: 503, StoreError: 500}
    assert {kind: status_of(kind("x", next="y")) for kind in kinds} == kinds


def test_people_at_once_are_never_mixed_up(room: Workspace) -> None:
    ada, bo = staffed(room)
    app = make_app(room.root)
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as web, ThreadPoolExecutor(8) as pool:
        asked = [(token, name) for _ in range(10) for token, name in ((ada, "ada"), (bo, "bo"))]
        found = pool.map(lambda pair: web.get("/api/v1/session", headers={"Authorization": f"Bearer {pair[0]}"}).json()["person"]["name"] == pair[1], asked)
        assert all(found)
