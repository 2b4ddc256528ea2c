"""One of the processes that train together: `python -m whytune.workspace.worker JOB`, started by torchrun.

It reads the same rows and makes the same plan as the process that started it, trains its share and writes nothing but the
run's folder. What the first one says goes to stdout as JSON lines; a refusal is told the same way, not by a trace.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whytune.errors import WhytuneError
from whytune.jobs.progress import Silent
from whytune.records.data import Dataset
from whytune.workspace.together import TogetherOrder


class Lines(Silent):
    """A Progress as JSON lines."""

    def phase(self, name: str, total: int, unit: str = "") -> None:
        say({"phase": [name, total, unit]})

    def advance(self, n: int = 1, note: str = "") -> None:
        say({"advance": [n, note]})

    def curve(self, values: Mapping[str, float | int | None]) -> None:
        """A point of the curve."""
        say({"curve": dict(values)})


def say(line: dict[str, Any]) -> None:
    """One line to whoever started this process."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(job_file: str) -> int:
    """Train this process's share. 0 also where the run was refused or stopped: why was said."""
    from whytune.training.ranks import seat

    first = os.environ.get("RANK", "0") == "0"
    seat()
    from whytune.training.train import train
    from whytune.workspace import learning

    job = TogetherOrder.model_validate_json(Path(job_file).read_text("utf-8"))
    bench = bench_of(job)
    work = learning.materials(bench, job.retrieval)
    try:
        train(work.plan, work.rows, work.dev, look=work.look, progress=Lines() if first else Silent())
    except WhytuneError as error:
        if first:
            told = {"code": error.code, "what": error.what, "where": error.where, "next": error.next, "problems": list(error.problems)}
            say({"error": told})
        return 0 if error.code == "stopped" else 1
    return 0


def bench_of(job: TogetherOrder) -> Any:
    """The bench that the starting process has, made again from the store."""
    from whytune.workspace.arms import Makings
    from whytune.workspace.config import RunSection
    from whytune.workspace.measuring import Bench
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

    project = Project(Workspace.open(job.root), Path(job.project))
    project.ending_file = Path(job.ending) if job.ending else None
    run = RunSection(launcher="torchrun", processes=job.processes)
    file = project.file.model_copy(update={"training": job.recipe, "training_run": run})
    dataset = project.workspace.store.get(Dataset, job.dataset)
    return Bench(project, Makings(file, project.task, job.base, dataset, job.index, hybrid=job.hybrid))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
