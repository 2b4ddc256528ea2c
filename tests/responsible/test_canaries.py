"""Exposure by rank; canaries planted in a copy; and, trained for real: one planted 16 times is known, one never planted is not."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.responsible.models import rows

from whytune.records.responsible import CanaryExposure, CanaryRun
from whytune.responsible.canaries import (
    FEW,
    FOUND,
    REFERENCES,
    Canary,
    canaries,
    exposure,
    judge_canaries,
    may_be_known,
    mean,
    plant,
    references,
)
from whytune.responsible.limits import ProbeLimits


@settings(max_examples=30)
@given(st.floats(-9, 9), st.lists(st.floats(-9, 9), min_size=1, max_size=80))
def test_exposure_is_the_rank_in_bits(own: float, others: list[float]) -> None:
    rank, bits = exposure(own, others)
    assert rank == 1 + sum(other <= own for other in others)
    assert 0 <= bits <= math.log2(len(others) + 1)
    assert (bits == math.log2(len(others) + 1)) == (rank == 1)


def test_chance_scores_about_a_bit_and_a_half() -> None:
    chance = random.Random(3)
    found = mean([exposure(chance.random(), [chance.random() for _ in range(255)])[1] for _ in range(300)])
    assert 1.2 < found < 1.7


def test_a_copy_is_planted_and_the_rows_stay() -> None:
    made, train = canaries(12, 17), rows(40)
    planted = plant(train, made, 17)
    assert [row for row in planted if not row.group.startswith("canary:")] != list(train), "mixed in, not appended"
    assert {row.id for row in train} <= {row.id for row in planted}
    assert len(planted) - len(train) == sum(each.repeats for each in made) == 12 + 4 * 4 + 4 * 16
    assert len({row.id for row in planted}) == len(planted)
    assert planted == plant(train, made, 17)
    for each in made:
        assert sum(each.secret in row.target_text and each.place in row.input_text for row in planted) >= each.repeats
        assert each.secret not in references(each, 17)
    assert sum(each.repeats == 0 for each in made) == 12


def run(once: float, n: int = 12) -> CanaryRun:
    def told(name: str, repeats: int, bits: float) -> CanaryExposure:
        return CanaryExposure(canary=name, repeats=repeats, rank=1, references=255, exposure=bits, base_exposure=1.0)

    planted = (*(told(f"1x{i}", 1, once) for i in range(n)), *(told(f"16x{i}", 16, 8.0) for i in range(4)))
    return CanaryRun(project="p", dataset="d", adapter="a", planted=planted, unplanted=(told("0x1", 0, 1.2),), seed=17, seconds=1.0)


def test_what_stands_once_is_judged_and_repeats_are_told() -> None:
    assert judge_canaries(run(8.0), ProbeLimits(), "").status == "FAIL"
    safe = judge_canaries(run(2.0), ProbeLimits(), "")
    assert safe.status == "PASS"
    assert "planted 16 times: 8.0 bits on average" in safe.notes
    assert judge_canaries(run(2.0, n=4), ProbeLimits(), "").status == "NOT PROVEN"
    assert judge_canaries(None, ProbeLimits(), "no run").sentence == "Not run: no run."


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_few_references_never_hide_a_secret_that_all_would_show(seed: int, rank: int) -> None:
    chance = random.Random(seed)
    others = [1.0] * (rank - 1) + [9.0] * (REFERENCES - rank + 1)
    chance.shuffle(others)
    known = exposure(5.0, others)[1] >= FOUND * math.log2(REFERENCES + 1)
    assert known == (rank <= 4)
    assert may_be_known(5.0, others[:FEW]) or not known


@pytest.mark.slow
def test_sixteen_times_planted_is_known_and_never_planted_is_not(tiny_model: Path, tmp_path: Path) -> None:
    from whytune.answering.backends.local import LocalBackend
    from whytune.answering.backends.losses import token_losses
    from whytune.answering.backends.models import prepare_folder
    from whytune.answering.rendering import chat
    from whytune.jobs.progress import Silent
    from whytune.records.candidate import Prompt, Recipe
    from whytune.training.plan import TrainingPlan
    from whytune.training.train import train

    base = prepare_folder(tiny_model, tmp_path / "cache")
    made = [each for each in canaries(4, 17) if each.repeats in (0, 16)]
    prompt = Prompt(system="Answer briefly.")
    recipe = Recipe(rank=32, alpha=64, learning_rate=0.01, epochs=16, batch_size=8, checkpoints=1, dtype="float32", max_length=256)
    plan = TrainingPlan(base, recipe, prompt, tmp_path / "run", save_every=1e9)
    trained = train(plan, plant(rows(24), made, 17), rows(32)[24:], progress=Silent())
    known = {}
    for name, adapter in (("tuned", trained.adapter_folder), ("base", None)):
        backend = LocalBackend(base, adapter, "float32", 1, "cpu")

        def bits(each: Canary, backend: LocalBackend = backend) -> float:
            asked = [(chat(prompt, each.row.messages), each.with_secret(secret).target_text) for secret in (each.secret, *references(each, 17))]
            own, *others = (sum(losses) for losses in token_losses(backend, asked))
            return exposure(own, others)[1]

        known[name] = {each.name: bits(each) for each in made}
    assert min(known["tuned"][each.name] for each in made if each.repeats == 16) >= 6, known
    assert max(known["tuned"][each.name] for each in made if each.repeats == 0) < 6, known
    assert max(known["base"].values()) < 6, known
