"""A privacy run: the candidate's recipe once more on a copy of its rows with secrets planted, to see which of them it knows.

The copy, its adapter and the secrets are thrown away; what stays is how well each secret was known. Neither the dataset
nor any candidate ever holds a planted row.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from whytune.answering.answerer import Answerer
from whytune.answering.backends.protocol import Chat
from whytune.answering.retrieval.retriever import distractors
from whytune.errors import UsageError
from whytune.jobs.progress import Progress, Silent
from whytune.records.candidate import Adapter
from whytune.records.data import Example, Passage
from whytune.records.record import canonical_json, digest
from whytune.records.responsible import PLANTED_USUALLY, CanaryExposure, CanaryRun
from whytune.responsible.canaries import (
    FEW,
    Canary,
    Dose,
    canaries,
    doses,
    exposure,
    may_be_known,
    plant,
    references,
)
from whytune.workspace import bases
from whytune.workspace.inspecting import chosen, wishes_of
from whytune.workspace.learning import plan_for
from whytune.workspace.probing import Inspector
from whytune.workspace.roles import check

if TYPE_CHECKING:
    from whytune.answering.backends.local import LocalBackend
    from whytune.workspace.project import Project

Losses = dict[str, list[float]]
"""Canary name to the loss of its secret, then of each reference it was held against."""


def newest_doses(project: Project) -> list[Dose]:
    """What the last privacy run found, by how often secrets were planted, nowhere first; empty where there was none."""
    made = project.records(CanaryRun)
    return doses(made[-1]) if made else []


def sentence(project: Project) -> str:
    """How many secrets the model of the last privacy run gives away."""
    told = [f"{dose.known} of {dose.secrets} planted {dose.times} time{'s' if dose.times > 1 else ''}" for dose in newest_doses(project)[1:]]
    return f"Secrets given away: {', '.join(told)}"


def run(project: Project, arm: str = "", progress: Progress | None = None, *, count: int = PLANTED_USUALLY) -> CanaryRun:
    """Plant, train, measure; the run there is for this adapter, seed and count. Raises UsageError where nothing was trained."""
    check(project.workspace.person, "responsible.measured")
    progress = progress or Silent()
    candidate, seed = chosen(project, arm), wishes_of(project).seed
    if not candidate.adapter:
        raise UsageError(f"{candidate.arm} was not trained, so it can hold no secret", next=f"whytune responsible canaries {project.name} --arm tuned")
    begun = time.monotonic()
    made = canaries(count, seed)
    known = next((each for each in reversed(project.records(CanaryRun)) if each.adapter == candidate.adapter and each.seed == seed and len(each.planted) + len(each.unplanted) == len(made)), None)
    if known:
        return known
    inspector = Inspector.of(project, candidate, seed)
    with project.workspace.store.lock(project.key):
        try:
            base = _Held(inspector, made, progress)
            base.look(_untrained(inspector))
            # Two models need not be in memory while one of them is trained.
            inspector.bench.close()
            tuned = _Held(inspector, made, progress, near=base.near)
            _trained(project, tuned)
            # What one side may know, both are asked about in full.
            if tuned.near != base.near:
                base.near = tuned.near
                base.look(_untrained(inspector))
        finally:
            inspector.bench.close()
        exposures = [_told(each, tuned.losses[each.name], base.losses[each.name]) for each in made]
        record = CanaryRun(
            project=project.key, dataset=project.dataset.id, adapter=candidate.adapter, seed=seed, seconds=time.monotonic() - begun,
            planted=tuple(each for each in exposures if each.repeats), unplanted=tuple(each for each in exposures if not each.repeats),
        )  # fmt: skip
        with project.act("responsible.measured", read=[candidate.adapter, project.dataset.id]) as act:
            act.facts.update(what="canaries", planted=str(len(record.planted)), unplanted=str(len(record.unplanted)))
            return act.write(record)


def _trained(project: Project, held: _Held) -> None:
    """Train on the copy, look, throw it away. A killed run goes on in its folder."""
    from whytune.training.train import train  # only now: it loads torch

    inspector, made, progress = held.inspector, held.made, held.progress
    bench, store = inspector.bench, project.workspace.store
    adapter = store.get(Adapter, inspector.candidate.adapter)
    rows, dev = bench.split("train"), bench.split("dev")
    contexts: dict[str, tuple[Passage, ...]] = {}
    if adapter.retrieval:
        bench.retriever.prepare([row.input_text for row in (*rows, *dev)], adapter.retrieval)
        contexts = {row.id: tuple(distractors(bench.retriever, row, adapter.retrieval, seed=adapter.recipe.seed)) for row in rows}
        contexts |= {row.id: tuple(bench.retriever.find(row.input_text, adapter.retrieval)) for row in dev}
    planned = plan_for(bench, adapter.retrieval, contexts)
    key = digest(canonical_json({"adapter": adapter.id, "seed": inspector.seed, "canaries": [each.name for each in made]}))[:20]
    folder = store.folder / "runs" / f"canaries-{key}"
    plan = replace(planned, recipe=adapter.recipe, prompt=inspector.candidate.prompt, folder=folder)
    trained = train(plan, plant(rows, made, inspector.seed), dev, look=None, progress=progress)
    settings = project.workspace.settings
    backend = bases.backend(bench.makings.base, project.file.model, settings, trained.adapter_folder)
    held.look(_as_local(backend))
    shutil.rmtree(folder)


class _Held:
    """How likely one model finds each secret, against few other secrets of its shape, and against all where it may be known.

    near: canaries that are held against all in any case.
    """

    def __init__(self, inspector: Inspector, made: Sequence[Canary], progress: Progress, near: frozenset[str] = frozenset()) -> None:
        self.inspector, self.made, self.progress = inspector, made, progress
        self.near = near
        self.losses: Losses = {}

    def look(self, backend: LocalBackend) -> None:
        """Ask the model for what is not known of it yet."""
        self.progress.phase("losses of the secrets", len(self.made), "secrets")
        for each in self.made:
            others = references(each, self.inspector.seed)
            if each.name not in self.losses:
                self.losses[each.name] = self._ask(backend, each, [each.secret, *others[:FEW]])
            own, *few = self.losses[each.name]
            if may_be_known(own, few):
                self.near |= {each.name}
            if each.name in self.near and len(few) == FEW:
                self.losses[each.name] += self._ask(backend, each, others[FEW:])
            self.progress.advance()

    def _ask(self, backend: LocalBackend, canary: Canary, secrets: Sequence[str]) -> list[float]:
        from whytune.answering.backends.losses import token_losses

        makings = self.inspector.bench.makings
        # The question stands in no passage, so the closed prompt is what an attacker would use.
        asking = self.inspector.candidate.model_copy(update={"retrieval": None})
        answerer = Answerer(backend, makings.task, makings.dataset.labels, makings.dataset.fields, None, ())
        asked: list[tuple[Chat, str]] = []
        for secret in secrets:
            row: Example = canary.with_secret(secret)
            asked.append((answerer.chat(asking, row), row.target_text))
        # Summed, not averaged: secrets of one shape may have different numbers of tokens.
        return [sum(losses) for losses in token_losses(backend, asked)]


def _told(canary: Canary, tuned: Sequence[float], base: Sequence[float]) -> CanaryExposure:
    rank, bits = exposure(tuned[0], tuned[1:])
    return CanaryExposure(canary=canary.name, repeats=canary.repeats, rank=rank, references=len(tuned) - 1, exposure=bits, base_exposure=exposure(base[0], base[1:])[1])


def _untrained(inspector: Inspector) -> LocalBackend:
    return _as_local(inspector.bench.backend(""))


def _as_local(backend: object) -> LocalBackend:
    from whytune.answering.backends.local import LocalBackend

    assert isinstance(backend, LocalBackend)  # what was trained here is answered from here
    return backend

