"""A training run in a process of its own, for tests that kill it: `python killed.py MODEL RUN [HOLD]`: after HOLD steps it waits for a signal."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import RECIPE, SYSTEM, rows
from whytune.answering.backends.models import prepare_folder
from whytune.errors import WhytuneError
from whytune.jobs.progress import Silent
from whytune.records.candidate import Prompt, Recipe
from whytune.training.plan import TrainingPlan
from whytune.training.train import train


class Held(Silent):
    """Goes slowly, so that checkpoints come between looks, and stands still after some steps until a signal has come."""

    def __init__(self, hold: int) -> None:
        self.left = hold
        self.training = False

    def phase(self, name: str, total: int, unit: str = "") -> None:
        self.training = name == "training"

    def advance(self, n: int = 1, note: str = "") -> None:
        if self.training and n and "loss" in note:
            time.sleep(0.2)  # longer than `save_every`: a checkpoint after every step
            self.left -= 1
            # While the run listens, the handler is its own; once it has heard, the one before is back.
            while self.left <= 0 and callable(signal.getsignal(signal.SIGTERM)):
                time.sleep(0.02)


if __name__ == "__main__":
    recipe = Recipe.model_validate({**RECIPE.model_dump(), "dropout": 0.1, "epochs": 1})
    plan = TrainingPlan(
        prepare_folder(Path(sys.argv[1])), recipe, Prompt(system=SYSTEM), Path(sys.argv[2]), save_every=0.15
    )
    try:
        train(plan, rows(24), rows(6, 100), progress=Held(int(sys.argv[3])) if len(sys.argv) > 3 else Silent())
    except WhytuneError as error:
        sys.exit(str(error))
