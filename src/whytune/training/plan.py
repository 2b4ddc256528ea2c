"""What a training run is asked for, what it is expected to take, and what came out; plain values.

It imports no model library. Example: `TrainingPlan(base, Recipe(), prompt, Path("run"))` with an empty folder begins
a run there; with the folder of a run that was cut off it goes on with that run.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from whytune.records.candidate import Base, Checkpoint, Prompt, Recipe
from whytune.records.data import Example, Passage
from whytune.records.record import canonical_json, digest

SAVE_EVERY_SECONDS = 30.0
_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "safetensors")


@dataclass(frozen=True)
class TrainingPlan:
    """One run. `folder` is the run's own: checkpoints, the curve, the adapter; a run that was cut off goes on in it.

    contexts: passages handed over with an example, by example id, distractors included; an id that is missing has none.
    save_every: at most so many seconds of work are lost when the process is killed; it does not change the weights.
    """

    base: Base
    recipe: Recipe
    prompt: Prompt
    folder: Path
    contexts: Mapping[str, tuple[Passage, ...]] = field(default_factory=dict)
    save_every: float = SAVE_EVERY_SECONDS
    processes: int = 1
    """How many work on each batch together; more than one are started by `torchrun`. It decides the weights' last bits."""
    ending: Path | None = None
    """A file: once it is there, the run ends at the next step with the best weights so far. Not part of what the run is."""

    def fingerprint(self, train: Sequence[Example], dev: Sequence[Example]) -> str:
        """The same for the same model, recipe, prompt, rows, passages and libraries: only then may a run be resumed."""
        context = {key: [passage.id for passage in found] for key, found in self.contexts.items()}
        together = {"processes": self.processes} if self.processes > 1 else {}
        return digest(
            canonical_json(
                {
                    **together,
                    "base": self.base.digest,
                    "recipe": self.recipe.id,
                    "prompt": self.prompt.id,
                    "train": [example.id for example in train],
                    "dev": [example.id for example in dev],
                    "contexts": context,
                    "versions": versions(),
                }
            )
        )


@dataclass(frozen=True)
class Estimate:
    """What a run will take. tokens, trained_tokens: all epochs, no padding; seconds and memory are estimates."""

    rows: int
    dropped: int
    steps: int
    tokens: int
    trained_tokens: int
    computed_tokens: int
    """Tokens that pass through the model: without what rows of a batch share, with padding."""
    longest: int
    lengths: tuple[tuple[int, int], ...]
    """Histogram: (up to so many tokens, rows)."""
    seconds: float
    seconds_low: float
    seconds_high: float
    memory_bytes: int


@dataclass(frozen=True)
class SampleRow:
    """A row as the model sees it: runs of text and whether they are trained, in order."""

    example: str
    pieces: tuple[tuple[str, bool], ...]

    def marked(self, before: str = "⟦", after: str = "⟧") -> str:
        """The row as one text, trained runs between marks."""
        return "".join(f"{before}{text}{after}" if trained else text for text, trained in self.pieces)


@dataclass(frozen=True)
class Proof:
    """One thing that was proven before or after the run."""

    name: str
    detail: str


@dataclass(frozen=True)
class Trained:
    """What came out of a run. `adapter_folder` holds the adapter of `best_step`; counts are over all epochs."""

    adapter_folder: Path
    rows: int
    rows_dropped: int
    tokens: int
    trained_tokens: int
    seconds: float
    """Time spent in training steps and looks at dev, over all sittings."""
    step_seconds: float
    """Of those, the time in training steps."""
    dtype: str
    threads: int
    loss_path: str
    """`shared`: what all rows of a batch begin with is computed once; `gathered`: each row whole; `plain`: full logits."""
    best_step: int
    steps: int
    """Made; fewer than planned where somebody ended the run early."""
    first_dev_loss: float
    """Before the first step."""
    curve: tuple[Checkpoint, ...]
    proofs: tuple[Proof, ...]
    samples: tuple[SampleRow, ...]
    estimated_seconds: float
    estimated_memory_bytes: int
    memory_bytes: int
    """Most memory the process held."""
    versions: dict[str, str]
    resumed: int
    """How many times the run was taken up again."""
    planned_steps: int = 0
    """Of the whole schedule."""

    @property
    def ended_early(self) -> bool:
        """Whether somebody ended it before the schedule was through."""
        return self.steps < self.planned_steps


def versions() -> dict[str, str]:
    """Libraries that decide what weights come out."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
