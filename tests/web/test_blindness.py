"""While a blind round is open no door shows whose answers are whose: pages, their JSON, files to take away, the terminal; then all do."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.workspace import compared_desks
from tests.workspace.desks import acting

from whytune.cli import app
from whytune.records.decision import Shown
from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.workspace import asking, concluding, people
from whytune.workspace.asking import Plan
from whytune.workspace.project import Project
from whytune.workspace.reviewing import Round
from whytune.workspace.workspace import Workspace

HERE = "/projects/desk"
PAGES = (f"{HERE}/compare/cases?show=all&per=100", f"{HERE}/compare/cases?show=improvements&per=100", f"{HERE}/decide", f"{HERE}/compare", f"{HERE}/leaderboard", f"{HERE}/review", f"{HERE}/map")
FILES = tuple(f"{HERE}/report.{kind}" for kind in ("html", "md", "json"))
TYPED = (("report", "desk", "--md"), ("report", "desk", "--json"), ("compare", "desk", "--json"))


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    room = Workspace.open(shutil.copytree(compared_desks.kept(tmp_path_factory.getbasetemp()), tmp_path / "room"))
    monkeypatch.chdir(tmp_path / "room")
    yield room.project("desk")
    room.store.close()


@pytest.fixture
def doors(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], dict[str, str]]:
    """Everything that a person is shown at every door, by where."""
    tokens: dict[str, str] = {}

    def shown(name: str) -> dict[str, str]:
        tokens[name] = tokens.get(name) or project.workspace.store.accounts.make_token(name, "test", 1)
        web = TestClient(make_app(project.workspace.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers={"authorization": f"Bearer {tokens[name]}"})
        found = {}
        for address in (*PAGES, *FILES):
            for root, accept in (("", "text/html"), ("/api/v1", "application/json")):
                answer = web.get(root + address, headers={"accept": accept})
                assert answer.status_code == 200, f"{address}: {answer.text[:300]}"
                found[root + address] = f"{answer.headers}\n{html.unescape(answer.text)}"
        monkeypatch.setenv(people.TOKEN_VARIABLE, tokens[name])
        for words in TYPED:
            with pytest.raises(SystemExit):
                app.run(list(words))
            found["whytune " + " ".join(words)] = capsys.readouterr().out
        return found

    return shown


@pytest.mark.slow
def test_every_door_holds_back_the_same_and_gives_it_back(project: Project, doors: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    decision = project.decision
    assert decision is not None
    plan = Plan(sample=1000, overlap=0, votes=0, gold=0, repeats=0, split="test")
    queue = asking.open_round(acting(project, "tess"), "rubric", ("few_shot",), plan)
    asked = {item.example for item in Round(project, queue).items.values()}
    assert {shown.item for shown in decision.examples} <= asked
    blind = doors("bea")
    for where, text in blind.items():
        assert [item for item in asked if item in text] == [], where
        assert [shown.input for shown in decision.examples if shown.input in text] == [], where
    for where in (PAGES[0], f"/api/v1{PAGES[0]}", f"{HERE}/decide", f"/api/v1{HERE}/decide", *FILES, *(" ".join(("whytune", *words)) for words in TYPED[:2])):
        assert "round 1" in blind[where].casefold() or '"held_back":' in blind[where].replace(" ", ""), f"{where} does not say what holds it back"
    item = decision.examples[0].item
    token = project.workspace.store.accounts.make_token("bea", "test", 1)
    web = TestClient(make_app(project.workspace.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers={"authorization": f"Bearer {token}"})
    for address in (f"{HERE}/compare/cases/{item}", f"/api/v1{HERE}/compare/cases/{item}"):
        refused = web.get(address, headers={"accept": "text/html"})
        assert refused.status_code == 403
        assert "held back" in refused.text
        assert "Round 1" in refused.text
    _all_there(doors("olga"), decision.examples, asked)
    room = Round(acting(project, "tess"), queue)
    monkeypatch.delenv(people.TOKEN_VARIABLE)
    own = Round(project.workspace.as_person("bea").project("desk"), queue)
    question = own.take()
    assert question
    own.answer(question.token, "bea-1", question.choices[0].verdict)
    assert item not in doors("bea")[f"/api/v1{PAGES[0]}"], "one opinion given opens nothing"
    monkeypatch.delenv(people.TOKEN_VARIABLE)
    concluding.close(room, early=True)
    _all_there(doors("bea"), decision.examples, asked)


def _all_there(found: dict[str, str], examples: tuple[Shown, ...], asked: set[str]) -> None:
    listed = json.loads(found[f"/api/v1{PAGES[0]}"].partition("\n")[2])["cases"]
    assert {line["item"] for line in listed["lines"]} >= asked
    assert listed["held_back"] == 0
    for where in (f"/api/v1{HERE}/decide", f"{HERE}/report.json", "whytune report desk --json"):
        assert all(shown.item in found[where] for shown in examples), where
