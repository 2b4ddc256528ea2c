"""Cases one by one: what is counted is what the decision says, the sealed stays sealed, and what was erased is gone from memory too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workspace import compared_desks
from tests.workspace.desks import labelled

from whytune.errors import NotFoundError, UsageError
from whytune.evaluation.measures import clusters_of, joined, ties_of
from whytune.records.evidence import Trial
from whytune.workspace import case_memory, cases, comparing, creating
from whytune.workspace.case_memory import CaseMemory
from whytune.workspace.cases import CaseQuestion
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    compared_desks.documents(folder).workspace.store.close()
    return folder


@pytest.fixture
def project(first: Path, tmp_path: Path) -> Iterator[Project]:
    """Questions over a handbook, the prompt alone (3 of 5 right) against search (9 of 10 right)."""
    room = Workspace.open(shutil.copytree(first, tmp_path / "room"))
    yield room.project("desk")
    room.store.close()


def test_the_cases_are_those_that_the_decision_counted(project: Project) -> None:
    decision = project.decision
    assert decision is not None
    declared = next(each for each in decision.comparisons if (each.first_arm, each.second_arm) == ("prompt", "rag"))
    worse = cases.cases(project, CaseQuestion("prompt", "rag", show="regressions"), limit=200)
    better = cases.cases(project, CaseQuestion("prompt", "rag", show="improvements"), limit=200)
    everything = cases.cases(project, CaseQuestion("prompt", "rag", show="all"), limit=200)
    wrong = cases.cases(project, CaseQuestion("prompt", "rag", show="both_wrong"), limit=200)
    assert (better.total, worse.total, everything.total) == (declared.wins, declared.losses, declared.difference.n)
    assert better.total > 0
    assert worse.total > 0
    assert all(line.change < 0 and line.one.right and not line.two.right for line in worse.lines)
    assert all(line.change > 0 and line.two.right and not line.one.right for line in better.lines)
    assert all(not line.one.right and not line.two.right for line in wrong.lines)
    assert worse.counts == {"regressions": worse.total, "improvements": better.total, "both_wrong": wrong.total, "all": everything.total}
    assert {line.item for line in everything.lines} == {row.id for row in creating.examples_of(project, project.dataset, "test")}
    turned = cases.cases(project, CaseQuestion("rag", "prompt", show="regressions"), limit=200)
    assert {line.item for line in turned.lines} == {line.item for line in better.lines}


def test_without_names_what_the_decision_chose_stands_second(project: Project) -> None:
    decision = project.decision
    assert decision is not None
    found = cases.cases(project, CaseQuestion())
    assert found.two.arm == (decision.verdict.winner or "rag")
    assert found.one.arm != found.two.arm
    assert [arm.arm for arm in found.arms] == ["prompt", "rag"]
    by_id = cases.cases(project, CaseQuestion(one=found.one.candidate[:30], two=found.two.candidate))
    assert (by_id.one, by_id.two) == (found.one, found.two)


def test_pages_words_and_slices_cut_the_same_list(project: Project) -> None:
    whole = cases.cases(project, CaseQuestion(show="all"), limit=200)
    pages = [cases.cases(project, CaseQuestion(show="all"), offset=at, limit=4).lines for at in range(0, whole.total, 4)]
    assert [line.item for page in pages for line in page] == [line.item for line in whole.lines]
    assert cases.cases(project, CaseQuestion(show="all"), offset=10_000, limit=4).lines == ()
    word = whole.lines[0].input.split()[2]
    found = cases.cases(project, CaseQuestion(show="all", words=word.upper()), limit=200)
    def said(line: cases.CaseLine) -> str:
        return f"{line.input}\n{line.target}\n{line.one.text}\n{line.two.text}".casefold()

    assert {line.item for line in found.lines} == {line.item for line in whole.lines if word.casefold() in said(line)}
    assert cases.cases(project, CaseQuestion(show="all", words=f"{word} notaword")).total == 0
    assert cases.cases(project, CaseQuestion(show="all", slice="floor=<none>")).total == 0


def test_what_cannot_be_asked_is_said_at_once(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        cases.cases(project, CaseQuestion(split="train", show="funny", words="x" * 300, slice="north"))
    assert len(caught.value.problems) == 4
    with pytest.raises(NotFoundError, match="No such arm was measured: one='oracle', two='tuned'"):
        cases.cases(project, CaseQuestion(one="oracle", two="tuned"))
    with pytest.raises(NotFoundError, match="is no case of desk"):
        cases.case(project, "example:" + "0" * 64)
    trained = creating.examples_of(project, project.dataset, "train")[0]
    with pytest.raises(NotFoundError, match="is no case of desk"):
        cases.case(project, trained.id)


def test_before_anybody_looked_nothing_of_the_test_set_is_shown(tmp_path: Path) -> None:
    fresh = labelled(tmp_path)
    sealed = creating.examples_of(fresh, fresh.dataset, "test")[0]
    for ask in (lambda: cases.cases(fresh, CaseQuestion()), lambda: cases.case(fresh, sealed.id), lambda: comparing.compared(fresh)):
        with pytest.raises(NotFoundError, match="Nothing is measured on test"):
            ask()
    fresh.workspace.store.close()


def test_one_case_with_every_answer_and_its_passages(project: Project) -> None:
    line = cases.cases(project, CaseQuestion("prompt", "rag", show="improvements")).lines[0]
    found = cases.case(project, line.item)
    assert (found.turns[-1], found.target) == (("user", line.input), line.target)
    prompt, rag = found.answers
    assert (prompt.said, rag.said) == (line.one, line.two)
    assert prompt.passages == ()
    assert not prompt.passages_gone
    assert len(rag.passages) == 2
    assert not rag.passages_gone
    store = project.workspace.store
    index = store.passages.ids()[0]
    known = {passage.id: passage for passage in store.passages.passages(index)}
    assert {each.id: each.text for each in rag.passages} == {each.id: known[each.id].text for each in rag.passages}
    assert store.passages.named(index, ["passage:" + "0" * 64]) == {}


def test_an_erased_row_is_gone_from_the_list_and_from_memory(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = CaseMemory()
    monkeypatch.setattr(cases, "MEMORY", memory)
    store, made = project.workspace.store, project.dataset
    before = cases.cases(project, CaseQuestion(show="all"), limit=200)
    lost = before.lines[0]
    digest = lost.item.rpartition(":")[2]
    held = memory.rows(store, made, "test")
    assert memory.rows(store, made, "test") is held, "read once"
    other = Workspace.open(project.workspace.root)  # another process erases it
    assert other.store.erasing.blank_rows(made.rows, lambda _, row: lost.input in row) == 1
    other.store.close()
    after = cases.cases(project, CaseQuestion(show="all"), limit=200)
    assert {line.item for line in before.lines} - {line.item for line in after.lines} == {lost.item}
    assert after.erased == 1
    assert not any(lost.input in row.input for row in memory.rows(store, made, "test").values())
    assert lost.item not in memory.rows(store, made, "test"), digest
    with pytest.raises(NotFoundError, match="is no case of desk"):
        cases.case(project, lost.item)


def test_what_is_held_is_bounded(project: Project) -> None:
    store, made = project.workspace.store, project.dataset
    small = CaseMemory(most=20)
    rows = small.rows(store, made, "test")
    assert small.rows(store, made, "test") is rows, "one that is larger than the bound alone is held all the same"
    small.rows(store, made, "dev")
    assert small.rows(store, made, "test") is not rows, "the least lately used went"


def test_rows_are_read_as_they_were_written(project: Project) -> None:
    store, made = project.workspace.store, project.dataset
    for split in ("train", "dev", "test"):
        examples = creating.examples_of(project, made, split)  # type: ignore[arg-type]
        rows = CaseMemory().rows(store, made, split)  # type: ignore[arg-type]
        assert list(rows) == [example.id for example in examples]
        assert [(row.input, row.target, row.group, row.evidence) for row in rows.values()] == [(e.input_text, e.target_text, e.group, e.evidence) for e in examples]
        assert joined({row.item: ties_of(row.group, row.evidence) for row in rows.values()}) == clusters_of(examples)
    trial = project.trials("test")[0]
    said = case_memory.CaseMemory().answers(store, store.get(Trial, trial.id))
    assert sum(each.value for each in said.values()) / len(said) == pytest.approx(trial.primary.value)


def test_the_arms_looks_and_slices(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = comparing.compared(project)
    decision = project.decision
    assert decision is not None
    assert [(each.arm.arm, each.reaches_bar) for each in found.arms] == [(line.arm, line.reaches_bar) for line in decision.arms]
    assert [each.comparison.id for each in found.pairs] == [each.id for each in decision.comparisons]
    assert [(look.number, look.arm) for look in found.looks] == [(1, "Prompt"), (2, "RAG")]
    assert all(look.when for look in found.looks)
    assert found.axis.low <= min(each.arm.primary.low for each in found.arms)
    assert found.axis.high >= max(each.arm.primary.high for each in found.arms)
    assert found.axis.low <= found.bar <= found.axis.high
    dev = comparing.compared(project, "dev")
    assert {each.reaches_bar for each in dev.arms} == {""}
    assert dev.pairs == ()


@pytest.mark.slow  # another project is measured for it
def test_slices_are_paired_and_corrected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "SMALLEST_SLICE", 5)
    desk = labelled(tmp_path)
    compared_desks.measure(desk, tmp_path, {"prompt": compared_desks.often, "few_shot": lambda _, row: row.target_text != "loss"})
    found = comparing.compared(desk, "test", "prompt", "few_shot")
    assert {line.name for line in found.slices} == {"wanted=delay", "wanted=loss", "wanted=refund"}
    for line in found.slices:
        listed = cases.cases(desk, CaseQuestion("prompt", "few_shot", show="all", slice=line.name), limit=200)
        assert (line.n, line.wins, line.losses) == (listed.total, listed.counts["improvements"], listed.counts["regressions"])
        assert line.difference.value == pytest.approx(line.second - line.first)
        assert line.difference.low <= line.difference.value <= line.difference.high
        assert line.stands_out == (line.p < 0.05 and not line.difference.low <= 0 <= line.difference.high)
    lost = next(line for line in found.slices if line.name == "wanted=loss")
    assert lost.second == 0
    assert lost.losses > 0
    desk.workspace.store.close()


def test_a_scale_holds_both_ends_in_few_steps() -> None:
    for low, high in ((0.0, 1.0), (0.52, 0.53), (-0.3, 0.41), (0.5, 0.5), (0.999, 1.0)):
        found = comparing.axis(low, high)
        assert found.low <= low
        assert found.high >= high
        assert 2 <= len(found.ticks) <= 11
        assert (found.ticks[0], found.ticks[-1]) == (found.low, found.high)
