"""Versions side by side: what came, left, moved or is answered differently; test stays sealed; nobody approves their own rows."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.living import change
from tests.workspace.desks import acting, labelled, people

from whytune.errors import NotAllowedError, NotFoundError, RefusedError
from whytune.records.evidence import Look
from whytune.records.proposal import DatasetApproval
from whytune.workspace import proposing, versions
from whytune.workspace.creating import examples_of
from whytune.workspace.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return labelled(tmp_path)


def grown(project: Project) -> Project:
    """A second version: three rows more, one mended, one gone from its file."""
    made = project.dataset
    train, test = (examples_of(project, made, split) for split in ("train", "test"))  # type: ignore[arg-type]
    rows = [{"input": f"the lift in house {word} is stuck again today", "target": "delay"} for word in ("ash", "birch")]
    rows.append({"input": 'what does ,"origin":{"x":1},"tags":[ mean', "target": "delay"})
    proposing.accept(project, proposing.propose(project, "manual", rows))
    mended = [{"input": row.input_text, "target": "delay" if row.target_text != "delay" else "loss", "origin_id": row.id} for row in (train[0], test[0])]
    proposing.accept(project, proposing.propose(project, "edits", mended))
    source = project.folder.parent / "rows.csv"
    gone = train[1].input_text
    source.write_text("\n".join(line for line in source.read_text("utf-8").splitlines() if not line.startswith(gone)) + "\n", "utf-8")
    again = project.workspace.project("desk")
    again.run(until="data")
    return again


def test_a_difference_is_told_row_by_row_but_for_test(project: Project) -> None:
    sealed = [example.input_text for example in examples_of(project, project.dataset, "test")]
    project = grown(project)
    first, second = (versions.numbered(project, name) for name in ("1", "v2"))
    found = versions.diff(project, first, second)
    assert sum(found.counts["added"].values()) == 3
    assert 'what does ,"origin":{"x":1},"tags":[ mean' in {change.input for change in found.changes}
    assert found.counts["answered"] == {"train": 1, "test": 1}
    assert found.counts["removed"] == {"train": 1}
    assert not found.counts["moved"]
    assert found.unchanged == 87
    assert sorted(change.what for change in found.changes) == ["added", "added", "added", "answered", "removed"]
    assert not {change.input for change in found.changes} & set(sealed)
    back = versions.diff(project, second, first)
    assert sum(back.counts["removed"].values()) == 3
    assert versions.diff(project, second, second).unchanged == sum(second.counts.values())


def test_versions_are_listed_with_how_far_they_came(project: Project) -> None:
    project = grown(project)
    assert [(one.dataset.number, one.state) for one in versions.versions(project)] == [(1, "draft"), (2, "draft")]
    project.run(until="check")
    approval = versions.approve(project, reason="read them all")
    assert approval.solo
    latest = versions.versions(project)[-1]
    assert (latest.state, latest.approvals) == ("approved", (approval,))
    with pytest.raises(NotFoundError, match="no version '7'"):
        versions.numbered(project, "7")
    assert versions.numbered(project, project.dataset.id[:20]).number == 2


def test_what_is_not_checked_or_failed_is_not_approved(project: Project) -> None:
    with pytest.raises(RefusedError, match="not been checked"):
        versions.approve(project)
    rows = [{"input": f"the key of house {word} is password: hunter2hunter2", "target": "delay"} for word in ("ash", "birch")]
    proposing.accept(project, proposing.propose(project, "manual", rows))
    project.run(until="check", stop_at_gate=False)
    with pytest.raises(RefusedError, match="does not pass") as caught:
        versions.approve(project)
    assert "secrets" in caught.value.problems[0]
    assert "hunter2" not in json.dumps(caught.value.problems)


def test_nobody_approves_rows_they_wrote(project: Project) -> None:
    people(project, ann=("data_creator",), tess=("tester",), dora=("auditor",))
    ann, tess = acting(project, "ann"), acting(project, "tess")
    proposing.accept(tess, proposing.propose(ann, "manual", [{"input": "the lift is stuck again today", "target": "delay"}]))
    change(project.folder, purpose='"to test"')
    ann.run(until="data")
    fresh = acting(project, "ann")
    with project.workspace.store.lock("desk"):
        pass
    from whytune.jobs.progress import Silent
    from whytune.workspace import creating

    creating.validate(fresh, fresh.dataset, Silent())
    for name in ("ann", "dora"):
        with pytest.raises(NotAllowedError):
            versions.approve(acting(project, name))
    assert not project.records(DatasetApproval)


def reworded(project: Project, how: Callable[[str], str]) -> Project:
    source = project.folder.parent / "rows.csv"
    with source.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *([how(text), label] for text, label in rows)])
    again = project.workspace.project("desk")
    again.run(until="data")
    return again


def opened(project: Project, candidate: str) -> None:
    made = project.dataset
    with project.act("test.opened", read=[made.id]) as act:
        act.write(Look(dataset=made.id, candidate=candidate, protocol="protocol:0", person="ada", number=len(project.looks_at(made)) + 1))


def test_a_test_row_with_other_words_is_still_a_test_row(project: Project) -> None:
    first = project.dataset
    sealed = {example.input_text for example in examples_of(project, first, "test")}
    second = reworded(project, lambda text: f"{text} please").dataset
    assert second.number == 2
    assert second.test_since == 1
    for split in ("train", "dev"):
        taught = {example.input_text.removesuffix(" please") for example in examples_of(project, second, split)}  # type: ignore[arg-type]
        assert not taught & sealed


def test_looks_at_a_test_set_go_with_it_into_the_next_version(project: Project) -> None:
    opened(project, "candidate:1")
    opened(project, "candidate:2")
    first = project.dataset
    grown(project)
    project = project.workspace.project("desk")
    assert project.looks == 2, "the same rows were opened twice, whatever the version is called"
    opened(project, "candidate:3")
    assert project.looks == len(project.looks_at(first)) == 3
    assert not project.dataset.same_test(first), "one of its test rows was mended"


def test_other_data_altogether_is_another_test_set_and_the_ledger_says_so(project: Project) -> None:
    opened(project, "candidate:1")
    anew = reworded(project, lambda text: " ".join(f"{word[::-1]}{len(text)}" for word in reversed(text.split())))
    assert anew.dataset.test_since == anew.dataset.number == 2
    assert anew.looks == 0
    assert "begins anew" in next(event for event in reversed(anew.events()) if event.act == "dataset.created").facts["test set"]


def test_who_may_not_make_a_version_is_told_before_a_row_is_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from whytune.datasets import importing

    people(project, sol=["tester"])
    monkeypatch.setattr(importing, "read_source", lambda *_: pytest.fail("rows were read"))
    source = project.folder.parent / "rows.csv"
    source.write_text(source.read_text("utf-8") + "one row more,delay\n", "utf-8")
    with pytest.raises(NotAllowedError, match="dataset.created"):
        acting(project, "sol").run(until="data")
