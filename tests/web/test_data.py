"""Versions and proposals over HTTP: what is shown, who may propose and accept, and what stays sealed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.workspace.desks import labelled

from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.workspace import people
from whytune.workspace.creating import examples_of
from whytune.workspace.project import Project

ROOM = "/api/v1/projects/desk"
ROWS = [{"input": f"the lift in house {word} is stuck again today", "target": "delay"} for word in ("ash", "birch", "cedar")]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    made = labelled(tmp_path)
    yield made
    made.workspace.store.close()


def client(project: Project, token: str = "") -> TestClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return TestClient(make_app(project.workspace.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers=headers, raise_server_exceptions=False)


def test_from_a_proposal_to_an_approved_version(project: Project) -> None:
    project.run(until="check")
    web = client(project)
    assert web.get(f"{ROOM}/findings").json()["passed"] is True
    made = web.post(f"{ROOM}/proposals", json={"rows": ROWS, "reasons": ["more delay"]})
    assert made.status_code == 201
    name = made.json()["id"]
    assert web.get(f"{ROOM}/proposals").json()["open"] == [name]
    assert [row["input"] for row in web.get(f"{ROOM}/proposals/{name}").json()["rows"]] == [row["input"] for row in ROWS]
    assert web.post(f"{ROOM}/proposals/{name}/accept", json={}).json()["solo"] is True
    project.run(until="check")
    assert [one["dataset"]["number"] for one in web.get(f"{ROOM}/versions").json()["versions"]] == [1, 2]
    parted = web.get(f"{ROOM}/versions/1/diff/2").json()
    assert sum(parted["counts"]["added"].values()) == 3
    test = [example.input_text for example in examples_of(project, project.dataset, "test")]
    assert not [text for text in test if text in json.dumps(parted)]
    assert web.post(f"{ROOM}/versions/approve", json={"reason": "read"}).status_code == 201
    assert web.get(f"{ROOM}/versions").json()["versions"][-1]["state"] == "approved"


def test_mistakes_are_told_all_at_once(project: Project) -> None:
    web = client(project)
    wrong = web.post(f"{ROOM}/proposals", json={"rows": ["x"], "reasons": "no", "instead_of": 3, "more": 1})
    assert wrong.status_code == 400
    assert len(wrong.json()["problems"]) == 4
    assert web.post(f"{ROOM}/proposals", json={"rows": [{"input": ""}]}).status_code == 400
    assert web.get(f"{ROOM}/proposals/abc").status_code == 404
    assert web.get(f"{ROOM}/versions/1/diff/9").status_code == 404


def test_nobody_accepts_their_own_rows_here_either(project: Project) -> None:
    room = project.workspace
    people.add(room, room.person.name, ["admin"])
    people.add(room, "ann", ["data_creator"])
    people.add(room, "bo", ["tester"])
    people.add(room, "dora", ["auditor"])
    people.add(room, "lex", ["legal"])
    tokens = {name: people.make_token(room, name) for name in ("ann", "bo", "dora", "lex")}
    assert client(project).get(f"{ROOM}/proposals").status_code == 401
    name = client(project, tokens["ann"]).post(f"{ROOM}/proposals", json={"rows": ROWS}).json()["id"]
    for reader, status in (("lex", 403), ("dora", 200), ("ann", 200)):  # an auditor reads everything, an author what they wrote
        assert client(project, tokens[reader]).get(f"{ROOM}/proposals/{name}").status_code == status
    assert client(project, tokens["ann"]).post(f"{ROOM}/proposals/{name}/accept", json={}).status_code == 403
    assert client(project, tokens["bo"]).post(f"{ROOM}/proposals/{name}/accept", json={}).json()["person"] == "bo"
