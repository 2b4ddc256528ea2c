"""The OpenAPI document says what the addresses do, and the reference page says what the document says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from tests.web.test_answers import described

from whytune.records.ledger import ROLES
from whytune.web import paging
from whytune.web.app import make_routes
from whytune.web.handling import Address, WebRequest, route
from whytune.web.openapi import document

ROOT = Path(__file__).parents[2]


def test_every_json_address_is_in_it_and_no_other() -> None:
    there = {(method, one.path.replace(":path", "")) for one in make_routes() if isinstance(one, Address) and one.path.startswith("/api/") for method in (one.methods or set()) - {"HEAD"}}
    assert {(method.upper(), path) for path, operations in described()["paths"].items() for method in operations} == there
    assert all(path.startswith("/api/v1/") for path in described()["paths"])


def test_every_page_has_a_twin() -> None:
    pages = {one.path.replace(":path", "") for one in make_routes() if isinstance(one, Address) and one.face == "html"}
    assert {page for page in pages if page != "/" and "get" not in described()["paths"].get(f"/api/v1{page}", {})} == set()


def test_it_has_the_form_that_tools_read() -> None:
    assert described()["openapi"] == "3.1.0"
    names = [operation["operationId"] for operations in described()["paths"].values() for operation in operations.values()]
    assert len(names) == len(set(names))
    for path, operations in described()["paths"].items():
        for method, about in operations.items():
            assert about["summary"], f"{method} {path} does not say what it is"
            inside = {one["name"] for one in about["parameters"] if one["in"] == "path"}
            assert inside == {part.strip("{}") for part in path.split("/") if part.startswith("{")}
            assert set(about["responses"]) > {"400", "401", "403", "404", "409"}


def test_words_that_a_field_may_say_are_listed() -> None:
    paths = described()["paths"]
    split = next(one for one in paths["/api/v1/projects/{name}/compare"]["get"]["parameters"] if one["name"] == "split")
    assert split["schema"]["enum"] == ["test", "dev"]
    body = paths["/api/v1/projects/{name}/approvals"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert (body["says"]["enum"], body["role"]["enum"]) == (["approve", "reject"], list(ROLES))
    assert paths["/api/v1/people"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]["roles"]["items"]["enum"] == list(ROLES)
    listed = [one for operations in paths.values() for about in operations.values() for one in about["parameters"] if "enum" in one["schema"]]
    assert len(listed) >= 8


def test_files_and_events_are_told_as_what_they_are() -> None:
    paths = described()["paths"]
    for path in ("/api/v1/drafts", "/api/v1/drafts/{draft}/files"):
        assert set(paths[path]["post"]["requestBody"]["content"]) == {"multipart/form-data"}
    events = paths["/api/v1/runs/{id}/events"]["get"]
    assert set(events["responses"]["200"]["content"]) == {"text/event-stream"}
    assert "after" in {one["name"] for one in events["parameters"]}


def helped(ask: WebRequest) -> Any:
    return [ask.query["deep"], paging.asked(ask.query)]


WORDS = ("one", "two")


def example(ask: WebRequest) -> Any:
    """An example.

    With more to say.
    """
    query, extra = ask.query, {"size_": int, "names": list}
    wanted = [query.get(word) for word in WORDS] + [ask.query.get(word) for word in ("three", "four")]
    text, given, more, size, names = ask.take(text=str, given_=dict, more_=float, **extra)
    return [helped(ask), wanted, text, given, more, size, names, query.get("five", "")]


def loose(ask: WebRequest) -> Any:
    """Any field."""
    return [dict(ask.body), ask.body.get("known")]


def test_what_a_function_takes_is_found_in_it() -> None:
    made = document([route("POST", "/api/v1/things/{name}", example, 201), route("PUT", "/api/v1/loose", loose)])["paths"]
    about = made["/api/v1/things/{name}"]["post"]
    assert about["summary"] == "An example."
    assert [one["name"] for one in about["parameters"]] == ["name", "deep", "five", "four", "one", "page", "per", "three", "two"]
    body = about["requestBody"]["content"]["application/json"]["schema"]
    assert {name: kind["type"] for name, kind in body["properties"].items()} == {"text": "string", "given": "object", "more": "number", "size": "integer", "names": "array"}
    assert body["required"] == ["names", "text"]
    assert body["additionalProperties"] is False
    assert next(iter(about["responses"])) == "201"
    body = made["/api/v1/loose"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert (list(body["properties"]), body["additionalProperties"]) == (["known"], True)


def test_the_reference_page_is_what_the_document_says() -> None:
    spec = importlib.util.spec_from_file_location("docs_write", ROOT / "docs" / "write.py")
    assert spec
    assert spec.loader
    write = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write)
    page = ROOT / "docs" / "reference" / "http-api.md"
    if page.read_text("utf-8") != write.filled(page, write.API, write.addresses() + "\n"):
        pytest.fail("docs/reference/http-api.md is not what the addresses say; run: make docs")
