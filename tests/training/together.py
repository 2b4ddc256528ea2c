"""One of several processes that train a tiny model together: `torchrun ... -m tests.training.together JOB`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from tests.training.conftest import RECIPE, SYSTEM, rows

from whytune.answering.backends.models import prepare_folder
from whytune.jobs.progress import Silent
from whytune.records.candidate import Prompt, Recipe
from whytune.training.plan import TrainingPlan
from whytune.training.train import train


class Watched(Silent):
    """Says each step; waits a little where there should be time to be killed in."""

    def __init__(self, pause: float) -> None:
        self.pause = pause

    def advance(self, n: int = 1, note: str = "") -> None:
        if n and note.startswith("loss"):
            sys.stdout.write(f"step {os.getpid()} {note}\n")
            sys.stdout.flush()
            time.sleep(self.pause)


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    recipe = Recipe.model_validate({**RECIPE.model_dump(), **job.get("recipe", {})})
    plan = TrainingPlan(
        prepare_folder(Path(job["model"])), recipe, Prompt(system=SYSTEM), Path(job["run"]), save_every=job.get("save_every", 1e9), processes=2
    )
    train(plan, rows(16), rows(4, 100), progress=Watched(job.get("pause", 0.0)))
