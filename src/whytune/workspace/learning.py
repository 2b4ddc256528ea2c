"""Fine-tune train: the adapters that apply, each trained once for a base, recipe, dataset and prompt, and resumed where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whytune.answering.answerer import Answerer
from whytune.answering.retrieval.retriever import distractors
from whytune.jobs.progress import Progress, Silent
from whytune.records.candidate import Adapter, Candidate, Retrieval
from whytune.records.data import Example, Passage
from whytune.records.evidence import Answer
from whytune.records.record import canonical_json, digest

if TYPE_CHECKING:
    from whytune.answering.backends.protocol import Backend
    from whytune.training.plan import TrainingPlan
    from whytune.workspace.measuring import Bench


def adapter(bench: Bench, retrieval: Retrieval | None, progress: Progress) -> Adapter:
    """The adapter for this arm: the one there is, or a new one."""
    makings, project = bench.makings, bench.project
    prompt, recipe = makings.tuned_prompt, makings.file.training
    known = [
        held for held in project.records(Adapter)
        if (held.base, held.recipe, held.dataset, held.prompt, held.retrieval) == (makings.base.id, recipe, makings.dataset.id, prompt.id, retrieval)
    ]  # fmt: skip
    if known:
        return known[-1]
    from whytune.training.train import train  # only now: it loads torch

    bench.close()  # the model that answers and the one that trains need not be in memory together
    rows = bench.split("train")
    if retrieval:
        bench.retriever.prepare([row.input_text for row in (*rows, *bench.split("dev"))], retrieval)
    contexts = {row.id: tuple(distractors(bench.retriever, row, retrieval, seed=recipe.seed)) for row in rows} if retrieval else {}
    dev = bench.split("dev")
    if retrieval:
        contexts |= {row.id: tuple(bench.retriever.find(row.input_text, retrieval)) for row in dev}
    plan = plan_for(bench, retrieval, contexts)

    def look(backend: Backend) -> float:
        return _dev_metric(bench, backend, Candidate(base=makings.base.id, prompt=prompt, retrieval=retrieval), dev)

    trained = train(plan, rows, dev, look=look, progress=progress)
    with project.act("adapter.trained", read=[makings.base.id, makings.dataset.id]) as act:
        made = Adapter(
            base=makings.base.id, recipe=recipe, dataset=makings.dataset.id, prompt=prompt.id, retrieval=retrieval,
            digest=project.workspace.store.put_folder(trained.adapter_folder), rows=trained.rows, rows_dropped=trained.rows_dropped,
            trained_tokens=trained.trained_tokens, tokens=trained.tokens, seconds=trained.seconds, dtype=trained.dtype,
            best_step=trained.best_step, curve=trained.curve, versions=trained.versions,
        )  # fmt: skip
        act.facts.update(rows=str(made.rows), steps=str(made.curve[-1].step), seconds=f"{made.seconds:.0f}")
        return act.write(made)


def plan_for(bench: Bench, retrieval: Retrieval | None = None, contexts: dict[str, tuple[Passage, ...]] | None = None) -> TrainingPlan:
    """The plan of one adapter; its folder is known by what decides the weights, so a run that was killed is found again."""
    from whytune.training.plan import TrainingPlan

    makings, project = bench.makings, bench.project
    prompt = makings.tuned_prompt
    key = {"base": makings.base.id, "recipe": makings.file.training.id, "dataset": makings.dataset.id, "prompt": prompt.id,
           "retrieval": retrieval.model_dump(mode="json") if retrieval else None}  # fmt: skip
    folder = project.workspace.store.folder / "runs" / digest(canonical_json(key))[:20]
    return TrainingPlan(base=makings.base, recipe=makings.file.training, prompt=prompt, contexts=contexts or {}, folder=folder)


def _dev_metric(bench: Bench, backend: Backend, candidate: Candidate, dev: list[Example]) -> float:
    makings = bench.makings
    given: list[Answer] = []
    answerer = Answerer(backend, makings.task, makings.dataset.labels, makings.dataset.fields, bench.retriever if candidate.retrieval else None, ())
    answerer.answer(candidate, dev, done=given.extend, progress=Silent())
    return bench.marked(candidate, dev, {answer.item: answer for answer in given}).primary.value
