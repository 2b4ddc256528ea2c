"""What was measured: answers, scores, trials with intervals, comparisons, and the protocol fixed before the test set opens."""

from __future__ import annotations

from typing import ClassVar, Literal

from whytune.records.data import SplitName
from whytune.records.record import Record, Value

Outcome = Literal["scored", "invalid", "error", "empty"]


class Answer(Value):
    """What a candidate said to one item, and what it took."""

    candidate: str
    item: str
    """Id of the example."""
    text: str
    tokens_in: int
    """Prompt tokens, shared prefix included."""
    tokens_computed: int
    """Prompt tokens that were not taken from the shared prefix."""
    tokens_out: int
    seconds: float
    """This item's share of the time its batch took."""
    passages: tuple[str, ...] = ()
    error: str = ""
    """Why there is no answer: refused, timed out, too long. Counted as wrong, never dropped."""


class Score(Value):
    """One item under one metric, 0..1. outcome says whether it was an answer at all."""

    item: str
    value: float
    outcome: Outcome = "scored"
    detail: str = ""


class Measure(Value):
    """A figure that never goes without its n and interval. low and high at the rule's confidence."""

    name: str
    value: float
    low: float
    high: float
    n: int
    clusters: int = 0
    """Number of independent groups where items depend on one another; 0 where they do not."""
    method: str


class Spending(Value):
    """What the answers of a trial took, measured. Seconds are of this machine."""

    seconds: float
    tokens_in: int
    tokens_computed: int
    tokens_out: int
    answers: int
    cost_per_1000: float
    """In the currency of the use case's prices."""
    median_seconds: float
    """Per answer, as batched."""


class Trial(Record):
    """One candidate on one split of one dataset version."""

    KIND: ClassVar[str] = "trial"
    project: str
    candidate: str
    arm: str
    dataset: str
    split: SplitName
    protocol: str = ""
    """Set where the split is test."""
    primary: Measure
    beside: tuple[Measure, ...] = ()
    slices: tuple[tuple[str, Measure], ...] = ()
    outcomes: dict[str, int]
    spending: Spending
    answers: str
    """Digest of the pack of answers."""
    scores: str
    """Digest of the pack of primary scores, one an item."""


class Comparison(Record):
    """Two trials over the same items: second minus first. p_holm is corrected over the protocol's contrasts."""

    KIND: ClassVar[str] = "comparison"
    project: str
    protocol: str
    first: str
    second: str
    first_arm: str
    second_arm: str
    difference: Measure
    wins: int
    """Items on which the second scored higher."""
    losses: int
    p: float
    p_holm: float
    conclusion: Literal["better", "worse", "not_worse", "not_proven"]
    """better or worse: by Holm-corrected p and interval. not_worse: the whole interval lies above minus the margin."""
    items_needed: int = 0
    """More paired items that would be needed to prove the observed difference (80 % power); 0 where proven."""


class Power(Record):
    """What this test set can prove, said before anything is spent."""

    KIND: ClassVar[str] = "power"
    dataset: str
    n: int
    clusters: int
    margin: float
    disagreement: float
    smallest_difference: float
    items_for_margin: int
    sentence: str


class Protocol(Record):
    """What will be compared and how, hashed before the test set is opened."""

    KIND: ClassVar[str] = "protocol"
    project: str
    usecase: str
    rule: str
    dataset: str
    candidates: tuple[str, ...]
    """Cheapest first."""
    arms: tuple[str, ...]
    contrasts: tuple[tuple[str, str], ...]
    """Pairs of arms, (simpler, dearer)."""
    metric: str
    correction: Literal["holm"] = "holm"
    seed: int = 17


class Look(Record):
    """The sealed test set was opened: by whom, for which candidate."""

    KIND: ClassVar[str] = "look"
    dataset: str
    candidate: str
    protocol: str
    person: str
    number: int
