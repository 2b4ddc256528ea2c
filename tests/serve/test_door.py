"""Who gets in and how much of it they get; no model is loaded for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whytune.records.served import Response
from whytune.serve.app import make_app
from whytune.serve.door import DoorLimits
from whytune.settings import Settings
from whytune.workspace.consumers import KeyTerms, grant, revoke
from whytune.workspace.serving import Gateway
from whytune.workspace.workspace import Workspace

NEAR = "http://localhost:8000"


@pytest.fixture
def room(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)


@pytest.fixture
def client(room: Workspace) -> Iterator[TestClient]:
    with TestClient(make_app(Gateway(room, ["champion"]), DoorLimits(body=2000, at_once=2)), base_url=NEAR) as made:
        yield made


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_without_keys_this_machine_alone_may_ask(client: TestClient) -> None:
    assert client.get("/v1/models").status_code == 200
    assert client.get("/v1/models", headers={"host": "[::1]:8000"}).status_code == 200
    for host in ("evil.example:8000", "evil.example", "127.0.0.1.evil.example", ""):
        assert code(client.get("/v1/models", headers={"host": host})) == (403, "foreign_host")


def test_the_first_key_shuts_the_door_for_good(room: Workspace, client: TestClient) -> None:
    assert client.get("/v1/models").status_code == 200
    made = grant(room, KeyTerms("shop"))
    for headers in ({}, bearer("wt-nonsense"), bearer(made.key.key), {"authorization": made.secret}, {"authorization": "Basic x"}, bearer("")):
        refused = client.get("/v1/models", headers=headers)
        assert code(refused) == (401, "invalid_api_key")
        assert refused.headers["www-authenticate"] == "Bearer"
    assert client.get("/v1/models", headers=bearer(made.secret)).status_code == 200
    revoke(room, made.key.key)
    assert code(client.get("/v1/models", headers=bearer(made.secret))) == (401, "invalid_api_key")
    assert code(client.get("/v1/models")) == (401, "invalid_api_key")


def test_a_key_does_what_its_scopes_say(room: Workspace, client: TestClient) -> None:
    chat, watcher = grant(room, KeyTerms("shop", scopes=("chat",))), grant(room, KeyTerms("watch", scopes=("metrics",)))
    assert code(client.get("/v1/models", headers=bearer(chat.secret))) == (403, "scope_missing")
    assert code(client.get("/metrics", headers=bearer(chat.secret))) == (403, "scope_missing")
    counted = client.get("/metrics", headers=bearer(watcher.secret))
    assert 'whytune_requests_total{route="/v1/models",status="403"} 1' in counted.text
    assert "shop" not in counted.text


def test_so_many_requests_a_minute(room: Workspace, client: TestClient) -> None:
    few, many = grant(room, KeyTerms("shop", per_minute=3)), grant(room, KeyTerms("desk", per_minute=0))
    assert [client.get("/v1/models", headers=bearer(few.secret)).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = client.get("/v1/models", headers=bearer(few.secret))
    assert code(refused) == (429, "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert all(client.get("/v1/models", headers=bearer(many.secret)).status_code == 200 for _ in range(9))


def test_so_many_tokens_a_day(room: Workspace, client: TestClient) -> None:
    from datetime import UTC, datetime

    made = grant(room, KeyTerms("shop", daily_tokens=100))
    used = Response(
        id="r", release="release:1", project="p", alias="a", consumer="shop", key=made.key.key, conversation="", when=datetime.now(UTC).isoformat(),
        tokens_in=60, tokens_out=39,
    )  # fmt: skip
    room.store.traffic.record([(used, None)])
    assert client.get("/v1/models", headers=bearer(made.secret)).status_code == 200
    room.store.traffic.record([(used.model_copy(update={"id": "r2", "tokens_in": 1, "tokens_out": 0}), None)])
    refused = client.get("/v1/models", headers=bearer(made.secret))
    assert code(refused) == (429, "insufficient_quota")
    assert refused.json()["error"]["type"] == "insufficient_quota"


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/feedback"])
def test_bodies_that_cannot_be(client: TestClient, route: str) -> None:
    json = {"content-type": "application/json"}
    assert code(client.post(route, content=b"{}", headers={"content-type": "text/plain"})) == (415, "unsupported_media_type")
    assert code(client.post(route, content=b"{" + b" " * 3000, headers=json)) == (413, "body_too_large")
    assert code(client.post(route, content=b'{"a"', headers=json)) == (400, "invalid_json")
    assert code(client.post(route, content=b"[" * 1500, headers=json)) == (400, "invalid_json")
    assert code(client.post(route, content=b"\xff\xfe", headers=json))[0] == 400
    assert client.post(route, content=b"{}", headers=json).status_code == 400
    assert client.get(route).status_code == 405


def test_what_is_not_there(client: TestClient) -> None:
    assert code(client.get("/v2/models")) == (404, "unknown_url")
    assert code(client.get("/v1/models/champion")) == (404, "model_not_found")
    chat = {"model": "champion", "messages": [{"role": "user", "content": "x"}]}
    assert code(client.post("/v1/chat/completions", json=chat)) == (404, "model_not_found")
    assert code(client.post("/v1/embeddings", json={"model": "ada", "input": "x"})) == (404, "model_not_found")
    assert code(client.post("/v1/feedback", json={"response_id": "r", "rating": "up"}))[0] == 404
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").status_code == 503


def test_feedback_belongs_to_whom_was_answered(room: Workspace, client: TestClient) -> None:
    mine, theirs = grant(room, KeyTerms("shop")), grant(room, KeyTerms("desk"))
    answered = Response(id="r1", release="release:1", project="p", alias="a", consumer="shop", key=mine.key.key, conversation="c", when="2026-01-01")
    room.store.traffic.record([(answered, None)])
    said = {"response_id": "r1", "rating": "down", "correction": "Monday", "consent": True}
    assert code(client.post("/v1/feedback", json=said, headers=bearer(theirs.secret))) == (404, "not_found")
    first, again = (client.post("/v1/feedback", json=said, headers=bearer(mine.secret)) for _ in range(2))
    assert first.status_code == 201
    assert first.json() == again.json()
    assert [item.correction for item in room.store.traffic.inbox()] == ["Monday"]
    assert [event.act for event in room.events()].count("feedback.received") == 1
    assert "Monday" not in "".join(event.model_dump_json() for event in room.events())


def test_a_person_without_a_fitting_role_cannot_open_the_gateway(room: Workspace) -> None:
    from whytune.errors import NotAllowedError

    room.add_person("ada", ("admin",))
    room.add_person("sol", ("data_scientist",))
    with pytest.raises(NotAllowedError):
        Gateway(room.as_person("sol"), ["champion"])


