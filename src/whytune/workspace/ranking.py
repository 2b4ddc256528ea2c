"""The leaderboard and the retrieval figures of a project, read from what is recorded; nothing is answered or kept anew."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from whytune.acceptance.triage import ARMS
from whytune.errors import NotFoundError, UsageError
from whytune.evaluation import leaderboard
from whytune.evaluation.leaderboard import Contestant
from whytune.evaluation.measures import joined, ties_of
from whytune.evaluation.retrieval import RetrievalFigures, retrieval_figures
from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.data import Dataset, Example, SplitName
from whytune.records.erasure import Erasure
from whytune.records.evidence import Answer, Measure, Power, Score, Trial
from whytune.records.release import Release
from whytune.records.responsible import ResponsibleReport, Waiver
from whytune.records.review import HumanEvaluation
from whytune.records.standing import Board, BoardLine, HumanStanding
from whytune.report.board import HEAD, board_facts, board_html, board_markdown, board_title, cells
from whytune.workspace import packed, releasing
from whytune.workspace.case_memory import MEMORY

if TYPE_CHECKING:
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

CHAMPION = "champion"
SPLITS: dict[str, SplitName] = {"dev": "dev", "test": "test"}


def boards(workspace: Workspace, project: str = "", split: str = "test") -> list[Board]:
    """One board for each dataset version with trials, newest first; of one project, or of all that can be read."""
    if split not in SPLITS:
        raise UsageError(f"There is no board of {split!r}", next="whytune leaderboard --split dev, or --split test")
    chosen = [workspace.project(project)] if project else workspace.projects()
    return [board for one in chosen for board in _Ranking(one, SPLITS[split]).boards()]


def title(board: Board) -> str:
    """What a board is called."""
    return board_title(board)


def facts(board: Board) -> list[str]:
    """What must be known to read its lines."""
    return board_facts(board)


def head() -> tuple[str, ...]:
    """What the columns of a board are called."""
    return HEAD


def rows(board: Board) -> list[tuple[str, ...]]:
    """Its lines as texts, in the order of the columns."""
    return [cells(line, board.currency) for line in board.lines]


def written(found: Sequence[Board], kind: str) -> str:
    """Boards as html, md or json."""
    if kind == "json":
        plain = {"schema": "whytune.leaderboard/1", "boards": [board.model_dump(mode="json") for board in found]}
        return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"
    return board_html(found) if kind == "html" else board_markdown(found)


@dataclass(frozen=True)
class SearchLine:
    """How well one candidate's search did on one split."""

    arm: str
    candidate: str
    split: str
    figures: RetrievalFigures


def retrieval(project: Project) -> list[SearchLine]:
    """hit@k, recall@k and MRR of every candidate with search, on dev and on test where it was measured there."""
    lines = []
    for name in SPLITS.values():
        ranking = _Ranking(project, name)
        for trial in project.trials(name):
            found = ranking.search(trial, ranking.rows(project.dataset))
            if found:
                lines.append(SearchLine(trial.arm, trial.candidate, name, found))
    if not lines:
        raise NotFoundError(
            f"{project.name} has no measured candidate that searches documents",
            next=f"name documents under [data] in whytune.toml and keep rag in [arms] use, then: whytune run {project.name}",
        )
    return lines


class _Ranking:
    """Everything the boards of one project are made from, read once."""

    def __init__(self, project: Project, split: SplitName) -> None:
        self.project, self.split = project, split
        self.store = project.workspace.store
        self._rows: dict[str, list[Example]] = {}
        self._documents: dict[str, dict[str, str]] = {}

    def boards(self) -> list[Board]:
        """Newest version first."""
        trials = [trial for trial in self.project.records(Trial) if trial.split == self.split]
        versions = [made for made in reversed(self.project.records(Dataset)) if any(trial.dataset == made.id for trial in trials)]
        return [self._board(made, [trial for trial in trials if trial.dataset == made.id]) for made in versions]

    def rows(self, made: Dataset) -> list[Example]:
        """The rows of the split."""
        if made.id not in self._rows:
            self._rows[made.id] = packed.examples(self.store, made.rows, self.split)
        return self._rows[made.id]

    def search(self, trial: Trial, rows: Sequence[Example]) -> RetrievalFigures | None:
        """What the candidate's search brought, where it searches."""
        how = self.store.get(Candidate, trial.candidate).retrieval
        if how is None or how.how != "search" or not self.store.passages.has(how.index):
            return None
        if how.index not in self._documents:
            self._documents[how.index] = {one.id: one.document for one in self.store.passages.passages(how.index)}
        of = self._documents[how.index]
        handed = {one.item: [of[name] for name in one.passages if name in of] for one in self._answers(trial)}
        return retrieval_figures(rows, handed, how.k, self.project.file.acceptance.confidence)

    def _board(self, made: Dataset, trials: list[Trial]) -> Board:
        rule, rows = self.project.file.acceptance, MEMORY.rows(self.store, made, self.split)
        last = {trial.candidate: trial.id for trial in trials}
        why = {trial.id: self._why_not(trial, last, MEMORY.answers(self.store, trial).keys(), rows.keys()) for trial in trials}
        able = [trial for trial in trials if not why[trial.id]]
        incumbent, found_by = self._incumbent(able)
        places = self._places(made, able, incumbent) if able else {}
        lines = [self._line(trial, places.get(trial.id), why[trial.id], trial.id == incumbent, made) for trial in trials]
        lines.sort(key=lambda line: (line.state != "compared", line.state, -line.metric.value, line.trial))
        power = next((one for one in reversed(self.project.records(Power)) if one.dataset == made.id), None)
        return Board(
            project=self.project.name, dataset=made.id, number=made.number, newest=made.id == self.project.dataset.id, split=self.split,
            metric=rule.metric, n=len(rows), clusters=self._clusters(made),
            looks=len(self.project.looks_at(made)), same_test=made.same_test(self.project.dataset),
            smallest_difference=(power.smallest_difference if power else made.certificate.smallest_provable_difference) if self.split == "test" else None,
            currency=self.project.file.prices.currency, confidence=rule.confidence, incumbent_by=found_by, lines=tuple(lines),
            erased=self.store.erased_rows(made.rows),
        )  # fmt: skip

    def _places(self, made: Dataset, able: Sequence[Trial], incumbent: str) -> Mapping[str, leaderboard.Place]:
        """Every pair compared: it takes a while, and is the same for the same trials until a row is erased."""
        rule = self.project.file.acceptance

        def make() -> Mapping[str, leaderboard.Place]:
            entrants = [Contestant(trial.id, trial.primary.value, list(self.store.read_pack(trial.scores, Score))) for trial in able]
            return leaderboard.places(entrants, incumbent, rule, self.rows(made), made.labels)

        return MEMORY.held(self.store, ("places", rule.id, incumbent, *(trial.id for trial in able)), (made.rows, *(trial.scores for trial in able)), make)

    def _clusters(self, made: Dataset) -> int:
        rows = MEMORY.rows(self.store, made, self.split)
        return MEMORY.held(
            self.store, ("clusters", made.rows, self.split), (made.rows,), lambda: len(set(joined({row.item: ties_of(row.group, row.evidence) for row in rows.values()}).values()))
        )

    def _why_not(self, trial: Trial, last: Mapping[str, str], scored: Set[str], wanted: Set[str]) -> str:
        """Why a trial is not compared; empty where it is."""
        if last[trial.candidate] != trial.id:
            return "superseded: the same candidate was measured again"
        if trial.primary.name != self.project.file.acceptance.metric:
            return f"measured by {trial.primary.name}, not by {self.project.file.acceptance.metric}"
        if scored != wanted:
            return f"it answered {len(scored & wanted):,} of these {len(wanted):,} items" + (" and others" if scored - wanted else "")
        return ""

    def _incumbent(self, trials: Sequence[Trial]) -> tuple[str, str]:
        """(trial id, how it was found)."""
        live = releasing.aliases(self.project.workspace).get(CHAMPION, "")
        if live:
            candidate = self.store.get(Release, live).candidate
            held = next((trial.id for trial in trials if trial.candidate == candidate), "")
            if held:
                return held, f"alias {CHAMPION}"
        order = {arm: place for place, arm in enumerate(ARMS)}
        simplest = min(trials, key=lambda trial: (order.get(trial.arm, len(order)), -trial.primary.value), default=None)
        return (simplest.id, "the simplest arm") if simplest else ("", "nothing to compare with")

    def _line(self, trial: Trial, place: leaderboard.Place | None, why: str, incumbent: bool, made: Dataset) -> BoardLine:
        candidate = self.store.get(Candidate, trial.candidate)
        base, adapter = self._bases.get(candidate.base), self._adapters.get(candidate.adapter)
        report = self._reports.get(candidate.id)
        counted = sum(trial.outcomes.values())
        search = self._searched(trial, made)
        each = trial.spending.cost_per_1000 / 1000
        return BoardLine(
            trial=trial.id, candidate=candidate.id, arm=trial.arm, metric=trial.primary,
            state="compared" if not why else "superseded" if why.startswith("superseded") else "not comparable", why=why,
            group=place.group if place else "", with_best=place.with_best if place else False, incumbent=incumbent,
            difference=place.difference if place else None, p_holm=place.p_holm if place else None,
            unscored=1 - trial.outcomes.get("scored", 0) / counted if counted else 0.0, human=tuple(self._human(trial)),
            responsible=dict(report.statuses(self._waivers)) if report else {}, retrieval=search.measures if search else (),
            cost_per_1000=trial.spending.cost_per_1000, cost_per_right=each / trial.primary.value if trial.primary.value > 0 else None,
            p95_seconds=self._p95(trial),
            training_hours=adapter.seconds / 3600 if adapter else 0.0, base=base.name if base else "", licence=base.licence if base else "",
            release=self._releases.get(candidate.id, ""), replace_by=self._replace_by.get(candidate.adapter, ""),
        )  # fmt: skip

    def _human(self, trial: Trial) -> list[HumanStanding]:
        """Every closed round in which this candidate stood against another on this version."""
        found = []
        for one in self.project.records(HumanEvaluation):
            if one.dataset != trial.dataset or trial.candidate not in one.candidates or len(one.candidates) != 2:
                continue
            second = one.candidates[1] == trial.candidate
            alpha = next((each for each in one.agreement if "alpha" in each.name.lower()), None)
            words = {"better": "worse", "worse": "better"}
            found.append(
                HumanStanding(
                    against=one.arms[0 if second else 1], preference=one.preference if second else _turned(one.preference), alpha=alpha,
                    conclusion=one.conclusion if second else words.get(one.conclusion, one.conclusion),
                )
            )  # fmt: skip
        return found

    def _p95(self, trial: Trial) -> float | None:
        return MEMORY.held(self.store, ("p95", trial.answers), (trial.answers,), lambda: leaderboard.p95({item: said.seconds for item, said in MEMORY.answers(self.store, trial).items()}))

    def _searched(self, trial: Trial, made: Dataset) -> RetrievalFigures | None:
        how = self.store.get(Candidate, trial.candidate).retrieval
        if how is None or how.how != "search" or not self.store.passages.has(how.index):
            return None
        gone = self.store.passages.open(how.index).erased
        return MEMORY.held(self.store, ("search", trial.id, str(gone)), (made.rows, trial.answers), lambda: self.search(trial, self.rows(made)))

    def _answers(self, trial: Trial) -> list[Answer]:
        return list(self.store.read_pack(trial.answers, Answer))

    @cached_property
    def _bases(self) -> dict[str, Base]:
        return {base.id: base for base in self.project.records(Base)}

    @cached_property
    def _adapters(self) -> dict[str, Adapter]:
        return {adapter.id: adapter for adapter in self.project.records(Adapter)}

    @cached_property
    def _replace_by(self) -> dict[str, str]:
        """The earliest date for each adapter that learned from somebody who was erased."""
        dates = sorted((made.retrain_by, adapter) for made in self.store.list(Erasure) for adapter in made.adapters)
        return {adapter: when for when, adapter in reversed(dates)}

    @cached_property
    def _reports(self) -> dict[str, ResponsibleReport]:
        return {report.candidate: report for report in self.project.records(ResponsibleReport)}

    @cached_property
    def _waivers(self) -> list[Waiver]:
        return self.project.records(Waiver)

    @cached_property
    def _releases(self) -> dict[str, str]:
        return {one.candidate: f"{one.project}/{one.number}" for one in self.project.records(Release)}


def _turned(share: Measure) -> Measure:
    return share.model_copy(update={"value": 1 - share.value, "low": 1 - share.high, "high": 1 - share.low})
