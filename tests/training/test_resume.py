"""A run that is cut off goes on to the very weights it would have had."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.training.conftest import rows

from whytune.errors import TrainingError
from whytune.jobs.progress import Silent
from whytune.records.candidate import Base
from whytune.training.train import train

SCRIPT = Path(__file__).with_name("killed.py")


def start(base: Base, run: Path, *more: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    with run.with_suffix(".err").open("w") as said:
        command = [sys.executable, str(SCRIPT), base.location, str(run), *more]
        return subprocess.Popen(command, env=environment, stdout=said, stderr=said, text=True)


def said(run: Path) -> str:
    return run.with_suffix(".err").read_text()


def weights(run: Path) -> str:
    return hashlib.sha256((run / "adapter" / "adapter_model.safetensors").read_bytes()).hexdigest()


def wait_for(run: Path, process: subprocess.Popen[str], step: int) -> None:
    for _ in range(6000):
        if any(int(path.name.rpartition("-")[2]) >= step for path in run.glob("checkpoint-*")):
            return
        assert process.poll() is None, said(run)
        time.sleep(0.05)
    raise AssertionError("no checkpoint came")


@pytest.mark.parametrize("named", [pytest.param("tiny_base", marks=pytest.mark.slow), pytest.param("bundled", marks=pytest.mark.deep)])
def test_killed_and_stopped_runs_end_with_the_same_weights(
    request: pytest.FixtureRequest, tmp_path: Path, named: str
) -> None:
    base: Base = request.getfixturevalue(named)
    straight = start(base, tmp_path / "straight")
    assert straight.wait(600) == 0, said(tmp_path / "straight")

    killed = start(base, tmp_path / "cut", "3")
    wait_for(tmp_path / "cut", killed, 2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(10)

    if named == "tiny_base":  # once is enough: the larger model takes a while to load
        stopped = start(base, tmp_path / "cut", "3")
        wait_for(tmp_path / "cut", stopped, 4)
        stopped.send_signal(signal.SIGTERM)
        assert stopped.wait(300) == 1
        assert "run the same command again" in said(tmp_path / "cut")
        assert not (tmp_path / "cut" / "done.json").exists()

    last = start(base, tmp_path / "cut")
    assert last.wait(600) == 0, said(tmp_path / "cut")
    assert weights(tmp_path / "cut") == weights(tmp_path / "straight")
    facts = [json.loads((tmp_path / name / "done.json").read_text()) for name in ("straight", "cut")]
    assert [fact["resumed"] for fact in facts] == [0, 2 if named == "tiny_base" else 1]
    assert next([look["dev_loss"] for look in fact["curve"]] for fact in facts) == [
        look["dev_loss"] for look in facts[1]["curve"]
    ]
    lines = [json.loads(line) for line in (tmp_path / "cut" / "curve.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "step" in line] == list(range(1, 7))


class Interrupt(Silent):
    """Sends this process a SIGINT at a step."""

    def __init__(self, step: int) -> None:
        self.step, self.seen = step, 0

    def advance(self, n: int = 1, note: str = "") -> None:
        self.seen += n if note.startswith("loss") else 0
        if self.seen == self.step:
            self.step = -1
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_go_on(plan, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    asked = plan("run")
    with pytest.raises(TrainingError, match="stopped after step 3 of 4") as told:
        train(asked, rows(8), rows(3, 100), progress=Interrupt(3))
    assert "same command again" in told.value.next
    assert signal.getsignal(signal.SIGINT) is before
    resumed = train(asked, rows(8), rows(3, 100), progress=Silent())
    straight = train(plan("straight"), rows(8), rows(3, 100), progress=Silent())
    assert weights(tmp_path / "run") == weights(tmp_path / "straight")
    assert (resumed.resumed, straight.resumed) == (1, 0)
    assert resumed.curve[-1].dev_loss == straight.curve[-1].dev_loss
    assert train(asked, rows(8), rows(3, 100), progress=Silent()) == resumed, "a finished run is told again"


@pytest.mark.slow
def test_a_folder_of_another_run_is_refused(plan) -> None:
    asked = plan("run")
    with pytest.raises(TrainingError, match="stopped"):
        train(asked, rows(8), rows(3, 100), progress=Interrupt(1))
    with pytest.raises(TrainingError, match="another model, recipe"):
        train(plan("run", seed=5), rows(8), rows(3, 100), progress=Silent())
