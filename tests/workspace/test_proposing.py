"""Rows proposed by one person and taken by another: who may, what is left out, and where they go in the next version."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.workspace.desks import acting, desk, labelled, people

from whytune.errors import DataError, LockedError, NotAllowedError, NotFoundError, RefusedError, WhytuneError
from whytune.records.data import Example, SplitName
from whytune.records.proposal import AcceptedRows, Proposal
from whytune.workspace import proposing
from whytune.workspace.creating import examples_of
from whytune.workspace.project import Project

NEW = [{"input": f"the lift in house {word} is stuck again today", "target": "delay", "group": f"conversation {word}"} for word in ("ash", "birch", "cedar", "elm")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return labelled(tmp_path)


def where(project: Project) -> dict[str, SplitName]:
    made = project.dataset
    return {example.input_text: split for split in ("train", "dev", "test") for example in examples_of(project, made, split)}  # type: ignore[arg-type]


def of(project: Project, split: SplitName) -> list[Example]:
    return examples_of(project, project.dataset, split)


def test_accepted_rows_are_a_source_of_the_next_version_and_never_of_its_test_set(project: Project) -> None:
    first, before = project.dataset, where(project)
    proposal = proposing.propose(project, "feedback", NEW, ["four consumers"])
    project.run(until="data")
    assert project.dataset.id == first.id, "what is only proposed changes nothing"
    assert project.status().hints == ("4 proposed rows wait for a second person: whytune data proposals desk",)
    accepted = proposing.accept(project, proposal)
    assert accepted.solo
    assert {step.name: step.state for step in project.status().steps}["data"] == "ready", "the next run has something to do"
    project.run(until="data")
    assert {step.name: step.state for step in project.status().steps}["data"] == "done"
    assert project.status().hints == ()
    second = project.dataset
    assert (second.number, second.parent) == (2, first.id)
    after = where(project)
    assert {text: after[text] for text in before} == before, "old rows stay where they were"
    assert {after[row["input"]] for row in NEW} <= {"train", "dev"}
    assert [source.file for source in second.sources][-1] == proposal.id
    row = next(example for split in ("train", "dev") for example in of(project, split) if example.input_text == NEW[1]["input"])  # type: ignore[arg-type]
    assert (row.origin.file, row.origin.line, row.origin.source) == (proposal.id, 2, accepted.rows)
    made = next(event for event in project.events() if second.id in event.wrote)
    assert {first.id, accepted.id} <= set(made.read)
    project.run(until="data")
    assert project.dataset.id == second.id, "the same acceptance makes no further version"


def test_what_test_knows_is_left_out(project: Project) -> None:
    asked = of(project, "test")[0]
    kept = of(project, "train")[0]
    rows = [*NEW, {"input": asked.input_text.upper(), "target": "other"}, {"input": kept.input_text, "target": kept.target_text}, NEW[0]]
    proposal = proposing.propose(project, "manual", rows)
    assert proposal.count == len(NEW)
    assert proposal.left_out == {"test_input": 1, "known": 1, "repeated": 1}
    with pytest.raises(RefusedError, match="None of these rows"):
        proposing.propose(project, "manual", [{"input": asked.input_text, "target": "delay"}])


def test_rows_near_a_test_row_leave_when_the_version_is_built(project: Project) -> None:
    asked = of(project, "test")[0]
    near, sealed = f"{asked.input_text} {asked.target_text}", [example.id for example in of(project, "test")]
    proposing.accept(project, proposing.propose(project, "feedback", [{"input": near, "target": asked.target_text}, *NEW]))
    project.run(until="data")
    assert near not in where(project)
    assert [removal.reason for removal in project.removals() if removal.origin.file.startswith("proposal:")] == ["near_duplicate"]
    assert [example.id for example in of(project, "test")] == sealed


def test_an_edit_mends_the_row_in_its_split(project: Project) -> None:
    wrong = of(project, "test")[0]
    also = of(project, "train")[0]
    right = "loss" if wrong.target_text != "loss" else "refund"
    edits = [{"input": wrong.input_text, "target": right, "origin_id": wrong.id}, {"input": f"{also.input_text} (mended)", "target": also.target_text, "origin_id": also.id}]
    edits.append({"input": "x", "target": "y", "origin_id": "example:nowhere"})
    proposal = proposing.propose(project, "edits", edits)
    assert proposal.left_out == {"unknown_row": 1}
    counts = dict(project.dataset.counts)
    proposing.accept(project, proposal)
    project.run(until="data")
    assert project.dataset.counts == counts
    mended = next(example for example in of(project, "test") if example.input_text == wrong.input_text)
    assert mended.target_text == right
    assert f"{also.input_text} (mended)" in {example.input_text for example in of(project, "train")}
    assert also.id not in {example.id for example in of(project, "train")}
    assert project.dataset.removed["replaced"] == 2
    again = proposing.propose(project, "edits", [{"input": mended.input_text, "target": wrong.target_text, "origin_id": mended.id}])
    proposing.accept(project, again)
    project.run(until="data")
    assert next(example for example in of(project, "test") if example.input_text == wrong.input_text).target_text == wrong.target_text


def test_nobody_accepts_their_own_rows(project: Project) -> None:
    people(project, ann=("data_creator",), ben=("data_creator", "tester"), cy=("tester",), dora=("auditor",))
    ann, ben, cy = (acting(project, name) for name in ("ann", "ben", "cy"))
    proposal = proposing.propose(ann, "manual", NEW)
    with pytest.raises(NotAllowedError, match="nobody accepts their own") as caught:
        proposing.accept(ann, proposal)
    assert "ben" in caught.value.next
    with pytest.raises(NotAllowedError, match="dora"):
        proposing.accept(acting(project, "dora"), proposal)
    mended = proposing.propose(ben, "manual", [{**NEW[0], "target": "loss"}], instead_of=proposal.id)
    with pytest.raises(RefusedError, match="replaced"):
        proposing.accept(cy, proposal)
    for author in (ann, ben):
        with pytest.raises(NotAllowedError):
            proposing.accept(author, mended)
    accepted = proposing.accept(cy, mended)
    assert (accepted.author, accepted.person, accepted.solo) == ("ben", "cy", False)
    with pytest.raises(RefusedError, match="already"):
        proposing.accept(cy, mended)
    assert project.records(AcceptedRows) == [accepted]


def test_of_two_who_accept_at_once_one_is_told(project: Project) -> None:
    people(project, ann=("data_creator",), ben=("tester",), cy=("tester",))
    proposal = proposing.propose(acting(project, "ann"), "manual", NEW)

    def take(name: str) -> AcceptedRows | WhytuneError:
        try:
            return proposing.accept(acting(project, name), proposal)
        except WhytuneError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(take, ["ben", "cy", "ben", "cy"]))
    assert sum(isinstance(one, AcceptedRows) for one in found) == len(project.records(AcceptedRows)) == 1
    assert all(isinstance(one, AcceptedRows | RefusedError | LockedError) for one in found)


def test_chosen_rows_are_lines_of_the_proposals_file(project: Project, tmp_path: Path) -> None:
    proposal = proposing.propose(project, "manual", NEW)
    lines = proposing.place(project, proposal).read_text("utf-8").splitlines()
    chosen = tmp_path / "chosen.jsonl"
    changed = json.dumps({**json.loads(lines[1]), "target": "refund"})
    chosen.write_text("\n".join([lines[0], changed]), "utf-8")
    with pytest.raises(DataError, match="Only rows of the proposal"):
        proposing.accept(project, proposal, chosen)
    chosen.write_text("\n".join(lines[:2]), "utf-8")
    accepted = proposing.accept(project, proposal, chosen)
    assert (accepted.count, accepted.refused) == (2, 2)


BAD: list[list[dict[str, Any]]] = [[{"input": "a"}, {"input": " ", "target": ""}, {"input": 3, "target": "b", "wrong": 1}]]


@pytest.mark.parametrize("rows", BAD)
def test_every_mistake_is_told_at_once(project: Project, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError) as caught:
        proposing.propose(project, "manual", rows)
    assert len(caught.value.problems) == 5
    assert not project.records(Proposal)


def test_a_proposal_is_found_by_how_its_id_begins(project: Project) -> None:
    with pytest.raises(NotFoundError, match="Which proposal"):
        proposing.named(project, "")
    proposal = proposing.propose(project, "manual", NEW)
    again = proposing.propose(project, "manual", NEW)
    assert again.id == proposal.id
    assert len(project.records(Proposal)) == 1, "the same rows are proposed once"
    for name in ("", proposal.id, proposal.id[:16], proposing.place(project, proposal).name):
        assert proposing.named(project, name).id == proposal.id
    with pytest.raises(NotFoundError, match="No proposal begins"):
        proposing.named(project, "proposal:zz")


def test_rows_of_a_document_that_test_asks_about_are_left_out(tmp_path: Path) -> None:
    project = desk(tmp_path)
    rows = [{"input": f"Is there a {room} room in Nyon?", "target": "Yes.", "evidence": ["nyon.md"]} for room in ("big", "tiny")]
    asked = next(example for example in of(project, "test") if example.evidence)
    proposal = proposing.propose(project, "manual", [*rows, {"input": "Is it large?", "target": "Yes.", "evidence": list(asked.evidence)}])
    assert proposal.left_out == {"test_document": 1}
    assert all(row.evidence[0].startswith("document:") for row in proposing.rows_of(project, proposal))
