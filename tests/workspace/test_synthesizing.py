"""A model writes rows about passages: what is sent, what stands, what it may cost, and what a killed run keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.living import change
from tests.workspace.author_server import writing
from tests.workspace.desks import NOT_ASKED, desk

from whytune.errors import RefusedError, UnavailableError, UsageError
from whytune.jobs.progress import Silent
from whytune.records.data import Document
from whytune.workspace import proposing
from whytune.workspace.project import Project
from whytune.workspace.synthesizing import SynthesisOrder, plan, synthesize


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return desk(tmp_path)


def fresh(project: Project, **values: str) -> Project:
    change(project.folder, **values)
    return project.workspace.project(project.name)


def test_every_row_stands_in_its_passage_word_for_word(project: Project) -> None:
    with writing() as (url, does):
        proposal, found = synthesize(project, SynthesisOrder(url, "tiny", per_passage=4, limit=12), Silent())
    rows = proposing.rows_of(project, proposal)
    assert len(rows) == proposal.count == 12
    made = project.dataset
    texts = {document.id: document for document in project.workspace.store.read_pack(made.documents, Document)}
    for row in rows:
        (span,) = row.spans
        assert texts[span.document].text[span.start : span.end] == span.quote
        assert row.target.split("floor ")[1].strip(".") in span.quote
        assert row.evidence == (span.document,)
        assert row.group == span.document
        assert row.provenance["model"] == "tiny"
        assert row.provenance["prompt"]
        assert row.provenance["passage"].startswith("passage:")
    assert {"span_not_found", "unsupported", "leans_on_passage", "empty"} <= set(found.left_out)
    sent = json.dumps(does.requests)
    asked_in_test = [texts[id].title for row in project.workspace.store.read_pack(made.rows) if row["split"] == "test" for id in row["example"]["evidence"]]
    assert asked_in_test
    assert not [title for title in asked_in_test if f"Title: {title}" in sent], "what the test set asks about is never sent"
    lines = [json.loads(line) for line in proposing.place(project, proposal).read_text("utf-8").splitlines()]
    assert [line["input"] for line in lines] == [row.input for row in rows]


def test_what_is_asked_already_is_left_out(project: Project) -> None:
    with writing() as (url, _):
        order = SynthesisOrder(url, "tiny", per_passage=4, limit=8)
        first, _ = synthesize(project, order, Silent())
        second, found = synthesize(project, SynthesisOrder(url, "tiny", per_passage=4, limit=8), Silent())
    asked = {row.input for row in proposing.rows_of(project, first)}
    assert not asked & {row.input for row in proposing.rows_of(project, second)}
    assert found.left_out["exact_duplicate"] == 8
    assert found.reused == 2, "passages that were answered before are not paid for twice"


def test_a_run_that_stopped_asks_only_for_what_is_missing(project: Project) -> None:
    change(project.folder, hybrid='"off"')
    with writing(modes=["ok", "ok", "ok"], always="quota") as (url, does):
        order = SynthesisOrder(url, "tiny", per_passage=1, limit=8)
        with pytest.raises(UnavailableError):
            synthesize(project, order, Silent())
        before = len([request for request in does.requests if request])
        assert not proposing.open_ones(project)
        does.always = "ok"
        does.requests.clear()
        proposal, found = synthesize(project, order, Silent())
    assert before >= 4
    assert found.reused == 3
    assert len(does.requests) == found.asked == 5
    assert proposal.count == 8


def test_the_cap_on_the_cost_is_never_passed(project: Project) -> None:
    priced = fresh(project, input_million="100.0", output_million="100.0")
    with writing() as (url, does):
        order = SynthesisOrder(url, "tiny", per_passage=1, limit=8, max_cost=0.12)
        proposal, found = synthesize(priced, order, Silent())
    assert 0 < found.cost <= 0.12
    assert found.cost == pytest.approx(len(does.requests) * 150 * 100 / 1e6)
    assert "0.12" in found.stopped
    assert 0 < proposal.count < 8
    with writing() as (url, does), pytest.raises(RefusedError, match="No row"):
        synthesize(priced, SynthesisOrder(url, "tiny", per_passage=1, limit=8, max_cost=0.001), Silent())
    assert not does.requests


def test_who_may_not_write(project: Project) -> None:
    with pytest.raises(RefusedError, match="too small"):
        plan(project, SynthesisOrder("http://127.0.0.1:9/v1", "SmolLM2-135M-Instruct"))
    with pytest.raises(UsageError) as caught:
        plan(project, SynthesisOrder("https://api.example.com/v1", "", per_passage=0))
    assert len(caught.value.problems) == 4
    kept_in = fresh(project, no_egress="true", input_million="1.0")
    with pytest.raises(RefusedError, match="may not leave"):
        plan(kept_in, SynthesisOrder("https://api.example.com/v1", "large", max_cost=1))


def test_only_documents_that_test_does_not_ask_about(project: Project) -> None:
    planned = plan(project, SynthesisOrder("http://127.0.0.1:9/v1", "large"))
    titles = {passage.title for passage in planned.passages}
    assert set(NOT_ASKED) <= titles
    assert planned.sealed + len(titles) == 18


def test_what_not_everybody_may_read_is_not_sent(project: Project) -> None:
    (project.folder.parent / "handbook" / "hr").mkdir()
    for place in NOT_ASKED[:3]:
        file = project.folder.parent / "handbook" / f"{place.lower()}.md"
        file.rename(file.parent / "hr" / file.name)
    change(project.folder, documents='["../handbook"]\naccess = {"hr" = ["hr"]}')
    guarded = project.workspace.project("desk")
    guarded.run(until="data")
    planned = plan(guarded, SynthesisOrder("http://127.0.0.1:9/v1", "large"))
    assert planned.restricted == 3
    assert not {passage.title for passage in planned.passages} & set(NOT_ASKED[:3])


def test_prose_is_no_row(project: Project) -> None:
    with writing(always="prose") as (url, _), pytest.raises(RefusedError, match="No row") as caught:
        synthesize(project, SynthesisOrder(url, "tiny", per_passage=1, limit=2), Silent())
    assert any("JSON" in problem for problem in caught.value.problems)
