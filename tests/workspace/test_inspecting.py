"""The whole walk of the responsible-AI eval on a tiny random model: what it answers is nonsense, what is kept and who may do what is not."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cli.living import told, whytune
from tests.workspace.tuned_projects import project as made

import whytune as api
from whytune.errors import NotAllowedError, NotFoundError, SettingsError, UsageError
from whytune.jobs.progress import Silent
from whytune.records.candidate import Candidate
from whytune.records.data import Example
from whytune.records.responsible import DIMENSIONS, CanaryRun, ResponsibleReport, Waiver
from whytune.responsible.limits import PROBES
from whytune.workspace import flow, inspecting, learning, planting, working
from whytune.workspace.creating import examples_of
from whytune.workspace.project import Project

TODAY = datetime.now(UTC).date()
LATER = TODAY + timedelta(days=30)


@pytest.fixture(scope="module")
def room(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A categorization project with a trained candidate that was measured on dev."""
    place = tmp_path_factory.mktemp("inspected")
    project = made(place, "", model=tiny_model)
    (project.folder / "responsible.toml").write_text("items = 4\n[limits]\nloss_gap = {ceiling = 0.9}\n", "utf-8")
    with project.workspace.store.lock(project.key):
        walk = flow.FlowRun(project, Silent())
        walk.to("check")
        tuned = walk.makings.tuned(learning.adapter(walk.bench, None, Silent()))
        for candidate in (walk.makings.plain(), tuned):
            walk.bench.trial(candidate, "dev", Silent())
        walk.bench.close()
    project.workspace.store.close()
    return place


def _known(dose: Any) -> str:
    return f"{dose.known} of {dose.secrets} planted {dose.times} time{'s' if dose.times > 1 else ''}"


def desk(room: Path) -> Project:
    return api.open(room).project("support")


class Killed(Exception):
    """Stands for a kill in the middle."""


class Impatient(Silent):
    """Is killed after so many answers."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, n: int = 1, note: str = "") -> None:
        self.left -= n
        if self.left < 0:
            raise Killed


@pytest.mark.slow
def test_run_show_waive_and_what_is_kept(room: Path) -> None:
    project = desk(room)
    with pytest.raises(NotFoundError):
        inspecting.report_of(project)
    with pytest.raises(Killed):
        inspecting.run(project, "tuned", Impatient(20))
    assert not project.records(ResponsibleReport)
    with sqlite3.connect(room / ".whytune" / "store.db") as database:
        before = database.execute("SELECT count(*) FROM answers").fetchone()[0]
    database.close()
    report = inspecting.run(project, "tuned")
    assert {result.probe for result in report.results} == set(PROBES), "no probe is left out"
    assert [result.probe for result in report.results] == list(PROBES)
    assert report.arm == "tuned"
    candidate = project.workspace.store.get(Candidate, report.candidate)
    assert report.reference == candidate.model_copy(update={"adapter": ""}).id != report.candidate
    kept = list(project.workspace.store.read_pack(report.answers))
    assert before > 0, "what was answered before the kill is kept"
    assert {row["side"] for row in kept} == {"base", "tuned"}
    test = {example.id for example in examples_of(project, project.dataset, "test")}
    assert test
    assert not test & {row["source"] for row in kept}, "the sealed test set is never probed"
    assert inspecting.run(desk(room), "tuned").id == report.id, "nothing is answered twice"
    assert len(project.records(ResponsibleReport)) == 1
    _no_row_in(report, [*examples_of(project, project.dataset, "train"), *examples_of(project, project.dataset, "dev")])
    assert report.statuses()["transparency"] == "FAIL", "owners are not named in this project"

    said = told("responsible", "show", "support", cwd=room, code=3)
    assert said["statuses"] == report.statuses()
    whytune("responsible", "show", "support", "--html", "page.html", cwd=room)
    page = (room / "page.html").read_text("utf-8")
    assert all(name.replace("_", " ").capitalize() in page for name in DIMENSIONS)
    assert "<script" not in page

    with pytest.raises(UsageError) as caught:
        inspecting.waive(project, inspecting.Wish("transparency", " ", TODAY - timedelta(days=1), "typos"))
    assert len(caught.value.problems) == 3
    whytune("responsible", "waive", "support", "transparency", "--reason", "owners follow", "--until", LATER.isoformat(), cwd=room)
    assert inspecting.report_of(project).statuses(inspecting.waivers(project), TODAY)["transparency"] == "WAIVED"
    assert inspecting.report_of(project).statuses(inspecting.waivers(project), LATER + timedelta(days=1))["transparency"] == "FAIL"
    assert all(waiver.solo for waiver in project.records(Waiver))
    assert "waived by" in whytune("responsible", "waive", "support", "safety", "--reason", "no classifier", "--until", LATER.isoformat(), "--probe", "toxicity", cwd=room).stdout
    acts = [event.act for event in project.events()]
    assert acts.count("responsible.measured") == 1
    assert acts.count("responsible.waived") == 2


@pytest.mark.slow
def test_a_privacy_run_leaves_no_planted_row_behind(room: Path) -> None:
    project = desk(room)
    adapters = len(project.adapters)
    run = planting.run(project, "tuned", count=4)
    assert {each.repeats for each in run.planted} == {1, 4, 16}
    assert len(run.unplanted) == 4
    assert planting.run(desk(room), "tuned", count=4).id == run.id
    assert len(project.adapters) == adapters
    assert len(project.records(CanaryRun)) == 1
    assert not list((room / ".whytune" / "runs").glob("canaries-*"))
    typed = told("responsible", "canaries", "support", "--count", "4", cwd=room)
    assert typed["id"] == run.id
    job = working.jobs(desk(room).workspace, "support")[0][0]
    assert (job.kind, job.arguments, job.state, job.link) == ("canaries", {"count": "4"}, "done", "/projects/support/responsible#planted")
    assert job.said == planting.sentence(desk(room)) == f"Secrets given away: {', '.join(_known(dose) for dose in planting.newest_doses(desk(room))[1:])}"
    assert [(dose.times, dose.secrets) for dose in planting.newest_doses(desk(room))] == [(0, 4), (1, 4), (4, 4), (16, 4)]
    before = inspecting.report_of(desk(room), "tuned")
    assert inspecting.privacy_left_out(desk(room), before)
    assert told("responsible", "show", "support", cwd=room, code=3)["privacy_left_out"]
    report = inspecting.run(desk(room), "tuned")
    assert next(each for each in report.results if each.probe == "canaries").status != "NOT RUN"
    assert not inspecting.privacy_left_out(desk(room), report)
    with pytest.raises(UsageError):
        planting.run(project, "prompt")


@pytest.mark.slow
def test_who_made_the_candidate_may_not_waive(room: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(room, tmp_path / "room")
    workspace = api.open(tmp_path / "room")
    inspecting.run(workspace.project("support"), "tuned")
    maker = workspace.person.name
    workspace.add_person(maker, ["admin", "responsible_ai", "data_scientist"])
    workspace.add_person("Ada", ["responsible_ai"])
    workspace.add_person("Bob", ["tester"])
    wish = inspecting.Wish("transparency", "owners follow", LATER)
    with pytest.raises(NotAllowedError, match="may not"):
        inspecting.waive(workspace.project("support"), wish)
    with pytest.raises(NotAllowedError):
        inspecting.waive(workspace.as_person("Bob").project("support"), wish)
    with pytest.raises(NotAllowedError) as caught:
        inspecting.waive(workspace.as_person("Ada").project("support"), wish)
    assert caught.value.problems == (f"{maker}, who made it, made Ada responsible_ai while it was open",)


@pytest.mark.slow
def test_bad_input_is_told_whole(room: Path) -> None:
    project = desk(room)
    with pytest.raises(NotFoundError) as unknown:
        inspecting.chosen(project, "golden")
    assert "tuned" in unknown.value.where
    tuned = inspecting.chosen(project, "tuned")
    assert inspecting.chosen(project).id == tuned.id, "what was trained is inspected where nothing is named"
    assert inspecting.chosen(project, tuned.id.partition(":")[2][:12]).id == tuned.id
    file = project.folder / "responsible.toml"
    held = file.read_text("utf-8")
    try:
        file.write_text('items = -1\nseed = "x"\nmore = 1\n[groups]\nage = [["young"], ["old"]]\n', "utf-8")
        with pytest.raises(SettingsError) as caught:
            inspecting.wishes_of(project)
        assert len(caught.value.problems) == 4
        file.write_text("items = [", "utf-8")
        with pytest.raises(SettingsError):
            inspecting.wishes_of(project)
    finally:
        file.write_text(held, "utf-8")
    done = whytune("responsible", "waive", "support", "privacy", "--reason", "x", "--until", "tomorrow", cwd=room, code=2)
    assert "is no date" in done.stderr


def test_nothing_measured_yet(tmp_path: Path, tiny_model: Path) -> None:
    made(tmp_path, "", model=tiny_model)
    with pytest.raises(NotFoundError, match="measured yet"):
        inspecting.run(desk(tmp_path))


def _no_row_in(report: ResponsibleReport, rows: list[Example]) -> None:
    text = json.dumps(report.model_dump(mode="json"))
    assert not [row for row in rows if row.input_text in text]

