"""The arms as candidates: base model + prompt + optional index + optional adapter, simplest first."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from whytune.records.candidate import Adapter, Base, Candidate, Prompt, Retrieval
from whytune.records.data import Dataset, Example
from whytune.tasks import Task
from whytune.workspace.config import ProjectFile


@dataclass(frozen=True)
class Makings:
    """What candidates are made from. index is empty where there are no documents."""

    file: ProjectFile
    task: Task
    base: Base
    dataset: Dataset
    index: str
    hybrid: bool = False

    @property
    def prompt(self) -> Prompt:
        """The task's prompt, or the owner's own."""
        return self._prompt(tuned=False)

    @property
    def tuned_prompt(self) -> Prompt:
        """What a tuned model is told."""
        return self._prompt(tuned=True)

    @property
    def retrieval(self) -> Retrieval:
        """Search as it is set up."""
        how = self.file.retrieval
        return Retrieval(index=self.index, k=how.k, hybrid=self.hybrid, access=how.access)

    def plain(self) -> Candidate:
        """The prompt arm."""
        return Candidate(base=self.base.id, prompt=self.prompt)

    def few_shot(self, train: Sequence[Example]) -> list[Candidate]:
        """The same rows every time, and the nearest rows to each input; dev says which is kept."""
        count = min(self.file.arms.shots, len(train))
        static = self.prompt.model_copy(update={"shots": tuple(shots(train, count, self.file.split.seed)), "pool": self.dataset.id})
        nearest = self.prompt.model_copy(update={"nearest": count, "pool": self.dataset.id})
        return [Candidate(base=self.base.id, prompt=static), Candidate(base=self.base.id, prompt=nearest)] if count else []

    def rag(self) -> Candidate:
        """The prompt with what search finds."""
        return Candidate(base=self.base.id, prompt=self.prompt, retrieval=self.retrieval)

    def full_context(self) -> Candidate:
        """The prompt with every document."""
        return Candidate(base=self.base.id, prompt=self.prompt, retrieval=self._all("all"))

    def oracle(self) -> Candidate:
        """The prompt with the passage that holds the answer; only on dev."""
        return Candidate(base=self.base.id, prompt=self.prompt, retrieval=self._all("oracle"))

    def tuned(self, adapter: Adapter) -> Candidate:
        """The adapter with the prompt it was trained with, and search where it was trained with passages."""
        return Candidate(base=adapter.base, prompt=self.tuned_prompt, retrieval=adapter.retrieval, adapter=adapter.id)

    def _all(self, how: str) -> Retrieval:
        return Retrieval.model_validate({"how": how, "index": self.index, "k": self.file.retrieval.k, "access": self.file.retrieval.access})

    def _prompt(self, *, tuned: bool) -> Prompt:
        made = self.task.prompt(labels=self.dataset.labels, fields=self.dataset.fields, tuned=tuned)
        own = self.file.arms.system
        if own and not tuned:
            filled = own.replace("{labels}", ", ".join(self.dataset.labels)).replace("{fields}", ", ".join(self.dataset.fields))
            made = made.model_copy(update={"system": filled})
        return made


def shots(train: Sequence[Example], count: int, seed: int) -> list[str]:
    """Ids of training rows to show: as many different targets as there are, each drawn by the seed."""
    ordered = sorted(train, key=lambda example: example.id)
    random.Random(seed).shuffle(ordered)
    by_target: dict[str, list[Example]] = {}
    for example in ordered:
        by_target.setdefault(example.target_text, []).append(example)
    chosen: list[str] = []
    while len(chosen) < count and by_target:
        for target in list(by_target):
            if len(chosen) < count:
                chosen.append(by_target[target].pop().id)
            if not by_target[target]:
                del by_target[target]
    return chosen
