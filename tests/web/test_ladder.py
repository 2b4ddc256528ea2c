"""The model ladder as a page, as data and at the terminal: what was tried from the smallest on, why it stopped, which bases fit."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.web.test_runs import HOSTILE
from tests.workspace.desks import labelled

from whytune.cli import app
from whytune.records.choice import ModelChoice, Rung
from whytune.records.evidence import Measure
from whytune.store import accounts as accounts_module
from whytune.web.app import make_app
from whytune.workspace import ladder, people
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

HERE = "/projects/desk/runs/candidates"
LISTED = '\n[[candidates]]\nname = "small"\n\n[[candidates]]\nname = "middle"\nbase = "hub:some/middle"\n\n[[candidates]]\nname = "large"\nbase = "hub:some/large"\ntraining = { method = "qlora", rank = 4 }\n'


def rung(name: str, parameters: int, low: float = 0.0, high: float = 0.0, **more: Any) -> Rung:
    value = (low + high) / 2
    measure = Measure(name="accuracy", value=value, low=low, high=high, n=40, method="Wilson") if high else None
    told = {"state": "measured", "reason": f"accuracy {value:.3f}"} if measure else {"state": "not_tried"}
    return Rung.model_validate({"name": name, "base": f"base:{parameters}", "base_name": f"{name} {HOSTILE}", "parameters": parameters, "method": "lora", "recipe": f"recipe:{name}", "seconds": 90.0, "measure": measure, **told, **more})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Three candidates listed; a ladder that climbed once, and stopped at the second rung."""
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    made = labelled(tmp_path)
    with (made.folder / "whytune.toml").open("a", encoding="utf-8") as file:
        file.write(LISTED)
    made = Workspace.open(tmp_path).project("desk")
    difference = Measure(name="difference", value=-0.5, low=-0.7, high=-0.3, n=40, method="square and add")
    rungs = (
        rung("middle", 360_000_000, 0.70, 0.90), rung("small", 135_000_000, 0.20, 0.40, to_best=difference, p_holm=0.001, behind=True),
        rung("large", 1_700_000_000, method="qlora", reason="a smaller candidate reaches the bar: accuracy 0.800 on dev, at least 0.700"),
    )  # fmt: skip
    with made.act("model.chosen") as act:
        act.write(ModelChoice(
            project=made.key, dataset=made.dataset.id, plan="p", how="ladder", arm="tuned", metric="accuracy", bar=0.6, rungs=rungs, finalist="middle",
            reason="middle is best on dev, provably better than 1 of 1",
        ))  # fmt: skip
    monkeypatch.chdir(tmp_path)
    yield made
    made.workspace.store.close()


def client(project: Project, token: str = "") -> TestClient:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return TestClient(make_app(project.workspace.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 5000), headers=headers)


def test_the_page_tells_rank_climbing_and_what_fits(project: Project) -> None:
    web = client(project)
    page = web.get(HERE, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    said = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
    for wanted in (
        "middle was taken.", "provably better than 1 of 1", "70.0 to 90.0 %", "Climbed: it is provably below the bar.",
        "Not climbed: this one reaches the bar: accuracy 0.800 on dev, at least 0.700.", "provably worse", "whytune ladder desk --show",
        "your bar 60 %", "hub:some/large", "qlora, rank 4",
    ):  # fmt: skip
        assert wanted in said, wanted
    ladder_of, ranked = said.partition("The ladder, from the smallest")[2], said.partition("The same figures as a table")[2]
    assert ladder_of.index("small ▶ tried") < ladder_of.index("middle ✔ taken") < ladder_of.index("large – not tried")
    assert ranked.index("middle taken") < ranked.index("small small") < ranked.index("large large")
    assert f'href="{HERE}"' in web.get("/projects/desk/runs", headers={"accept": "text/html"}).text
    told = web.get(f"/api/v1{HERE}").json()["ladder"]
    assert [step["rung"]["name"] for step in told["steps"]] == ["small", "middle", "large"]
    assert [step["place"] for step in told["ranked"]] == [1, 2, 0]
    assert [each["reaches"] for each in told["steps"]] == ["no", "yes", ""]
    assert [each["entry"]["base"] for each in told["fits"]].count("bundled") == 1
    for each in told["fits"]:
        assert each["fits"] or each["against"], "each exclusion has its reason"
        assert all(html.escape(reason) in page.text for reason in each["against"])


def test_a_base_that_does_not_fit_is_told_why(project: Project) -> None:
    (project.workspace.root / "models.toml").write_text('[[models]]\nname = "vast"\nbase = "hub:some/vast"\nparameters = 900_000_000_000\nlicence = "mit"\ncontext = 64\n', "utf-8")
    found = next(each for each in ladder.ladder(project).fits if each.entry.name == "vast")
    assert not found.fits
    assert [word for word in ("answering takes about", "it reads 64 tokens") if not any(word in reason for reason in found.against)] == []
    assert "it reads 64 tokens" in client(project).get(HERE, headers={"accept": "text/html"}).text


def test_climbing_begins_by_a_form_for_those_who_may(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.workspace.add_person("root", ("admin",))
    monkeypatch.setenv("WHYTUNE_PERSON", "root")
    admin = project.workspace.as_person("root")
    for name, role in (("dana", "data_scientist"), ("bea", "business_owner")):
        admin.add_person(name, (role,))
    tokens = {name: project.workspace.store.accounts.make_token(name, "test", 1) for name in ("dana", "bea")}
    for name, whole in (("dana", True), ("bea", False)):
        page = client(project, tokens[name]).get(HERE, headers={"accept": "text/html"}).text
        assert ('<button class="main">Climb the ladder</button>' in page) is whole
        assert 'name="how" value="ladder"' in page
    refused = client(project, tokens["bea"]).post("/api/v1/projects/desk/runs", json={"kind": "train", "how": "ladder"})
    assert refused.status_code == 403


def test_before_anything_was_trained_and_after_the_list_has_changed(tmp_path: Path, project: Project) -> None:
    (project.folder / "whytune.toml").write_text((project.folder / "whytune.toml").read_text("utf-8").replace('name = "large"', 'name = "huge"'), "utf-8")
    again = Workspace.open(tmp_path).project("desk")
    assert ladder.ladder(again).changed
    assert "names other candidates by now: small, middle, huge" in client(again).get(HERE, headers={"accept": "text/html"}).text
    again.workspace.store.close()
    place = tmp_path / "other"
    place.mkdir()
    fresh = labelled(place)
    assert "No candidate was trained yet" in client(fresh).get(HERE, headers={"accept": "text/html"}).text
    fresh.workspace.store.close()


def test_the_same_at_the_terminal(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("ladder", "desk", "--show"), ("ladder", "desk", "--show", "--json")):
        with pytest.raises(SystemExit) as left:
            app.run(list(words))
        assert left.value.code == 0
        told = capsys.readouterr().out
        if "--json" in words:
            found = json.loads(told)
            assert (found["schema"], [step["rung"]["name"] for step in found["ladder"]["steps"]]) == ("whytune.ladder/1", ["small", "middle", "large"])
        else:
            assert "small: next rung: Climbed: it is provably below the bar." in told
            assert "large: not tried: A smaller candidate reaches the bar" in told
            assert "next: whytune models desk" in told
    assert len(project.records(ModelChoice)) == 1, "looking trains nothing"
