"""One candidate's answers against the right ones: every metric of the task, slices, outcomes, time and money.

It calls no model and opens nothing; what it returns is everything of a `Trial` but the names under which it is kept.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from whytune.errors import DataError
from whytune.evaluation.measures import clusters_of, measure
from whytune.evaluation.scorers import deciding, score_answer
from whytune.records.candidate import Candidate
from whytune.records.data import Dataset, Example, SplitName
from whytune.records.evidence import Answer, Measure, Score, Spending, Trial
from whytune.records.project import Prices
from whytune.tasks import Task

SMALLEST_SLICE = 10


@dataclass(frozen=True)
class Scoring:
    """How answers are marked. metric: what decides, the task's own where empty. hosted: an endpoint answers, so waiting
    for it is not charged as compute."""

    task: Task
    metric: str = ""
    labels: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    confidence: float = 0.95
    prices: Prices = field(default_factory=Prices)
    hosted: bool = False

    @property
    def primary(self) -> str:
        """The metric that decides."""
        return self.metric or self.task.metric

    @property
    def beside(self) -> tuple[str, ...]:
        """The other metrics of the task."""
        others = dict.fromkeys((self.task.metric, *self.task.beside))
        return tuple(name for name in others if name != self.primary)


@dataclass(frozen=True)
class Marked:
    """What was measured of one candidate on one split."""

    primary: Measure
    beside: tuple[Measure, ...]
    slices: tuple[tuple[str, Measure], ...]
    outcomes: dict[str, int]
    spending: Spending
    scores: tuple[Score, ...]
    """Primary scores, one an item, in the order of the examples."""

    def record(
        self,
        candidate: Candidate,
        dataset: Dataset,
        split: SplitName,
        *,
        protocol: str,
        answers: str,
        scores: str,
    ) -> Trial:
        """The record, once answers and scores are kept under their digests. protocol: empty unless split is test."""
        return Trial(
            project=dataset.project,
            candidate=candidate.id,
            arm=candidate.arm,
            dataset=dataset.id,
            split=split,
            protocol=protocol,
            primary=self.primary,
            beside=self.beside,
            slices=self.slices,
            outcomes=self.outcomes,
            spending=self.spending,
            answers=answers,
            scores=scores,
        )


def trial(
    examples: Sequence[Example],
    answers: Mapping[str, Answer],
    scoring: Scoring,
    passages: Mapping[str, str] | None = None,
) -> Marked:
    """Mark every example. answers: by item id; one that is missing counts as an error. passages: text by passage id."""
    if not examples:
        raise DataError("There is nothing to mark: the split holds no examples", next="whytune data show")
    primary = deciding(scoring.primary)
    clusters = clusters_of(examples)
    marked = {
        name: tuple(
            _scored(name, example, answers.get(example.id), scoring, passages or {}) for example in examples
        )
        for name in (primary.name, *scoring.beside)
    }
    measures = {
        name: measure(name, scores, clusters, scoring.confidence, examples=examples, labels=scoring.labels)
        for name, scores in marked.items()
    }
    scores = marked[primary.name]
    outcomes = Counter(score.outcome for score in scores)
    return Marked(
        primary=measures[primary.name],
        beside=tuple(measures[name] for name in scoring.beside),
        slices=_slices(examples, scores, scoring, clusters),
        outcomes={name: outcomes.get(name, 0) for name in ("scored", "invalid", "error", "empty")},
        spending=spending(
            [answers[example.id] for example in examples if example.id in answers],
            scoring.prices,
            hosted=scoring.hosted,
        ),
        scores=scores,
    )


def spending(answers: Sequence[Answer], prices: Prices, *, hosted: bool = False) -> Spending:
    """Time, tokens and money of some answers. Compute is charged by the second, hosted models by the token."""
    seconds = sum(answer.seconds for answer in answers)
    tokens_in, tokens_out = (
        sum(answer.tokens_in for answer in answers),
        sum(answer.tokens_out for answer in answers),
    )
    compute = 0.0 if hosted else seconds * prices.compute_hour / 3600
    money = compute + (tokens_in * prices.input_million + tokens_out * prices.output_million) / 1e6
    return Spending(
        seconds=seconds,
        tokens_in=tokens_in,
        tokens_computed=sum(answer.tokens_computed for answer in answers),
        tokens_out=tokens_out,
        answers=len(answers),
        cost_per_1000=1000 * money / len(answers) if answers else 0.0,
        median_seconds=statistics.median(answer.seconds for answer in answers) if answers else 0.0,
    )


def _scored(
    name: str, example: Example, answer: Answer | None, scoring: Scoring, passages: Mapping[str, str]
) -> Score:
    context = [passages[each] for each in answer.passages if each in passages] if answer else []
    return score_answer(name, example, answer, labels=scoring.labels, fields=scoring.fields, context=context)


def _slices(
    examples: Sequence[Example], scores: Sequence[Score], scoring: Scoring, clusters: Mapping[str, str]
) -> tuple[tuple[str, Measure], ...]:
    members: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        for name, value in dict.fromkeys(example.tags):
            members.setdefault(f"{name}={value}", []).append(place)
    found = []
    for name, places in sorted(members.items()):
        if SMALLEST_SLICE <= len(places) < len(examples):
            rows, part_scores = [examples[i] for i in places], [scores[i] for i in places]
            part = measure(
                scoring.primary,
                part_scores,
                clusters,
                scoring.confidence,
                examples=rows,
                labels=scoring.labels,
            )
            found.append((name, part))
    return tuple(found)
