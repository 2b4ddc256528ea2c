"""Training that somebody ends early: the best weights so far, proven as always, and the curve says how long it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.training.conftest import rows

from whytune.jobs.progress import Silent
from whytune.training.plan import Trained, TrainingPlan
from whytune.training.train import train


class Ends(Silent):
    """Draws the curve, and asks for the end at a step."""

    def __init__(self, file: Path, step: int) -> None:
        self.file, self.step = file, step
        self.drawn: list[dict[str, float | int | None]] = []

    def curve(self, values: Mapping[str, float | int | None]) -> None:
        self.drawn.append(dict(values))
        if values["step"] == self.step and "loss" in values:
            self.file.write_text("ada")


@pytest.mark.slow
def test_the_best_is_kept_where_somebody_has_enough(plan: Callable[..., TrainingPlan], tmp_path: Path) -> None:
    asked = replace(plan("run", epochs=4), ending=tmp_path / "enough")
    told = Ends(tmp_path / "enough", 3)
    ended: Trained = train(asked, rows(8), rows(3, 100), progress=told)
    assert (ended.steps, ended.planned_steps, ended.ended_early) == (3, 8, True)
    assert [look.step for look in ended.curve] == [3], "these weights were looked at before the end"
    assert ended.best_step == 3
    assert ended.curve[-1].epoch == pytest.approx(1.5)
    assert [each["step"] for each in told.drawn if "loss" in each] == [1, 2, 3]
    assert [each["step"] for each in told.drawn if "dev_loss" in each] == [3]
    whole = train(plan("whole", epochs=4), rows(8), rows(3, 100), progress=Silent())
    assert {proof.name for proof in ended.proofs} == {proof.name for proof in whole.proofs}
    assert ended.tokens < whole.tokens
    assert (whole.steps, whole.planned_steps, whole.ended_early) == (8, 8, False)
    assert asked.fingerprint(rows(8), rows(3, 100)) == plan("run", epochs=4).fingerprint(rows(8), rows(3, 100)), "who may end it is no part of what it is"
    (tmp_path / "enough").unlink()
    assert train(asked, rows(8), rows(3, 100), progress=Silent()) == ended, "asked again, it is taken as it is"


@pytest.mark.slow
def test_an_earlier_better_look_is_kept_instead(plan: Callable[..., TrainingPlan], tmp_path: Path) -> None:
    asked = replace(plan("run", epochs=4, checkpoints=4), ending=tmp_path / "enough")
    scores = iter([0.9, 0.2])
    ended = train(asked, rows(8), rows(3, 100), look=lambda _: next(scores), progress=Ends(tmp_path / "enough", 3))
    assert [(look.step, look.dev_metric) for look in ended.curve] == [(2, 0.9), (3, 0.2)]
    assert (ended.best_step, ended.steps) == (2, 3)


@pytest.mark.slow
def test_a_run_taken_up_draws_what_was_before(plan: Callable[..., TrainingPlan], tmp_path: Path) -> None:
    from tests.training.test_resume import Interrupt

    from whytune.errors import StoppedError

    asked = plan("run", epochs=4)
    with pytest.raises(StoppedError):
        train(asked, rows(8), rows(3, 100), progress=Interrupt(5))
    told = Ends(tmp_path / "enough", -1)
    train(asked, rows(8), rows(3, 100), progress=told)
    assert [each["step"] for each in told.drawn if "loss" in each] == list(range(1, 9))
    assert [each["step"] for each in told.drawn if "dev_loss" in each] == [4, 8]
    assert all(each["total"] == 8 for each in told.drawn if "loss" in each)
