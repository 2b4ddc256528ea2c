"""Answers and trials: each (candidate, item) is answered once, kept at once, and marked from what is kept.

A kill loses at most the batch that was under way; the next run answers only what is missing.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from whytune.answering.answerer import Answerer
from whytune.answering.retrieval.retriever import Embed, Retriever
from whytune.evaluation.scorers import passes_leniently
from whytune.evaluation.trial import Marked, Scoring, trial
from whytune.jobs.progress import Progress
from whytune.records.candidate import ARM_TITLES, Adapter, Base, Candidate
from whytune.records.data import Example, SplitName
from whytune.records.evidence import Answer, Trial
from whytune.workspace import bases
from whytune.workspace.creating import examples_of

if TYPE_CHECKING:
    from whytune.answering.backends.protocol import Backend
    from whytune.workspace.arms import Makings
    from whytune.workspace.project import Project


class Bench:
    """Measures candidates of one project. Holds at most one model at a time, and none before one is needed."""

    def __init__(self, project: Project, makings: Makings) -> None:
        self.project = project
        self.makings = makings
        self._backend: Backend | None = None
        self._adapter = ""
        self._noticed = False
        self._splits: dict[SplitName, list[Example]] = {}
        embed = bases.embedder if makings.file.retrieval.hybrid != "off" else None
        self.retriever = Retriever(project.workspace.store.passages, _late(embed) if embed else None)

    def split(self, name: SplitName) -> list[Example]:
        """The rows of a split, read once."""
        if name not in self._splits:
            self._splits[name] = examples_of(self.project, self.makings.dataset, name)
        return self._splits[name]

    def backend(self, adapter: str) -> Backend:
        """The model with this adapter; the one before it is let go first."""
        if self._backend is None or self._adapter != adapter:
            self.close()
            store, file, base = self.project.workspace.store, self.makings.file, self.makings.base
            held = store.get(Adapter, adapter) if adapter else None
            folder = store.folder_path(held.digest) if held else None
            if held and held.base != base.id:
                base = bases.found_again(store.get(Base, held.base), self.project.workspace.settings)
            self._backend = bases.backend(base, file.model, self.project.workspace.settings, folder)
            self._adapter = adapter
        return self._backend

    def close(self) -> None:
        """Give the model's memory back."""
        self._backend = None
        gc.collect()

    def answers(self, candidate: Candidate, examples: Sequence[Example], progress: Progress) -> dict[str, Answer]:
        """One answer an item: those that are kept, and the missing ones now."""
        store = self.project.workspace.store
        held = store.answers(candidate.id, [example.id for example in examples])
        missing = [example for example in examples if example.id not in held]
        if missing:
            backend = self.backend(candidate.adapter)
            for notice in self._unsaid(backend):
                progress.phase(notice, 0)
            progress.phase(f"answering: {ARM_TITLES[candidate.arm]}", len(missing), "answers")
            needs_pool = candidate.prompt.nearest or candidate.prompt.shots
            answerer = Answerer(
                backend, self.makings.task, self.makings.dataset.labels, self.makings.dataset.fields,
                self.retriever if candidate.retrieval else None, self.split("train") if needs_pool else (),
            )  # fmt: skip
            answerer.answer(candidate, missing, done=store.put_answers, progress=progress)
            held = store.answers(candidate.id, [example.id for example in examples])
        return held

    def _unsaid(self, backend: Backend) -> tuple[str, ...]:
        """What its user should be told before anything is sent to a service, once."""
        notices = () if self._noticed else tuple(getattr(backend, "notices", ()))
        self._noticed = True
        return notices

    @property
    def scoring(self) -> Scoring:
        """How answers of this project are marked."""
        file, made = self.makings.file, self.makings.dataset
        return Scoring(
            task=self.makings.task, metric=file.acceptance.metric, labels=made.labels, fields=made.fields,
            confidence=file.acceptance.confidence, prices=file.prices, hosted=not self.makings.base.trainable,
        )  # fmt: skip

    def marked(self, candidate: Candidate, examples: Sequence[Example], answers: Mapping[str, Answer]) -> Marked:
        """Every metric of the task over these answers."""
        texts = {}
        if candidate.retrieval:
            index = candidate.retrieval.index
            texts = {passage.id: passage.text for passage in self.project.workspace.store.passages.passages(index)}
        return trial(examples, answers, self.scoring, texts)

    def trial(self, candidate: Candidate, split: SplitName, progress: Progress, *, protocol: str = "", examples: Sequence[Example] | None = None) -> Trial:
        """Answer, mark and record. The record is new only where something in it is."""
        rows = self.split(split) if examples is None else examples
        answers = self.answers(candidate, rows, progress)
        found = self.marked(candidate, rows, answers)
        store = self.project.workspace.store
        kept = [answers[row.id] for row in rows if row.id in answers]
        made = found.record(
            candidate, self.makings.dataset, split, protocol=protocol,
            answers=store.put_pack(kept, "answers"), scores=store.put_pack(found.scores, "scores"),
        )  # fmt: skip
        if made.id not in {known.id for known in self.project.records(Trial)}:
            act_name = "trial.measured" if split == "test" else "dev.measured"
            with self.project.act(act_name, read=[candidate.id, self.makings.dataset.id]) as act:
                act.facts.update(arm=candidate.arm, split=split, n=str(found.primary.n), value=f"{found.primary.value:.4f}")
                act.write(candidate)
                act.write(made)
        return made

    def scores(self, made: Trial) -> dict[str, float]:
        """Item id to primary score."""
        return {row["item"]: row["value"] for row in self.project.workspace.store.read_pack(made.scores)}

    def lenient(self, candidate: Candidate, examples: Sequence[Example]) -> dict[str, float]:
        """Item id to 1.0 where the kept answer is right once its shape is forgiven."""
        held = self.project.workspace.store.answers(candidate.id, [example.id for example in examples])
        made, metric = self.makings.dataset, self.makings.file.acceptance.metric
        return {
            row.id: float(passes_leniently(metric, row, held[row.id].text, labels=made.labels, fields=made.fields))
            for row in examples
            if row.id in held
        }


def _late(make: Callable[[], Embed]) -> Embed:
    """An embedding function that loads its model when it is first called."""
    made: list[Embed] = []

    def embed(texts: Sequence[str]) -> Any:
        if not made:
            made.append(make())
        return made[0](texts)

    return embed
