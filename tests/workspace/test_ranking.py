"""The leaderboard from records: every trial is listed, what cannot be compared says why, and nothing is recorded by looking."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from whytune.errors import NotFoundError, UsageError
from whytune.jobs.progress import Silent
from whytune.records.candidate import Adapter, Base, Candidate, Prompt, Recipe, Retrieval
from whytune.records.data import Dataset, Example
from whytune.records.evidence import Answer, Look, Measure, Score, Spending, Trial
from whytune.records.project import AcceptanceRule
from whytune.records.record import Record
from whytune.records.release import AliasMove, BoundBase, BoundEngine, Manifest, Release
from whytune.records.responsible import ProbeResult, ResponsibleReport
from whytune.records.review import HumanEvaluation
from whytune.records.standing import Board
from whytune.settings import Settings
from whytune.stats.intervals import rate_interval
from whytune.workspace import config, creating, erasing, ranking
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

BASE = Base(name="small|model<b>", source="folder", location="/nowhere", digest="0" * 64, licence="apache-2.0")
PLAIN = Candidate(base=BASE.id, prompt=Prompt(system="Answer."))


def room(folder: Path) -> Project:
    """A desk with 160 rows over ten documents."""
    desk = folder / "desk"
    (desk / "docs").mkdir(parents=True)
    for number in range(10):
        (desk / "docs" / f"d{number}.md").write_text(f"# Part {number}\n\nRoom {number} is on floor {number}.\n", "utf-8")
    rows = [{"question": f"{random.Random(n).getrandbits(90):x} who is {n}?", "answer": f"answer {n}", "source": f"d{n % 10}.md"} for n in range(160)]
    rows[3]["question"] = "write to zoe.quill@example.org?"
    (desk / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    file = config.ProjectFile.model_validate(
        {
            "name": "desk", "task": "qna", "acceptance": AcceptanceRule(metric="exact_match", bar=0.5, margin=0.1),
            "data": {"from": ["rows.jsonl"], "input": "question", "target": "answer", "evidence": "source", "documents": ["docs"]},
            "retrieval": {"hybrid": "off"}, "split": {"near": 0},
        }
    )  # fmt: skip
    (desk / config.FILE).write_text(config.write(file), "utf-8")
    return Workspace.open(folder, settings=Settings(person="ada"), create=True).project("desk")


class Desk:
    """What a test needs to measure candidates that answer nothing."""

    def __init__(self, folder: Path) -> None:
        self.project = Workspace.open(folder, settings=Settings(person="ada")).project("desk")
        self.made = self.project.dataset
        self.index = creating.index(self.project, self.made, Silent())
        self.rows = creating.examples_of(self.project, self.made, "test")
        self.write(BASE)
        search = Retrieval(index=self.index, k=2)
        self.rag = Candidate(base=BASE.id, prompt=Prompt(system="Answer."), retrieval=search)
        self.adapter = Adapter(
            base=BASE.id, recipe=Recipe(), dataset=self.made.id, prompt="prompt:x", digest="1" * 64, rows=30, trained_tokens=1, tokens=1, seconds=1800.0,
            dtype="float32", best_step=1, curve=(),
        )  # fmt: skip
        self.tuned = Candidate(base=BASE.id, prompt=Prompt(system="Answer."), adapter=self.adapter.id)
        self.write(self.adapter)

    def write(self, *records: Record) -> None:
        with self.project.act("decision.made") as act:
            for record in records:
                act.write(record)

    def measure(self, candidate: Candidate, right: int, rows: list[Example] | None = None, metric: str = "exact_match") -> Trial:
        """A trial in which the first `right` items are right; a candidate with search is handed the right document for every second."""
        rows = self.rows if rows is None else rows
        store = self.project.workspace.store
        values = [float(n < right) for n in range(len(rows))]
        passages = {one.document: one.id for one in store.passages.passages(self.index)}
        wrong = next(iter(passages.values()))
        handed = [(wrong, passages[row.evidence[0]]) if n % 2 else (wrong,) for n, row in enumerate(rows)] if candidate.retrieval else [()] * len(rows)
        answers = [
            Answer(candidate=candidate.id, item=row.id, text="x", tokens_in=1, tokens_computed=1, tokens_out=1, seconds=0.01 * (n + 1), passages=handed[n])
            for n, row in enumerate(rows)
        ]
        value, low, high, n, clusters, method = rate_interval(values)
        trial = Trial(
            project="desk", candidate=candidate.id, arm=candidate.arm, dataset=self.made.id, split="test",
            primary=Measure(name=metric, value=value, low=low, high=high, n=n, clusters=clusters, method=method),
            outcomes={"scored": len(rows) - 4, "invalid": 4, "error": 0, "empty": 0},
            spending=Spending(seconds=1, tokens_in=1, tokens_computed=1, tokens_out=1, answers=n, cost_per_1000=2.0, median_seconds=0.1),
            answers=store.put_pack(answers, "answers"), scores=store.put_pack([Score(item=row.id, value=v) for row, v in zip(rows, values, strict=True)], "scores"),
        )  # fmt: skip
        self.write(candidate, trial, Look(dataset=self.made.id, candidate=candidate.id, protocol="p", person="ada", number=right))
        return trial

    def board(self, split: str = "test") -> Board:
        return ranking.boards(self.project.workspace, "desk", split)[0]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    project = room(root)
    creating.index(project, creating.dataset(project, Silent()), Silent())
    project.workspace.store.close()
    return root


@pytest.fixture
def desk(template: Path, tmp_path: Path) -> Iterator[Desk]:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    made = Desk(tmp_path)
    yield made
    made.project.workspace.store.close()


def test_the_board(desk: Desk) -> None:
    plain, rag, tuned = desk.measure(PLAIN, 5), desk.measure(desk.rag, 8), desk.measure(desk.tuned, 35)
    before = desk.project.workspace.store.head()
    board = desk.board()
    assert desk.project.workspace.store.head() == before, "looking at the board is no act"
    assert [line.trial for line in board.lines] == [tuned.id, rag.id, plain.id]
    assert [line.group for line in board.lines] == ["a", "b", "b"]
    assert [line.with_best for line in board.lines] == [True, False, False]
    assert [line.incumbent for line in board.lines] == [False, False, True]
    assert (board.n, board.looks, board.newest, board.incumbent_by) == (len(desk.rows), 3, True, "the simplest arm")
    assert board.smallest_difference == desk.made.certificate.smallest_provable_difference
    first, second, third = board.lines
    assert first.difference
    assert first.difference.value == pytest.approx(30 / len(desk.rows))
    assert third.difference is None
    assert first.training_hours == 0.5
    assert (first.base, first.licence) == (BASE.name, "apache-2.0")
    assert first.unscored == pytest.approx(4 / len(desk.rows))
    assert first.cost_per_right == pytest.approx(0.002 / first.metric.value)
    assert first.p95_seconds == pytest.approx(0.01 * -(-95 * len(desk.rows) // 100))
    assert first.retrieval == ()
    assert [measure.name for measure in second.retrieval] == ["hit@2", "recall@2", "MRR"]


def test_retrieval_figures_count_what_was_handed_over(desk: Desk) -> None:
    with pytest.raises(NotFoundError, match="searches documents"):
        ranking.retrieval(desk.project)
    desk.measure(PLAIN, 5)
    desk.measure(desk.rag, 8)
    (line,) = ranking.retrieval(desk.project)
    wrong = next(iter(desk.project.workspace.store.passages.passages(desk.index))).document
    hits = [n % 2 == 1 or row.evidence[0] == wrong for n, row in enumerate(desk.rows)]
    assert (line.arm, line.split, line.figures.k, line.figures.hit.n) == ("rag", "test", 2, len(desk.rows))
    assert line.figures.hit.value == pytest.approx(sum(hits) / len(hits))
    first = [row.evidence[0] == wrong for row in desk.rows]
    assert line.figures.mrr.value == pytest.approx(sum(1.0 if at else 0.5 if hit else 0.0 for at, hit in zip(first, hits, strict=True)) / len(hits))


def test_nothing_is_left_out_and_what_is_not_compared_says_why(desk: Desk) -> None:
    desk.measure(PLAIN, 5)
    old = desk.measure(desk.tuned, 20)
    new = desk.measure(desk.tuned, 30)
    part = desk.measure(desk.rag, 3, rows=desk.rows[:10])
    other = desk.measure(PLAIN.model_copy(update={"prompt": Prompt(system="Other.")}), 9, metric="token_f1")
    lines = {line.trial: line for line in desk.board().lines}
    assert len(lines) == 5
    assert lines[new.id].state == "compared"
    assert (lines[old.id].state, lines[part.id].state, lines[other.id].state) == ("superseded", "not comparable", "not comparable")
    assert "10 of these" in lines[part.id].why
    assert "token_f1" in lines[other.id].why
    assert {line.state for line in list(lines.values())[:2]} == {"compared"}


def test_the_champion_is_the_incumbent_where_it_was_measured(desk: Desk) -> None:
    desk.measure(PLAIN, 5)
    desk.measure(desk.tuned, 30)
    manifest = Manifest(
        project="desk", number=1, task="qna", purpose="", arm="tuned", candidate=desk.tuned.id,
        base=BoundBase(id="b", name="m", source="folder", digest="0" * 64), adapter=None, index=None, prompt="p",
        engine=BoundEngine(name="transformers", versions={}, dtype="float32", decoding={}), dataset=desk.made.id, rows="", policy="", decision="",
        acceptance="", evidence=(), approvals=(), solo=True, files={}, ledger_head="", made="2026-01-01T00:00:00+00:00", by="ada",
    )  # fmt: skip
    release = Release(project="desk", number=1, candidate=desk.tuned.id, arm="tuned", dataset=desk.made.id, acceptance="", solo=True, manifest=manifest, public_key="", signature="")
    desk.write(release, AliasMove(name="champion", number=1, release=release.id, before="", how="set", reason="r", person="ada"))
    tuned, plain = desk.board().lines
    assert (tuned.incumbent, tuned.release, plain.release) == (True, "desk/1", "")
    assert desk.board().incumbent_by == "alias champion"
    assert plain.difference
    assert plain.difference.value < 0


def share(value: float, name: str = "preference") -> Measure:
    return Measure(name=name, value=value, low=value - 0.1, high=value + 0.1, n=90, method="exact")


def test_people_and_responsible_ai_stand_beside(desk: Desk) -> None:
    desk.measure(PLAIN, 5)
    desk.measure(desk.tuned, 30)
    desk.write(
        HumanEvaluation(
            project="desk", dataset=desk.made.id, queue="queue:1", form="pairwise", candidates=(PLAIN.id, desk.tuned.id), arms=("prompt", "tuned"), votes=100, decisive=90,
            wins=63, ties=10, preference=share(0.7), agreement=(share(0.6, "Krippendorff's alpha"),), reviewers=("bea", "cid"), conclusion="better",
        ),
        ResponsibleReport(
            project="desk", dataset=desk.made.id, candidate=desk.tuned.id, arm="tuned", reference=PLAIN.id, seed=1, items=10, suites={}, limits="l",
            results=(ProbeResult(dimension="privacy", probe="p", status="FAIL", sentence="s"), ProbeResult(dimension="fairness", probe="p", status="PASS", sentence="s")),
        ),
    )  # fmt: skip
    tuned, plain = desk.board().lines
    (won,), (lost,) = tuned.human, plain.human
    assert (won.against, won.preference.value, won.conclusion) == ("prompt", 0.7, "better")
    assert won.alpha
    assert won.alpha.value == 0.6
    assert (lost.against, lost.conclusion) == ("tuned", "worse")
    assert (lost.preference.value, lost.preference.low, lost.preference.high) == pytest.approx((0.3, 0.2, 0.4))
    assert (tuned.responsible["privacy"], tuned.responsible["fairness"], tuned.responsible["safety"]) == ("FAIL", "PASS", "NOT RUN")
    assert plain.responsible == {}


def test_another_version_is_another_board(desk: Desk) -> None:
    desk.measure(PLAIN, 5)
    desk.measure(desk.tuned, 9)
    old: Dataset = desk.made
    erasing.erase(desk.project.workspace, "zoe.quill@example.org", "request 1")
    desk.made = creating.dataset(desk.project, Silent())
    desk.rows = creating.examples_of(desk.project, desk.made, "test")
    assert desk.made.number == 2
    desk.measure(PLAIN, 7)
    new, before = ranking.boards(desk.project.workspace)
    assert (new.dataset, new.newest, before.dataset, before.newest) == (desk.made.id, True, old.id, False)
    assert before.erased == 1
    assert before.same_test == (old.counts["test"] == desk.made.counts["test"])
    assert ("not comparable" in " ".join(ranking.facts(before))) == (not before.same_test)
    assert new.looks == before.looks == 3, "a new version keeps the test set, and what was seen of it"
    assert before.lines[0].state == "compared", "its scores lost the same rows as its items"
    assert {line.arm: bool(line.replace_by) for line in before.lines} == {"prompt": False, "tuned": True}


def test_it_is_written_as_page_table_and_json(desk: Desk) -> None:
    desk.measure(PLAIN, 5)
    desk.measure(desk.tuned, 30)
    boards = ranking.boards(desk.project.workspace, "desk")
    page, text, told = (ranking.written(boards, kind) for kind in ("html", "md", "json"))
    assert "small|model&lt;b&gt;" in page
    assert "<b>" not in page
    assert "script" not in page
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert [Board.model_validate(board) for board in json.loads(told)["boards"]] == boards
    with pytest.raises(UsageError, match="no board"):
        ranking.boards(desk.project.workspace, "desk", "train")


def test_without_trials_there_is_no_board(desk: Desk) -> None:
    assert ranking.boards(desk.project.workspace, "desk") == []
    assert "Nothing is measured" in ranking.written([], "html")
