"""Accepted?, releases and aliases over HTTP: each by the person whose token it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.workspace.judged_desks import SIGNERS, desk

from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.workspace import people, registering
from whytune.workspace.workspace import Workspace


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Tokens of everybody of a measured project in `tmp_path`."""
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    monkeypatch.setenv("WHYTUNE_DTYPE", "float32")
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    project = desk(tmp_path)
    room = project.workspace
    found = {name: people.make_token(room.as_person(name), name) for name in ("bea", "rita", "tess", "dana", "olga")}
    room.store.close()
    return found


@pytest.fixture
def web(tokens: dict[str, str], tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(make_app(tmp_path), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.slow
def test_from_policy_to_a_live_release_and_back(web: TestClient, tokens: dict[str, str], tmp_path: Path) -> None:
    def by(name: str) -> dict[str, dict[str, str]]:
        return {"headers": {"Authorization": f"Bearer {tokens[name]}"}}

    here = "/api/v1/projects/desk"
    assert web.get(f"{here}/policy").status_code == 401
    assert web.get(f"{here}/policy", **by("bea")).json()["evidence"] == ["test"]
    assert web.get(f"{here}/approvals/open", **by("bea")).json()["open"]["tester"] == ["tess"]
    assert web.get(f"{here}/acceptance", **by("dana")).json()["accepted"] is False
    refused = web.post(f"{here}/approvals", json={"role": "tester", "says": "approve", "reason": "mine"}, **by("dana"))
    assert refused.status_code == 403
    assert any("dev.measured" in problem for problem in refused.json()["problems"])
    assert web.post(f"{here}/approvals", json={"role": "tester", "says": "perhaps", "reason": "x"}, **by("tess")).status_code == 400
    for role, name in SIGNERS.items():
        assert web.post(f"{here}/approvals", json={"role": role, "says": "approve", "reason": "looked"}, **by(name)).status_code == 201
    assert web.post(f"{here}/releases", json={}, **by("olga")).status_code == 404, "nothing was accepted yet"
    assert web.post(f"{here}/acceptance", json={}, **by("dana")).status_code == 403
    assert web.post(f"{here}/acceptance", json={}, **by("bea")).json()["accepted"] is True
    made = web.post(f"{here}/releases", json={}, **by("olga"))
    assert made.status_code == 201, made.text
    id = made.json()["id"]
    assert web.get("/api/v1/releases", params={"q": "small"}, **by("dana")).json()["releases"][0]["name"] == "desk/1"
    assert web.get(f"/api/v1/releases/{id}", **by("dana")).json()["state"] == "released"
    assert web.get(f"/api/v1/releases/{id}/verify", **by("dana")).json() == {"release": id, "whole": True, "problems": [], "key": made.json()["public_key"]}
    assert web.get(f"/api/v1/releases/{id}/files/card.md", **by("dana")).text.startswith("# Model card")
    assert web.get(f"/api/v1/releases/{id}/files/bom.json", **by("dana")).json()["specVersion"] == "1.7"
    assert web.get(f"/api/v1/releases/{id}/files/%2e%2e%2fstore.db", **by("dana")).status_code == 404
    assert web.put("/api/v1/aliases/desk/champion", json={"release": id}, **by("dana")).status_code == 403
    assert web.put("/api/v1/aliases/desk/champion", json={"release": id, "reason": "first"}, **by("olga")).status_code == 200
    assert web.get("/api/v1/aliases", **by("dana")).json()["aliases"] == {"desk/champion": id}
    live = web.get("/api/v1/aliases/desk/champion", **by("dana")).json()
    assert live["release"]["id"] == id
    assert {each["person"] for each in live["signed"]} == set(SIGNERS.values())
    assert web.get("/api/v1/aliases/desk/champion", params={"at": "2020-01-01"}, **by("dana")).status_code == 404
    assert len(web.get("/api/v1/aliases/history/desk/champion", **by("dana")).json()["steps"]) == 1
    assert web.post("/api/v1/aliases/rollback/desk/champion", json={"reason": "worse"}, **by("olga")).status_code == 404
    assert web.post(f"/api/v1/releases/{id}/retirement", json={"reason": "old"}, **by("olga")).status_code == 409
    room = Workspace.open(tmp_path)
    assert registering.listed(room)[0].state == "live"
    room.store.close()
