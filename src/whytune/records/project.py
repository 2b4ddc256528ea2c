"""What an owner fixes before any result exists: the use case, the acceptance rule, budget and prices."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from whytune.records.record import Record, Value


class AcceptanceRule(Record):
    """The bar an arm must provably reach, and how much better a dearer arm must provably be."""

    KIND: ClassVar[str] = "rule"
    metric: str
    bar: float = Field(ge=0, le=1)
    margin: float = Field(gt=0, le=1)
    confidence: float = Field(default=0.95, ge=0.5, lt=1)


class Prices(Value):
    """What things cost the user. Money in `currency`; source says who set the prices and when."""

    currency: str = "EUR"
    source: str = "example prices, edit them"
    compute_hour: float = Field(default=0.40, ge=0)
    """One hour of the machine that answers and trains."""
    input_million: float = Field(default=0.0, ge=0)
    """One million prompt tokens at a hosted endpoint; 0 for a local model."""
    output_million: float = Field(default=0.0, ge=0)
    row: float = Field(default=0.50, ge=0)
    """Finding, writing or checking one more labelled row."""
    engineer_hour: float = Field(default=80.0, ge=0)
    tuning_engineer_hours: float = Field(default=16.0, ge=0)
    """Hours of work to bring a tuned model to production, once."""
    rag_engineer_hours: float = Field(default=8.0, ge=0)
    """Hours of work to bring an index to production, once."""
    monthly_tuning: float = Field(default=50.0, ge=0)
    monthly_rag: float = Field(default=20.0, ge=0)
    answers_per_month: int = Field(default=10_000, ge=0)
    months: int = Field(default=12, ge=1)


class Budget(Value):
    """What may be spent on one run; 0 means no limit."""

    hours: float = Field(default=0.0, ge=0)
    money: float = Field(default=0.0, ge=0)


class Circumstances(Value):
    """The triage questions that a person answers; None means not answered."""

    no_egress: bool | None = None
    """Data may not leave this machine or network: no hosted arm."""
    citations: bool | None = None
    """Answers must cite their source."""
    erasure: bool | None = None
    """A person's data must be removable at once."""
    per_user_rights: bool | None = None
    """Not everybody may see every document."""
    facts_change: bool | None = None
    """Facts change faster than a model would be retrained."""
    may_train: bool | None = None
    """We have the right to train on this data."""


class UseCase(Record):
    """What the model is for, who answers for it, and the rule fixed beforehand."""

    KIND: ClassVar[str] = "usecase"
    name: str
    purpose: str = ""
    task: str
    owners: dict[str, str] = {}
    """Role name to person."""
    rule: AcceptanceRule
    budget: Budget = Budget()
    prices: Prices = Prices()
    circumstances: Circumstances = Circumstances()


class Gate(Value):
    """A hard gate of triage: which arms it closes and why."""

    name: str
    closes: tuple[str, ...]
    """Arm names that cannot be the final answer."""
    reason: str


class Prior(Value):
    """What published results suggest; shown, never counted against a measurement."""

    name: str
    leans: Literal["prompt", "rag", "tuned", "tuned_rag", "full_context", "none"]
    reason: str
    source: str


class Triage(Record):
    """Stage 0: gates that bind and priors that only inform."""

    KIND: ClassVar[str] = "triage"
    usecase: str
    dataset: str
    gates: tuple[Gate, ...]
    priors: tuple[Prior, ...]
    unanswered: tuple[str, ...] = ()
