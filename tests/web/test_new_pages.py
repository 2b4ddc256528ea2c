"""A new use case from an upload in the browser: two pages, one draft, nothing lost, nobody else's business."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.cli.living import tickets

from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.workspace import people, wishes
from whytune.workspace.workspace import Workspace


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
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
    assert "No data was read yet" in shown
    assert "Read the data and check it" in shown
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
    assert web.post(f"{at}/create", json={"bar": "0.7"}).json()["name"] == "tickets"
    assert web.get("/api/v1/projects/new").json()["drafts"] == []


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
