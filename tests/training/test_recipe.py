"""Every field of a recipe changes what is done; there is no field that does nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tests.training.conftest import RECIPE, SYSTEM, rows
from transformers import AutoModelForCausalLM, AutoTokenizer

from whytune.answering.backends.encoding import Encoder
from whytune.errors import TrainingError
from whytune.records.candidate import Base, Prompt, Recipe
from whytune.training import machine
from whytune.training.batches import looks, schedule
from whytune.training.preflight import prove_rows
from whytune.training.rows import prepare
from whytune.training.trl_seam import Seam, SeamRun, adapt, calm

WEIGHTS: dict[str, Any] = {
    "rank": 2, "alpha": 32, "dropout": 0.4, "learning_rate": 0.002, "warmup": 0.5, "weight_decay": 0.5, "seed": 3,
    "epochs": 1.0, "batch_size": 6,
}  # fmt: skip
ELSEWHERE = {"method", "max_length", "overlong", "dtype", "checkpoints"}


def weights(base: Base, folder: Path, recipe: Recipe) -> list[torch.Tensor]:
    """What four steps make of the adapter."""
    tokenizer = AutoTokenizer.from_pretrained(base.location)
    ready = prepare(Encoder(tokenizer), Prompt(system=SYSTEM), recipe, rows(8), contexts={}).rows
    with calm():
        model = adapt(AutoModelForCausalLM.from_pretrained(base.location), recipe)
    order = schedule(
        [len(row.ids) for row in ready], size=recipe.batch_size, epochs=recipe.epochs, seed=recipe.seed
    )
    Seam(
        model,
        tokenizer,
        SeamRun(
            recipe=recipe, rows=ready, schedule=order, done=0, path="gathered", checkpointing=False, saving=folder,
            on_loss=lambda *_: None, after_step=lambda _: (False, False), after_save=lambda _: None,
        ),
    ).train(None)  # fmt: skip
    return [weight.detach() for name, weight in sorted(model.named_parameters()) if "lora_" in name]


@pytest.fixture(scope="module")
def usual(tiny_base: Base, tmp_path_factory: pytest.TempPathFactory) -> list[torch.Tensor]:
    torch.set_num_threads(1)
    return weights(tiny_base, tmp_path_factory.mktemp("usual"), RECIPE)


@pytest.mark.slow
def test_the_same_recipe_makes_the_same_weights(
    tiny_base: Base, tmp_path: Path, usual: list[torch.Tensor]
) -> None:
    assert all(torch.equal(a, b) for a, b in zip(weights(tiny_base, tmp_path, RECIPE), usual, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", WEIGHTS)
def test_a_field_changes_the_weights(
    tiny_base: Base, tmp_path: Path, usual: list[torch.Tensor], name: str
) -> None:
    other = weights(tiny_base, tmp_path, RECIPE.model_copy(update={name: WEIGHTS[name]}))
    assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(other, usual, strict=True))


def test_fields_that_act_before_or_beside_the_steps(tiny_base: Base) -> None:
    encoder = Encoder(AutoTokenizer.from_pretrained(tiny_base.location))
    short = RECIPE.model_copy(update={"max_length": 80})
    kept, all_of = (
        prepare(encoder, Prompt(system=SYSTEM), recipe, rows(8), contexts={}) for recipe in (short, RECIPE)
    )
    assert len(kept.rows) < len(all_of.rows)
    prove_rows(encoder, short, train=rows(8), dev=rows(2, 90), ready=kept, held=kept)
    strict = short.model_copy(update={"overlong": "raise"})
    with pytest.raises(TrainingError):
        prove_rows(encoder, strict, train=rows(8), dev=rows(2, 90), ready=kept, held=kept)
    assert [machine.choose_dtype(name, torch.device("cpu")) for name in ("float32", "bfloat16")] == [
        "float32",
        "bfloat16",
    ]
    assert machine.choose_dtype("auto", torch.device("cpu")) in ("float32", "bfloat16")
    assert len(looks(20, 4)) == 4
    with pytest.raises(ValidationError):
        Recipe.model_validate({"method": "adalora"})


def test_no_field_is_forgotten_here() -> None:
    assert set(Recipe.model_fields) == set(WEIGHTS) | ELSEWHERE
