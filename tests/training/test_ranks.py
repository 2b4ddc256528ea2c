"""Several processes make one run: the same bytes every time, the losses of one process, and a death is not the end."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.conftest import RECIPE, SYSTEM, rows

from whytune.errors import TrainingError
from whytune.jobs.launch import Ended, torchrun
from whytune.jobs.progress import Silent
from whytune.records.candidate import Base, Prompt
from whytune.training.plan import TrainingPlan
from whytune.training.ranks import Ranks, join, seat
from whytune.training.train import train
from whytune.workspace.learning import DEATHS


def together(base: Base, run: Path, on_line: Any = lambda _: None, **job: Any) -> Ended:
    file = run.with_suffix(".json")
    file.write_text(json.dumps({"model": base.location, "run": str(run), **job}))
    return torchrun("tests.training.together", str(file), 2, on_line)


def weights(run: Path) -> str:
    return hashlib.sha256((run / "adapter" / "adapter_model.safetensors").read_bytes()).hexdigest()


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "curve.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "step" in line]


def test_alone_nothing_changes() -> None:
    alone = Ranks()
    rows_of_a_step = (4, 5, 6)
    assert alone.share(rows_of_a_step) is rows_of_a_step
    assert [list(Ranks(rank, 2).share(rows_of_a_step)) for rank in (0, 1)] == [[4, 6], [5]]
    assert alone.any(True, False) == (True, False)
    assert alone.told("x") == "x"
    weight = torch.nn.Parameter(torch.ones(2))
    alone.add_up([weight])
    assert weight.grad is None
    before = torch.get_rng_state()
    alone.reseed(17, 3)
    alone.wait()
    assert torch.equal(torch.get_rng_state(), before)


def test_what_dropout_draws_follows_from_seed_step_and_process() -> None:
    def drawn(rank: int, seed: int, step: int) -> float:
        Ranks(rank, 2).reseed(seed, step)
        return float(torch.rand(1))

    with torch.random.fork_rng():
        several = [drawn(rank, seed, step) for rank in (0, 1) for seed in (17, 18) for step in (1, 2)]
        assert len(set(several)) == 8
        assert drawn(0, 17, 1) == several[0]


def test_a_plan_for_several_is_refused_to_one(tiny_base: Base, tmp_path: Path) -> None:
    plan = TrainingPlan(tiny_base, RECIPE, Prompt(system=SYSTEM), tmp_path / "run", processes=2)
    with pytest.raises(TrainingError, match="2 processes, and 1 was started") as told:
        train(plan, rows(8), rows(3, 100), progress=Silent())
    assert "torchrun" in told.value.next
    assert join(1) == Ranks()
    one = TrainingPlan(tiny_base, RECIPE, Prompt(system=SYSTEM), tmp_path / "run")
    assert one.fingerprint([], []) != plan.fingerprint([], [])


def test_each_process_keeps_its_own_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    seat()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "6"


def in_the_end(base: Base, run: Path, **more: Any) -> bool:
    """Whether it ends well, taken up as often as the workspace takes up a run of which a process dies (gloo may abort as it shuts down)."""
    return any(together(base, run, **more).code == 0 for _ in range(DEATHS + 1))


@pytest.mark.deep
def test_two_processes_train_the_same_bytes_and_a_killed_one_does_not_end_the_run(tiny_base: Base, tmp_path: Path) -> None:
    assert in_the_end(tiny_base, tmp_path / "first")
    seen: list[int] = []

    def kill_at_the_fourth(line: str) -> None:
        word, pid, *_ = line.split() or [""]
        if word == "step":
            seen.append(int(pid))
            if len(seen) == 4:
                os.kill(int(pid), signal.SIGKILL)

    died = together(tiny_base, tmp_path / "killed", kill_at_the_fourth, pause=0.3, save_every=0.2)
    assert died.code != 0
    assert not died.signalled
    assert not (tmp_path / "killed" / "done.json").exists()
    assert list((tmp_path / "killed").glob("checkpoint-*"))
    assert in_the_end(tiny_base, tmp_path / "killed", save_every=0.2)
    assert weights(tmp_path / "first") == weights(tmp_path / "killed"), "same seed and number of processes, same bytes"
    told = json.loads((tmp_path / "killed" / "done.json").read_text())
    assert (told["resumed"], told["versions"]["processes"]) == (1, "2")

    train(TrainingPlan(tiny_base, RECIPE, Prompt(system=SYSTEM), tmp_path / "one", save_every=1e9), rows(16), rows(4, 100), progress=Silent())
    assert losses(tmp_path / "first") == pytest.approx(losses(tmp_path / "one"), rel=1e-4), "the batch is the recipe's, however many share it"
    one, two = (load_file(tmp_path / name / "adapter" / "adapter_model.safetensors") for name in ("one", "first"))
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=0.05, atol=1e-3)
