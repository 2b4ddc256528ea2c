"""One sitting of a run: from the last checkpoint to the end, or to a signal; then the best weights and their proofs.

Everything was read and proven before. It looks at dev at the planned steps, saves in between, and leaves on SIGINT or
SIGTERM with a checkpoint. Where somebody asks it to end and keep the best (the plan's `ending` file), it looks at dev once
more and finishes with the best weights so far, proven as always. Example: `sit(run, progress).best_step`.
"""

from __future__ import annotations

import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from whytune.answering.backends.models import Loaded
from whytune.answering.backends.protocol import Backend
from whytune.errors import StoppedError, TrainingError
from whytune.jobs.progress import Progress, draw
from whytune.records.candidate import Checkpoint
from whytune.training.batches import looks, schedule
from whytune.training.journal import Choices, Journal, StepLine
from whytune.training.plan import Estimate, Proof, SampleRow, Trained, TrainingPlan, versions
from whytune.training.postflight import (
    Fitted,
    best_logits,
    prove_moved,
    prove_reload,
    save_weights,
    write_adapter,
)
from whytune.training.ranks import ALONE, Ranks
from whytune.training.rows import PreparedRows, TrainingRow, sample

Look = Callable[[Backend], float]
"""The task's metric on dev, higher is better, by a backend with the weights of this moment."""
_SAMPLES = 3
_RELOADED = 2
"""Rows whose logits are compared after the run."""


@dataclass(frozen=True)
class TrainingRun:
    """A run that may begin: everything is read and proven."""

    plan: TrainingPlan
    loaded: Loaded
    ready: PreparedRows
    held: PreparedRows
    journal: Journal
    estimate: Estimate
    proofs: tuple[Proof, ...]
    look: Look | None
    ranks: Ranks = ALONE
    process: int = 0
    """Bytes held before the model was loaded."""

    @property
    def steps(self) -> list[tuple[int, ...]]:
        """The whole schedule."""
        recipe = self.plan.recipe
        lengths = [len(row.ids) for row in self.ready.rows]
        return schedule(lengths, size=recipe.batch_size, epochs=recipe.epochs, seed=recipe.seed)

    @property
    def choices(self) -> Choices:
        """What was measured when the run began."""
        if self.journal.choices is None:
            raise ValueError("the choices are measured before a sitting")
        return self.journal.choices

    def samples(self) -> tuple[SampleRow, ...]:
        """Three rows as the model sees them: the shortest, the middle one, the longest."""
        rows = sorted(self.ready.rows, key=lambda row: len(row.ids))
        chosen = sorted({0, len(rows) // 2, len(rows) - 1})[:_SAMPLES]
        return tuple(sample(self.loaded.encoder, rows[at]) for at in chosen)


def sit(run: TrainingRun, progress: Progress) -> Trained:
    """Trains to the end and returns what came out; raises TrainingError when a signal or a failure ended it."""
    import torch

    from whytune.training.machine import give_back, peak_memory

    if torch.get_num_threads() != run.choices.threads:
        torch.set_num_threads(run.choices.threads)
    steps = run.steps
    progress.phase("training", len(steps), "steps")
    if run.journal.done_steps:
        progress.advance(run.journal.done_steps)
        _draw_again(run, len(steps), progress)
    if run.journal.done_steps < len(steps):
        with _signals() as asked:
            enough = _train(run, steps, progress, asked)
        run.ranks.wait()
        if run.journal.done_steps < len(steps) and not enough:
            raise StoppedError(
                f"Training was stopped after step {run.journal.done_steps} of {len(steps)}; nothing is lost",
                where=str(run.plan.folder),
                next="run the same command again: it goes on from there",
            )
    if not run.ranks.first:
        run.ranks.wait()
        return told(run.plan.folder, run.journal.finished() or {})
    best = run.journal.best
    if best is None:
        raise TrainingError(
            "The run's curve holds no look at dev",
            where=str(run.plan.folder),
            next="remove that folder and train again",
        )
    progress.phase("proving the adapter", 2)
    folder = run.plan.folder / "adapter"
    dtype: Any = run.choices.dtype
    method = run.plan.recipe.method
    write_adapter(run.plan.folder / f"checkpoint-{best.step}", folder, run.plan.base.name)
    rows = sorted(run.held.rows, key=lambda row: len(row.ids))[:_RELOADED]
    said = best_logits(run.loaded.model, folder, rows)
    # The trained model goes before it is read anew: one of them in memory is enough.
    place = next(run.loaded.model.parameters()).device
    run.loaded.model = None
    give_back()
    moved = prove_moved(folder, run.plan.base)
    progress.advance()
    give_back()
    reload = prove_reload(said, Fitted(run.plan.base, folder, dtype, quantised=method == "qlora"), rows, place)
    progress.advance()
    proofs = (*run.proofs, moved, reload)
    trained = _result(run, steps, folder=folder, best_step=best.step, proofs=proofs, memory=peak_memory())
    # From here on the run is complete, also where it was ended early: asked again, it gives these weights, which are what
    # was proven, and trains no further. What counts as evidence is measured on weights by their digest, not on a recipe.
    run.journal.finish(_plain(trained))
    run.ranks.wait()
    return trained


def told(folder: Path, facts: dict[str, Any]) -> Trained:
    """The result of a run that was complete already."""
    return Trained(
        **{
            "step_seconds": facts["seconds"],
            **facts,
            "adapter_folder": folder / "adapter",
            "curve": tuple(Checkpoint.model_validate(look) for look in facts["curve"]),
            "proofs": tuple(Proof(**proof) for proof in facts["proofs"]),
            "samples": tuple(
                SampleRow(row["example"], tuple((text, trained) for text, trained in row["pieces"]))
                for row in facts["samples"]
            ),
        }
    )


def _train(
    run: TrainingRun, steps: list[tuple[int, ...]], progress: Progress, asked: threading.Event
) -> bool:
    """Train to the end, or until asked to stop. True where somebody has enough and wants the best kept."""
    from whytune.training.trl_seam import Seam, SeamRun, pad_of

    journal, choices, recipe, ranks = run.journal, run.choices, run.plan.recipe, run.ranks
    planned = looks(len(steps), recipe.checkpoints)
    spent, began = journal.seconds, time.monotonic()
    saved = [began]
    enough = [False]
    pad = pad_of(run.loaded.tokenizer)
    path: Any = choices.loss_path

    def clock() -> float:
        return spent + time.monotonic() - began

    def on_loss(step: int, value: float, trained: int) -> None:
        line = StepLine(step, value, trained, clock())
        journal.step(line)
        _draw_step(line, len(steps), progress)
        progress.advance(1, f"loss {value:.3f}")

    def after_step(step: int) -> tuple[bool, bool]:
        late = ranks.first and time.monotonic() - saved[0] >= run.plan.save_every
        ended = ranks.first and run.plan.ending is not None and run.plan.ending.exists()
        stop, late, enough[0] = ranks.any(asked.is_set(), late, ended)
        # These weights may be the best there are: before the end dev says whether they are.
        due = step in planned or enough[0]
        if due and ranks.first:
            with _same_chance():
                journal.look(_look(run, step, step / len(steps) * recipe.epochs, pad, clock))
            last = journal.looks[-1]
            _draw_look(last, progress)
            metric = "" if last.dev_metric is None else f", metric {last.dev_metric:.3f}"
            progress.advance(0, f"dev loss {last.dev_loss:.3f}{metric}")
        return due or stop or late, stop or enough[0]

    def after_save(folder: Path) -> None:
        journal.keep(folder)
        saved[0] = time.monotonic()

    seam = Seam(
        run.loaded.model,
        run.loaded.tokenizer,
        SeamRun(
            recipe=recipe,
            rows=run.ready.rows,
            schedule=steps,
            done=journal.done_steps,
            path=path,
            checkpointing=choices.checkpointing,
            saving=journal.folder / ".saving",
            on_loss=on_loss,
            after_step=after_step,
            after_save=after_save,
            ranks=ranks,
        ),
    )
    seam.train(journal.checkpoint)
    return enough[0]


def _draw_again(run: TrainingRun, steps: int, progress: Progress) -> None:
    """What earlier sittings drew, for who follows this one."""
    for line in run.journal.steps:
        _draw_step(line, steps, progress)
    for look in run.journal.looks:
        _draw_look(look, progress)


def _draw_step(line: StepLine, steps: int, progress: Progress) -> None:
    draw(progress, step=line.step, loss=round(line.loss, 5), seconds=round(line.seconds, 3), total=steps)


def _draw_look(look: Checkpoint, progress: Progress) -> None:
    draw(
        progress, step=look.step, dev_loss=look.dev_loss, dev_metric=look.dev_metric, train_loss=look.train_loss,
        epoch=look.epoch, seconds=look.seconds,
    )  # fmt: skip


def _look(run: TrainingRun, step: int, epoch: float, pad: int, clock: Callable[[], float]) -> Checkpoint:
    from whytune.training.loss import mean_loss

    path: Any = run.choices.loss_path
    model = run.loaded.model.eval()
    dev_loss = mean_loss(model, run.held.rows, size=run.plan.recipe.batch_size, pad=pad, path=path)
    metric = _metric(run, run.look) if run.look else None
    model.train()
    before = max((look.step for look in run.journal.looks), default=0)
    return Checkpoint(
        step=step,
        epoch=epoch,
        train_loss=run.journal.mean_loss_since(before),
        dev_loss=dev_loss,
        dev_metric=metric,
        seconds=clock(),
    )


def _metric(run: TrainingRun, look: Look) -> float:
    """By the same backend that will measure the finished adapter: saved, loaded and merged as it is then."""
    import torch

    from whytune.answering.backends.local import LocalBackend
    from whytune.training.machine import give_back
    from whytune.training.trl_seam import unsaved

    give_back()  # the last step's activations: a second model comes beside the first
    folder = run.journal.folder / ".saving-look"
    threads = torch.get_num_threads()
    try:
        save_weights(run.loaded.model, folder)
        backend: Any = LocalBackend(run.plan.base, folder, run.choices.dtype, run.choices.threads)
        return float(look(backend))
    except OSError as error:
        raise unsaved(error, run.journal.folder) from error
    finally:
        torch.set_num_threads(threads)
        shutil.rmtree(folder, ignore_errors=True)
        backend = None
        give_back()


def _result(
    run: TrainingRun,
    steps: list[tuple[int, ...]],
    *,
    folder: Path,
    best_step: int,
    proofs: tuple[Proof, ...],
    memory: int,
) -> Trained:
    made = max(run.journal.done_steps, best_step)
    shown = [run.ready.rows[number] for step in steps[:made] for number in step]
    choices = run.choices
    return Trained(
        adapter_folder=folder,
        rows=len(run.ready.rows),
        rows_dropped=len(run.ready.overlong),
        tokens=sum(len(row.ids) for row in shown),
        trained_tokens=sum(_trained(row) for row in shown),
        seconds=run.journal.seconds,
        step_seconds=run.journal.step_seconds,
        dtype=choices.dtype,
        threads=choices.threads,
        loss_path=choices.loss_path,
        best_step=best_step,
        steps=made,
        planned_steps=len(steps),
        first_dev_loss=choices.first_dev_loss,
        curve=tuple(run.journal.looks),
        proofs=proofs,
        samples=run.samples(),
        estimated_seconds=choices.estimated_seconds,
        estimated_memory_bytes=choices.estimated_memory_bytes,
        memory_bytes=memory,
        versions={**versions(), **({"processes": str(run.ranks.world)} if run.ranks.world > 1 else {})},
        resumed=run.journal.resumed,
    )


def _trained(row: TrainingRow) -> int:
    return len(row.ids) - row.start


def _plain(trained: Trained) -> dict[str, Any]:
    facts = asdict(trained)
    facts["adapter_folder"] = ""
    facts["curve"] = [look.model_dump() for look in trained.curve]
    return facts


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """SIGINT and SIGTERM set the event while the block runs; a second one of the same kind acts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # only the main thread may listen to signals; then they act as the program decided
        return
    before: dict[signal.Signals, Any] = {}

    def heard(number: int, _: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[signal.Signals(number)])

    for kind in (signal.SIGINT, signal.SIGTERM):
        before[kind] = signal.signal(kind, heard)
    try:
        yield asked
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@contextmanager
def _same_chance() -> Iterator[None]:
    """Whatever a look at dev draws, the steps after it draw what they would have drawn without it."""
    import numpy
    import torch

    python, numbers = random.getstate(), numpy.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            numpy.random.set_state(numbers)
