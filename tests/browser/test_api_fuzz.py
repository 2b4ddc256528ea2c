"""Every address of the API with whatever its description allows: an answer of the right kind, never a fault of the server.

The workspace is the full one; whoever asks holds every role, so that as much code as can be is reached. Half of the
values in addresses are names that exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core import NotSet
from starlette.testclient import TestClient
from tests.browser.house import House
from tests.web.test_answers import checked

from whytune.records.job import KINDS
from whytune.records.ledger import ROLES
from whytune.web.app import make_app
from whytune.workspace.workspace import Workspace

pytestmark = pytest.mark.deep
CASES = 6
"""Requests for each address."""
SHUT = {"/api/v1/session", "/api/v1/sign-out", "/api/v1/drafts", "/api/v1/drafts/{draft}/files", "/api/v1/runs/{id}/events"}
"""Not asked: they end the session that asks, take files, or go on for a minute."""


@pytest.fixture(scope="module")
def client(house: House) -> Iterator[TestClient]:
    room = Workspace.open(house.folder).as_person("admin")
    room.add_person("everybody", tuple(ROLES))
    token = room.store.accounts.make_token("everybody")
    room.store.close()
    who = {"authorization": f"Bearer {token}"}
    with TestClient(make_app(house.folder), base_url="http://127.0.0.1", client=("127.0.0.1", 5000), headers=who) as made:
        yield made


def known(client: TestClient, house: House) -> dict[str, list[str]]:
    """Values that exist, by the word that stands for them in an address."""
    queues = [one["id"] for one in client.get("/api/v1/queues").json()["queues"]]
    jobs = [one["id"] for one in client.get("/api/v1/runs").json()["jobs"]]
    said = [one["id"] for one in house.told("success", "feedback", "list")["feedback"]]
    releases = [one["release"]["id"] for one in client.get("/api/v1/releases").json()["releases"]]
    proposals = [one["id"] for one in client.get("/api/v1/projects/support/proposals").json()["proposals"]]
    return {
        "name": ["support", "handbook", "fresh", "flawed"], "id": [*queues, *jobs, *said], "release": ["support/1", *releases], "alias": ["champion"], "person": ["owner", "everybody"],
        "proposal": proposals, "first": ["1"], "second": ["2", "1"], "version": ["1", "2"], "page": ["how-to/review", "pictures/decision.png"], "file": ["card.md", "bom.json"], "split": ["train", "test"],
    }  # fmt: skip


def test_every_answer_is_what_the_document_says(client: TestClient, house: House) -> None:
    held, wrong = checked(client, known(client, house))
    assert not wrong, "\n".join(dict.fromkeys(wrong))
    assert len(held) > 60, sorted(held)


def test_no_request_is_a_fault_of_the_server(client: TestClient, house: House) -> None:
    document = client.get("/api/v1/openapi.json").json()
    there, faults, statuses = known(client, house), [], set()
    assert all(there.values()), there

    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        if operation.path in SHUT:
            continue

        @seed(1)
        @settings(max_examples=CASES, derandomize=False, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(), data=st.data())
        def ask(case: Any, data: Any) -> None:
            for name in case.path_parameters or {}:
                if there.get(name) and data.draw(st.booleans()):
                    case.path_parameters[name] = data.draw(st.sampled_from(there[name])).replace("/", "%2F")
            body = None if isinstance(case.body, NotSet) else case.body
            if isinstance(body, dict) and body.get("kind") in KINDS:
                body = {**body, "kind": f"{body['kind']}?"}  # as it is it would begin real work
            query = dict(case.query or {})
            try:
                sent = {"content": json.dumps(body).encode("utf-8", "surrogatepass"), "headers": {"content-type": "application/json"}} if body is not None else {}
                answer = client.request(case.method, case.formatted_path, params=query, follow_redirects=False, **sent)
            except Exception as error:
                faults.append(f"{case.method} {case.formatted_path}?{query} {body!r}: {type(error).__name__}: {error}")
                return
            statuses.add(answer.status_code)
            if answer.status_code >= 500 and answer.status_code != 503:
                faults.append(f"{case.method} {case.formatted_path}?{query} {body!r}: {answer.status_code} {answer.text[:200]}")
            elif answer.status_code >= 400:
                told = answer.json()
                assert set(told) == {"code", "what", "where", "problems", "next"}, told
                assert told["next"], told
                assert "Traceback" not in answer.text

        ask()
    assert faults == [], "\n".join(faults)
    assert {200, 201, 400, 404, 409} <= statuses
