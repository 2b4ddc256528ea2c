"""The documentation under /help: every page, links and pictures that lead somewhere, nothing that runs, nothing outside its folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from whytune.errors import NotFoundError
from whytune.settings import Settings
from whytune.web import markdown
from whytune.web.app import make_app
from whytune.workspace import manual
from whytune.workspace.workspace import Workspace

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("room")
    Workspace.open(folder, settings=Settings(), create=True).store.close()
    with TestClient(make_app(folder), base_url="http://127.0.0.1", client=("127.0.0.1", 5000), headers={"accept": "text/html"}) as made:
        yield made


def test_every_page_and_every_link_of_it(client: TestClient) -> None:
    names = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    assert {one.name for one in manual.pages()} == names - {"index"}
    shown = {f"/help/{name}": client.get(f"/help/{name}").raise_for_status().text for name in names}
    shown["/help"] = client.get("/help").text
    dead = []
    for address, page in shown.items():
        assert page.count("<h1") == 1, address
        assert "<title>" in page
        for href in re.findall(r'<a href="(/help[^"]*)"', page) + [f"{address}{anchor}" for anchor in re.findall(r'<a href="(#[^"]*)"', page) if anchor != "#main"]:
            there, _, anchor = href.partition("#")
            if there not in shown or (anchor and f'id="{anchor}"' not in shown[there]):
                dead.append(f"{address}: {href}")
        for picture in re.findall(r'<img src="([^"]+)"', page):
            assert client.get(picture).headers["content-type"] == "image/png", picture
    assert dead == []
    assert "&lt;br&gt;" not in "".join(shown.values())
    assert "Have people review rows and answers · whytune" in shown["/help/how-to/review"]


def test_its_twin_is_markdown(client: TestClient) -> None:
    told = client.get("/api/v1/help/how-to/review").json()
    assert told["text"] == (DOCS / "how-to" / "review.md").read_text("utf-8")
    kinds = [group["title"] for group in client.get("/api/v1/help").json()["groups"]]
    assert kinds == ["Tutorial", "How-to", "Reference", "Explanation", "For people who change the code"]


def test_words_are_found_where_they_stand(client: TestClient) -> None:
    found = client.get("/api/v1/help", params={"q": "blind pairs"}).json()["found"]
    assert any(one["page"] == "tutorial/whole-circle" for one in found)
    for one in found:
        text = manual.page(one["page"]).text.lower()
        assert {"blind", "pairs"} <= {word for word in ("blind", "pairs") if word in text}, one
    told = [one["excerpt"] for one in client.get("/api/v1/help", params={"q": "support"}).json()["found"]]
    assert any("whytune release make support" in excerpt for excerpt in told)
    assert not any(sign in excerpt for excerpt in told for sign in ("`", "**", "|")), "marks of Markdown say nothing here"
    assert client.get("/api/v1/help", params={"q": "zebra-crossing"}).json()["found"] == []
    assert "No page holds all of these words" in client.get("/help", params={"q": "<b>zebra"}).text
    assert "<b>zebra" not in client.get("/help", params={"q": "<b>zebra"}).text
    assert client.get("/help", params={"q": "x" * 201}).status_code == 400


@pytest.mark.parametrize("name", ["../README", "..%2FREADME", "how-to/../../CONTRIBUTING", "nothing", "how-to/", "HOW-TO/review", "reference/decision.schema.json", "%00", "a" * 5000])
def test_nothing_else_is_handed_out(client: TestClient, name: str) -> None:
    answer = client.get(f"/help/{name}")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    with pytest.raises(NotFoundError):
        manual.picture(name)


def test_markdown_can_do_nothing() -> None:
    hostile = "# A <b>\n\n<script>alert(1)</script> [x](javascript:alert(1)) ![y](data:text/html,z) <img src=x onerror=alert(1)>\n\n```\n</code><script>\n```\n\n[out](../../secrets.md) [kept](review.md#a-b)\n"
    made = markdown.html(hostile, "how-to/people")
    assert "<script" not in made
    assert "<img src=x" not in made
    assert 'href="javascript' not in made
    assert "secrets" not in made
    assert '<a href="/help/how-to/review#a-b">kept</a>' in made
    assert 'id="a-b"' in made


def test_equal_headings_have_names_of_their_own() -> None:
    made = markdown.html("# One\n\n## Same\n\n## Same\n", "x")
    assert re.findall(r'id="([^"]+)"', made) == ["one", "same", "same-1"]
