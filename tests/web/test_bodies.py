"""What no record can hold: half a letter, a number without end. Refused at every field of every address, as a mistake of whoever sent it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.web.shelf import shelf

from whytune.records.ledger import ROLES
from whytune.store import accounts as accounts_module
from whytune.web.app import make_app, make_routes
from whytune.web.openapi import document
from whytune.workspace import people, working
from whytune.workspace.workspace import Workspace

HERE = "http://127.0.0.1:8765"
HALF = "\ud800"
FILLS = {"string": "because of this", "integer": 3, "number": 3.5, "boolean": True, "array": ["tester"], "object": {"one": "two"}}
NEVER = (HALF, f"whole and {HALF}", [HALF], {"one": HALF}, {HALF: "one"}, 10**400, -(10**400), 2**63, [10**400], float("nan"), float("inf"), -float("inf"), 1e999, [float("nan")])
"""Values that no field may take. JSON has no NaN and no Infinity, and Python's reader takes both."""
KNOWN = {"name": "support", "release": "support%2F1", "alias": "champion", "person": "bo"}


def nothing_is_run(*_: Any) -> None:
    raise OSError("no process in this test")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts_module, "COST", 2**4)
        patch.setattr(working, "_spawn", nothing_is_run)
        for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
            patch.delenv(name, raising=False)
        made = shelf(tmp_path_factory.mktemp("bodies"))
        people.add(made, "ada", ["admin"])
        people.add(made.as_person("ada"), "bo", ROLES)
        yield made
        made.store.close()


@pytest.fixture(scope="module")
def web(room: Workspace) -> Iterator[TestClient]:
    who = {"authorization": f"Bearer {room.store.accounts.make_token('bo')}"}
    with TestClient(make_app(room.root), base_url=HERE, client=("127.0.0.1", 1), headers=who, follow_redirects=False, raise_server_exceptions=False) as made:
        yield made


def fields() -> list[tuple[str, str, str, dict[str, Any]]]:
    """(method, path, field, what the other fields hold) of every address that takes a body, and one field that nobody asked for."""
    found = []
    for path, operations in document(make_routes())["paths"].items():
        for method, about in operations.items():
            if "application/json" not in about.get("requestBody", {}).get("content", {}) or path == "/api/v1/session":
                continue
            shape = about["requestBody"]["content"]["application/json"]["schema"]
            whole = {name: FILLS[kind.get("type", "string")] for name, kind in shape["properties"].items() if name in shape.get("required", ())}
            for name, value in KNOWN.items():
                path = path.replace("{" + name + "}", value)
            found += [(method.upper(), path, name, whole) for name in (*shape["properties"], "nobody's")]
    return found


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("value", NEVER, ids=lambda value: f"{value!r:.12}")
def test_what_no_record_can_hold_is_refused_and_its_place_named(web: TestClient, value: Any) -> None:
    for name in ("reason", "hours"):
        answer = web.post("/api/v1/break-glass", content=json.dumps({"reason": "the server is down", "hours": 1.5, name: value}).encode(), headers=JSON)
        assert (answer.status_code, answer.json()["next"]) == (400, "mend the JSON body and send it again")
        assert all(name in told or "lone surrogate" in told for told in answer.json()["problems"])
        assert answer.json()["problems"]


def test_a_form_brings_neither_whatever_charset_it_names(web: TestClient, room: Workspace) -> None:
    from whytune.web.auth import csrf_of

    secret = room.store.accounts.open_session("bo").secret
    who = {"cookie": f"whytune_session={secret}", "authorization": "", "accept": "text/html"}
    parts = {"_csrf": csrf_of(secret), "_once": "a" * 32, "reason": "the server is down +2AA-", "hours": "1"}
    body = "".join(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts.items()) + "--x--\r\n"
    answer = web.post("/system/break-glass", content=body.encode(), headers={**who, "content-type": "multipart/form-data; boundary=x; charset=utf-7"})
    assert answer.status_code == 303, answer.text
    assert people.open_glass(room)[-1].reason == "the server is down \ufffd"
    for number in ("nan", "inf", "1e999", "9" * 400):
        answer = web.post("/system/break-glass", data={**parts, "_once": "b" * 32, "reason": "the server is down", "hours": number}, headers=who)
        assert (number, answer.status_code) == (number, 400)
        assert "hours: must be a number" in answer.text


@pytest.mark.slow
def test_no_field_of_any_address_takes_what_no_record_can_hold(web: TestClient, room: Workspace) -> None:
    events, wrong = len(room.events()), []
    for method, path, name, whole in fields():
        for value in (HALF, 10**400, float("nan")):
            answer = web.request(method, path, content=json.dumps({**whole, name: value}).encode(), headers=JSON)
            if answer.status_code not in (400, 403, 404):
                wrong.append(f"{method} {path} {name}={value!r:.30}: {answer.status_code} {answer.text[:100]}")
            elif answer.status_code == 400 and not answer.json()["problems"]:
                wrong.append(f"{method} {path} {name}={value!r:.30}: it does not say where")
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong)
    assert len(room.events()) == events
