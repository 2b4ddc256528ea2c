"""The run's own folder: what was decided, the curve so far, the checkpoints; so that a run can go on where it stopped.

`run.json` holds the fingerprint and the choices that were measured (they decide the weights' last bits, so a resumed
run keeps them); `curve.jsonl` one line a step and one a look at dev; `checkpoint-N` appears whole or not at all. It
loads no model. Example: after kill -9 at step 47, `Journal.open` finds checkpoint-40 and forgets lines 41 to 47.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from whytune.errors import TrainingError
from whytune.records.candidate import Checkpoint

_RUN, _CURVE, _DONE = "run.json", "curve.jsonl", "done.json"


@dataclass(frozen=True)
class Choices:
    """What was measured once and holds for the whole run."""

    dtype: str
    threads: int
    loss_path: str
    checkpointing: bool
    first_dev_loss: float
    estimated_seconds: float
    estimated_memory_bytes: int


@dataclass(frozen=True)
class StepLine:
    """One step as it went. loss is nats per trained token of its batch; seconds since the run began, all sittings."""

    step: int
    loss: float
    trained: int
    seconds: float


class Journal:
    """The folder of one run."""

    def __init__(self, folder: Path, fingerprint: str, writes: bool = True) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.writes = writes
        self.choices: Choices | None = None
        self.resumed = 0
        self.steps: list[StepLine] = []
        self.looks: list[Checkpoint] = []

    @classmethod
    def open(cls, folder: Path, fingerprint: str, *, writes: bool = True) -> Journal:
        """The journal of a new run, or of one that was cut off. Raises TrainingError if the folder is another run's.

        writes: of several processes that make one run together, only the first keeps its journal.
        """
        journal = cls(folder, fingerprint, writes)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(".saving*") if writes else ():
                shutil.rmtree(left)
            if (folder / _RUN).is_file():
                journal._take_up()
        except OSError as error:
            raise TrainingError(
                f"The run's folder cannot be used: {error.strerror or error}",
                where=str(folder),
                next="give a folder that can be written",
            ) from error
        return journal

    @property
    def checkpoint(self) -> Path | None:
        """The newest one."""
        found = sorted(self.folder.glob("checkpoint-*"), key=_step_of)
        return found[-1] if found else None

    @property
    def done_steps(self) -> int:
        """Steps that need not be made again."""
        return _step_of(self.checkpoint) if self.checkpoint else 0

    @property
    def best(self) -> Checkpoint | None:
        """The look with the best dev metric; equal ones, or without a metric, by dev loss; then the earliest."""
        scored = [look for look in self.looks if look.dev_metric is not None] or self.looks
        return min(
            scored, key=lambda look: (-(look.dev_metric or 0.0), look.dev_loss, look.step), default=None
        )

    @property
    def seconds(self) -> float:
        """Time spent so far."""
        return max(
            [0.0, *(line.seconds for line in self.steps[-1:]), *(look.seconds for look in self.looks[-1:])]
        )

    @property
    def step_seconds(self) -> float:
        """Time spent in steps alone: a look at dev begins where its step ended."""
        ended = {line.step: line.seconds for line in self.steps}
        return max(0.0, self.seconds - sum(look.seconds - ended[look.step] for look in self.looks if look.step in ended))

    def decide(self, choices: Choices) -> None:
        """Keeps what was measured."""
        self.choices = choices
        self._write_run()

    def step(self, line: StepLine) -> None:
        """Appends a step."""
        self.steps.append(line)
        self._append(asdict(line), durable=False)

    def look(self, look: Checkpoint) -> None:
        """Appends a look at dev; durable when it returns."""
        self.looks.append(look)
        self._append({"look": look.model_dump()}, durable=True)

    def mean_loss_since(self, step: int) -> float:
        """Nats per trained token over the steps after that one."""
        lines = [line for line in self.steps if line.step > step]
        return sum(line.loss * line.trained for line in lines) / max(1, sum(line.trained for line in lines))

    def keep(self, saved: Path) -> None:
        """Makes a finished save the newest checkpoint, and drops those that are neither newest nor best."""
        for file in [*saved.rglob("*"), saved]:
            _sync(file)
        final = self.folder / saved.name
        if final.exists():
            shutil.rmtree(final)
        os.rename(saved, final)
        _sync(self.folder)
        kept = {final.name, f"checkpoint-{self.best.step}" if self.best else ""}
        for old in self.folder.glob("checkpoint-*"):
            if old.name not in kept:
                shutil.rmtree(old)

    def finish(self, facts: dict[str, Any]) -> None:
        """Says that the adapter is complete, and lets go of the checkpoints."""
        write_whole(self.folder / _DONE, json.dumps(facts, indent=1))
        for old in [*self.folder.glob("checkpoint-*"), *self.folder.glob(".saving*")]:
            shutil.rmtree(old)

    def finished(self) -> dict[str, Any] | None:
        """What `finish` kept, if the run is complete."""
        path = self.folder / _DONE
        if not path.is_file():
            return None
        facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return facts

    def _take_up(self) -> None:
        try:
            kept = json.loads((self.folder / _RUN).read_text("utf-8"))
            fingerprint, self.choices = kept["fingerprint"], Choices(**kept["choices"])
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                "run.json is damaged", where=str(self.folder), next="remove that folder and train again"
            ) from error
        if fingerprint != self.fingerprint:
            raise TrainingError(
                "The folder holds a run with another model, recipe, prompt, data or library version",
                where=str(self.folder),
                next="give an empty folder, or remove that one",
            )
        self.resumed = kept["resumed"] + 1
        self._write_run()
        for text in (
            (self.folder / _CURVE).read_text("utf-8").splitlines() if (self.folder / _CURVE).is_file() else []
        ):
            try:
                line = json.loads(text)
            except ValueError:
                break  # the process died while it wrote this line: it and what follows is made again
            if "look" in line:
                self.looks.append(Checkpoint.model_validate(line["look"]))
            else:
                self.steps.append(StepLine(**line))
        done = self.done_steps
        self.steps = [line for line in self.steps if line.step <= done]
        self.looks = [look for look in self.looks if look.step <= done]
        lines = sorted(
            [*(({"step": line.step}, asdict(line)) for line in self.steps)]
            + [({"step": look.step + 0.5}, {"look": look.model_dump()}) for look in self.looks],
            key=lambda pair: pair[0]["step"],
        )
        if self.writes:
            write_whole(self.folder / _CURVE, "".join(json.dumps(line) + "\n" for _, line in lines))

    def _write_run(self) -> None:
        if self.choices is None:
            raise ValueError("choices are decided before they are kept")
        if not self.writes:
            return
        kept = {"fingerprint": self.fingerprint, "resumed": self.resumed, "choices": asdict(self.choices)}
        write_whole(self.folder / _RUN, json.dumps(kept, indent=1))

    def _append(self, line: dict[str, Any], *, durable: bool) -> None:
        if not self.writes:
            return
        with (self.folder / _CURVE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            if durable:
                file.flush()
                os.fsync(file.fileno())


def write_whole(path: Path, text: str) -> None:
    """A file that holds the whole text or is what it was before."""
    aside = path.with_name(f".{path.name}.writing")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def _step_of(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
