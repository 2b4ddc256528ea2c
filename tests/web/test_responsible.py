"""Findings and waivers over HTTP: as they stand today, with the rules of the core, and every mistake told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.workspace.desks import labelled
from tests.workspace.judged_desks import base_folder, measure

from whytune.records.responsible import ProbeResult, ResponsibleReport, Waiver
from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.workspace import people
from whytune.workspace.project import Project

ROOM = "/api/v1/projects/desk/responsible"
LATER = (datetime.now(UTC).date() + timedelta(days=10)).isoformat()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A measured prompt arm, and a report about it with one failure."""
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    made = labelled(tmp_path)
    made.run(until="check")
    candidate = measure(made, base_folder(tmp_path))
    results = (ProbeResult(dimension="security", probe="direct_injection", status="FAIL", sentence="Obeyed."), ProbeResult(dimension="privacy", probe="loss_gap", status="PASS", sentence="Well."))
    with made.act("responsible.measured", read=[candidate.id]) as act:
        act.write(ResponsibleReport(project=made.key, dataset=made.dataset.id, candidate=candidate.id, arm="prompt", reference=candidate.id, results=results, seed=17, items=60, suites={}, limits="0"))
    yield made
    made.workspace.store.close()


def client(project: Project, token: str = "") -> TestClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return TestClient(make_app(project.workspace.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers=headers, raise_server_exceptions=False)


def test_shown_waived_and_shown_again(project: Project) -> None:
    web = client(project)
    assert web.get(ROOM).json()["statuses"]["security"] == "FAIL"
    assert web.get(f"{ROOM}?arm=golden").status_code == 404
    wrong = web.post(f"{ROOM}/waivers", json={"dimension": "privacy", "reason": "x", "until": "2020-01-01", "probe": "typos"})
    assert wrong.status_code == 400
    assert len(wrong.json()["problems"]) == 2
    assert web.post(f"{ROOM}/waivers", json={"dimension": "security", "reason": "x", "until": "soon"}).status_code == 400
    assert web.post(f"{ROOM}/waivers", json={"dimension": "privacy", "reason": "x", "until": LATER}).status_code == 400, "what passed needs no waiver"
    made = web.post(f"{ROOM}/waivers", json={"dimension": "security", "reason": "read-only desk", "until": LATER})
    assert made.status_code == 201
    assert made.json()["solo"] is True
    found = web.get(ROOM).json()
    assert found["statuses"]["security"] == "WAIVED"
    assert [result["status"] for result in found["report"]["results"]] == ["FAIL", "PASS"], "the report stays as it was"
    page = web.get(f"{ROOM}/page")
    assert page.headers["content-type"].startswith("text/html")
    assert "read-only desk" in page.text


@pytest.mark.slow
def test_only_the_right_role_and_never_the_maker(project: Project) -> None:
    room = project.workspace
    maker = room.person.name
    people.add(room, maker, ["admin"])
    people.add(room, "tess", ["tester"])
    people.add(room, "rita", ["responsible_ai"])
    wish = {"dimension": "security", "reason": "read-only desk", "until": LATER}
    tokens = {name: people.make_token(room if name == maker else room.as_person(name), name, "test", 1) for name in (maker, "tess", "rita")}
    assert client(project, tokens["tess"]).post(f"{ROOM}/waivers", json=wish).status_code == 403
    assert client(project, tokens[maker]).post(f"{ROOM}/waivers", json=wish).status_code == 403
    assert not project.records(Waiver)
    done = client(project, tokens["rita"]).post(f"{ROOM}/waivers", json=wish)
    assert done.status_code == 201
    assert (done.json()["person"], done.json()["solo"]) == ("rita", False)
