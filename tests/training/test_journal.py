"""The run's folder after a crash at any place."""

from __future__ import annotations

from pathlib import Path

import pytest

from whytune.errors import TrainingError
from whytune.records.candidate import Checkpoint
from whytune.training.journal import Choices, Journal, StepLine

CHOICES = Choices("float32", 1, "shared", False, 2.0, 10.0, 1000)


def seen(step: int, dev_loss: float, metric: float | None = None) -> Checkpoint:
    return Checkpoint(
        step=step, epoch=1.0, train_loss=1.0, dev_loss=dev_loss, dev_metric=metric, seconds=step
    )


def saved(journal: Journal, step: int) -> None:
    folder = journal.folder / ".saving" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_text(str(step))
    journal.keep(folder)


def test_lines_after_the_last_checkpoint_are_made_again(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, "f")
    journal.decide(CHOICES)
    for step in range(1, 7):
        journal.step(StepLine(step, 1.0 / step, step, float(step)))
        if step in (2, 4):
            journal.look(seen(step, 1.0 - step / 10))
            saved(journal, step)
    (tmp_path / ".saving" / "checkpoint-6").mkdir(parents=True)
    with (tmp_path / "curve.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    again = Journal.open(tmp_path, "f")
    assert (again.done_steps, again.resumed, again.choices) == (4, 1, CHOICES)
    assert [line.step for line in again.steps] == [1, 2, 3, 4]
    assert again.looks == journal.looks
    assert again.mean_loss_since(2) == pytest.approx(2 / 7)
    assert len((tmp_path / "curve.jsonl").read_text().splitlines()) == 6
    assert not (tmp_path / ".saving").exists()
    assert Journal.open(tmp_path, "f").looks == journal.looks


def test_the_newest_and_the_best_checkpoint_are_kept(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, "f")
    journal.decide(CHOICES)
    for step, metric in ((1, 0.5), (2, 0.8), (3, 0.6), (4, 0.8)):
        journal.look(seen(step, 1.0 / step, metric))
        saved(journal, step)
    best = journal.best
    assert best is not None
    assert best.step == 4, "equal metrics: the lower dev loss"
    assert journal.checkpoint == tmp_path / "checkpoint-4"
    journal.look(seen(5, 0.1, 0.7))
    saved(journal, 5)
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-4", "checkpoint-5"]
    journal.finish({"steps": 5})
    assert Journal.open(tmp_path, "f").finished() == {"steps": 5}
    assert not list(tmp_path.glob("checkpoint-*"))


def test_without_a_metric_the_dev_loss_decides_and_the_earliest_wins(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, "f")
    for step, dev_loss in ((1, 0.9), (2, 0.4), (3, 0.4), (4, 0.5)):
        journal.look(seen(step, dev_loss))
    assert journal.best is not None
    assert journal.best.step == 2


def test_damaged_and_foreign_folders(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, "f")
    journal.decide(CHOICES)
    with pytest.raises(TrainingError, match="another model"):
        Journal.open(tmp_path, "g")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(TrainingError, match="damaged"):
        Journal.open(tmp_path, "f")
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be used") as told:
        Journal.open(tmp_path / "file" / "run", "f")
    assert told.value.next
