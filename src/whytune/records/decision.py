"""The decision: where wrong answers come from, what things cost, and the verdict with everything its page shows."""

from __future__ import annotations

from typing import ClassVar, Literal

from whytune.records.data import Certificate
from whytune.records.evidence import Comparison, Measure, Power, Spending
from whytune.records.project import AcceptanceRule, Gate, Prior
from whytune.records.record import Record, Value

VerdictCode = Literal[
    "PROMPT_ENOUGH",
    "RAG_ENOUGH",
    "FINETUNE_FOR_QUALITY",
    "FINETUNE_FOR_COST",
    "BOTH",
    "FIX_RETRIEVAL_FIRST",
    "FIX_LABELS_FIRST",
    "FIX_FORMAT_FIRST",
    "CANNOT_PAY",
    "NONE_ACCEPTABLE",
    "INCONCLUSIVE",
    "BLOCKED",
    "INVALID_TEST",
]


class Gap(Value):
    """A part of what is missing, as a share of answers, with its interval."""

    name: Literal["knowledge", "retrieval", "behaviour", "format"]
    measure: Measure
    sentence: str


class Attribution(Record):
    """Stage 1, on dev and without training: where wrong answers come from, and the most that training can bring."""

    KIND: ClassVar[str] = "attribution"
    project: str
    dataset: str
    gaps: tuple[Gap, ...]
    most_training_can_add: Measure
    """Over the best arm without training; high is the upper bound that is held against the margin."""
    can_pay: bool
    best_untrained: str
    """Arm name."""
    sentence: str
    measured: tuple[Measure, ...] = ()
    """What each arm reached on dev, `name` being the arm; the oracle is among them where there are documents."""


class ArmCost(Value):
    """Money for one arm over the horizon of the prices. per_1000 is measured; the rest follows from the prices."""

    arm: str
    one_off: float
    monthly: float
    per_1000: float
    total: float
    """one_off + months * (monthly + volume * per answer)."""
    break_even_per_month: int | None = None
    """Answers a month from which this arm is cheaper than the cheapest arm that reaches the bar; None: never."""
    training_hours: float = 0.0
    """Measured compute hours of training, all seeds and retries; part of one_off."""


class ArmResult(Value):
    """One line of the table."""

    arm: str
    title: str
    candidate: str
    trial: str
    primary: Measure
    beside: tuple[Measure, ...]
    spending: Spending
    cost: ArmCost
    right: int
    """Items scored 1 (or the sum of scores, rounded, for a graded metric)."""
    reaches_bar: Literal["yes", "no", "not proven"]
    closed_by: str = ""
    """Name of the gate that keeps it from being the final answer."""


class Shown(Value):
    """One item side by side."""

    item: str
    input: str
    target: str
    answers: tuple[tuple[str, str, float], ...]
    """(arm, text, score)."""
    why: str


class Verdict(Value):
    """One of a closed set. `sentence` is written by the function that computed `code`, from the same numbers."""

    code: VerdictCode
    headline: str
    sentence: str
    winner: str = ""
    """Arm name, empty where no arm is proven to reach the bar."""
    items_needed: int = 0
    price_of_items: float = 0.0
    would_change: tuple[str, ...] = ()
    so_far: bool = False
    """Whether an arm that no gate closes was not measured yet, so that measuring it could still change the answer."""


class Decision(Record):
    """Everything the decision page shows, in one record; `decision.json` is this."""

    KIND: ClassVar[str] = "decision"
    schema_name: Literal["whytune.decision/1"] = "whytune.decision/1"
    project: str
    title: str
    task: str
    purpose: str
    rule: AcceptanceRule
    currency: str
    verdict: Verdict
    arms: tuple[ArmResult, ...]
    comparisons: tuple[Comparison, ...]
    attribution: Attribution | None
    gates: tuple[Gate, ...]
    priors: tuple[Prior, ...]
    power: Power
    certificate: Certificate
    looks: int
    examples: tuple[Shown, ...]
    limits: tuple[str, ...]
    solo: bool
    person: str
    base: str
    """The base model's name and licence."""
    price_source: str
    hashes: dict[str, str]
    """rule, dataset, protocol, base, ledger head, ..."""
    command: str
    """What reproduces it."""
    when: str
    """UTC, ISO 8601, to the minute: when the last trial was done."""
    graded: bool = False
    """Whether items are scored between 0 and 1 (an average is told) rather than right or wrong (a count is told)."""
    label_noise: Measure | None = None
    """Share of wanted answers that are wrong or contradict one another, where it was measured."""
    opened_early: bool = False
    """Whether the test set was opened before the protocol was fixed."""
    answers_per_month: int = 0
    months: int = 0
