"""Files of a refused form: kept for whoever sent them and that form alone, over a session's end too, and not for long."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.web.test_entrance import GOOD, browser, hidden, signed_in

from whytune.settings import Settings
from whytune.store import accounts as accounts_module
from whytune.web.auth import COOKIE, csrf_of
from whytune.workspace import drafting, keeping, people
from whytune.workspace.workspace import Workspace

ROWS = b"text,category\n" + b"".join(b"row %d of something,%s\n" % (number, b"ab"[number % 2 : number % 2 + 1]) for number in range(40))


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    for name in ("ada", "bo"):
        people.add(room, name, ["business_owner"])
    for name in ("ada", "bo"):
        people.set_password(room.as_person("ada"), name, GOOD)
    yield room
    room.store.close()


def fields(web: TestClient, once: str, **more: str) -> dict[str, str]:
    return {"_csrf": csrf_of(web.cookies[COOKIE]), "_once": once * 32, **more}


def held(room: Workspace) -> list[Path]:
    return sorted((room.store.folder / drafting.FOLDER).glob("*/kept.json"))


def kept_in(page: str) -> str:
    found = re.search(r'name="_kept" value="([0-9a-f ]+)"', page)
    assert found, page
    return found[1]


def test_a_refused_upload_is_kept_and_need_not_be_chosen_again(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    web = signed_in(room)
    with monkeypatch.context() as patched:
        patched.setattr(drafting, "MOST_DRAFTS", 0)
        refused = web.post("/projects/new", data=fields(web, "a"), files={"upload": ("tickets <1>.csv", ROWS)})
    assert refused.status_code == 409
    assert "tickets &lt;1&gt;.csv" in refused.text
    assert ", kept</li>" in refused.text
    assert 'enctype="multipart/form-data"' in refused.text
    ids = kept_in(refused.text)
    bo = signed_in(room, "bo")
    assert bo.post("/projects/new", data=fields(bo, "b", _kept=ids), files={}).status_code == 400, "for nobody else"
    assert web.post("/drafts/" + "0" * 32 + "/files", data=fields(web, "c", _kept=ids)).status_code == 404, "for no other form"
    made = web.post("/projects/new", data=fields(web, "d", _kept=ids))
    assert made.status_code == 303
    (draft,) = drafting.drafts(room.as_person("ada"))
    assert (draft.files[0].name, draft.files[0].bytes) == ("tickets _1_.csv", len(ROWS))
    assert held(room) == []


def test_a_newly_chosen_file_takes_its_place(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    web = signed_in(room)
    with monkeypatch.context() as patched:
        patched.setattr(drafting, "MOST_DRAFTS", 0)
        ids = kept_in(web.post("/projects/new", data=fields(web, "a"), files={"upload": ("old.csv", ROWS)}).text)
    web.post("/projects/new", data=fields(web, "b", _kept=ids), files={"upload": ("new.csv", ROWS)})
    assert [file.name for file in drafting.drafts(room.as_person("ada"))[0].files] == ["new.csv"]
    assert held(room) == []


@pytest.mark.parametrize("back", ["ada", "bo"])
def test_a_session_that_ended_in_mid_form_loses_no_file(room: Workspace, back: str) -> None:
    again = signed_in(room)
    sent = fields(again, "a")
    an_hour_ago = (room.store.accounts.clock() - timedelta(hours=1)).isoformat(timespec="seconds")
    with room.store._database.writing("end it") as connection:  # as time does
        connection.execute(accounts_module.sessions.update().values(expires=an_hour_ago))
    asked = again.post("/projects/new", data=sent, files={"upload": ("tickets.csv", ROWS)})
    assert asked.status_code == 401
    assert "kept for you on this machine: tickets.csv" in asked.text
    shown = again.post("/sign-in", data={**hidden(asked.text), "person": back, "password": GOOD})
    assert shown.status_code == 200
    if back == "bo":
        assert "tickets.csv" not in shown.text, "another person learns nothing of it"
        return
    assert "tickets.csv" in shown.text
    made = again.post("/projects/new", data=fields(again, "b", _kept=kept_in(shown.text)))
    assert made.status_code == 303
    assert drafting.drafts(room.as_person("ada"))[0].files[0].bytes == len(ROWS)


def test_without_the_session_s_own_proof_nothing_is_kept(room: Workspace) -> None:
    web = signed_in(room)
    with room.store._database.writing("end it") as connection:
        connection.execute(accounts_module.sessions.update().values(expires="2020-01-01T00:00:00+00:00"))
    asked = web.post("/projects/new", data={"_csrf": "x", "_once": "a" * 32}, files={"upload": ("tickets.csv", ROWS)})
    assert asked.status_code == 401
    assert "Choose these files once more: tickets.csv" in asked.text
    assert held(room) == []
    assert browser(room).post("/projects/new", data={"_once": "a" * 32}, files={"upload": ("tickets.csv", ROWS)}).status_code == 401
    assert held(room) == []


def test_limits_and_the_end(room: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sent(name: str) -> tuple[str, str, Path]:
        path = tmp_path / "sent"
        path.write_bytes(ROWS)
        return "upload", name, path

    monkeypatch.setattr(keeping, "MOST_FILES", 2)
    for name in ("../../etc/passwd", "b.csv"):
        assert len(keeping.keep(room, "ada", "/projects/new", [sent(name)])) == 1
    assert keeping.keep(room, "ada", "/projects/new", [sent("c.csv")]) == []
    assert len(keeping.keep(room, "bo", "/projects/new", [sent("c.csv")])) == 1, "everybody has limits of their own"
    assert {path.parent.parent for path in held(room)} == {room.store.folder / drafting.FOLDER}
    assert not list(tmp_path.glob("**/etc"))
    old = held(room)[0]
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    keeping.sweep(room)
    assert len(held(room)) == 2
    assert not old.parent.exists()
    assert keeping.found(room.as_person("ada"), "/projects/new", ["../x", "0" * 32, ""]) == []
