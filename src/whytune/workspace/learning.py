"""Fine-tune train: the adapters that apply, each trained once for a base, recipe, dataset and prompt, and resumed where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whytune.answering.answerer import Answerer
from whytune.answering.retrieval.retriever import distractors
from whytune.errors import StoppedError, TrainingError
from whytune.jobs.progress import Progress, Silent, draw
from whytune.records.candidate import Adapter, Candidate, Retrieval, RunCost
from whytune.records.data import Example, Passage
from whytune.records.evidence import Answer
from whytune.records.record import canonical_json, digest
from whytune.workspace.together import TogetherOrder

if TYPE_CHECKING:
    from whytune.answering.backends.protocol import Backend
    from whytune.training.plan import Trained, TrainingPlan
    from whytune.workspace.measuring import Bench

DEATHS = 2
"""A run of several processes is taken up again so often by itself when one of them dies."""


@dataclass(frozen=True)
class Materials:
    """Everything that a training run is handed."""

    plan: TrainingPlan
    rows: list[Example]
    dev: list[Example]
    look: Callable[[Backend], float]
    retrieval: Retrieval | None = None


def adapter(bench: Bench, retrieval: Retrieval | None, progress: Progress) -> Adapter:
    """The adapter for this arm: the one there is, or a new one."""
    makings, project = bench.makings, bench.project
    known = known_adapter(bench, retrieval)
    if known:
        return known
    bench.close()  # the model that answers and the one that trains need not be in memory together
    work = materials(bench, retrieval)
    trained = _together(bench, work, progress) if work.plan.processes > 1 else _alone(work, progress)
    ended_by = _met(work.plan.ending) if trained.ended_early else ""
    prices = makings.file.prices
    cost = RunCost(
        expected_seconds=trained.estimated_seconds, seconds=trained.step_seconds, expected_memory_bytes=trained.estimated_memory_bytes,
        memory_bytes=trained.memory_bytes, expected_money=trained.estimated_seconds * prices.compute_hour / 3600,
        money=trained.step_seconds * prices.compute_hour / 3600, currency=prices.currency, processes=work.plan.processes,
    )  # fmt: skip
    with project.act("adapter.trained", read=[makings.base.id, makings.dataset.id]) as act:
        made = Adapter(
            base=makings.base.id, recipe=work.plan.recipe, dataset=makings.dataset.id, prompt=work.plan.prompt.id, retrieval=retrieval,
            digest=project.workspace.store.put_folder(trained.adapter_folder), rows=trained.rows, rows_dropped=trained.rows_dropped,
            trained_tokens=trained.trained_tokens, tokens=trained.tokens, seconds=trained.seconds, dtype=trained.dtype,
            best_step=trained.best_step, curve=trained.curve, versions=trained.versions, cost=cost,
        )  # fmt: skip
        act.facts.update(rows=str(made.rows), steps=str(made.curve[-1].step), seconds=f"{made.seconds:.0f}", method=made.recipe.method)
        if trained.ended_early:
            act.facts["ended early"] = f"after step {trained.steps} of {trained.planned_steps}"
            act.facts["ended by"] = ended_by or "unknown"
        act.facts["step seconds, expected"] = f"{cost.expected_seconds:.0f}"
        act.facts["step seconds"] = f"{cost.seconds:.0f}"
        act.facts["memory MB, expected"] = f"{cost.expected_memory_bytes / 1e6:.0f}"
        act.facts["memory MB"] = f"{cost.memory_bytes / 1e6:.0f}"
        return act.write(made)


def _met(ending: Path | None) -> str:
    """Who asked for the end. It is taken back: the next adapter of the same job trains to its own end."""
    if ending is None or not ending.exists():
        return ""
    asked = ending.read_text("utf-8")
    ending.unlink()
    return asked


def known_adapter(bench: Bench, retrieval: Retrieval | None) -> Adapter | None:
    """The newest adapter that was trained from just these things.

    Also one whose training somebody ended early: a recipe says at most how long, the record's curve how long it was, and
    what is measured, signed and released is the weights by their digest. So it stays what it is, and no later run trains
    behind the back of who ended it; who wants the whole length changes the recipe (its seed, say), which is another run.
    """
    makings = bench.makings
    run = makings.file.training_run
    wanted = (makings.base.id, makings.file.training, makings.dataset.id, makings.tuned_prompt.id, retrieval)
    together = str(run.processes) if run.processes > 1 else None
    known = [
        held for held in bench.project.records(Adapter)
        if (held.base, held.recipe, held.dataset, held.prompt, held.retrieval) == wanted and held.versions.get("processes") == together
    ]  # fmt: skip
    return known[-1] if known else None


def materials(bench: Bench, retrieval: Retrieval | None) -> Materials:
    """Rows of train and dev, the passages handed over with them, the plan, and how dev is looked at."""
    makings = bench.makings
    rows, dev = bench.split("train"), bench.split("dev")
    contexts: dict[str, tuple[Passage, ...]] = {}
    if retrieval:
        bench.retriever.prepare([row.input_text for row in (*rows, *dev)], retrieval)
        seed = makings.file.training.seed
        contexts = {row.id: tuple(distractors(bench.retriever, row, retrieval, seed=seed)) for row in rows}
        contexts |= {row.id: tuple(bench.retriever.find(row.input_text, retrieval)) for row in dev}
    candidate = Candidate(base=makings.base.id, prompt=makings.tuned_prompt, retrieval=retrieval)

    def look(backend: Backend) -> float:
        return _dev_metric(bench, backend, candidate, dev)

    return Materials(plan_for(bench, retrieval, contexts), rows, dev, look, retrieval)


def plan_for(bench: Bench, retrieval: Retrieval | None = None, contexts: dict[str, tuple[Passage, ...]] | None = None) -> TrainingPlan:
    """The plan of one adapter; its folder is known by what decides the weights, so a run that was killed is found again."""
    from whytune.training.plan import TrainingPlan

    makings, project = bench.makings, bench.project
    prompt, processes = makings.tuned_prompt, makings.file.training_run.processes
    key: dict[str, Any] = {"base": makings.base.id, "recipe": makings.file.training.id, "dataset": makings.dataset.id, "prompt": prompt.id,
           "retrieval": retrieval.model_dump(mode="json") if retrieval else None}  # fmt: skip
    if processes > 1:
        key["processes"] = processes
    folder = project.workspace.store.folder / "runs" / digest(canonical_json(key))[:20]
    return TrainingPlan(
        base=makings.base, recipe=makings.file.training, prompt=prompt, contexts=contexts or {}, folder=folder, processes=processes,
        ending=project.ending_file,
    )


def _alone(work: Materials, progress: Progress) -> Trained:
    from whytune.training.train import train  # only now: it loads torch

    return train(work.plan, work.rows, work.dev, look=work.look, progress=progress)


def _together(bench: Bench, work: Materials, progress: Progress) -> Trained:
    """By several processes; where one dies, the run is taken up from its last checkpoint."""
    from whytune.jobs.launch import torchrun

    makings, plan = bench.makings, work.plan
    plan.folder.mkdir(parents=True, exist_ok=True)
    job_file = plan.folder / "job.json"
    job = TogetherOrder(
        root=str(bench.project.workspace.root), project=str(bench.project.folder), dataset=makings.dataset.id, base=makings.base,
        recipe=plan.recipe, index=makings.index, hybrid=makings.hybrid, retrieval=work.retrieval, processes=plan.processes,
        ending=str(plan.ending or ""),
    )  # fmt: skip
    job_file.write_text(job.model_dump_json(), "utf-8")
    told: list[dict[str, Any]] = []

    def hear(line: str) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return  # a library's own word, not ours
        if "phase" in said:
            progress.phase(*said["phase"])
        elif "advance" in said:
            progress.advance(*said["advance"])
        elif "curve" in said:
            draw(progress, **said["curve"])
        elif "error" in said:
            told.append(said["error"])

    for death in range(DEATHS + 1):
        ended = torchrun("whytune.workspace.worker", str(job_file), plan.processes, hear)
        if told or ended.signalled or ended.code == 0:
            break
        if death < DEATHS:
            progress.phase(f"a process of the run ended with code {ended.code}; going on from its last checkpoint", 0)
    again = "run the same command again: it goes on from the last checkpoint"
    if told:
        kind = StoppedError if told[0]["code"] == "stopped" else TrainingError
        raise kind(told[0]["what"], where=told[0]["where"], problems=told[0]["problems"], next=told[0]["next"])
    if ended.signalled:
        raise StoppedError("Training was stopped", where=str(plan.folder), next=again)
    if ended.code:
        raise TrainingError(
            f"The {plan.processes} processes of the run ended {DEATHS + 1} times before it was done (code {ended.code})",
            where=str(plan.folder), problems=ended.said, next=again,
        )  # fmt: skip
    return _alone(work, progress)  # it is complete: this only reads what came out


def _dev_metric(bench: Bench, backend: Backend, candidate: Candidate, dev: list[Example]) -> float:
    makings = bench.makings
    given: list[Answer] = []
    answerer = Answerer(backend, makings.task, makings.dataset.labels, makings.dataset.fields, bench.retriever if candidate.retrieval else None, ())
    answerer.answer(candidate, dev, done=given.extend, progress=Silent())
    return bench.marked(candidate, dev, {answer.item: answer for answer in given}).primary.value
