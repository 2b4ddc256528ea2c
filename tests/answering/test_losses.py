"""The loss of a given answer is what the library's own forward pass says, alone or beside others of the same prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from whytune.answering.backends import losses as losses_module
from whytune.answering.backends.local import LocalBackend
from whytune.answering.backends.losses import token_losses
from whytune.answering.backends.models import prepare_folder
from whytune.records.content import Message


def test_losses_are_those_of_the_plain_model(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[int] = []
    begin = losses_module._begun
    monkeypatch.setattr(losses_module, "_begun", lambda *given: shared.append((done := begin(*given)).length) or done)
    backend = LocalBackend(prepare_folder(tiny_model, tmp_path), dtype="float32", threads=1, device="cpu")
    one, two = (Message.of("user", "My card has not arrived"),), (Message.of("user", "refund"), )
    asked = [(one, "card arrival"), (two, "lost"), (one, "refund"), (one, "top up failed, please")]
    system = Message.of("system", "Choose the one category that fits the message.")
    asked += [((system, Message.of("user", f"{said} is gone")), "lost") for said in ("My card", "A purse of mine", "Money")]
    found = token_losses(backend, asked)
    assert shared == [0]
    found[4:] = token_losses(backend, asked[4:])
    assert shared[1] > 8, "what these begin with is computed once"
    codes = [(one, f"The code is {number}") for number in range(96, 116)]
    asked += codes
    found += token_losses(backend, codes)
    model = backend.runner.model
    model.set_attn_implementation("eager")
    for (chat, answer), losses in zip(asked, found, strict=True):
        whole = backend.encoder.whole(chat, answer)
        ids = torch.tensor([[*whole.prompt, *whole.answer]])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, len(whole.prompt) - 1 : -1].float()
        assert losses == pytest.approx(functional.cross_entropy(logits, ids[0, len(whole.prompt) :], reduction="none").tolist(), abs=1e-4)


def test_what_does_not_fit_has_no_loss_and_answering_goes_on(tiny_model: Path, tmp_path: Path) -> None:
    backend = LocalBackend(prepare_folder(tiny_model, tmp_path), dtype="float32", threads=1, device="cpu")
    long = (Message.of("user", "card " * 2000),)
    assert token_losses(backend, [(long, "refund")]) == [[]]
    assert token_losses(backend, [((Message.of("user", "card"),), "refund")])[0]
