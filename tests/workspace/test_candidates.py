"""Candidates side by side and as a ladder: ranked on dev, the smallest of those that tie, the test set for the finalist alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.tiny import build
from tests.workspace.tuned_projects import project

from whytune.errors import RefusedError, SettingsError, StoppedError, TrainingError
from whytune.jobs.launch import Ended
from whytune.jobs.progress import Silent
from whytune.records.candidate import Base, Candidate, Prompt, Recipe
from whytune.records.choice import ModelChoice, Rung
from whytune.records.evidence import Look, Measure
from whytune.records.project import Budget, Prices
from whytune.training.plan import TrainingPlan
from whytune.workspace import candidates, config, deciding, learning
from whytune.workspace.project import Project
from whytune.workspace.together import TogetherOrder
from whytune.workspace.workspace import Workspace

TWO = """
[[candidates]]
name = "plain"

[[candidates]]
name = "larger"
base = "folder:../larger"
training = { method = "dora", rank = 4, seed = 5 }
"""


def rung(name: str, value: float, *, parameters: int = 100, method: str = "lora", behind: bool = False) -> Rung:
    measure = Measure(name="accuracy", value=value, low=value - 0.1, high=value + 0.1, n=100, method="Wilson")
    return Rung(
        name=name, base=f"base:{parameters}", base_name="m", parameters=parameters, method=method, recipe="recipe:1", state="measured",
        measure=measure, behind=behind, reason="measured",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ranked", "finalist"),
    [
        ((rung("only", 0.5),), "only"),
        ((rung("best", 0.9, parameters=500), rung("small", 0.85)), "small"),
        ((rung("best", 0.9, parameters=500), rung("small", 0.6, behind=True)), "best"),
        ((rung("best", 0.9, method="dora"), rung("plain", 0.88), rung("full", 0.89, method="full")), "plain"),
        ((rung("best", 0.9, parameters=500), rung("middle", 0.9, parameters=300), rung("small", 0.5, behind=True)), "middle"),
    ],
)
def test_the_smallest_that_is_not_provably_worse_is_taken(ranked: tuple[Rung, ...], finalist: str) -> None:
    chosen, reason = candidates._finalist(ranked)
    assert chosen.name == finalist
    assert finalist in reason


def test_candidates_are_read_with_every_mistake_at_once(tmp_path: Path) -> None:
    made = config.ProjectFile.model_validate(
        {"name": "p", "task": "qna", "acceptance": {"metric": "facts", "bar": 0.5, "margin": 0.1}, "candidates": [{"name": "a", "training": {"rank": 4}}, {"name": "b"}]}
    )
    (tmp_path / config.FILE).write_text(config.write(made), "utf-8")
    assert config.read(tmp_path) == made
    assert [made.recipe(each).rank for each in made.candidates] == [4, made.training.rank]
    text = config.write(made).replace("processes = 1", "processes = 2").replace('name = "b"', 'name = "a"\ntraining = { rnk = 3, method = "magic" }')
    (tmp_path / config.FILE).write_text(text, "utf-8")
    with pytest.raises(SettingsError) as told:
        config.read(tmp_path)
    assert len(told.value.problems) == 4
    assert any("did you mean rank" in problem for problem in told.value.problems)
    assert any('launcher = "torchrun"' in problem for problem in told.value.problems)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two candidates trained side by side, to the verdict; not to be changed."""
    root = tmp_path_factory.mktemp("side-by-side")
    os.environ["OMP_NUM_THREADS"] = "1"
    build(root / "larger", seed=2)
    made = project(root, TWO)
    made.run(until="decide")
    return made


@pytest.mark.slow
def test_all_are_trained_ranked_on_dev_and_only_the_finalist_sees_the_test_set(chosen: Project) -> None:
    choice = chosen.choice
    assert choice is not None
    assert [rung.state for rung in choice.rungs] == ["measured"] * 2
    assert choice.rungs[0].measure is not None
    assert choice.rungs[0].measure.value >= choice.rungs[1].measure.value  # type: ignore[union-attr]
    assert choice.rungs[1].to_best is not None
    assert len(chosen.adapters) == 2
    assert {adapter.recipe.method for adapter in chosen.adapters} == {"lora", "dora"}
    assert len({adapter.base for adapter in chosen.adapters}) == 2
    tuned = [trial for trial in chosen.trials("test") if trial.arm == "tuned"]
    assert [trial.candidate for trial in tuned] == [choice.chosen.candidate]
    assert {look.candidate for look in chosen.records(Look)} & {rung.candidate for rung in choice.rungs} == {choice.chosen.candidate}
    assert [event.act for event in chosen.events()].count("model.chosen") == 1
    for adapter in chosen.adapters:
        assert adapter.cost is not None
        assert adapter.cost.seconds > 0
        assert adapter.cost.expected_seconds > 0
        assert adapter.cost.memory_bytes > 0
    # Walked again, nothing is done again.
    events = len(chosen.events())
    again = Project(Workspace.open(chosen.workspace.root), chosen.folder)
    again.run(until="decide")
    assert len(again.events()) == events


@pytest.mark.slow
def test_what_a_tuned_model_forgot_is_asked_once(chosen: Project) -> None:
    found = chosen.forgetting()
    assert (found.candidate, found.before.n) == (chosen.choice.chosen.candidate, 96)  # type: ignore[union-attr]
    assert found.conclusion == "not_proven", "a random model knows nothing, so nothing can be shown to be kept"
    assert chosen.forgetting() == found
    assert [event.act for event in chosen.events()].count("forgetting.measured") == 1


@pytest.mark.deep
def test_a_ladder_climbs_only_while_the_smaller_one_provably_falls_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    build(tmp_path / "larger", seed=2)
    low = project(tmp_path, TWO, bar=0.05, order="ladder")
    low.run(until="train")
    first = low.choice
    assert first is not None
    assert [rung.state for rung in first.rungs] == ["measured", "not_tried"]
    assert "smaller candidate" in first.rungs[1].reason
    assert len(low.adapters) == 1

    text = (low.folder / config.FILE).read_text("utf-8")
    (low.folder / config.FILE).write_text(text.replace("bar = 0.05", "bar = 0.99").replace("[budget]   # 0: no limit\nhours = 0.0", "[budget]   # 0: no limit\nhours = 1e-9"), "utf-8")
    poor = Project(Workspace.open(tmp_path), low.folder)
    assert poor.file.budget == Budget(hours=1e-9)
    short = _choose(poor, "ladder")
    assert "provably below the bar" in short.rungs[0].reason
    assert "the budget is" in short.rungs[1].reason

    (low.folder / config.FILE).write_text(text.replace("bar = 0.05", "bar = 0.99"), "utf-8")
    high = Project(Workspace.open(tmp_path), low.folder)
    high.run(until="train")
    assert high.choice is not None
    assert (high.choice.how, high.choice.bar) == ("ladder", 0.99), "with another bar the ladder is asked anew"
    assert [rung.state for rung in high.choice.rungs] == ["measured"] * 2


def _choose(made: Project, how: str) -> ModelChoice:
    from whytune.workspace.flow import FlowRun

    walk = FlowRun(made, Silent())
    walk.to("triage")
    found = candidates.entrants(made, walk.makings, Silent())
    return candidates._choose(made, walk.bench, found, "tuned", how, Silent())


@pytest.mark.slow
def test_no_money_no_candidate(chosen: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "known_adapter", lambda *_: None)
    monkeypatch.setattr(candidates, "_over_budget", lambda *_: "too dear")
    with pytest.raises(RefusedError) as told:
        _choose(Project(Workspace.open(chosen.workspace.root), chosen.folder), "all")
    assert told.value.problems == ("plain: too dear", "larger: too dear")


class Phases(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def phase(self, name: str, total: int, unit: str = "") -> None:
        self.said.append(name)


@pytest.mark.deep
def test_torchrun_trains_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = project(tmp_path, "", run='launcher = "torchrun"\nprocesses = 2')
    progress = Phases()
    made.run(progress, until="train")
    (adapter,) = made.adapters
    assert {"loading the base model", "training", "proving the adapter"} <= set(progress.said), "the processes tell how it goes"
    assert adapter.versions["processes"] == "2"
    assert adapter.cost is not None
    assert adapter.cost.processes == 2
    assert adapter.curve[-1].dev_metric is not None, "the first of the processes looked at dev"


TOLD = json.dumps({"error": {"code": "training", "what": "refused", "where": "", "next": "mend it", "problems": ["row 3"]}})
STOPPED = json.dumps({"error": {"code": "stopped", "what": "stopped after step 2", "where": "", "next": "again", "problems": []}})


@pytest.mark.parametrize(
    ("launches", "lines", "kind", "count"),
    [
        ([Ended(1, False, ("died",)), Ended(0, False, ())], [], None, 2),
        ([Ended(-9, False, ("died",))] * 3, [], TrainingError, 3),
        ([Ended(1, False, ())], [TOLD], TrainingError, 1),
        ([Ended(1, True, ())], [STOPPED], StoppedError, 1),
        ([Ended(1, True, ())], ["a library's word"], StoppedError, 1),
    ],
)
def test_a_death_is_taken_up_a_refusal_is_told_and_a_stop_is_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launches: list[Ended], lines: list[str], kind: type[TrainingError] | None, count: int
) -> None:
    """How the starting process takes what torchrun says; the processes themselves are in tests/training/test_ranks.py."""
    asked: list[str] = []

    def torchrun(module: str, argument: str, processes: int, on_line: Callable[[str], None]) -> Ended:
        asked.append(TogetherOrder.model_validate_json(Path(argument).read_text()).base.name)
        for line in lines:
            on_line(line)
        return launches[len(asked) - 1]

    monkeypatch.setattr("whytune.jobs.launch.torchrun", torchrun)
    monkeypatch.setattr(learning, "_alone", lambda work, progress: "what came out")
    base = Base(name="tiny", source="folder", location=str(tmp_path), digest="0" * 64)
    plan = TrainingPlan(base, Recipe(), Prompt(), tmp_path / "run", processes=2)
    bench: Any = SimpleNamespace(
        makings=SimpleNamespace(base=base, dataset=SimpleNamespace(id="dataset:1"), index="", hybrid=False),
        project=SimpleNamespace(workspace=SimpleNamespace(root=tmp_path), folder=tmp_path),
    )
    work = learning.Materials(plan, [], [], lambda _: 0.0)
    if kind is None:
        assert learning._together(bench, work, Silent()) == "what came out"
    else:
        with pytest.raises(kind) as told:
            learning._together(bench, work, Silent())
        assert type(told.value) is kind
        assert told.value.next
    assert asked == ["tiny"] * count


def test_the_page_says_when_the_tuned_model_stands_on_another_base() -> None:
    own, other = (Base(name=name, source="folder", location="x", digest=name) for name in ("small", "large"))
    made = {each.id: each for each in (own, other)}
    tried = {name: Candidate(base=base.id, prompt=Prompt()) for name, base in (("own", own), ("other", other))}
    store = SimpleNamespace(get=lambda kind, name: tried[name] if kind is Candidate else made[name])
    there: Any = SimpleNamespace(workspace=SimpleNamespace(store=store))
    bench: Any = SimpleNamespace(makings=SimpleNamespace(base=own))
    trials: list[Any] = [SimpleNamespace(candidate=name) for name in tried]
    assert deciding._other_bases(there, bench, trials[:1]) == ()
    assert deciding._other_bases(there, bench, trials) == ("The tuned model stands on large, chosen on dev; the other arms stand on small.",)


@pytest.mark.parametrize(("hours", "affordable"), [(1.0, True), (0.0, True), (0.001, False)])
def test_more_budget_opens_a_choice_again_and_the_same_budget_does_not(hours: float, affordable: bool) -> None:
    file = SimpleNamespace(budget=Budget(hours=hours), prices=Prices())
    tried = rung("a", 0.5).model_copy(update={"seconds": 100.0})
    left = Rung.model_validate({**rung("b", 0.5).model_dump(), "state": "not_tried", "measure": None, "seconds": 60.0, "reason": "with it training would take about 1 hours, the budget is 0.001"})
    standing = ModelChoice(
        project="p", dataset="d", plan="x", how="ladder", arm="tuned", metric="accuracy", bar=0.9, rungs=(tried, left), finalist="a", reason="only one"
    )
    makings: Any = SimpleNamespace(file=file)
    assert candidates._affordable(makings, standing) is affordable
    assert not candidates._affordable(makings, standing.model_copy(update={"rungs": (tried,)}))
