"""Which model and method were tried, in which order and with what result on dev; and what a tuned model forgot."""

from __future__ import annotations

from typing import ClassVar, Literal

from whytune.records.evidence import Measure
from whytune.records.record import Record, Value


class Rung(Value):
    """One way to tune: a base model with a recipe. Where it was not tried, `reason` says why and there is no measure."""

    name: str
    base: str
    base_name: str
    parameters: int
    method: str
    recipe: str
    """Id of the recipe."""
    state: Literal["measured", "not_tried"]
    adapter: str = ""
    candidate: str = ""
    trial: str = ""
    """The trial on dev."""
    measure: Measure | None = None
    to_best: Measure | None = None
    """Difference to the best on dev, paired; without one for the best itself."""
    p_holm: float | None = None
    behind: bool = False
    """Provably worse than the best."""
    seconds: float = 0.0
    """Training, measured; of a rung that was not tried, estimated."""
    reason: str


class ModelChoice(Record):
    """The candidates for one dataset version, smallest first, and the one that goes to the test set."""

    KIND: ClassVar[str] = "choice"
    project: str
    dataset: str
    plan: str
    """Digest of the names, base models and recipes that were open: with other candidates it is another choice."""
    how: Literal["all", "ladder"]
    arm: str
    metric: str
    bar: float
    rungs: tuple[Rung, ...]
    finalist: str
    """Name of a rung."""
    reason: str

    @property
    def chosen(self) -> Rung:
        """The finalist's rung."""
        return next(rung for rung in self.rungs if rung.name == self.finalist)


class SkillResult(Value):
    """One general skill before and after tuning."""

    skill: str
    before: Measure
    after: Measure
    lost: int
    """Items answered before and not after."""
    gained: int


class Forgetting(Record):
    """How a tuned model does on general skills that the project's rows do not ask for, beside its base model."""

    KIND: ClassVar[str] = "forgetting"
    project: str
    candidate: str
    """The candidate whose weights were asked; its own prompt and passages play no part here."""
    adapter: str
    base: str
    suite: str
    """Digest of the items."""
    before: Measure
    after: Measure
    difference: Measure
    """After minus before, paired by item."""
    p: float
    margin: float
    conclusion: Literal["better", "not_worse", "not_proven", "worse"]
    """worse: provably. not_worse: the whole interval lies above minus the margin."""
    skills: tuple[SkillResult, ...]
    sentence: str
