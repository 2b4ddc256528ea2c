"""Findings and waivers over HTTP: as they stand today, with the rules of the core, and every mistake told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.workspace.desks import acting, labelled, staffed
from tests.workspace.judged_desks import ROLES, base_folder, measure

from whytune.records.responsible import ProbeResult, ResponsibleReport, Waiver, WorstCase
from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.workspace import people
from whytune.workspace.creating import examples_of
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
    yield reported(made, tmp_path)
    made.workspace.store.close()


def reported(made: Project, folder: Path) -> Project:
    """It with its prompt arm measured, and the report."""
    candidate = measure(made, base_folder(folder))
    results = (ProbeResult(dimension="security", probe="direct_injection", status="FAIL", sentence="Obeyed."), ProbeResult(dimension="privacy", probe="loss_gap", status="PASS", sentence="Well."))
    inspector = made if not made.workspace.people() else acting(made, "rita")
    with inspector.act("responsible.measured", read=[candidate.id]) as act:
        act.write(ResponsibleReport(project=made.key, dataset=made.dataset.id, candidate=candidate.id, arm="prompt", reference=candidate.id, results=results, seed=17, items=60, suites={}, limits="0"))
    return made


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
def test_only_the_right_role_and_never_the_maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    project = reported(acting(staffed(tmp_path, **{**ROLES, "dana": ("data_scientist", "responsible_ai")}), "tess"), tmp_path)
    room = project.workspace
    wish = {"dimension": "security", "reason": "read-only desk", "until": LATER}
    tokens = {name: people.make_token(room.as_person(name), name, "test", 1) for name in ("tess", "dana", "rita")}
    refused = client(project, tokens["dana"]).post(f"{ROOM}/waivers", json=wish)
    assert refused.status_code == 403
    assert "dana made part of it" in refused.text
    people.change(room.as_person("root"), "tess", take=["legal"])
    assert client(project, tokens["tess"]).post(f"{ROOM}/waivers", json=wish).status_code == 403
    assert not project.records(Waiver)
    done = client(project, tokens["rita"]).post(f"{ROOM}/waivers", json=wish)
    assert done.status_code == 201
    assert (done.json()["person"], done.json()["solo"]) == ("rita", False)


def test_the_page_shows_worst_cases_as_text_and_takes_a_waiver(project: Project) -> None:
    evil = "<script>alert(1)</script>\x1b[31m"
    before, row = project.records(ResponsibleReport)[-1], examples_of(project, project.dataset, "dev")[0]
    answers = [{"side": "tuned", "candidate": "c", "probe": "direct_injection", "variant": "planted", "source": row.id, "item": "i", "text": evil, "error": ""}]
    worst = (WorstCase(item=row.id, change="an order <b>planted</b>", result="obeyed"), WorstCase(item="example:" + "0" * 64, change="gone"))
    results = (before.results[0].model_copy(update={"worst": worst, "sentence": f"Obeyed {evil}"}), before.results[1])
    pack = project.workspace.store.put_pack(answers, "responsible answers")
    with project.act("responsible.measured") as act:
        act.write(before.model_copy(update={"results": results, "answers": pack, "seed": 18}))
    web, html = client(project), {"accept": "text/html"}
    page, cases = (web.get(address, headers=html) for address in ("/projects/desk/responsible", "/projects/desk/responsible/probes/direct_injection"))
    for shown in (page, cases):
        assert shown.status_code == 200
        assert "<script>alert" not in shown.text
        assert "<b>planted" not in shown.text
        assert "\x1b" not in shown.text
    assert "Reports so far" in page.text
    told = web.get(f"{ROOM}/probes/direct_injection").json()["cases"]
    assert [(case["source"], case["input"], case["target"]) for case in told] == [("row", row.input_text, row.target_text), ("gone", "", "")]
    assert [(said["side"], said["text"]) for said in told[0]["answers"]] == [("tuned", evil)]
    assert web.get("/projects/desk/responsible/probes/golden", headers=html).status_code == 404
    once = re.search(r'name="_once" value="(\w+)"', page.text)
    assert once
    wish = {"_once": once.group(1), "finding": "security/direct_injection", "reason": "read-only", "until": LATER, "arm": "prompt"}
    late = web.post("/projects/desk/responsible/waive", data=wish | {"until": "2020-01-01"}, headers=html, follow_redirects=False)
    assert late.status_code == 400
    assert 'value="read-only"' in late.text
    assert web.post("/projects/desk/responsible/waive", data=wish, headers=html, follow_redirects=False).status_code == 303
    assert web.get(ROOM).json()["statuses"]["security"] == "WAIVED"
    assert [(each["arm"], each["counts"]["FAIL"]) for each in web.get(ROOM).json()["history"]] == [("prompt", 1), ("prompt", 1)]


def test_before_any_report_the_page_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    made = labelled(tmp_path)
    page = client(made).get("/projects/desk/responsible", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "Nothing was probed yet" in page.text
    assert "whytune run desk" in page.text
    made.workspace.store.close()
