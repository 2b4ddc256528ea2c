"""What people were asked and what they said: queues, their items, opinions, and what a closed round proves.

A queue asks about the rows of a dataset (`rows`, `labels`) or about answers of candidates (`pairs`, `rubric`). Opinions
are only ever added; a later one may take the place of an earlier one, and both stay. No content of a row stands here,
only ids and digests, except what a reviewer wrote.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from whytune.records.data import SplitName
from whytune.records.evidence import Measure
from whytune.records.record import Record, Value, digest

Purpose = Literal["rows", "labels", "pairs", "rubric"]
ItemKind = Literal["sample", "warned", "gold"]
Turn = Literal["first", "again", "settle"]
"""first: counts. again: the same item shown to the same person once more, to see whether they say the same. settle: adjudication."""
EvaluationConclusion = Literal["better", "worse", "tie", "not_proven", "fix_the_rubric"]


class VerdictChoice(Value):
    """One verdict a reviewer may give, and the key that gives it. scores: what it stands for on a scale, if it does."""

    key: str = Field(min_length=1, max_length=8)
    verdict: str
    title: str
    score: float | None = None


class Form(Value):
    """What is asked. editable: fields of the row that a reviewer may correct."""

    name: Purpose
    question: str
    choices: tuple[VerdictChoice, ...]
    editable: tuple[str, ...] = ()

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Every verdict there is, in the order shown."""
        return tuple(choice.verdict for choice in self.choices)


class ReviewItem(Value):
    """One thing to be judged: a row, or the answers to a row. Ids only; the texts stay where they are kept.

    shown: which of the queue's subjects' answers stand side by side, as numbers of `Queue.subject`; empty for rows.
    stand_in: id of another row whose target is shown in place of the item's own, for a planted item whose right
    verdict is `expected`.
    """

    key: str
    example: str
    kind: ItemKind = "sample"
    shown: tuple[int, ...] = ()
    opinions: int = Field(default=1, ge=1)
    """How many people are asked to begin with."""
    priority: int = 0
    """Lower comes first."""
    stand_in: str = ""
    expected: str = ""


class Queue(Record):
    """A round of review as it was planned, before anybody was asked.

    overlap is the share of items that two people judge from the start; an item whose opinions differ is given to one
    more person until `overlap_max`. seed decides the sample and, with item and person, the order of answers shown.
    """

    KIND: ClassVar[str] = "queue"
    project: str
    number: int
    purpose: Purpose
    dataset: str
    subject: tuple[str, ...]
    """The dataset, or the candidates: the simplest arm first."""
    arms: tuple[str, ...] = ()
    """Arm of each candidate; hidden from reviewers until the round is closed."""
    split: tuple[SplitName, ...] = ("train", "dev")
    answers: tuple[str, ...] = ()
    """Digest of the pack of answers of each candidate, given before the round; never made again."""
    form: Form
    guideline: str = ""
    guideline_version: str = ""
    """sha256 of the guideline's text, its first 12 digits."""
    population: int
    """Rows the sample was drawn from."""
    identical: int = 0
    """Pairs left out because both answers are the same text; they count as ties."""
    overlap: float = Field(default=0.25, ge=0, le=1)
    overlap_min: int = Field(default=1, ge=1)
    overlap_max: int = Field(default=3, ge=1)
    planned: int = Field(default=0, ge=0)
    """Decisive votes planned in advance; 0 where every item is asked."""
    stop: Literal["all items", "planned votes"] = "all items"
    blind: bool = True
    repeats: float = Field(default=0.05, ge=0, le=1)
    gold: float = Field(default=0.05, ge=0, le=1)
    seed: int = 17
    items: str
    """Digest of the pack of items."""
    excluded: tuple[str, ...] = ()
    """People who made what is judged here and therefore are not asked."""
    solo: bool = False
    """Opened by the only person of the workspace: nobody is kept out, and the outcome says so."""

    @staticmethod
    def version_of(guideline: str) -> str:
        """How a guideline is called: by its text."""
        return digest(guideline)[:12] if guideline else ""


class Edit(Value):
    """A correction of one field of a row, proposed by a person."""

    example: str
    field: str
    value: str
    by: str


class Opinion(Value):
    """What one person said about one item. client is chosen by whoever sends it: the same twice is one opinion.

    verdict is empty where the person took an earlier opinion back; `replaces` then names its client id. shown is the
    order in which the answers stood, as numbers of `Queue.subject`.
    """

    queue: str
    item: str
    person: str
    client: str = Field(min_length=1, max_length=100)
    turn: Turn = "first"
    verdict: str
    shown: tuple[int, ...] = ()
    edits: tuple[tuple[str, str], ...] = ()
    """(field, new value)."""
    note: str = ""
    replaces: str = ""
    seconds: float = 0.0
    when: str = ""
    """UTC, ISO 8601, to the second."""


class RowReview(Record):
    """What people found in a random sample of a version's rows. error_rate.high is an exact upper bound at 95 %."""

    KIND: ClassVar[str] = "row_review"
    project: str
    dataset: str
    queue: str
    purpose: Literal["rows", "labels"] = "rows"
    guideline: str
    reviewers: tuple[str, ...]
    rated: int
    bad: int
    error_rate: Measure
    agreement: tuple[Measure, ...] = ()
    double_rated: int
    adjudicated: int
    unsettled: int = 0
    """Rows of the sample on which people differ and nobody has decided; counted as bad."""
    skipped: int = 0
    """Rows of the sample that everybody asked passed over; counted as bad."""
    warned_rated: int = 0
    """Rows looked at because a check warned about them; they are no part of the error rate."""
    warned_bad: int = 0
    repeats_consistent: Measure | None = None
    gold_right: Measure | None = None
    """Share of planted wrong rows that were called wrong."""
    edits: str
    """Digest of the pack of edits: rows {example, field, value, by}."""
    opinions: str = ""
    """Digest of the pack of all opinions, superseded ones included."""
    early: bool = False
    solo: bool = False


class HumanEvaluation(Record):
    """What people preferred, blind: the second candidate against the first. Names are shown once this exists."""

    KIND: ClassVar[str] = "human_evaluation"
    project: str
    dataset: str
    queue: str
    form: Literal["pairwise", "rubric"]
    candidates: tuple[str, ...]
    """The simpler arm first."""
    arms: tuple[str, ...]
    split: tuple[SplitName, ...] = ("dev",)
    guideline: str = ""
    votes: int
    decisive: int
    wins: int
    """Decisive votes for the second candidate (rubric: items on which it scored higher)."""
    ties: int
    both_bad: int = 0
    identical: int = 0
    """Items on which both gave the same text; nobody was asked."""
    items: int = 0
    planned: int = 0
    preference: Measure
    """Share of decisive votes for the second candidate; votes on one item depend on one another."""
    net: Measure | None = None
    """Share of wins minus share of losses over all votes, ties and identical answers included."""
    scores: tuple[Measure, ...] = ()
    """Rubric: mean score of each candidate, 0 to 1."""
    agreement: tuple[Measure, ...] = ()
    double_rated: int = 0
    position_bias: Measure | None = None
    """Share of decisive votes for what stood first; without bias one half. None for a rubric, where nothing stands side by side."""
    repeats_consistent: Measure | None = None
    gold_right: Measure | None = None
    reviewers: tuple[str, ...]
    skipped: int = 0
    opinions: str = ""
    early: bool = False
    solo: bool = False
    conclusion: EvaluationConclusion
    sentence: str = ""
