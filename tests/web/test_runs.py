"""Pages of runs: jobs as the store has them, hostile words as text, starting and stopping by form and JSON, events from a point on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whytune.jobs.progress import Silent, draw
from whytune.records.candidate import Adapter, Base, Checkpoint, Recipe
from whytune.records.job import Job
from whytune.settings import Settings
from whytune.store import accounts as accounts_module
from whytune.web import curves
from whytune.web.app import make_app
from whytune.workspace import people, working
from whytune.workspace.workspace import Workspace

PROJECT = 'name = "support"\ntask = "categorization"\n[data]\nfrom = ["rows.csv"]\n[acceptance]\nmetric = "accuracy"\nbar = 0.8\nmargin = 0.05\n'
HOSTILE = "</td><script>alert(1)</script>\u202e"
FORM = {"_once": "a" * 32}


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WHYTUNE_PERSON", "ada")
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "whytune.toml").write_text(PROJECT, "utf-8")
    yield room
    room.store.close()


@pytest.fixture
def web(room: Workspace) -> Iterator[TestClient]:
    with client(room) as opened:
        yield opened


def client(room: Workspace, token: str = "") -> TestClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return TestClient(make_app(room.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers=headers, raise_server_exceptions=False, follow_redirects=False)


def worked(room: Workspace, steps: int = 30) -> Job:
    """A job that has trained a little and ended."""
    with working.recorded(room.project("support"), "run", {}, Silent()) as progress:
        progress.phase(f"reading {HOSTILE}", 0)
        progress.phase("training", steps, "steps")
        for step in range(1, steps + 1):
            draw(progress, step=step, loss=4.0 / step, seconds=0.1, total=steps)
            progress.advance(1, HOSTILE)
        draw(progress, step=steps, dev_loss=0.25, dev_metric=0.75, epoch=1.0)
    return working.jobs(room, "support")[0][0]


def trained(room: Workspace, rank: int, epochs: float = 3.0) -> Adapter:
    looks = tuple(Checkpoint(step=10 * at, epoch=float(at), train_loss=2.0 / at, dev_loss=2.5 / at, dev_metric=0.3 * at, seconds=at) for at in (1, 2, 3))
    base = Base(name=f"tiny {HOSTILE}", source="folder", location="x", digest="d")
    made = Adapter(
        base=base.id, recipe=Recipe(rank=rank, epochs=epochs), dataset="dataset:1", prompt="prompt:1", digest=f"{rank}", rows=9, trained_tokens=90, tokens=900,
        seconds=12.0, dtype="float32", best_step=20, curve=looks,
    )  # fmt: skip
    with room.project("support").act("adapter.trained") as act:
        act.write(base)
        act.write(made)
    return made


def test_a_job_s_page_shows_what_the_store_has(room: Workspace, web: TestClient) -> None:
    job = worked(room)
    data = web.get(f"/api/v1/runs/{job.id}").json()
    assert data["job"] == job.model_dump(mode="json")
    assert data["curve"]["train"][0] == [1, 4.0]
    assert data["curve"]["dev"] == [[30, 0.25]]
    assert data["curve"]["metric"] == [[30, 0.75]]
    assert data["after"] == 33
    page = web.get(f"/runs/{job.id}")
    assert page.status_code == 200
    assert "What came out" in page.text
    assert f'href="{job.link}"' in page.text
    assert "whytune run support" in page.text
    assert page.text.count("<polyline") == 2
    assert "lowest 0.133" in page.text
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    assert " style=" not in page.text
    assert "id=\"live\"" not in page.text


def test_events_begin_after_the_last_one_seen(room: Workspace, web: TestClient) -> None:
    job = worked(room)
    whole = web.get(f"/runs/{job.id}/events")
    assert whole.headers["content-type"].startswith("text/event-stream")
    ids = [int(number) for number in re.findall(r"(?m)^id: (\d+)$", whole.text)]
    assert ids == list(range(1, 34))
    assert whole.text.endswith("event: end\ndata: {}\n\n")
    for given in ({"headers": {"last-event-id": "31"}}, {"params": {"after": "31"}}):
        rest = web.get(f"/runs/{job.id}/events", **given).text
        assert re.findall(r"(?m)^id: (\d+)$", rest) == ["32", "33"]
        points = [json.loads(line) for line in re.findall(r"event: point\ndata: (.*)", rest)]
        assert points[-1] == {"kind": "curve", "when": points[-1]["when"], "part": 1, "step": 30, "dev_loss": 0.25, "dev_metric": 0.75, "epoch": 1.0}
    assert len(re.findall(r"(?m)^id:", web.get(f"/runs/{job.id}/events?after=x").text)) == 33, "a number that is none begins at the beginning"


def test_points_of_the_api_go_on_from_a_number(room: Workspace, web: TestClient) -> None:
    job = worked(room)
    found = web.get(f"/api/v1/runs/{job.id}/points", params={"after": "30"}).json()
    assert [point["seq"] for point in found["points"]] == [31, 32, 33]
    assert found["next"] == 33
    assert web.get(f"/api/v1/runs/{job.id}/points", params={"after": "33"}).json() == {"points": [], "next": None}
    for wrong in ("-1", "x", "9" * 30):
        assert web.get(f"/api/v1/runs/{job.id}/points", params={"after": wrong}).status_code == 400
        assert web.get(f"/runs/{job.id}", params={"part": wrong}).status_code == 400
    assert web.get(f"/runs/{job.id}", params={"part": "7"}).status_code == 404


@pytest.mark.parametrize("address", ["/runs/nothing", "/runs/nothing/events", "/api/v1/runs/nothing", "/api/v1/runs/nothing/points"])
def test_a_job_that_is_not_there(web: TestClient, address: str) -> None:
    assert web.get(address).status_code == 404


def test_lists_name_what_may_be_started_and_what_runs(room: Workspace, web: TestClient) -> None:
    assert "Nothing was started yet" in web.get("/projects/support/runs").text
    job = worked(room)
    for address in ("/projects/support/runs", "/runs"):
        page = web.get(address)
        assert page.status_code == 200
        assert f"/runs/{job.id}" in page.text
        assert "<script>alert" not in page.text
    data = web.get("/api/v1/projects/support/runs").json()
    assert (data["page"]["total"], data["live"]) == (1, None)
    assert all(one["allowed"] for one in data["may"].values())
    with working.recorded(room.project("support"), "train", {}, Silent()) as progress:
        progress.phase("training", 5, "steps")
        live = web.get("/api/v1/projects/support/runs").json()["live"]
        assert live["state"] == "running"
        page = web.get(f"/runs/{live['id']}").text
        assert f'data-events="/runs/{live["id"]}/events"' in page
        assert ">Stop</button>" in page
    assert web.get("/runs?page=2&per=1").status_code == 200
    assert web.get("/runs?page=0").status_code == 400


def test_starting_and_stopping_by_form_and_by_json(room: Workspace, web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[Any, ...]] = []
    monkeypatch.setattr(working, "_spawn", lambda workspace, job, descriptor: begun.append((job.kind, job.arguments, workspace.person.name)))
    made = web.post("/projects/support/runs", data={**FORM, "kind": "run", "until": "check"})
    assert made.status_code == 303
    assert made.headers["location"].startswith("/runs/")
    assert web.post("/projects/support/runs", data={**FORM, "kind": "run", "until": "check"}).headers["location"] == made.headers["location"], "sent twice is done once"
    json_made = web.post("/api/v1/projects/support/runs", json={"kind": "responsible", "arm": "tuned", "quick": "yes"})
    assert json_made.status_code == 201
    assert begun == [("run", {"until": "check"}, "ada"), ("responsible", {"arm": "tuned", "quick": "yes"}, "ada")]
    lost = web.get(json_made.json()["id"] and f"/runs/{json_made.json()['id']}").text
    assert "It is lost" in lost, "no process took it up"
    assert "Go on from what was kept" in lost
    wrong = web.post("/api/v1/projects/support/runs", json={"kind": "run", "until": "never"})
    assert wrong.status_code == 400
    assert "none of usecase" in wrong.text
    with working.recorded(room.project("support"), "train", {}, Silent()) as progress:
        progress.phase("training", 5, "steps")
        id = working.jobs(room, "support")[0][0].id
        refused = web.post("/projects/support/runs", data={"_once": "b" * 32, "kind": "check"})
        assert refused.status_code == 409
        assert "being worked on by" in refused.text
        while working.job(room, id).phase != "training":
            pass  # the notes are written by a thread of their own
        assert web.post(f"/runs/{id}/stop", data={"_once": "c" * 32, "keep_best": "on"}).status_code == 303
        assert "asked to end the training" in web.get(f"/runs/{id}").text
    ended = web.post(f"/api/v1/runs/{id}/stop", json={})
    assert ended.status_code == 409
    assert "has ended already" in ended.json()["what"]


def test_whoever_may_not_sees_why_and_who_may(room: Workspace) -> None:
    people.add(room, "ada", ["business_owner"])
    people.add(room, "bo", ["auditor"])
    token = people.make_token(room, "bo")
    with client(room, token) as bo:
        page = bo.get("/projects/support/runs").text
        assert re.search(r"<button[^>]* disabled>Run</button>", page)
        assert "Who may: ada" in page
        assert bo.post("/api/v1/projects/support/runs", json={"kind": "run"}).status_code == 403
        assert bo.post("/projects/support/runs", data={**FORM, "kind": "run"}).status_code == 403
        with working.recorded(room.project("support"), "run", {}, Silent()):
            id = working.jobs(room, "support")[0][0].id
            assert ">Stop</button>" not in bo.get(f"/runs/{id}").text
            assert bo.post(f"/api/v1/runs/{id}/stop", json={}).status_code == 403
            file = room.root / "support" / "whytune.toml"
            file.write_text(PROJECT + '[owners]\nbusiness_owner = "ada"\n[access]\nprivate = true\n', "utf-8")
            people.add(room, "cy", ["tester"])
            with client(room, people.make_token(room, "cy")) as cy:
                for address in (f"/runs/{id}", f"/runs/{id}/events", f"/api/v1/runs/{id}", "/projects/support/runs"):
                    assert cy.get(address).status_code == 404
                assert cy.get("/api/v1/runs").json()["jobs"] == []


def test_two_adapters_beside_each_other(room: Workspace, web: TestClient) -> None:
    one, two = trained(room, 8), trained(room, 16, epochs=6.0)
    where = {"one": one.id, "two": two.id}
    data = web.get("/api/v1/projects/support/runs/compare", params=where).json()
    assert {each["name"]: (each["one"], each["two"]) for each in data["differ"]} == {"rank": ("8", "16"), "epochs": ("3", "6"), "epochs made": ("3.00", "3.00 (ended early)")}
    page = web.get("/projects/support/runs/compare", params=where).text
    assert page.count("<polyline") == 4
    assert "<script>alert" not in page
    listed = web.get("/projects/support/runs").text
    assert "3 of 6, ended early" in listed
    assert "Compare A and B" in listed
    missing = web.get("/projects/support/runs/compare")
    assert missing.status_code == 400
    assert "one: missing" in missing.text
    assert web.get("/projects/support/runs/compare", params={"one": one.id, "two": "adapter:no"}).status_code == 404


def test_a_drawing_has_a_title_classes_only_and_no_point_that_is_no_number() -> None:
    drawn = str(curves.drawn("Loss <of> it", [curves.Series("a", "train", [(1, 2.0), (2, float("nan")), (3, 1.0)])]))
    assert "<title>Loss &lt;of&gt; it</title>" in drawn
    assert "a: from 2.000 to 1.000, lowest 1.000" in drawn
    assert "nan" not in drawn
    assert "style" not in drawn
    assert curves.drawn("Loss", [curves.Series("a", "train", [])]) == ""
    assert "polyline" in curves.drawn("Loss", [curves.Series("a", "train", [(1, 0.5)])])
