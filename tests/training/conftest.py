"""A model of 60,000 weights, made on the spot, and rows to train it on; the libraries run on one thread."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from whytune.answering.backends.models import BUNDLED_PACKAGE, prepare_bundled, prepare_folder
from whytune.records.candidate import Base, Prompt, Recipe
from whytune.records.data import Example, Origin
from whytune.training.plan import TrainingPlan

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LABELS = ("card lost", "refund", "fee")
SYSTEM = "Choose the one category that fits the message."


def build_model(folder: Path, template: str = TEMPLATE) -> Path:
    """A Llama of two layers with random weights and a tokenizer of bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([SYSTEM, *LABELS, "system user assistant"], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>", bos_token="<|endoftext|>"
    )
    tokenizer.chat_template = template
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The tiny model as a base."""
    return prepare_folder(build_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="session")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The model that comes with whytune."""
    found = list(importlib.metadata.Distribution.discover(name=BUNDLED_PACKAGE))
    assert found or not os.environ.get("CI"), "CI must have the bundled model"
    if not found:
        pytest.skip("the bundled model is not installed")
    return prepare_bundled(tmp_path_factory.mktemp("bundled"))


def rows(count: int, start: int = 0) -> list[Example]:
    """Messages of uneven length whose category is said in them."""
    words = ("please", "hello", "I write because of", "my", "account")
    made = []
    for number in range(start, start + count):
        label = LABELS[number % 3]
        said = " ".join(words[(number + at) % 5] for at in range(number * 7 % 11)) + f" {label} {number}"
        made.append(Example.of(said, label, origin=Origin(source="0" * 64, file="rows.csv", line=number + 2)))
    return made


RECIPE = Recipe(
    rank=4,
    alpha=8,
    learning_rate=0.01,
    epochs=2,
    batch_size=4,
    checkpoints=2,
    dtype="float32",
    max_length=256,
)


@pytest.fixture
def plan(tiny_base: Base, tmp_path: Path) -> Callable[..., TrainingPlan]:
    """Makes a plan; names of recipe fields change the recipe, `folder` the folder's name."""

    def make(folder: str = "run", prompt: Prompt | None = None, **changes: object) -> TrainingPlan:
        recipe = Recipe.model_validate({**RECIPE.model_dump(), **changes})
        return TrainingPlan(
            tiny_base, recipe, prompt or Prompt(system=SYSTEM), tmp_path / folder, save_every=1e9
        )

    return make
