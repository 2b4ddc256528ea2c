"""The fast ways to the loss are the slow one: same nats, same gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.training.conftest import RECIPE
from torch.nn import functional
from transformers import AutoModelForCausalLM, GraniteConfig, GraniteForCausalLM

from whytune.records.candidate import Base
from whytune.training import loss
from whytune.training.rows import TrainingRow
from whytune.training.trl_seam import adapt, calm

SYSTEM = tuple(range(10, 30))
ROWS = [TrainingRow(f"r{n}", (*SYSTEM, *range(40, 43 + 5 * n), 7, 8, 2), 20 + 3 + 5 * n) for n in range(5)]


@pytest.fixture
def model(tiny_base: Base) -> Any:
    with calm():
        adapted = adapt(AutoModelForCausalLM.from_pretrained(tiny_base.location), RECIPE)
    torch.manual_seed(5)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return adapted.eval()


def gradients(model: Any, total: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(total, [weight for weight in model.parameters() if weight.requires_grad]))


def masked(model: Any) -> torch.Tensor:
    """By full rows, an attention mask and full logits: nothing left out."""
    longest = max(len(row.ids) for row in ROWS)
    ids = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in ROWS])
    labels = torch.tensor([[*row.labels, *[-100] * (longest - len(row.ids))] for row in ROWS])
    mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in ROWS])
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    return functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), reduction="sum"
    )


@pytest.mark.parametrize("path", ["shared", "gathered", "plain"])
def test_each_way_has_the_loss_and_gradients_of_the_masked_one(model: Any, path: Any) -> None:
    batch = loss.collate(ROWS, pad=0, share=path == "shared")
    assert batch["prefix"].shape[1] == (len(SYSTEM) + 3 - 1 if path == "shared" else 0)
    found, want = loss.batch_loss(model, batch, path), masked(model)
    assert found.tokens == 15
    torch.testing.assert_close(found.total, want, rtol=1e-5, atol=1e-5)
    for seen, wanted in zip(gradients(model, found.total), gradients(model, want), strict=True):
        torch.testing.assert_close(seen, wanted, rtol=1e-3, atol=1e-5)


def test_padding_and_neighbours_do_not_reach_a_row(model: Any) -> None:
    together = loss.mean_loss(model, ROWS, size=5, pad=0, path="shared")
    alone = loss.mean_loss(model, ROWS, size=1, pad=9, path="gathered")
    assert together == pytest.approx(alone, rel=1e-5)


def test_the_fastest_right_way_is_chosen(model: Any) -> None:
    assert loss.choose_path(model, ROWS, pad=0, dtype="float32") == "shared"


def test_a_model_that_scales_its_logits_falls_back(model: Any) -> None:
    config = GraniteConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, logits_scaling=8.0, pad_token_id=0, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    with calm():
        granite = adapt(GraniteForCausalLM(config), RECIPE)
    assert loss.choose_path(granite.eval(), ROWS[:3], pad=0, dtype="float32") == "plain"


def test_little_in_common_is_not_shared() -> None:
    apart = [TrainingRow(f"{n}", (n, *range(10, 60), 2), 50) for n in range(4)]
    assert loss.shared_prefix(apart) == 0
    assert loss.shared_prefix(ROWS[:1]) == 0
    assert loss.computed_tokens(ROWS, "shared") < loss.computed_tokens(ROWS, "gathered")
    same = [TrainingRow(f"{n}", (*range(10, 40), 2), 25) for n in range(3)]
    assert loss.shared_prefix(same) == 24, (
        "the position that predicts the first trained token is each row's own"
    )
    assert loss.collate(same, pad=0, share=True)["labels"][:, 0].tolist() == [35, 35, 35]


@pytest.mark.parametrize("limit", [1, 20, 60, 10_000])
def test_pieces_hold_every_row_once_within_the_limit(limit: int) -> None:
    parts = loss.pieces(ROWS, "gathered", limit)
    assert [row for part in parts for row in part] == list(ROWS)
    assert all(len(part) == 1 or loss.computed_tokens(part, "gathered") <= limit for part in parts)
