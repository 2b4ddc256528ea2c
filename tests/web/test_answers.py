"""What the OpenAPI document says of the answers is what the addresses answer."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

import pytest
from starlette.testclient import TestClient
from tests.web.shelf import said, shelf
from tests.workspace import compared_desks, judged_desks

from whytune.records.record import Record
from whytune.store import accounts as accounts_module
from whytune.web.answers import answered
from whytune.web.app import make_app, make_routes
from whytune.web.handling import WebRequest
from whytune.web.openapi import document
from whytune.workspace import people
from whytune.workspace.workspace import Workspace

HERE = "http://127.0.0.1:8765"


@cache
def described() -> dict[str, Any]:
    """The document about every address."""
    return document(make_routes())


class Leaf(Record):
    """A record."""

    KIND = "leaf"
    name: str
    states: tuple[Literal["on", "off"], ...] = ()


@dataclasses.dataclass(frozen=True)
class Twig:
    """A dataclass."""

    leaves: list[Leaf]
    length: float | None

    @property
    def known(self) -> dict[str, int]:
        """A property."""
        return {}


def twig(_: WebRequest) -> Twig:
    return Twig([], None)


LISTED = ("a", "b")


def made(ask: WebRequest) -> Any:
    """An example."""
    found, number = twig(ask), len(LISTED)
    if not number:
        return {"twig": found, "why": "nothing"}
    told = {"twig": found, "names": [leaf.name for leaf in found.leaves], "known": found.known.get("x", 0), "free": ask.request.scope}
    return {**told, "number": number, "listed": LISTED, "lines": [{"n": at, "of": one} for at, one in enumerate(found.leaves)]}


def test_types_are_read_from_what_a_function_calls_and_nothing_is_guessed() -> None:
    shapes: dict[str, Any] = {}
    found = answered(made, shapes)
    assert found["required"] == ["twig"]
    assert found["additionalProperties"] is False
    properties = found["properties"]
    assert properties["twig"] == {"$ref": "#/components/schemas/Twig"}
    assert properties["names"] == {"type": "array", "items": {"type": "string"}}
    assert properties["known"] == properties["number"] == {"type": "integer"}
    assert properties["listed"] == {"type": "array", "items": {"type": "string"}}
    assert (properties["free"], properties["why"]) == ({}, {"type": "string"})
    assert set(properties["lines"]["items"]["properties"]) == {"n", "of"}
    assert shapes["Leaf"]["properties"] == {"id": {"type": "string"}, "name": {"type": "string"}, "states": {"type": "array", "items": {"enum": ["on", "off"]}}}
    assert shapes["Twig"]["properties"]["length"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}


def test_almost_every_address_says_what_it_answers() -> None:
    good = [about["responses"].get("200") or about["responses"].get("201") or {} for operations in described()["paths"].values() for about in operations.values()]
    told = [one["content"]["application/json"]["schema"] for one in good if "application/json" in one.get("content", {})]
    keys = [key for one in told for key in one.get("properties", {}).values()]
    assert sum(bool(one) for one in told) / len(told) > 0.95
    assert sum(bool(key) for key in keys) / len(keys) > 0.85


UNLIKE = "/api/v1/projects/{name}/runs"
"""Not asked of releases that were made without training: their adapter has no curve."""


def checked(web: TestClient, known: dict[str, list[str]]) -> tuple[set[str], list[str]]:
    """GET addresses that answered, and where an answer is not what the document says."""
    import jsonschema  # takes seconds, and every process of the tests reads this file

    held, wrong = set(), []
    for path, operations in described()["paths"].items():
        about = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {}).get("application/json")
        if about is None or path in ("/api/v1/system/machine", "/api/v1/openapi.json"):
            continue
        names = re.findall(r"\{(\w+)\}", path)
        choices = [dict(zip(names, values, strict=True)) for values in zip(*(known.get(name, ["nothing"]) for name in names), strict=False)] or [{}]
        for chosen in choices:
            answer = web.get(re.sub(r"\{(\w+)\}", lambda found, chosen=chosen: chosen[found[1]], path))
            if answer.status_code >= 500 and (path, chosen) != (UNLIKE, {"name": "support"}):
                wrong.append(f"{path}: {answer.status_code} {chosen} {answer.text}")
            if answer.status_code != 200 or not answer.headers["content-type"].startswith("application/json"):
                continue  # pictures of the help come as they are
            held.add(path)
            schema = {**about["schema"], "components": described()["components"]}
            wrong += [f"{path}: {'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in jsonschema.Draft202012Validator(schema).iter_errors(answer.json())]
    return held, wrong


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def rooms(tmp_path_factory: pytest.TempPathFactory, patched: None) -> Iterator[list[tuple[Workspace, dict[str, list[str]]]]]:
    released = shelf(tmp_path_factory.mktemp("shelf"))
    given = said(released, 1)
    judged = judged_desks.alone(tmp_path_factory.mktemp("judged")).workspace
    compared = compared_desks.desk(tmp_path_factory.mktemp("compared")).workspace
    yield [
        (released, {"name": ["support"], "release": ["support/1"], "alias": ["champion"], "id": [given], "page": ["how-to/review"]}),
        *((room, {"name": [room.projects()[0].name] * 2, "version": ["1"] * 2, "first": ["1"], "second": ["1"]}) for room in (judged, compared)),
    ]
    for room in (released, judged, compared):
        room.store.close()


@pytest.mark.slow
def test_answers_are_what_the_document_says(rooms: list[tuple[Workspace, dict[str, list[str]]]]) -> None:
    held: set[str] = set()
    wrong: list[str] = []
    for room, known in rooms:
        name = room.person.name if not room.person.solo else ""
        headers = {"authorization": f"Bearer {room.store.accounts.make_token(name)}"} if name else {}
        with TestClient(make_app(room.root), base_url=HERE, client=("127.0.0.1", 1), headers=headers, follow_redirects=False, raise_server_exceptions=False) as web:
            found, faults = checked(web, known)
            held |= found
            wrong += faults
    assert not wrong, "\n".join(dict.fromkeys(wrong))
    assert len(held) >= 45, sorted(held)
