"""Every method passes the same proofs, ends with the same weights after a stop, and is answered with what was trained."""

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

from whytune.answering.backends.local import LocalBackend
from whytune.answering.backends.models import FULL_MARK, load
from whytune.errors import ModelError, StoppedError, TrainingError
from whytune.jobs.progress import Silent
from whytune.records.candidate import Base, Decoding, Prompt, Recipe
from whytune.records.content import Message
from whytune.training import loss
from whytune.training.estimate import estimate, largest, shape_of
from whytune.training.memory import kept_bytes
from whytune.training.plan import TrainingPlan
from whytune.training.postflight import prove_moved
from whytune.training.preflight import prove_adapter
from whytune.training.rows import TrainingRow
from whytune.training.train import train
from whytune.training.trl_seam import adapt

METHODS = ("lora", "rslora", "dora", "qlora", "full")
CHANGES: dict[str, dict[str, Any]] = {"full": {"learning_rate": 0.001}}


class Interrupt(Silent):
    """Sends this process a SIGINT at a step."""

    def __init__(self, step: int) -> None:
        self.step, self.seen = step, 0

    def advance(self, n: int = 1, note: str = "") -> None:
        self.seen += n if note.startswith("loss") else 0
        if self.seen == self.step:
            self.step = -1
            os.kill(os.getpid(), signal.SIGINT)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def look(backend: Any) -> float:
    """Any figure that hangs on the weights, by the backend that will measure the adapter."""
    said: list[Any] = []
    backend.complete([(Message.of("system", SYSTEM), Message.of("user", "a fee"))], Decoding(max_new_tokens=4), None, said.extend)
    return float(len(said[0][1].text))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_proven_resumes_to_the_same_files_and_is_answered(plan, tiny_base: Base, tmp_path: Path, method: str) -> None:
    asked = plan("cut", method=method, **CHANGES.get(method, {}))
    with pytest.raises(StoppedError, match="stopped after step 3 of 4"):
        train(asked, rows(8), rows(3, 100), look=look, progress=Interrupt(3))
    cut = train(asked, rows(8), rows(3, 100), look=look, progress=Silent())
    straight = train(plan("straight", method=method, **CHANGES.get(method, {})), rows(8), rows(3, 100), look=look, progress=Silent())
    assert hashes(cut.adapter_folder) == hashes(straight.adapter_folder)
    assert [(at.dev_loss, at.dev_metric) for at in cut.curve] == [(at.dev_loss, at.dev_metric) for at in straight.curve]
    assert {"adapter", "moved", "reload"} <= {proof.name for proof in cut.proofs}
    assert cut.curve[-1].dev_loss < cut.first_dev_loss
    assert (cut.adapter_folder / FULL_MARK).is_file() == (method == "full")
    assert str(tmp_path) not in "".join(path.read_text() for path in cut.adapter_folder.glob("*.json"))
    tuned = LocalBackend(tiny_base, cut.adapter_folder, "float32", 1)
    own = tuned.runner.model.state_dict()["model.layers.1.mlp.up_proj.weight"]
    assert not torch.equal(own, load(tiny_base, "float32").model.state_dict()["model.layers.1.mlp.up_proj.weight"])
    assert 0 < straight.step_seconds <= straight.seconds


@pytest.mark.deep
def test_methods_make_different_weights_of_the_kind_that_they_name(plan) -> None:
    made = {method: train(plan(method, method=method, epochs=1), rows(8), rows(3, 100), progress=Silent()).adapter_folder for method in METHODS[:4]}
    weights = {method: load_file(folder / "adapter_model.safetensors") for method, folder in made.items()}
    config = {method: json.loads((folder / "adapter_config.json").read_text()) for method, folder in made.items()}
    assert [method for method in made if any("lora_magnitude_vector" in name for name in weights[method])] == ["dora"]
    assert [method for method in made if config[method]["use_rslora"]] == ["rslora"]
    one = {method: weights[method]["base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"] for method in made}
    assert len({tensor.numpy().tobytes() for tensor in one.values()}) == 4


def test_weights_in_four_bits_are_what_is_trained_on(tiny_base: Base) -> None:
    model = load(tiny_base, "float32", quantised="cpu").model
    layer = model.model.layers[0].mlp.up_proj
    assert type(layer).__name__ == "Linear4bit"
    assert layer.weight.dtype == torch.uint8
    assert layer.weight.numel() * 2 == layer.in_features * layer.out_features
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = model(input_ids=ids).logits
    embedded = model.get_input_embeddings()(ids).detach().requires_grad_(True)
    after = model(inputs_embeds=embedded).logits
    assert torch.equal(before, after), "a look without gradients changes nothing"
    after.sum().backward()
    assert embedded.grad.abs().sum() > 0, "and gradients still find their way through every layer"


def test_without_bitsandbytes_the_command_is_named(tiny_base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="bitsandbytes") as told:
        load(tiny_base, "float32", quantised="cpu")
    assert "pip install 'whytune[quantised]'" in told.value.next


def test_full_refuses_what_it_cannot_do_and_frozen_weights(plan, tiny_base: Base, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as told:
        train(plan(method="full", dtype="bfloat16", dropout=0.1), rows(8), rows(3, 100), progress=Silent())
    assert len(told.value.problems) == 2
    model = load(tiny_base, "float32").model
    model.model.norm.weight.requires_grad_(False)
    with pytest.raises(TrainingError, match="stay as they are") as frozen:
        prove_adapter(model)
    assert frozen.value.problems == ("model.norm.weight",)
    model.save_pretrained(tmp_path)
    (tmp_path / FULL_MARK).write_text("{}")
    with pytest.raises(TrainingError, match="did not move"):
        prove_moved(tmp_path, tiny_base)


def test_memory_is_told_by_method(plan) -> None:
    needed = {method: estimate(plan(method=method), rows(8)).memory_bytes for method in METHODS}
    assert needed["qlora"] < needed["lora"] == needed["rslora"] < needed["dora"]
    assert needed["lora"] < needed["full"]


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("path", ["gathered", "shared"])
def test_what_layers_keep_for_going_back_is_counted_right(tiny_base: Base, method: str, path: Any) -> None:
    recipe = Recipe.model_validate({**RECIPE.model_dump(), "method": method})
    model = adapt(load(tiny_base, "float32").model, recipe)
    some = [TrainingRow(str(at), (*range(40), *range(50 + at, 90 + at)), 74) for at in range(4)]
    weights = {part.untyped_storage().data_ptr() for part in (*model.parameters(), *model.buffers())}
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        store = tensor.untyped_storage()
        if store.data_ptr() not in weights and model.config.vocab_size not in tensor.shape:
            kept[store.data_ptr()] = store
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss.batch_loss(model, loss.collate(some, pad=0, share=path == "shared"), path)
    shape = shape_of(tiny_base)
    one_more = (shape.layers + 1) / shape.layers  # the gradients of a layer
    told = kept_bytes(shape, recipe, 4, largest([some], path)) / one_more
    assert told == pytest.approx(sum(store.nbytes() for store in kept.values()), rel=0.15)  # two layers only: what stands around them counts


def test_old_recipes_keep_their_ids() -> None:
    assert Recipe().id == "recipe:c1f8cac341d72daa21fa6006995ede3e5dcf77a2eaa24ce4c19a71311ed2113f"
    assert Recipe(method="dora").id != Recipe().id


@pytest.mark.deep
def test_the_bundled_model_is_trained_from_four_bits(bundled: Base, tmp_path: Path) -> None:
    recipe = Recipe.model_validate({**RECIPE.model_dump(), "method": "qlora", "epochs": 1, "learning_rate": 0.002})
    plan = TrainingPlan(bundled, recipe, Prompt(system=SYSTEM), tmp_path / "run", save_every=1e9)
    made = train(plan, rows(12), rows(3, 100), progress=Silent())
    assert made.curve[-1].dev_loss < made.first_dev_loss
    assert {"moved", "reload"} <= {proof.name for proof in made.proofs}
    # This process holds what other tests have left in it as well, so only a bound from below says anything here.
    assert made.memory_bytes > 0.5 * made.estimated_memory_bytes
