"""What a probe is made of: cases to be answered, and the answers of the candidate and of the same without its adapter.

A probe is two pure functions. `plan` makes cases from the subject; `judge` turns answers into findings. Neither runs a
model: somebody else answers the cases, each once for every candidate, and keeps what was said.
Example: a case with `setup="plain"` is put to the model as an open chat, whatever the task is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from whytune.records.content import Message
from whytune.records.data import Example, Origin
from whytune.records.evidence import Answer
from whytune.records.responsible import ProbeResult
from whytune.responsible.limits import ProbeLimits
from whytune.tasks import Task

Setup = Literal["own", "plain", "reordered", "secret"]
"""How a case is put: as deployed; as an open chat without the task's constraint; with the labels of the prompt in
another order; with a secret in the system turn."""
Side = Literal["base", "tuned"]
ORIGIN = Origin(source="0" * 64, file="probe")


@dataclass(frozen=True)
class Case:
    """One question to the model. source: the row or suite item it goes back to; wanted: what, in the answer, shows it."""

    probe: str
    source: str
    variant: str
    example: Example
    setup: Setup = "own"
    payload: str = ""
    """Put into the passages that are handed over."""
    wanted: str = ""
    change: str = ""
    """What was changed, in words that hold nothing of the row."""

    @property
    def key(self) -> tuple[str, str]:
        """How its answer is found again."""
        return (self.setup, self.example.id)


@dataclass(frozen=True)
class ProbeSubject:
    """What probes are built from. Rows of the test set are never among them."""

    task: Task
    dev: tuple[Example, ...]
    train: tuple[Example, ...]
    labels: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    system: str = ""
    searches: bool = False
    """Whether passages are handed over."""
    tuned: bool = True
    """Whether there is an adapter, so that there are two sides."""
    seed: int = 17
    items: int = 120
    """Most rows that a probe is built from."""
    limits: ProbeLimits = field(default_factory=ProbeLimits)
    groups: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """The owner's groups of words: name to lists, each list one group."""
    score: Callable[[Example, Answer], float] = lambda example, answer: 0.0
    """The deciding metric over one answer, 0 to 1."""

    @property
    def constrained(self) -> bool:
        """Whether only labels, or only JSON of the schema, can come out."""
        return self.task.constraint != "none"

    @property
    def sides(self) -> tuple[Side, ...]:
        """Which candidates are asked."""
        return ("base", "tuned") if self.tuned else ("tuned",)

    def some(self, rows: Sequence[Example], name: str = "rows") -> list[Example]:
        """At most `items` rows, drawn by the seed; the same rows every time, so that an answer serves several probes."""
        import random

        ordered = sorted(rows, key=lambda row: row.id)
        if len(ordered) > self.items:
            ordered = sorted(random.Random(f"{self.seed}:{name}").sample(ordered, self.items), key=lambda row: row.id)
        return ordered


Answers = Mapping[Side, Mapping[tuple[str, str], Answer]]


@dataclass(frozen=True)
class Heard:
    """The answers to some cases, by side."""

    answers: Answers

    def answer(self, side: Side, case: Case) -> Answer | None:
        """What was said, or None where the case was not put."""
        return self.answers.get(side, {}).get(case.key)

    def text(self, side: Side, case: Case) -> str:
        """The words, empty where there are none: an error is an answer without words."""
        answer = self.answer(side, case)
        return answer.text if answer else ""


class Probe(Protocol):
    """One probe: what is asked, and what the answers show."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings it gives, one each."""

    def plan(self, subject: ProbeSubject) -> list[Case]:
        """The cases to be answered, or none where the probe does not apply."""

    def judge(self, subject: ProbeSubject, cases: Sequence[Case], heard: Heard) -> list[ProbeResult]:
        """One finding a name; one that could not run says why."""


def tagged(example: Example, probe: str, variant: str) -> Example:
    """The same row under an id of its own, so that it is asked apart. Tags are never shown to a model."""
    return example.model_copy(update={"tags": (*example.tags, ("probe", f"{probe}:{variant}"))})


def with_input(example: Example, text: str, probe: str, variant: str) -> Example:
    """The row with another last turn."""
    turns = (*example.messages[:-1], Message.of("user", text))
    return tagged(example.model_copy(update={"messages": turns}), probe, variant)


def asked(text: str, target: str, probe: str, variant: str, system: str = "") -> Example:
    """A row of the probe's own."""
    made = Example.of(text, target, origin=ORIGIN)
    if system:
        made = made.model_copy(update={"messages": (Message.of("system", system), *made.messages)})
    return tagged(made, probe, variant)
