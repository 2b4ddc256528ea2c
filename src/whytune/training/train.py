"""Fine-tuning, top to bottom: rows, proofs, what the machine does best, the steps, the looks at dev, proofs again.

Given train and dev and nothing else: there is no way to hand it a test example. It opens no store; the run's folder is
its own, and calling it again with the same plan goes on where it stopped, to the same weights. Example:
`train(plan, train_examples, dev_examples, look=None, progress=Silent()).adapter_folder` is the adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whytune.answering.backends.models import load, quiet
from whytune.errors import TrainingError
from whytune.jobs.progress import Progress
from whytune.records.data import Example
from whytune.training.estimate import expected, shots_of
from whytune.training.journal import Journal
from whytune.training.plan import Trained, TrainingPlan
from whytune.training.preflight import prove_adapter, prove_rows
from whytune.training.ranks import join
from whytune.training.rows import prepare
from whytune.training.sitting import Look, TrainingRun, sit, told


def train(
    plan: TrainingPlan,
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    look: Look | None = None,
    progress: Progress,
) -> Trained:
    """Trains an adapter, or goes on with one. Every failed proof is told in one TrainingError.

    look: the task's metric on dev at each checkpoint, by a backend with the weights of that moment; higher is better.
    """
    quiet()
    _fit_to_train(plan, train)
    fingerprint = plan.fingerprint(train, dev)
    complete = Journal.open(plan.folder, fingerprint, writes=False).finished()
    if complete is not None:
        return told(plan.folder, complete)
    ranks = join(plan.processes)
    if ranks.first:
        journal = Journal.open(plan.folder, fingerprint)
    ranks.wait()
    if not ranks.first:
        journal = Journal.open(plan.folder, fingerprint, writes=False)
    # Only now the model libraries: a plan that cannot run is refused at once.
    from whytune.training import machine
    from whytune.training.choosing import choose
    from whytune.training.trl_seam import adapt

    place = machine.device()
    dtype: Any = journal.choices.dtype if journal.choices else machine.dtype_for(plan.recipe, place)
    dtype = ranks.told(dtype)
    progress.phase("loading the base model", 1)
    quantised = plan.recipe.method == "qlora"
    machine.begin_peak()
    process = machine.held_memory()
    loaded = load(plan.base, dtype, quantised=place.type if quantised else "")
    progress.advance()
    progress.phase("reading rows", len(train) + len(dev), "rows")
    shots = shots_of(plan, train)
    ready, held = (
        prepare(loaded.encoder, plan.prompt, plan.recipe, rows, contexts=plan.contexts, shots=shots)
        for rows in (train, dev)
    )
    progress.advance(len(train) + len(dev))
    proofs = prove_rows(loaded.encoder, plan.recipe, train=train, dev=dev, ready=ready, held=held)
    guess = expected(plan, ready.rows, len(ready.overlong), dtype, process)
    loaded.model = adapt(loaded.model if quantised else loaded.model.to(place), plan.recipe)
    proofs = (*proofs, prove_adapter(loaded.model))
    run = TrainingRun(plan, loaded, ready, held, journal, guess, proofs, look, ranks, process)
    if journal.choices is None:
        chosen = ranks.told(choose(run, dtype, progress) if ranks.first else None)
        assert chosen is not None  # the first one measures or raises
        journal.decide(chosen)
    return sit(run, progress)


def _fit_to_train(plan: TrainingPlan, train: Sequence[Example]) -> None:
    problems = []
    if not plan.base.trainable:
        problems.append(f"{plan.base.name} is an endpoint: its weights are not here")
    if plan.prompt.nearest:
        problems.append("the prompt shows the nearest training rows, which would show a row its own answer")
    missing = set(plan.prompt.shots) - {example.id for example in train}
    if missing:
        problems.append(f"{len(missing)} shots of the prompt are not among the training examples")
    if plan.recipe.max_length > plan.base.context:
        problems.append(
            f"max_length {plan.recipe.max_length} is more than the {plan.base.context} tokens the model reads"
        )
    if plan.recipe.method == "full" and plan.recipe.dtype == "bfloat16":
        problems.append("method full in bfloat16 would lose most of its small steps; dtype is auto or float32")
    if plan.recipe.method == "full" and plan.recipe.dropout:
        problems.append("dropout is that of an adapter's input; method full has no adapter")
    if problems:
        raise TrainingError(
            "This cannot be trained",
            problems=problems,
            next="change the base model, the prompt or the recipe",
        )
