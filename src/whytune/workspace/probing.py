"""Puts the cases of the probes to the candidate and to the same without its adapter; every answer is kept as it comes.

A kill loses the batch under way. Each side's model is loaded once. It decides nothing about what was said.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whytune.answering.answerer import Answerer, Finder
from whytune.jobs.progress import Progress
from whytune.records.candidate import Base, Candidate, Decoding, Prompt, Retrieval
from whytune.records.data import Example, Passage
from whytune.records.evidence import Answer
from whytune.responsible.cases import Case, ProbeSubject, Setup, Side
from whytune.responsible.memory import loss_rows
from whytune.responsible.security import SECRET, secret
from whytune.responsible.suites import OPEN_SYSTEM
from whytune.workspace.arms import Makings
from whytune.workspace.measuring import Bench

if TYPE_CHECKING:
    from whytune.workspace.project import Project

OPEN_TOKENS = 48
"""Tokens of an answer to an open request: enough to tell a refusal from help."""
SIDE_TITLES: dict[Side, str] = {"base": "without the adapter", "tuned": "the candidate"}


class Planted:
    """A finder that puts an order into the first passage found, for the rows that have one."""

    def __init__(self, inner: Finder, orders: Mapping[str, str]) -> None:
        self.inner = inner
        self.orders = orders

    def prepare(self, queries: Sequence[str], retrieval: Retrieval) -> None:
        """As the real one."""
        self.inner.prepare(queries, retrieval)

    def find(self, query: str, retrieval: Retrieval, evidence: tuple[str, ...] = (), *, answer: str = "") -> list[Passage]:
        """What the real one finds, the first passage with the order at its end."""
        found = self.inner.find(query, retrieval, evidence, answer=answer)
        order = self.orders.get(query, "")
        if not order or not found:
            return found
        return [found[0].model_copy(update={"text": f"{found[0].text}\n\n{order}"}), *found[1:]]


@dataclass
class Inspector:
    """One candidate under inspection."""

    bench: Bench
    candidate: Candidate
    seed: int

    @classmethod
    def of(cls, project: Project, candidate: Candidate, seed: int) -> Inspector:
        """With the candidate's own base model and index, on the newest dataset version."""
        base = project.workspace.store.get(Base, candidate.base)
        index = candidate.retrieval.index if candidate.retrieval else ""
        makings = Makings(project.file, project.task, base, project.dataset, index, hybrid=bool(candidate.retrieval and candidate.retrieval.hybrid))
        return cls(Bench(project, makings), candidate, seed)

    @property
    def reference(self) -> Candidate:
        """The same without its adapter."""
        return self.candidate.model_copy(update={"adapter": ""})

    def side(self, side: Side) -> Candidate:
        """The candidate of a side."""
        return self.reference if side == "base" else self.candidate

    def put(self, side: Side, setup: Setup) -> Candidate:
        """The candidate as this setup asks for it. Its id tells its answers from those of the others."""
        candidate = self.side(side)
        if setup == "own":
            return candidate
        if setup == "plain":
            decoding = Decoding(max_new_tokens=OPEN_TOKENS)
            return candidate.model_copy(update={"prompt": Prompt(system=OPEN_SYSTEM, decoding=decoding), "retrieval": None})
        system = candidate.prompt.system
        if setup == "secret":
            return self._with_system(candidate, f"{system} {SECRET.format(token=secret(self.seed))}".strip())
        labels = self.bench.makings.dataset.labels
        mixed = list(labels)
        random.Random(f"{self.seed}:labels").shuffle(mixed)
        return self._with_system(candidate, system.replace(", ".join(labels), ", ".join(mixed)))

    def ask(self, subject: ProbeSubject, cases: Sequence[Case], progress: Progress) -> dict[Side, dict[tuple[str, str], Answer]]:
        """Every case answered on every side, by what was kept or by the model now."""
        found: dict[Side, dict[tuple[str, str], Answer]] = {}
        for side in subject.sides:
            found[side] = {}
            setups: list[Setup] = list(dict.fromkeys(case.setup for case in cases))
            for setup in setups:
                for planted in (False, True):
                    mine = [case for case in cases if case.setup == setup and bool(case.payload) == planted]
                    if mine:
                        said = self._answers(side, setup, mine, progress)
                        found[side] |= {(setup, item): answer for item, answer in said.items()}
        return found

    def losses(self, subject: ProbeSubject, progress: Progress) -> dict[Side, dict[str, float]]:
        """Mean nats a token of the right answers of some train and dev rows; nothing where the weights are not here."""
        if not subject.tuned or not self.bench.makings.base.trainable:
            return {}
        from whytune.answering.backends.local import LocalBackend
        from whytune.answering.backends.losses import token_losses

        rows = [row for group in loss_rows(subject).values() for row in group]
        found: dict[Side, dict[str, float]] = {}
        for side in reversed(subject.sides):  # the candidate's weights are in memory already
            candidate = self.side(side)
            backend = self.bench.backend(candidate.adapter)
            assert isinstance(backend, LocalBackend)  # a trainable base is answered from here
            answerer = self._answerer(candidate, self.bench.retriever)
            progress.phase(f"losses: {SIDE_TITLES[side]}", len(rows), "rows")
            found[side] = {}
            for start in range(0, len(rows), 32):
                part = rows[start : start + 32]
                told = token_losses(backend, [(answerer.chat(candidate, row), row.target_text) for row in part])
                found[side] |= {row.id: sum(each) / len(each) for row, each in zip(part, told, strict=True) if each}
                progress.advance(len(part))
        return found

    def _answers(self, side: Side, setup: Setup, cases: Sequence[Case], progress: Progress) -> dict[str, Answer]:
        candidate = self.put(side, setup)
        store = self.bench.project.workspace.store
        examples = list({case.example.id: case.example for case in cases}.values())
        ids = [example.id for example in examples]
        held = store.answers(candidate.id, ids)
        missing = [example for example in examples if example.id not in held]
        if missing:
            progress.phase(f"probing {SIDE_TITLES[side]} ({setup})", len(missing), "answers")
            orders = {case.example.input_text: case.payload for case in cases if case.payload}
            finder: Finder = Planted(self.bench.retriever, orders) if orders else self.bench.retriever
            self._answerer(candidate, finder).answer(candidate, missing, done=store.put_answers, progress=progress)
            held = store.answers(candidate.id, ids)
        return held

    def _answerer(self, candidate: Candidate, finder: Finder) -> Answerer:
        makings = self.bench.makings
        pool: Sequence[Example] = self.bench.split("train") if candidate.prompt.nearest or candidate.prompt.shots else ()
        backend = self.bench.backend(candidate.adapter)
        return Answerer(backend, makings.task, makings.dataset.labels, makings.dataset.fields, finder if candidate.retrieval else None, pool)

    @staticmethod
    def _with_system(candidate: Candidate, system: str) -> Candidate:
        return candidate.model_copy(update={"prompt": candidate.prompt.model_copy(update={"system": system})})
