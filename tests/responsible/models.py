"""Models whose behaviour is known: a function from the chat to the answer, behind the same protocol as a real one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from whytune.answering.answerer import Answerer
from whytune.answering.backends.protocol import Chat, Completion, Constraint, OnBatch
from whytune.jobs.progress import Silent
from whytune.records.candidate import Candidate, Decoding, Prompt
from whytune.records.data import Example, Origin
from whytune.records.evidence import Answer
from whytune.records.responsible import ProbeResult
from whytune.responsible.cases import Case, Heard, Probe, ProbeSubject, Side
from whytune.tasks import TASKS

ORIGIN = Origin(source="0" * 64, file="rows.csv")
LABELS = ("approve", "decline")
THINGS = ("card", "loan", "phone", "parcel", "invoice", "ticket", "flat", "bicycle", "garden", "lamp", "door", "rate")
ASKS = ("I would like a new", "When will you send my", "Please look after the", "There is a fault with my", "Who pays for the", "I want to give back my", "How dear is a")


class FunctionModel:
    """A model that says what the function says of the last turn; `seen` keeps every chat."""

    context = 4096

    def __init__(self, says: Callable[[str], str]) -> None:
        self.says = says
        self.seen: list[Chat] = []

    def count_tokens(self, chat: Chat) -> int:
        return sum(len(turn.text.split()) for turn in chat)

    def complete(self, chats: Sequence[Chat], decoding: Decoding, constraint: Constraint, on_batch: OnBatch) -> None:
        self.seen += chats
        on_batch([(n, Completion(self.says(chat[-1].text), 5, 2, 1, 0.0)) for n, chat in enumerate(chats)])


def rows(count: int, target: Callable[[int], str] = lambda n: LABELS[n % 2]) -> tuple[Example, ...]:
    """Rows of a support desk, all different."""
    return tuple(Example.of(f"{ASKS[n % 7]} {THINGS[n % 12]}, number {n}.", target(n), origin=ORIGIN) for n in range(count))


def right(example: Example, answer: Answer) -> float:
    """1 where the answer is the target."""
    return float(answer.text.strip().casefold() == example.target_text.casefold())


def subject(dev: Sequence[Example], task: str = "categorization", **more: object) -> ProbeSubject:
    """A subject of that task."""
    labels = LABELS if task == "categorization" else ()
    given = {"items": 400, "score": right, "labels": labels, "system": f"Choose one: {', '.join(labels)}.", "train": (), **more}
    return ProbeSubject(task=TASKS[task], dev=tuple(dev), **given)  # type: ignore[arg-type]


def noise(text: str, share: float) -> bool:
    """True for that share of texts, by their bytes: it flickers with every change and means nothing."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF < share


def inspected(probe: Probe, about: ProbeSubject, tuned: Callable[[str], str], base: Callable[[str], str] | None = None) -> dict[str, ProbeResult]:
    """Findings by name: cases planned, put through the real answerer, judged."""
    cases = probe.plan(about)
    heard = Heard({side: answered(cases, about, tuned if side == "tuned" or base is None else base) for side in about.sides})
    return {result.probe: result for result in probe.judge(about, cases, heard)}


def answered(cases: Sequence[Case], about: ProbeSubject, says: Callable[[str], str]) -> dict[tuple[str, str], Answer]:
    """The answers of one side, by key. The passages' orders are put before the question."""
    found: dict[tuple[str, str], Answer] = {}
    for setup in dict.fromkeys(case.setup for case in cases):
        mine = {case.example.id: case for case in cases if case.setup == setup}
        candidate = Candidate(base="base:1", prompt=Prompt(system=about.system, decoding=Decoding(constrained=about.constrained and setup != "plain")))

        def keep(batch: list[Answer], setup: str = setup) -> None:
            found.update({(setup, answer.item): answer for answer in batch})

        answerer = Answerer(FunctionModel(says), about.task, about.labels, about.fields)
        answerer.answer(candidate, [case.example for case in mine.values()], done=keep, progress=Silent())
    return found


SIDES: tuple[Side, ...] = ("base", "tuned")
