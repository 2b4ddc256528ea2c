"""Whole runs on a tiny model: against a plain loop, with looks at dev, and with everything that goes wrong."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.conftest import RECIPE, SYSTEM, rows
from tests.training.oracle import train_plainly
from transformers import AutoModelForCausalLM, AutoTokenizer

from whytune.answering.backends.encoding import Encoder
from whytune.errors import TrainingError
from whytune.jobs.progress import Silent
from whytune.records.candidate import Base, Decoding, Prompt
from whytune.records.content import Message
from whytune.training import machine, memory
from whytune.training.batches import schedule
from whytune.training.estimate import estimate
from whytune.training.postflight import prove_moved
from whytune.training.preflight import prove_adapter
from whytune.training.rows import prepare
from whytune.training.train import train
from whytune.training.trl_seam import adapt, calm

GOLDEN = [7.5512, 6.7074, 7.2310, 7.2942, 4.8821, 5.4302, 5.9603, 5.6203]


def curve(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "curve.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_run_is_the_plain_loop_and_says_what_it_did(plan, tiny_base: Base, tmp_path: Path) -> None:
    asked, examples = plan(weight_decay=0.01, warmup=0.25), rows(14)
    guess = estimate(asked, examples)
    trained = train(asked, examples, rows(5, 100), progress=Silent())

    encoder = Encoder(AutoTokenizer.from_pretrained(tiny_base.location))
    ready = prepare(encoder, asked.prompt, asked.recipe, examples, contexts={}).rows
    order = schedule([len(row.ids) for row in ready], size=4, epochs=2, seed=asked.recipe.seed)
    with calm():
        fresh = adapt(AutoModelForCausalLM.from_pretrained(tiny_base.location), asked.recipe)
    first = {
        name.removeprefix("base_model.model.").removesuffix(".lora_A.default.weight"): weight.detach()
        for name, weight in fresh.named_parameters()
        if "lora_A" in name
    }
    losses, seconds = train_plainly(tiny_base.location, first, ready, order, asked.recipe)

    lines = [line for line in curve(tmp_path / "run") if "step" in line]
    assert [line["loss"] for line in lines] == pytest.approx(losses, rel=2e-4)
    assert losses == pytest.approx(GOLDEN, abs=2e-3), (
        "the golden losses of this model, these rows and this seed"
    )
    weights = load_file(trained.adapter_folder / "adapter_model.safetensors")
    for name, second in seconds.items():
        torch.testing.assert_close(
            weights[f"base_model.model.{name}.lora_B.weight"], second, rtol=0.02, atol=2e-4
        )

    assert trained.loss_path == "shared"
    assert (trained.steps, trained.rows, trained.rows_dropped) == (8, 14, 0)
    assert (trained.tokens, trained.trained_tokens) == (guess.tokens, guess.trained_tokens)
    assert trained.tokens == 2 * sum(len(row.ids) for row in ready)
    assert [look.step for look in trained.curve] == [4, 8]
    assert trained.best_step == min(trained.curve, key=lambda look: look.dev_loss).step
    assert trained.curve[-1].dev_loss < trained.first_dev_loss
    assert trained.curve[0].train_loss == pytest.approx(
        sum(line["loss"] * line["trained"] for line in lines[:4]) / sum(line["trained"] for line in lines[:4])
    )
    assert {proof.name for proof in trained.proofs} == {
        "rows", "template", "prefix", "trained", "control", "length", "apart", "adapter", "moved", "reload"
    }  # fmt: skip
    assert len(trained.samples) == 3
    assert not list((tmp_path / "run").glob("checkpoint-*"))
    text = (trained.adapter_folder / "adapter_config.json").read_text()
    assert str(tmp_path) not in text
    assert tiny_base.location not in text
    assert sorted(path.name for path in trained.adapter_folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


class Metric:
    """Scores that rise and fall; asks the backend it is handed, and draws from the chance that training draws from."""

    def __init__(self, *scores: float) -> None:
        self.scores, self.said = list(scores), []

    def __call__(self, backend: Any) -> float:
        chats = [(Message.of("system", SYSTEM), Message.of("user", "a refund please"))]
        backend.complete(chats, Decoding(max_new_tokens=3), None, self.said.extend)
        torch.rand(3)
        return self.scores[len(self.said) - 1]


@pytest.mark.slow
def test_the_best_look_is_kept_by_metric_and_looking_changes_nothing(plan, tmp_path: Path) -> None:
    metric = Metric(0.5, 0.75, 0.25)
    looked = train(
        plan("looked", checkpoints=3, dropout=0.1), rows(12), rows(4, 100), look=metric, progress=Silent()
    )
    assert len(metric.said) == 3
    assert not any(completion.error for _, completion in metric.said)
    assert [look.dev_metric for look in looked.curve] == [0.5, 0.75, 0.25]
    assert looked.best_step == looked.curve[1].step
    assert looked.loss_path == "gathered", "with dropout every row has masks of its own"
    blind = train(plan("blind", checkpoints=3, dropout=0.1), rows(12), rows(4, 100), progress=Silent())
    assert [look.dev_loss for look in blind.curve] == [look.dev_loss for look in looked.curve]


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_run_with_advice(plan) -> None:
    with pytest.raises(TrainingError, match="diverged at step") as told:
        train(plan(learning_rate=1e36), rows(8), rows(3, 100), progress=Silent())
    assert "lower learning_rate" in told.value.next


@pytest.mark.slow
def test_a_full_disk_loses_nothing(plan, tmp_path: Path) -> None:
    asked = plan("run", checkpoints=4)

    class AtTheSecondLook(Silent):
        looks = 0

        def advance(self, n: int = 1, note: str = "") -> None:
            self.looks += n == 0 and note.startswith("dev loss")
            if self.looks == 2:
                resource.setrlimit(
                    resource.RLIMIT_FSIZE, (8192, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
                )

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(TrainingError, match="could not be written") as told:
            train(asked, rows(8), rows(3, 100), progress=AtTheSecondLook())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "free some disk space" in told.value.next
    assert [path.name for path in (tmp_path / "run").glob("checkpoint-*")] == ["checkpoint-1"]
    resumed = train(asked, rows(8), rows(3, 100), progress=Silent())
    straight = train(plan("straight", checkpoints=4), rows(8), rows(3, 100), progress=Silent())
    assert [look.dev_loss for look in resumed.curve] == [look.dev_loss for look in straight.curve]
    digests = {(run.adapter_folder / "adapter_model.safetensors").read_bytes() for run in (resumed, straight)}
    assert len(digests) == 1


@pytest.mark.slow
def test_little_memory_recomputes_and_less_refuses(
    plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Of so small a model a look at dev takes more than a step; here the step is to count.
    monkeypatch.setattr(memory, "_ANSWERS", 1)
    plenty = train(plan("plenty"), rows(8), rows(3, 100), progress=Silent())
    monkeypatch.setattr(machine, "free_memory", lambda: 4_300_000)
    little = train(plan("little"), rows(8), rows(3, 100), progress=Silent())
    assert json.loads((tmp_path / "little" / "run.json").read_text())["choices"]["checkpointing"] is True
    assert [look.dev_loss for look in little.curve] == pytest.approx(
        [look.dev_loss for look in plenty.curve], rel=1e-3
    )
    monkeypatch.setattr(machine, "free_memory", lambda: 1 << 10)
    with pytest.raises(TrainingError, match="GiB are free"):
        train(plan("none"), rows(8), rows(3, 100), progress=Silent())


def test_what_cannot_be_trained_is_refused_before_a_model_is_read(plan, tiny_base: Base) -> None:
    endpoint = Base(name="far", source="endpoint", location="http://localhost:1", digest="0")
    asked = plan(prompt=Prompt(nearest=2, shots=("example:0",)), max_length=4096)
    with pytest.raises(TrainingError) as told:
        train(
            type(asked)(endpoint, asked.recipe, asked.prompt, asked.folder),
            rows(3),
            rows(2, 9),
            progress=Silent(),
        )
    assert len(told.value.problems) == 4


def test_layers_left_out_and_layers_that_stood_still_are_refused(tiny_base: Base, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import save_file

    with calm():
        partly = get_peft_model(
            AutoModelForCausalLM.from_pretrained(tiny_base.location),
            LoraConfig(target_modules=["q_proj", "v_proj"]),
        )
    with pytest.raises(TrainingError) as told:
        prove_adapter(partly)
    assert told.value.problems == tuple(
        f"{kind} is left out" for kind in ("down_proj", "gate_proj", "k_proj", "o_proj", "up_proj")
    )
    save_file(
        {"a.lora_B.weight": torch.zeros(2, 2), "b.lora_B.weight": torch.ones(2, 2)},
        tmp_path / "adapter_model.safetensors",
    )
    with pytest.raises(TrainingError, match="did not move") as still:
        prove_moved(tmp_path)
    assert still.value.problems == ("a.lora_B.weight",)


def test_test_examples_cannot_be_handed_over() -> None:
    import inspect

    assert list(inspect.signature(train).parameters) == ["plan", "train", "dev", "look", "progress"]
    assert "test" not in inspect.getsource(inspect.getmodule(train)).replace("test example", "")  # type: ignore[arg-type]
    assert RECIPE.dtype == "float32"


@pytest.mark.slow
def test_a_batch_in_pieces_trains_the_same(plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(plan(), rows(14), rows(5, 100), progress=Silent())
    losses = [line["loss"] for line in curve(tmp_path / "run") if "step" in line]
    (tmp_path / "run").rename(tmp_path / "whole")
    monkeypatch.setitem(machine.PIECE_TOKENS, "cpu", 40)
    parted = train(plan(), rows(14), rows(5, 100), progress=Silent())
    assert [line["loss"] for line in curve(tmp_path / "run") if "step" in line] == pytest.approx(losses, rel=2e-4)
    assert parted.estimated_memory_bytes < whole.estimated_memory_bytes
