"""What a browser's form brings: the same form sent twice is one act, another under its name is told to be another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whytune.settings import Settings
from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.web.auth import csrf_of
from whytune.workspace import people, teams
from whytune.workspace.workspace import Workspace

HERE = "http://127.0.0.1:8765"
ONCE = "a" * 32


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    people.add(room, "ada", ["business_owner"])
    people.add(room.as_person("ada"), "bo", ["tester"])
    yield room
    room.store.close()


@pytest.fixture
def web(room: Workspace) -> Iterator[TestClient]:
    headers = {"accept": "text/html,*/*", "origin": HERE}
    with TestClient(make_app(room.root), base_url=HERE, client=("127.0.0.1", 5000), headers=headers, follow_redirects=False, raise_server_exceptions=False) as made:
        yield made


class Sender:
    """Somebody with a session, who sends forms."""

    def __init__(self, room: Workspace, web: TestClient, name: str) -> None:
        self.web = web
        self.secret = room.store.accounts.open_session(name).secret

    def __call__(self, path: str, fields: dict[str, Any], once: str = ONCE, **more: Any) -> Any:
        return self.web.post(path, data={"_csrf": csrf_of(self.secret), "_once": once, **fields}, headers={"cookie": f"whytune_session={self.secret}"}, **more)


def skills(room: Workspace, name: str) -> tuple[str, ...]:
    return teams.declared(room)[name].skills


def test_the_same_form_sent_twice_is_one_act(room: Workspace, web: TestClient) -> None:
    ada = Sender(room, web, "ada")
    first, second = (ada("/profile/skills", {"skills": "law"}) for _ in range(2))
    assert (first.status_code, first.headers["location"]) == (second.status_code, second.headers["location"]) == (303, f"/profile?sent={ONCE}")
    assert [event.act for event in room.events()].count("skills.declared") == 1


def test_another_form_under_the_same_name_is_not_dropped_in_silence(room: Workspace, web: TestClient) -> None:
    ada = Sender(room, web, "ada")
    assert ada("/profile/skills", {"skills": "law"}).status_code == 303
    others = (("/profile/skills", {"skills": "statistics"}), ("/profile/skills?then=1", {"skills": "law"}), ("/system/people", {"name": "cy", "roles": "legal", "skills": "law"}))
    for path, fields in others:
        told = ada(path, fields)
        assert (path, told.status_code) == (path, 409)
        assert "sent before with something else in it" in told.text
        assert all(f'value="{value}"' in told.text for value in fields.values()), "what was typed is shown, to be sent again"
        fresh = re.search(r'name="_once" value="(\w+)"', told.text[told.text.index("What you sent") :])
        assert fresh
        assert fresh[1] != ONCE
    assert skills(room, "ada") == ("law",)
    assert "cy" not in {person.name for person in room.people()}
    assert ada("/profile/skills", {"skills": "statistics"}, fresh[1]).status_code == 303
    assert skills(room, "ada") == ("statistics",)


def test_a_form_of_another_person_under_the_same_name_is_not_theirs(room: Workspace, web: TestClient) -> None:
    assert Sender(room, web, "ada")("/profile/skills", {"skills": "law"}).status_code == 303
    assert Sender(room, web, "bo")("/profile/skills", {"skills": "law"}).status_code == 400
    assert "bo" not in teams.declared(room)


def test_files_of_the_same_name_with_another_content_are_another_form(room: Workspace, web: TestClient) -> None:
    ada = Sender(room, web, "ada")
    sent = [ada("/projects/new", {}, files={"upload": ("rows.csv", content)}).status_code for content in (b"text,label\n1,2\n", b"text,label\n1,2\n", b"text,label\n1,3\n")]
    assert sent == [303, 303, 409]


def test_what_a_form_brought_cannot_be_guessed_from_what_is_kept_of_it(room: Workspace, web: TestClient) -> None:
    """The mark is keyed with the session's secret, of which the store knows a hash only."""
    marks = set()
    for _ in range(2):
        assert Sender(room, web, "ada")("/profile/skills", {"skills": "law"}).status_code == 303
        found = room.store.submissions.found(ONCE, "ada")
        assert found
        marks.add(found.mark)
        room.store.submissions.drop(ONCE)
    assert len(marks) == 2


TOO_LARGE = (
    ({"skills": "x" * 4_000_001}, {}, "4,000,000 bytes"), ({"skills": "x" * 2_000_001}, {}, "2,000,000 bytes in one field"), ({f"field{number}": "" for number in range(2_001)}, {}, "2,000 fields"),
    ({"skills": "x" * 2_000_001}, {"files": {"upload": ("a", b"")}}, "2,000,000 bytes in one field"), ({f"field{number}": "" for number in range(2_001)}, {"files": {"upload": ("a", b"")}}, "2,000 fields"),
    ({}, {"files": [("upload", (f"{number}", b""))for number in range(51)]}, "50 files"),
)  # fmt: skip


@pytest.mark.parametrize(("fields", "more", "limit"), TOO_LARGE, ids=[f"{limit}{' with files' * bool(more)}" for _, more, limit in TOO_LARGE])
def test_more_than_is_taken_at_once_is_413_with_the_limit_and_the_way_back(room: Workspace, web: TestClient, fields: dict[str, Any], more: dict[str, Any], limit: str) -> None:
    told = Sender(room, web, "ada")("/profile/skills", fields, **more)
    assert told.status_code == 413
    assert f"more than {limit}" in told.text
    assert "Go back: what you typed is still there" in told.text
    assert not [word for word in ("exceeded", "Maximum", "KB") if word in told.text]


def test_an_upload_over_the_limit_is_413(room: Workspace, web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from whytune.web import forms

    limited = forms._limited
    monkeypatch.setattr(forms, "_limited", lambda request, most: limited(request, min(most, 10_000)))
    told = Sender(room, web, "ada")("/projects/new", {}, files={"upload": ("rows.csv", b"a" * 20_000)})
    assert (told.status_code, "more than 10,000 bytes" in told.text, "whytune init NAME --from FILE" in told.text) == (413, True, True)


def test_what_is_no_form_is_told_in_our_own_words(room: Workspace, web: TestClient) -> None:
    ada = Sender(room, web, "ada")
    told = web.post("/profile/skills", content=b"nonsense", headers={"cookie": f"whytune_session={ada.secret}", "content-type": "multipart/form-data; boundary=x"})
    assert (told.status_code, "cannot be read as a form" in told.text) == (400, True)


def test_an_application_sends_files_for_a_new_use_case(room: Workspace, web: TestClient) -> None:
    rows = b"text,label\n" + b"".join(b"about %d,%s\n" % (number, b"ab"[number % 2 : number % 2 + 1]) for number in range(20))
    who = {"authorization": f"Bearer {room.store.accounts.make_token('ada')}"}
    made = web.post("/api/v1/drafts", files={"upload": ("rows.csv", rows)}, headers=who)
    assert (made.status_code, [file["name"] for file in made.json()["files"]]) == (201, ["rows.csv"])
    more = web.post(f"/api/v1/drafts/{made.json()['id']}/files", files={"upload": ("more.csv", rows)}, headers=who)
    assert len(more.json()["files"]) == 2
    assert web.post("/api/v1/drafts", json={}, headers=who).status_code == 400
    assert web.post("/api/v1/drafts", files={"upload": ("rows.csv", rows)}).status_code == 401
    tester = {"authorization": f"Bearer {room.store.accounts.make_token('bo')}"}
    assert web.post("/api/v1/drafts", files={"upload": ("rows.csv", rows)}, headers=tester).status_code == 403
    session = {"cookie": f"whytune_session={room.store.accounts.open_session('ada').secret}"}
    assert web.post("/api/v1/drafts", files={"upload": ("rows.csv", rows)}, headers=session).status_code == 403, "a session proves its second secret here too"
