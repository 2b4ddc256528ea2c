"""A new use case from an upload in the browser: two pages, one draft, nothing lost, nobody else's business."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.cli.living import tickets
from tests.workspace.jobs_here import at_once

from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.web.pages import new
from whytune.workspace import people, wishes, working
from whytune.workspace.workspace import Workspace


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    at_once(monkeypatch)
    made = Workspace.open(tmp_path, create=True)
    yield made
    made.store.close()


def client(room: Workspace, token: str = "") -> TestClient:
    headers = {"Accept": "text/html", **({"Authorization": f"Bearer {token}"} if token else {})}
    return TestClient(make_app(room.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers=headers, raise_server_exceptions=False, follow_redirects=False)


def send(web: TestClient, path: str, files: Any = None, **fields: Any) -> Any:
    return web.post(path, data={"_once": secrets.token_hex(16), **fields}, files=files)


def uploaded(web: TestClient, tmp_path: Path, name: str = "Tickets.csv") -> str:
    made = send(web, "/projects/new", files=[("upload", (name, tickets(tmp_path / "sent").read_bytes()))])
    assert made.status_code == 303, made.text
    return str(made.headers["location"]).partition("?")[0]


def typed(page: str) -> dict[str, str]:
    """What a browser would send of the draft's form: inputs and chosen options."""
    fields = dict(re.findall(r'<input id="[^"]*" name="([^"]*)"[^>]*? value="([^"]*)"', page))
    for name, options in re.findall(r'<select id="[^"]*" name="([^"]*)".*?>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        fields[name] = chosen.group(1) if chosen else re.findall(r'<option value="([^"]*)"', options)[0]
    return fields


def test_upload_mend_create(room: Workspace, tmp_path: Path) -> None:
    web = client(room)
    assert send(web, "/projects/new").status_code == 400
    draft = uploaded(web, tmp_path)
    page = web.get(draft).text
    fields = typed(page)
    assert set(wishes.FIELDS) - set(fields) == {"purpose", "labels"}, "every field is on the page; these two are text areas"
    assert fields["name"] == "tickets"
    assert "about delay" in page, "the first rows are shown"
    refused = send(web, f"{draft}/create", **{**fields, "bar": "very high", "purpose": "<script>alert(1)</script>\nmail"})
    assert (refused.status_code, refused.headers["location"]) == (303, draft)
    again = web.get(draft).text
    assert "1 thing to mend" in again
    assert 'value="very high"' in again
    assert "&lt;script&gt;alert(1)" in again
    assert "<script>alert" not in again
    kept = send(web, f"{draft}/save", **{**typed(again), "bar": "0.7"})
    assert "Nothing stands in its way" in web.get(kept.headers["location"]).text
    done = send(web, f"{draft}/create", **{**typed(web.get(draft).text), "triage.may_train": "yes"})
    assert done.headers["location"].startswith("/projects/tickets/data?")
    shown = web.get(done.headers["location"]).text
    assert "tickets is created. Version 1: train" in shown, "a small file is there with the answer"
    assert "No data was read yet" not in shown
    file = room.project("tickets").file
    assert (file.acceptance.bar, file.purpose, file.circumstances.may_train) == (0.7, "<script>alert(1)</script>\nmail", True)
    assert web.get(draft).status_code == 404


def test_the_same_over_json(room: Workspace, tmp_path: Path) -> None:
    web = client(room)
    draft = uploaded(web, tmp_path)
    at = f"/api/v1{draft}"
    assert web.get(at).json()["draft"]["wishes"]["task"] == "categorization"
    refused = web.post(f"{at}/create", json={"bar": "2", "owners": {"legal": "x"}})
    assert (refused.status_code, len(refused.json()["problems"])) == (400, 1)
    assert web.post(f"{at}/save", json={"bar": 0.7}).status_code == 400
    assert web.post(f"{at}/save", json={"nonsense": "x"}).status_code == 400
    assert web.post(f"{at}/save", json={"use": {"x": 1}}).status_code == 400
    made = web.post(f"{at}/create", json={"bar": "0.7"}).json()
    assert (made["name"], made["job"]["state"], made["job"]["kind"], made["job"]["project"]) == ("tickets", "done", "import", "tickets")
    assert web.get("/api/v1/projects/new").json()["drafts"] == []


def test_files_that_cannot_be_used_lead_back_to_the_draft(room: Workspace, tmp_path: Path) -> None:
    web = client(room)
    sent = ("hostile.csv", "text,category\n" + "".join(f"<script>{number}</script>,\n" for number in range(50)))
    draft = str(send(web, "/projects/new", files=[("upload", sent)]).headers["location"]).partition("?")[0]
    told = {"task": "categorization", "name": "mail", "input": "text", "target": "category", "purpose": "kept <b>words</b>"}
    back = send(web, f"{draft}/create", **{**typed(web.get(draft).text), **told})
    assert (back.status_code, back.headers["location"]) == (303, draft)
    page = web.get(draft).text
    assert "lines 2-51:" in page
    assert "kept &lt;b&gt;words&lt;/b&gt;" in page
    assert "<script>1" not in page
    job = web.get("/api/v1/runs").json()["jobs"][0]
    shown = web.get(f"/runs/{job['id']}").text
    assert "Back to the draft: nothing is lost" in shown
    assert f'href="{draft}"' in shown
    assert "lines 2-51:" in shown
    assert "mail</a>, a draft" in web.get("/runs").text
    refused = web.post(f"/api/v1{draft}/create", json={})
    assert (refused.status_code, refused.json()["problems"]) == (400, job["error"]["problems"])
    send(web, f"{draft}/discard")
    assert web.get("/api/v1/runs").json()["jobs"] == []


def test_a_long_import_has_a_page_that_goes_on_by_itself(room: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    monkeypatch.setattr(working, "_spawn", lambda workspace, job, descriptor: held.append(os.dup(descriptor)))
    monkeypatch.setattr(new, "PATIENCE", 0.0)
    web = client(room)
    draft = uploaded(web, tmp_path)
    begun = send(web, f"{draft}/create", **typed(web.get(draft).text))
    address = str(begun.headers["location"]).partition("?")[0]
    assert re.fullmatch(r"/runs/[0-9a-f]{12}", address)
    page = web.get(address).text
    assert f'<noscript><meta http-equiv="refresh" content="4; url={address}?onward=1"></noscript>' in page
    assert "refresh" not in web.get(f"{address}?still=1").text, "whoever wants it still has it still"
    assert ">Stop</button>" in page
    assert "Its files are being read" in web.get(draft).text
    assert web.get(f"{address}?onward=1").status_code == 200
    job = address.rpartition("/")[2]
    working.perform(room, job, held[0])
    gone_on = web.get(f"{address}?onward=1")
    assert (gone_on.status_code, gone_on.headers["location"]) == (303, "/projects/tickets/data")
    assert "data-onward" in web.get(address).text


def test_a_draft_survives_and_is_thrown_away(room: Workspace, tmp_path: Path) -> None:
    first = client(room)
    draft = uploaded(first, tmp_path, "../../Täst <b>.csv")
    send(first, f"{draft}/save", name="half-done")
    other = client(room)
    listed = other.get("/projects/new").text
    assert "half-done" in listed
    assert draft in listed
    assert "Täst _b_.csv" in other.get(draft).text
    more = send(other, f"{draft}/files", files=[("upload", ("a.md", b"# A")), ("upload", ("b.md", b"# B"))])
    assert [name in other.get(more.headers["location"]).text for name in ("a.md", "b.md")] == [True, True]
    assert send(other, f"{draft}/discard").status_code == 303
    assert "half-done" not in other.get("/projects/new").text
    assert not list((room.store.folder / "drafts").glob("*"))


def test_who_may(room: Workspace, tmp_path: Path) -> None:
    people.add(room, room.person.name, ["admin"])
    for name, role in (("ann", "business_owner"), ("bo", "data_scientist"), ("dora", "auditor")):
        people.add(room, name, [role])
    ann, bo, dora = (client(room, people.make_token(room, name)) for name in ("ann", "bo", "dora"))
    assert "Who may: ann, bo" in dora.get("/projects/new").text
    assert send(dora, "/projects/new", files=[("upload", ("x.csv", b"a,b\n1,2\n"))]).status_code == 403
    draft = uploaded(ann, tmp_path)
    for act in ("save", "create", "discard", "files"):
        assert send(bo, f"{draft}/{act}", files=[("upload", ("x.csv", b"a,b\n"))] if act == "files" else None).status_code == 404
    assert bo.get(draft).status_code == bo.get("/drafts/nonsense").status_code == bo.get("/drafts/" + "0" * 32).status_code == 404
    assert ann.get(draft).status_code == 200
    assert client(room).get(draft).status_code == 303, "somebody who is not signed in is asked to"
