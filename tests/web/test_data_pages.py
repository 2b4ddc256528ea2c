"""The Data pages: what they show, what stays sealed, who may act, and that nothing from a row becomes HTML."""

from __future__ import annotations

import atexit
import functools
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.workspace.desks import desk, labelled

from whytune.records.data import Validation
from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.workspace import people, proposing
from whytune.workspace.creating import examples_of
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

ROOM = "/projects/desk/data"
HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(2)> \u202eevil\x07"
PAGES = ("", "/versions/1", "/findings", "/rows", "/rows?split=test", "/rows?q=about", "/removals", "/documents", "/documents?q=floor", "/proposals", "/diff")


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Its data is read, not checked."""
    made = labelled(tmp_path)
    yield made
    made.workspace.store.close()


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Project]:
    """Its data is checked too."""
    shutil.copytree(_checked(), tmp_path, dirs_exist_ok=True)
    made = Workspace.open(tmp_path).project("desk")
    yield made
    made.workspace.store.close()


@functools.cache
def _checked() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="whytune-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = labelled(folder)
    made.run(until="check")
    made.workspace.store.close()
    return folder


def client(project: Project, token: str = "") -> TestClient:
    headers = {"Accept": "text/html", **({"Authorization": f"Bearer {token}"} if token else {})}
    return TestClient(
        make_app(project.workspace.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers=headers, raise_server_exceptions=False, follow_redirects=False
    )


def send(web: TestClient, path: str, **fields: Any) -> Any:
    return web.post(path, data={"_once": secrets.token_hex(16), **fields})


def data(web: TestClient, path: str) -> Any:
    answer = web.get(f"/api/v1{path}", headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def hired(project: Project) -> dict[str, str]:
    room = project.workspace
    people.add(room, room.person.name, ["admin"])
    for name, role in (("ann", "data_creator"), ("bo", "tester"), ("dora", "auditor")):
        people.add(room, name, [role])
    return {name: people.make_token(room, name) for name in ("ann", "bo", "dora")}


def test_every_page_shows_what_its_twin_says_and_no_test_row(checked: Project) -> None:
    test = [example.input_text for example in examples_of(checked, checked.dataset, "test")]
    train = examples_of(checked, checked.dataset, "train")
    web = client(checked)
    for at in PAGES:
        page, twin = web.get(ROOM + at), web.get(f"/api/v1{ROOM}{at}")
        assert (page.status_code, twin.status_code) == (200, 200), f"{at}: {page.text[:300]}"
        assert page.text.count("<h1") == 1
        assert not [text for text in test if text in page.text or text in twin.text], at
    shown = data(web, f"{ROOM}/rows?split=train&per=5&page=2")
    assert [row["id"] for row in shown["rows"]] == [example.id for example in train[5:10]]
    assert shown["page"]["total"] == len(train)
    assert data(web, f"{ROOM}/rows?split=test")["rows"] == []
    assert "sealed" in web.get(f"{ROOM}/rows?split=test").text
    newest = data(web, ROOM)["newest"]
    assert (newest["state"], newest["passed"], newest["looks"]) == ("validated", True, [])


def test_mistakes_in_the_address(project: Project) -> None:
    web = client(project)
    for at, status in (
        ("/rows?split=all", 400), ("/rows?page=0", 400), ("/rows?per=9999", 400), ("/rows?q=" + "x" * 300, 400), ("/removals?reason=none", 400), ("/diff?what=all", 400), ("/versions/9", 404),
        ("/diff?one=1&two=9", 404), ("/rows?version=9", 404), ("/documents/abcdef123456", 404), ("/proposals/abc", 404), ("/findings?version=../x", 404),
    ):  # fmt: skip
        page = web.get(ROOM + at)
        assert page.status_code == status, at
        assert "What to do next" in page.text
    assert web.get("/projects/none/data").status_code == 404


def test_a_version_that_was_not_checked_says_so(project: Project) -> None:
    web = client(project)
    assert "was not checked yet" in web.get(f"{ROOM}/findings").text
    overview = data(web, ROOM)
    assert (overview["newest"]["state"], overview["newest"]["passed"], overview["newest"]["approval"]["may"]["allowed"]) == ("draft", None, False)
    assert send(web, f"{ROOM}/approve").status_code == 409


def test_what_comes_from_outside_stays_text(project: Project) -> None:
    source = project.workspace.root / "rows.csv"
    source.write_text(source.read_text("utf-8") + f'"{HOSTILE} in a row about delay that nobody wrote before",delay\n,loss\n"{HOSTILE}",\n', "utf-8")
    project.run(until="check", stop_at_gate=False)
    proposing.propose(project, "manual", [{"input": f"{HOSTILE} {number}", "target": HOSTILE, "note": HOSTILE} for number in range(2)], [HOSTILE])
    name = proposing.open_ones(project)[0].id.partition(":")[2][:10]
    web = client(project)
    for at in (*PAGES, f"/proposals/{name}", "/removals?reason=missing_field"):
        text = web.get(ROOM + at).text
        assert "<script>alert" not in text, at
        assert "<img src=x" not in text
        assert "\u202e" not in text
    assert "[U+202E]evil" in web.get(f"{ROOM}/proposals/{name}").text


def test_removals_are_found_by_reason_and_source(project: Project) -> None:
    source = project.workspace.root / "rows.csv"
    lines = source.read_text("utf-8").splitlines()
    source.write_text("\n".join([*lines, *lines[1:6], ",loss", "words without an answer,"]) + "\n", "utf-8")
    project.run(until="data")
    web = client(project)
    left = data(web, ROOM)["newest"]["sources"][0]["left_out"]
    assert left == data(web, f"{ROOM}/removals")["reasons"]
    assert left["exact_duplicate"] == 5
    found = [data(web, f"{ROOM}/removals?reason=exact_duplicate&file=../rows.csv&per=2&page={number}") for number in (1, 2, 3)]
    assert [one["page"]["total"] for one in found] == [5, 5, 5]
    assert sorted(gone["origin"]["line"] for one in found for gone in one["removals"]) == [92, 93, 94, 95, 96]
    assert data(web, f"{ROOM}/removals?file=other.csv")["page"]["total"] == 0
    parted = data(web, f"{ROOM}/diff")
    assert parted["page_cli"] == f"whytune data diff desk v{parted['numbers'][0]} v{parted['numbers'][1]}"
    assert (parted["numbers"], parted["unchanged"]) == ([1, 2], 90)


def test_findings_show_open_rows_and_count_sealed_ones(checked: Project) -> None:
    found = checked.validation
    rows = {split: examples_of(checked, checked.dataset, split)[0] for split in ("train", "test")}
    marked = found.findings[0].model_copy(update={"status": "warn", "rows": (rows["train"].id, rows["test"].id, "example:" + "0" * 64)})
    with checked.act("dataset.checked") as act:
        act.write(Validation(dataset=checked.dataset.id, findings=(*found.findings[1:], marked)))
    web = client(checked)
    first = data(web, f"{ROOM}/findings")["findings"][0]
    assert ([row["example"]["origin"]["line"] for row in first["rows"]], first["sealed"], first["gone"]) == ([rows["train"].origin.line], 1, 1)
    text = web.get(f"{ROOM}/findings").text
    assert rows["train"].input_text in text
    assert rows["test"].input_text not in text


def test_documents_and_passages(tmp_path: Path) -> None:
    other = desk(tmp_path)
    web = client(other)
    listed = data(web, f"{ROOM}/documents?q=HOUSE is on floor")
    assert listed["documents"] == []
    asked = data(web, f"{ROOM}/documents?q=CARD room is on floor 0")
    assert [one["title"] for one in asked["documents"]] == ["Aarau"]
    listed = data(web, f"{ROOM}/documents?q=Basel")
    assert ([one["title"] for one in listed["documents"]], listed["indexed"]) == (["Basel"], False)
    at = f"{ROOM}/documents/{listed['documents'][0]['id'].partition(':')[2][:16]}"
    assert "room is on floor" in data(web, at)["passages"][0]["text"]
    assert web.get(at).status_code == 200
    other.workspace.store.close()


def test_documents_that_are_not_for_everybody(tmp_path: Path) -> None:
    other = desk(tmp_path)
    secret = other.folder.parent / "handbook" / "hr"
    secret.mkdir()
    (secret / "pay.md").write_text("# Pay\n\nThe director earns a lot.\n", "utf-8")
    text = (other.folder / "whytune.toml").read_text("utf-8").replace("[split]", 'access = {"hr" = ["hr"]}\n\n[split]', 1)
    (other.folder / "whytune.toml").write_text(text, "utf-8")
    other.workspace.project("desk").run(until="data")
    tokens = hired(other)
    at = {name: data(client(other, token), f"{ROOM}/documents?q=pay.md")["documents"] for name, token in tokens.items()}
    assert {name: [one["readable"] for one in found] for name, found in at.items()} == {"ann": [True], "bo": [False], "dora": [True]}
    page = f"{ROOM}/documents/{at['bo'][0]['id'].partition(':')[2][:16]}"
    assert "director" in client(other, tokens["ann"]).get(page).text
    said = {name: len(data(client(other, token), f"{ROOM}/documents?q=director earns")["documents"]) for name, token in tokens.items()}
    assert said == {"ann": 1, "bo": 0, "dora": 1}
    refused = client(other, tokens["bo"]).get(page)
    assert refused.status_code == 404
    assert "director" not in refused.text
    other.workspace.store.close()


def test_rows_are_proposed_by_one_and_accepted_by_another(checked: Project, tmp_path: Path) -> None:
    tokens = hired(checked)
    ann, bo, dora = (client(checked, tokens[name]) for name in ("ann", "bo", "dora"))
    assert send(dora, f"{ROOM}/proposals", input="the lift is stuck", target="delay").status_code == 403
    assert send(ann, f"{ROOM}/proposals").status_code == 400
    lines = b'{"input": "the lift in house ash is stuck", "target": "delay"}\n{"input": "no heating since monday", "target": "loss"}\n'
    made = ann.post(f"{ROOM}/proposals", data={"_once": secrets.token_hex(16), "reason": "calls"}, files={"upload": ("rows.jsonl", lines)})
    assert made.status_code == 303
    at = made.headers["location"].partition("?")[0]
    assert "Another person accepts them" in ann.get(made.headers["location"]).text
    own = ann.get(at).text
    assert "nobody accepts their own" in own
    assert re.search(r"<button[^>]* disabled>Accept", own)
    assert send(ann, f"{at}/accept", every="on").status_code == 403
    assert dora.get(at).status_code == 200, "an auditor reads everything"
    assert re.search(r"<button[^>]* disabled>Accept", dora.get(at).text)
    first = data(bo, at)["rows"][0]
    assert send(bo, f"{at}/accept").status_code == 400
    assert send(bo, f"{at}/accept", rows="0" * 64).status_code == 400
    done = send(bo, f"{at}/accept", rows=first["key"])
    assert done.status_code == 303
    assert "1 rows accepted, 1 not" in bo.get(done.headers["location"]).text
    assert send(bo, f"{at}/accept", every="on").status_code == 409
    assert data(bo, ROOM)["reading"]["waiting"] == 1
    checked.workspace.as_person("ann").project("desk").run(until="check")
    assert sum(data(bo, f"{ROOM}/diff")["counts"]["added"].values()) == 1
    assert data(bo, ROOM)["newest"]["sources"][1]["proposal"]["person"] == "ann"


def test_a_form_about_an_older_version_is_refused(checked: Project) -> None:
    web = client(checked)
    seen = data(web, ROOM)["newest"]["dataset"]["id"]
    made = proposing.propose(checked, "manual", [{"input": "the lift in house ash is stuck", "target": "delay"}])
    proposing.accept(checked, made)
    checked.run(until="check")
    refused = send(web, f"{ROOM}/approve", seen=seen, reason="I read it all")
    assert refused.status_code == 409
    assert "What you read has changed" in refused.text
    assert "I read it all" in refused.text
    now = data(web, ROOM)["newest"]["dataset"]["id"]
    done = send(web, f"{ROOM}/approve", seen=now, reason="I read it all", role="tester")
    assert done.status_code == 303
    page = web.get(done.headers["location"]).text
    assert "approved by" in page
    assert "You approved it already" in page


def test_who_wrote_rows_may_not_approve_and_is_told_who_may(project: Project) -> None:
    tokens = hired(project)
    ann, bo = (client(project, tokens[name]) for name in ("ann", "bo"))
    source = project.workspace.root / "rows.csv"
    source.write_text(source.read_text("utf-8") + "the lift in house ash is stuck again,delay\n", "utf-8")
    project.workspace.as_person("ann").project("desk").run(until="check")
    may = {name: data(web, ROOM)["newest"]["approval"]["may"] for name, web in (("ann", ann), ("bo", bo))}
    assert (may["ann"]["allowed"], may["ann"]["who"], may["bo"]["allowed"]) == (False, ["bo"], True)
    assert re.search(r"<button[^>]* disabled>Approve version 2", ann.get(ROOM).text)
    assert (send(ann, f"{ROOM}/approve").status_code, send(bo, f"{ROOM}/approve").status_code) == (403, 303)


def test_who_may_read_the_data(project: Project) -> None:
    tokens = hired(project)
    for name, until, allowed in (("ann", "check", True), ("bo", "check", False), ("dora", "check", False)):
        reading = data(client(project, tokens[name]), ROOM)["reading"]
        assert (reading["until"], reading["may"]["allowed"]) == (until, allowed), name
    assert send(client(project, tokens["dora"]), f"{ROOM}/start").status_code == 403
    text = (project.folder / "whytune.toml").read_text("utf-8").replace("bar = 0.5", "bar = 0.6", 1)
    (project.folder / "whytune.toml").write_text(text, "utf-8")
    reading = data(client(project, tokens["ann"]), ROOM)["reading"]
    assert (reading["until"], reading["fixed"], reading["may"]["allowed"]) == ("usecase", False, False)
