"""`whytune cases` and `whytune jobs compare`: the same cases and the same trainings as the pages show, harmless on a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.test_runs import trained
from tests.workspace import compared_desks
from tests.workspace.desks import acting

from whytune.cli import app
from whytune.settings import Settings
from whytune.workspace import asking, cases, people
from whytune.workspace.cases import CaseQuestion
from whytune.workspace.project import Project
from whytune.workspace.reviewing import Round
from whytune.workspace.workspace import Workspace

Typed = Callable[..., str]
RUNS = 'name = "support"\ntask = "categorization"\n[data]\nfrom = ["rows.csv"]\n[acceptance]\nmetric = "accuracy"\nbar = 0.8\nmargin = 0.05\n'


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    for name in ("WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    def type_in(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            app.run(list(arguments))
        told = capsys.readouterr()
        assert left.value.code == code, told.out + told.err
        return told.out + (told.err if code else "")

    return type_in


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    compared_desks.documents(folder).workspace.store.close()
    return folder


@pytest.fixture
def desk(measured: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.chdir(measured)
    room = Workspace.open(measured)
    yield room.project("desk")
    room.store.close()


@pytest.mark.slow
def test_the_command_lists_what_the_workspace_finds(desk: Project, typed: Typed) -> None:
    for show in ("regressions", "improvements", "both-wrong", "all"):
        wanted = cases.cases(desk, CaseQuestion("prompt", "rag", show=show.replace("-", "_")), limit=200)
        found: dict[str, Any] = json.loads(typed("cases", "desk", "--arms", "prompt,rag", "--show", show, "--per", "200", "--json"))
        assert found["schema"] == "whytune.cases/1"
        assert [line["item"] for line in found["cases"]["lines"]] == [line.item for line in wanted.lines]
        assert found["cases"]["counts"] == wanted.counts
    whole = [line.item for line in cases.cases(desk, CaseQuestion("prompt", "rag", show="all"), limit=200).lines]
    second = typed("cases", "desk", "--arms", "rag,prompt", "--show", "all", "--per", "4", "--page", "2")
    assert [item for item in whole if item in second] == whole[4:8]
    assert f"page 2 of {-(-len(whole) // 4)}, {len(whole)} cases" in second
    assert f"next: whytune cases desk --split test --item {whole[4]}" in second
    assert "no case is like that" in typed("cases", "desk", "--slice", "floor=<none>")


@pytest.mark.slow
def test_what_a_model_said_does_nothing_on_a_terminal(desk: Project, typed: Typed) -> None:
    listed = typed("cases", "desk", "--arms", "prompt,rag", "--show", "improvements")
    line = cases.cases(desk, CaseQuestion("prompt", "rag", show="improvements")).lines[0]
    whole = typed("cases", "desk", "--item", line.item)
    for told in (listed, whole):
        assert "<script>" in told, "it is shown as it came"
        assert not {sign for sign in told if not sign.isprintable()} - {"\n"}
    assert line.target in whole
    assert whole.count("  with ") == 2, "the passages that search found"
    assert json.loads(typed("cases", "desk", "--item", line.item, "--json"))["case"]["item"] == line.item


@pytest.mark.slow
def test_what_a_blind_round_asks_is_held_back_here_too(tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    project = compared_desks.desk(tmp_path)
    before = {line.item for line in cases.cases(project, CaseQuestion(show="all"), limit=1000).lines}
    queue = asking.open_round(acting(project, "tess"), asking.purpose_named("pairs"), ("prompt", "few_shot"), asking.Plan(sample=5, overlap=0, votes=0, gold=0.2, repeats=0, split="test"))
    asked = {item.example for item in Round(project, queue).items.values()}
    token = people.make_token(project.workspace, "bea")
    project.workspace.store.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(people.TOKEN_VARIABLE, token)
    told = typed("cases", "desk", "--show", "all", "--per", "200")
    assert {item for item in before if item in told} == before - asked
    assert f"{len(asked)} cases are held back from you" in told
    assert "Round 1 of review asks you about it blind" in told
    assert "held back" in typed("cases", "desk", "--item", min(asked), code=4)


@pytest.mark.slow
def test_what_cannot_be_asked_and_what_is_not_there(desk: Project, typed: Typed) -> None:
    told = typed("cases", "desk", "--split", "train", "--show", "funny", "--slice", "north", code=2)
    assert [word in told for word in ("split='train'", "show='funny'", "slice='north'")] == [True] * 3
    assert "name two" in typed("cases", "desk", "--arms", "prompt", code=2)
    assert "there are: prompt, rag" in typed("cases", "desk", "--arms", "prompt,tuned", code=5)
    assert "is no case of desk" in typed("cases", "desk", "--item", "example:0", code=5)
    assert json.loads(typed("cases", "desk", "--arms", "prompt,tuned", "--json", code=5).partition("\nerror:")[0])["code"] == "not-found"


@pytest.mark.slow
def test_two_trainings_beside_each_other(tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "whytune.toml").write_text(RUNS, "utf-8")
    assert "nothing was trained yet" in typed("jobs", "compare", "support")
    one, two = trained(room, 4), trained(room, 8, epochs=6.0)
    room.store.close()
    a, b = (made.id.rpartition(":")[2][:10] for made in (one, two))
    listed = typed("jobs", "compare", "support")
    assert [a in listed, b in listed, f"next: whytune jobs compare support {a} {b}" in listed] == [True] * 3
    assert [each["id"] for each in json.loads(typed("jobs", "compare", "support", "--json"))["adapters"]] == [two.id, one.id]
    told = typed("jobs", "compare", "support", a, b)
    assert [line.split() for line in told.splitlines() if line.startswith("rank ")] == [["rank", "4", "8"]]
    assert "(ended early)" in told
    found = json.loads(typed("jobs", "compare", "support", one.id, b, "--json"))
    assert (found["schema"], found["one"]["line"]["id"], found["two"]["line"]["id"]) == ("whytune.compared-runs/1", one.id, two.id)
    assert {each["name"] for each in found["differ"]} >= {"rank", "epochs"}
    assert "one is named" in typed("jobs", "compare", "support", a, code=2)
    assert "There is no adapter 'ffffffffff'" in typed("jobs", "compare", "support", a, "ffffffffff", code=5)
    assert "There is no adapter 'a'" in typed("jobs", "compare", "support", "a", b, code=5), "one letter names nothing"
