"""Every responsible-AI probe on the bundled model and the same with an adapter, really run; prints JSON.

A project of twelve intents in a temporary workspace is trained for one epoch (not timed), then `whytune responsible run`
is done in a process of its own: seconds by the clock and of the processor, by phase; answers and tokens; every finding.
Before it, the privacy run that plants canaries (`whytune responsible canaries`), timed apart: it trains once more.

    python benchmarks/responsible.py --rows banking77/train.csv            # --quick: a dozen rows a probe
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cases import CASES, TWELVE, whytune

NAME = "probed"


class Clock:
    """A Progress that notes how long each phase took."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self._name, self._begun = "planning", time.perf_counter()

    def phase(self, name: str, total: int, unit: str = "") -> None:
        """The phase before it is over."""
        now = time.perf_counter()
        self.phases[self._name] = self.phases.get(self._name, 0.0) + now - self._begun
        self._name, self._begun = name, now
        print(f"{name} {total or ''} {unit}", file=sys.stderr, flush=True)

    def advance(self, n: int = 1, note: str = "") -> None:
        """Not needed."""


def probe(root: Path, quick: bool) -> dict[str, Any]:
    """The probes, in this process."""
    import torch

    from whytune.records.evidence import Answer
    from whytune.records.responsible import ResponsibleReport
    from whytune.store.store import Store
    from whytune.workspace import inspecting, planting
    from whytune.workspace.workspace import Workspace

    answered: list[Answer] = []
    keep = Store.put_answers

    def counted(store: Store, answers: Sequence[Answer]) -> None:
        answered.extend(answers)
        keep(store, answers)

    Store.put_answers = counted  # type: ignore[method-assign]
    planted: dict[str, Any] = {}
    if not quick:
        clock, begun, busy = Clock(), time.perf_counter(), time.process_time()
        planting.run(Workspace.open(root).project(NAME), "tuned", clock)
        planted = {"seconds": round(time.perf_counter() - begun, 1), "cpu_seconds": round(time.process_time() - busy, 1)}
        clock.phase("", 0)
        planted["phases"] = {name: round(spent, 1) for name, spent in clock.phases.items()}
    clock, begun, busy = Clock(), time.perf_counter(), time.process_time()
    with Workspace.open(root).store:
        project = Workspace.open(root).project(NAME)
        report: ResponsibleReport = inspecting.run(project, "tuned", clock, quick=quick)
        counts = project.dataset.counts
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    clock.phase("", 0)
    computed, out = sum(each.tokens_computed for each in answered), sum(each.tokens_out for each in answered)
    return {
        "seconds": round(seconds, 1), "cpu_seconds": round(busy, 1), "threads": torch.get_num_threads(), "items": report.items,
        "train_rows": counts.get("train", 0), "labels": len(project.dataset.labels), "answers": len(answered), "tokens_computed": computed, "tokens_out": out,
        "tokens_per_second": round((computed + out) / seconds), "canaries": planted, "phases": {name: round(spent, 1) for name, spent in clock.phases.items()},
        "results": [{"dimension": each.dimension, "probe": each.probe, "status": each.status, "n": each.n} for each in report.results],
    }  # fmt: skip


def main() -> None:
    """Make the project, probe it, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, default=CASES / "banking77" / "train.csv", help="CSV with text,category")
    parser.add_argument("--limit", type=int, default=400)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(probe(asked.one, asked.quick)))
        return
    with tempfile.TemporaryDirectory(prefix="whytune-probed-") as folder:
        labels = [part for label in TWELVE for part in ("--label", label)]
        whytune("init", NAME, "--task", "categorization", "--from", str(asked.rows.absolute()), "--bar", "0.75", "--margin", "0.05", "--limit", str(asked.limit), *labels, "--yes", cwd=Path(folder))
        toml = Path(folder) / NAME / "whytune.toml"
        text = toml.read_text("utf-8").replace("epochs = 3.0", "epochs = 1.0", 1)
        lines = ['use = ["prompt", "tuned"]' if line.startswith("use = [") else line for line in text.splitlines()]
        toml.write_text("\n".join(lines) + "\n", "utf-8")
        whytune("run", NAME, "--json", cwd=Path(folder))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "--one", folder, *(["--quick"] if asked.quick else [])],
            stdout=subprocess.PIPE, text=True, check=True, env=dict(os.environ),
        )  # fmt: skip
    print(json.dumps(json.loads(done.stdout.splitlines()[-1]), indent=1))


if __name__ == "__main__":
    main()
