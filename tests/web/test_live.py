"""Releases, names, keys, endpoints and feedback in the browser: what is shown, who may do what, and that nothing from outside acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.web.shelf import EVIL, said, shelf

from whytune.records.release import Approval, Release
from whytune.records.served import Announced
from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.web.told_once import ToldOnce
from whytune.workspace import endpoints, people, releasing
from whytune.workspace.workspace import Workspace

HTML = {"accept": "text/html"}
PAGES = (
    "/projects/support/live", "/registry", "/registry/{release}", "/aliases", "/aliases/champion", "/models/champion", "/consumers", "/endpoints", "/feedback",
    "/feedback/{feedback}",
)  # fmt: skip


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    made = shelf(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def web(room: Workspace) -> Iterator[TestClient]:
    with _client(room) as client:
        yield client


def _client(room: Workspace, token: str = "") -> TestClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return TestClient(make_app(room.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers=headers, follow_redirects=False)


def _once(web: TestClient, address: str) -> str:
    found = re.search(r'name="_once" value="(\w+)"', web.get(address, headers=HTML).text)
    assert found
    return found.group(1)


def _serving(room: Workspace, **changes: str | int) -> Announced:
    """A process that says it serves the champion, now."""
    import os
    import socket

    now = endpoints._spelled(endpoints._now())
    made = Announced(
        id="e1", address="http://127.0.0.1:1/v1", machine=socket.gethostname(), pid=os.getpid(), person="ada", asks_key=False, aliases=("champion",),
        served={"champion": releasing.live(room, "champion").id}, started=now, beat=now,
    ).model_copy(update=changes)  # fmt: skip
    room.store.endpoints.announce(made, "")
    return made


def test_a_release_has_its_shown_name_as_its_address(room: Workspace, web: TestClient) -> None:
    newest = room.store.list(Release)[-1].id
    for name in ("support/2", "support%2F2", "champion", newest):
        assert web.get(f"/api/v1/registry/{name}").json()["release"]["id"] == newest
        assert web.get(f"/api/v1/releases/{name}").json()["name"] == "support/2"
        assert web.get(f"/api/v1/releases/{name}/verify").json()["release"] == newest
        assert web.get(f"/api/v1/registry/{name}/verify").json()["release"] == newest
        assert web.get(f"/api/v1/releases/{name}/files/card.json").status_code == 200
    assert "whytune release show support/2" in web.get("/registry/support/2", headers=HTML).text
    assert [web.get(f"/registry/{name}", headers=HTML).status_code for name in ("support/3", "support/x", "other/1")] == [404] * 3
    done = web.post("/registry/support/1/retire", data={"_once": "a" * 32, "reason": "a newer one is there"})
    assert (done.status_code, web.get("/api/v1" + done.headers["location"]).json()["release"]["state"]) == (303, "retired")


def test_filters_and_names_that_are_not_there_are_told(room: Workspace, web: TestClient) -> None:
    for address, status in (("/consumers/secret/nothing", 404), ("/projects?stage=zzz", 400), ("/tasks?kind=zzz", 400), ("/search?q=a&kind=zzz", 400), ("/projects?stage=Live", 200), ("/tasks?kind=sign", 200)):
        assert (address, web.get(address, headers=HTML).status_code) == (address, status)


def test_every_page_shows_hostile_words_as_text_and_has_its_twin(room: Workspace, web: TestClient) -> None:
    id, release = said(room, 1), room.store.list(Release)[-1].id
    _serving(room)
    for path in PAGES:
        address = path.format(release=release, feedback=id)
        page, twin = web.get(address, headers=HTML), web.get(f"/api/v1{address}")
        assert (page.status_code, twin.status_code) == (200, 200), address
        assert page.text.count("<h1") == 1, address
        assert EVIL not in page.text, address
        assert "<script>alert" not in page.text, address
        assert "<b>customers" not in page.text, address
        assert "\x1b" not in page.text, address
        assert "\u202e" not in page.text, address


def test_a_release_says_what_it_is_and_where_it_comes_from(room: Workspace, web: TestClient) -> None:
    release = room.store.list(Release)[-1]
    page = web.get(f"/registry/{release.id}", headers=HTML).text
    told = web.get(f"/api/v1/registry/{release.id}").json()
    assert [each["what"] for each in told["ancestors"]] == ["Use case", "Dataset", "Base model", "Candidate", "Decision", "Acceptance"]
    assert told["card"]["evaluation"]["primary"]["n"] > 0
    assert {part["name"] for part in told["parts"]} >= {"torch", "peft"}
    assert {each["person"] for each in told["approvals"]} == {each.person for each in room.store.list(Approval)} != set()
    for word in ("Model card", "Bill of materials", "Where it comes from", "Signed by", release.public_key):
        assert word in page
    links = re.findall(r'<a href="(/api/v1/releases/[^"]+)" download="([^"]+)">', page)
    assert {name for _, name in links} == {"support-2-card.json", "support-2-bom.json"}
    assert {"whytune.card/1", "1.7"} == {web.get(address).json().get("schema") or web.get(address).json()["specVersion"] for address, _ in links}


def test_the_registry_is_searched_filtered_and_paged_by_its_address(web: TestClient) -> None:
    def names(query: str) -> list[str]:
        return [each["name"] for each in web.get(f"/api/v1/registry?{query}").json()["releases"]]

    assert names("") == ["support/2", "support/1"]
    assert names("state=live") == ["support/2"]
    assert names("state=released&q=customers") == ["support/1"]
    assert names("q=nothing-like-it") == []
    assert names("per=1&page=2") == ["support/1"]
    assert web.get("/registry?state=golden", headers=HTML).status_code == 400
    assert web.get("/registry/support%2F9", headers=HTML).status_code == 404
    assert 'value="&#34;&gt;&lt;script&gt;"' in web.get('/registry?q="><script>', headers=HTML).text


def test_a_name_is_rolled_back_from_its_page_and_sent_twice_it_is_once(room: Workspace, web: TestClient) -> None:
    first, second = (each.id for each in room.store.list(Release))
    once = _once(web, "/aliases/champion")
    sent = {"_once": once, "reason": "wrong answers about fees"}
    answer = web.post("/aliases/rollback/champion", data=sent, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/aliases/champion?sent={once}")
    again = web.post("/aliases/rollback/champion", data=sent, headers=HTML)
    assert again.headers["location"] == answer.headers["location"]
    assert [move.release for move in releasing.moves_of(room, "champion")] == [first, second, first]
    page = web.get(answer.headers["location"], headers=HTML).text
    assert "Rolled back" in page
    assert "support/1" in page
    nothing_left = web.post("/aliases/rollback/champion", data={"_once": _once(web, "/aliases/champion"), "reason": "again <i>"}, headers=HTML)
    assert nothing_left.status_code == 404
    assert "again &lt;i&gt;" in nothing_left.text, "what was typed is kept"
    assert web.get("/api/v1/aliases/champion?at=2020-01-01").status_code == 404
    assert web.get("/api/v1/aliases/champion").json()["release"]["id"] == first


def test_a_removed_name_keeps_its_history_and_answers_nobody(room: Workspace, web: TestClient) -> None:
    gone = web.post("/aliases/remove/champion", data={"_once": _once(web, "/aliases/champion"), "reason": "the shop closes"}, headers=HTML)
    assert gone.status_code == 303
    page = web.get("/aliases/champion", headers=HTML)
    assert "stands for nothing" in page.text
    assert web.get("/models/champion", headers=HTML).status_code == 404
    assert web.get("/api/v1/aliases").json()["aliases"] == {}


def test_a_key_is_made_and_its_secret_is_told_once(room: Workspace, web: TestClient) -> None:
    made = web.post("/consumers", data={"_once": _once(web, "/consumers"), "consumer": "shop", "scopes": ["chat", "feedback"], "rate": "5", "daily_budget": "", "days": "0"}, headers=HTML)
    assert made.status_code == 303, made.text
    place = made.headers["location"]
    shown = web.get(place, headers=HTML).text
    (key,) = room.store.traffic.all_keys()
    secret = re.search(rf"wt-{key.key}-[\w-]+", shown)
    assert secret
    assert room.store.traffic.key_of(secret.group()) == key
    assert (key.consumer, key.scopes, key.per_minute, key.daily_tokens, key.expires) == ("shop", ("chat", "feedback"), 5, 0, "")
    for address in (place, "/consumers", "/api/v1/consumers"):
        assert secret.group() not in web.get(address, headers=HTML).text, "never again"
    assert "There is no secret to show" in web.get(place, headers=HTML).text
    gone = web.post(f"/consumers/revoke/{key.key}", data={"_once": _once(web, "/consumers")}, headers=HTML)
    assert gone.status_code == 303
    assert web.get("/api/v1/consumers").json()["found"][0]["state"] == "revoked"
    wrong = web.post("/consumers", data={"_once": _once(web, "/consumers"), "consumer": "a b", "rate": "-1", "days": "soon"}, headers=HTML)
    assert wrong.status_code == 400
    assert 'value="a b"' in wrong.text


def test_only_the_right_roles_press_the_buttons(room: Workspace) -> None:
    people.add(room, "ada", ["admin"])
    people.add(room, "olga", ["operator"])
    people.add(room, "cleo", ["customer_success"])
    tokens = {name: people.make_token(room.as_person(name), name) for name in ("olga", "cleo")}
    id, release = said(room.as_person("olga"), 3), room.store.list(Release)[0].id
    acts = {
        "olga": (("/aliases/rollback/champion", {"reason": "x"}), ("/consumers", {"consumer": "x"})),
        "cleo": ((f"/feedback/{id}/triage", {"verdict": "useful"}),),
    }
    with _client(room, tokens["olga"]) as olga, _client(room, tokens["cleo"]) as cleo:
        for who, other in ((olga, "cleo"), (cleo, "olga")):
            for path, fields in acts[other]:
                assert who.post(path, data={"_once": "0" * 32, **fields}, headers=HTML).status_code == 403, (other, path)
        assert cleo.post(f"/registry/{release}/retire", data={"_once": "1" * 32, "reason": "x"}, headers=HTML).status_code == 403
        page = cleo.get("/aliases/champion", headers=HTML).text
        assert "disabled" in page
        assert "Who may: olga" in page
        for name, client in (("olga", olga), ("cleo", cleo)):
            for number, (path, fields) in enumerate(acts[name]):
                assert client.post(path, data={"_once": f"{number}" * 20 + name, **fields}, headers=HTML).status_code == 303, (name, path)


def test_endpoints_say_how_they_are(room: Workspace, web: TestClient) -> None:
    assert "nothing serves now" in web.get("/endpoints", headers=HTML).text
    _serving(room)
    assert "support/2" in web.get("/endpoints", headers=HTML).text
    assert web.get("/api/v1/endpoints").json()["endpoints"][0]["state"] == "serving"
    assert "answers now" in web.get("/models/champion", headers=HTML).text
    room.store.endpoints.end("e1", endpoints._spelled(endpoints._now()))
    assert web.get("/api/v1/endpoints").json()["endpoints"][0]["state"] == "stopped"
    assert "no endpoint runs" in web.get("/models/champion", headers=HTML).text


def test_trying_without_an_endpoint_is_a_clear_page_that_keeps_the_question(room: Workspace, web: TestClient) -> None:
    asked = web.post("/models/try/champion", data={"_once": _once(web, "/models/champion"), "question": "When <b>does</b> it come?"}, headers=HTML)
    assert asked.status_code == 503
    assert "When &lt;b&gt;does&lt;/b&gt; it come?" in asked.text
    assert "whytune serve --alias champion" in asked.text
    empty = web.post("/api/v1/models/try/champion", json={"question": " "})
    assert empty.status_code == 400
    assert web.post("/api/v1/models/try/golden", json={"question": "x"}).status_code == 404


def test_feedback_is_found_sorted_and_named_by_its_state(room: Workspace, web: TestClient) -> None:
    ids = [said(room, number, consent=number != 2) for number in (1, 2, 3)]
    found = web.get("/api/v1/feedback?per=2").json()
    assert [each["id"] for each in found["feedback"]] == ids[:0:-1], "newest first, by pages"
    assert (found["page"]["total"], found["states"]["new"]) == (3, 3)
    assert [each["id"] for each in web.get("/api/v1/feedback?q=ON+tuesday").json()["feedback"]] == [ids[1]]
    assert web.get("/api/v1/feedback?q=100%25").json()["feedback"] == [], "a sign of the database's language is a letter"
    assert web.get("/feedback?state=golden", headers=HTML).status_code == 400
    assert web.get("/feedback?project=other", headers=HTML).status_code == 404
    assert web.get("/feedback/fb_none", headers=HTML).status_code == 404
    sorted_in = web.post(f"/feedback/{ids[1]}/triage", data={"_once": _once(web, f"/feedback/{ids[1]}"), "verdict": "useful", "reason": "right"}, headers=HTML)
    assert sorted_in.status_code == 303
    page = web.get(f"/feedback/{ids[1]}", headers=HTML).text
    assert "did not agree that it becomes training data" in page
    assert web.get("/api/v1/feedback?state=useful").json()["page"]["total"] == 1
    assert web.post("/api/v1/feedback/propose", json={"project": "support", "ids": [ids[1]]}).status_code in (404, 409)


def test_a_private_use_case_is_nowhere_to_be_seen(room: Workspace) -> None:
    file = room.root / "support" / "whytune.toml"
    file.write_text(file.read_text("utf-8") + '[access]\nprivate = true\n[owners]\nbusiness_owner = "bea"\n', "utf-8")
    id, release = said(room, 1), room.store.list(Release)[-1].id
    _serving(room)
    people.add(room, "ada", ["admin"])
    people.add(room, "olga", ["operator", "customer_success"])
    people.add(room, "bea", ["business_owner"])
    tokens = {name: people.make_token(room.as_person(name), name) for name in ("olga", "bea")}
    hidden = ("/projects/support/live", f"/registry/{release}", "/aliases/champion", "/models/champion", f"/feedback/{id}", f"/api/v1/releases/{release}/files/card.json")
    with _client(room, tokens["olga"]) as olga, _client(room, tokens["bea"]) as bea:
        for address in hidden:
            assert (olga.get(address, headers=HTML).status_code, bea.get(address, headers=HTML).status_code) == (404, 200), address
        for address in ("/registry", "/aliases", "/endpoints", "/feedback", "/consumers"):
            text = olga.get(f"/api/v1{address}").text
            assert "support" not in text, address
            assert "champion" not in text, address


def test_a_secret_is_told_once_to_one_person() -> None:
    secrets = ToldOnce()
    secrets.keep("olga", "k1", "s")
    assert secrets.take("bea", "k1") == ""
    assert secrets.take("olga", "k1") == "s"
    assert secrets.take("olga", "k1") == ""
