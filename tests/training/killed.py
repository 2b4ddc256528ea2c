"""A training run in a process of its own, for tests that kill it: `python killed.py MODEL RUN [SLOW]`."""

from __future__ import annotations

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


class Slow(Silent):
    """Waits a little at every step, so that there is time to be killed in."""

    def advance(self, n: int = 1, note: str = "") -> None:
        if n and "loss" in note:
            time.sleep(0.1)


if __name__ == "__main__":
    recipe = Recipe.model_validate({**RECIPE.model_dump(), "dropout": 0.1, "epochs": 1})
    plan = TrainingPlan(
        prepare_folder(Path(sys.argv[1])), recipe, Prompt(system=SYSTEM), Path(sys.argv[2]), save_every=0.15
    )
    try:
        train(plan, rows(24), rows(6, 100), progress=Slow() if len(sys.argv) > 3 else Silent())
    except WhytuneError as error:
        sys.exit(str(error))
