"""The only place that calls TRL: its SFTTrainer, given our token ids and labels, our order of rows and our loss.

What TRL 2.0 removes is not used: the loss is an overridden `training_step`, the order an overridden dataloader. The
trainer brings the optimiser, the schedule of the learning rate, clipping, checkpoints and their loading, and the way to
several devices. It decides nothing about rows. Example: `Seam(model, tokenizer, run).train(None)`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from torch.utils.data import DataLoader
from transformers import PrinterCallback, ProgressCallback, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from whytune.answering.backends.models import calm
from whytune.errors import TrainingError
from whytune.records.candidate import Recipe
from whytune.training import loss
from whytune.training.machine import device, piece_tokens
from whytune.training.ranks import ALONE, Ranks
from whytune.training.rows import TrainingRow

MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class SeamRun:
    """What the trainer is told. after_step(step) says (save, stop); after_save(folder) is handed a finished save."""

    recipe: Recipe
    rows: Sequence[TrainingRow]
    schedule: Sequence[tuple[int, ...]]
    done: int
    path: loss.LossPath
    checkpointing: bool
    saving: Path
    on_loss: Callable[[int, float, int], None]
    after_step: Callable[[int], tuple[bool, bool]]
    after_save: Callable[[Path], None]
    ranks: Ranks = ALONE


def adapt(model: Any, recipe: Recipe) -> Any:
    """A fresh adapter on all linear layers; seeded first, so the same recipe begins with the same weights.

    By method `full` there is none: every weight of the model is trained.
    """
    set_seed(recipe.seed)
    if recipe.method == "full":
        return model.requires_grad_(True)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        use_dora=recipe.method == "dora",
        use_rslora=recipe.method == "rslora",
    )
    with calm():
        adapted = get_peft_model(model, config)
    # A path of this machine is no part of an adapter; and with a name here, PEFT asks the hub about it at every save.
    adapted.peft_config["default"].base_model_name_or_path = None
    return adapted


def pad_of(tokenizer: Any) -> int:
    """A token to fill rows up with; no row ever sees it."""
    for number in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if isinstance(number, int):
            return number
    return 0


class Seam:
    """One training run through TRL."""

    def __init__(self, model: PeftModel, tokenizer: Any, run: SeamRun) -> None:
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        given = Dataset.from_dict(
            {"input_ids": [list(row.ids) for row in run.rows], "labels": [row.labels for row in run.rows]}
        )
        # Around a base in four bits TRL rounds a fresh adapter to bfloat16: it gets back what it was.
        begun = [(weight, weight.data) for weight in model.parameters() if weight.requires_grad]
        with calm():
            self.trainer = _Trainer(
                run=run,
                pad=pad_of(tokenizer),
                model=model,
                args=_config(run),
                train_dataset=given,
                processing_class=tokenizer,
                data_collator=lambda batch: batch,
                callbacks=[_Steps(run)],
            )
            for weight, data in begun:
                weight.data = data
            self.trainer.remove_callback(PrinterCallback)
            self.trainer.remove_callback(ProgressCallback)

    def train(self, checkpoint: Path | None) -> None:
        """Trains to the end of the schedule, or until `after_step` says stop."""
        with calm():
            self.trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def _config(run: SeamRun) -> SFTConfig:
    recipe, steps = run.recipe, len(run.schedule)
    return SFTConfig(
        output_dir=str(run.saving),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        lr_scheduler_type="cosine",
        warmup_steps=int(recipe.warmup * steps),
        max_grad_norm=MAX_GRADIENT_NORM,
        seed=recipe.seed,
        data_seed=recipe.seed,
        optim="adamw_torch",
        # The dtype is that of the base's weights; the adapter is float32 always.
        bf16=False,
        fp16=False,
        gradient_checkpointing=run.checkpointing,
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        average_tokens_across_devices=False,
        # Our dataloader begins at the place where the checkpoint was made.
        ignore_data_skip=True,
        dataloader_pin_memory=False,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        push_to_hub=False,
        disable_tqdm=True,
    )


class _Trainer(SFTTrainer):  # type: ignore[misc]
    def __init__(self, *, run: SeamRun, pad: int, **options: Any) -> None:
        self._run = run
        self._pad = pad
        super().__init__(**options)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The rest of the schedule, a batch an item."""
        return DataLoader(
            _Schedule(self._run, self._pad),
            batch_size=None,
            shuffle=False,
            collate_fn=_as_it_is,
            # A generator of its own: a loader draws a seed when it begins, which would shift the draws of dropout.
            generator=torch.Generator(),
        )

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Mean nats over the trained tokens of the batch; gradients of its pieces add up to those of the whole."""
        step = self.state.global_step + 1
        ranks = self._run.ranks
        model.train()
        ranks.reseed(self._run.recipe.seed, step)
        # Of the whole step, rows of other processes included: their gradients are added up below.
        tokens = sum(len(row.ids) - row.start for row in (self._run.rows[at] for at in self._run.schedule[step - 1]))
        mean = torch.zeros((), device=self.args.device)
        for piece in inputs:
            part = loss.batch_loss(model, self._prepare_inputs(piece), self._run.path).total / tokens
            if not math.isfinite(float(part.detach())):
                raise diverged(step, f"the loss is {float(part.detach())}")
            self.accelerator.backward(part)
            mean += part.detach()
        ranks.add_up(model.parameters())
        self._run.on_loss(step, ranks.total(float(mean)), tokens)
        return mean

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._run.saving)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if not self._run.ranks.first:
            return
        broken = [
            name
            for name, part in self.model.named_parameters()
            if part.requires_grad and not part.isfinite().all()
        ]
        if broken:
            raise diverged(
                self.state.global_step, f"{len(broken)} weights of the adapter are not numbers any more"
            )
        folder = self._run.saving / f"checkpoint-{self.state.global_step}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # TRL would write a model card first, with names of this machine in it; the rest is the trainer's own.
            super(SFTTrainer, self)._save_checkpoint(model, trial)
            self._run.after_save(folder)
        except (OSError, RuntimeError, ValueError) as error:
            raise unsaved(error, self._run.saving.parent) from error
        except Exception as error:
            if type(error).__name__ != "SafetensorError":  # a class of its own, below Exception alone
                raise
            raise unsaved(error, self._run.saving.parent) from error


class _Schedule(torch.utils.data.Dataset):  # type: ignore[misc]
    def __init__(self, run: SeamRun, pad: int) -> None:
        self._run = run
        self._pad = pad
        self._left = run.schedule[run.done :]

    def __len__(self) -> int:
        return len(self._left)

    def __getitem__(self, at: int) -> list[dict[str, torch.Tensor]]:
        if at >= len(self._left):
            raise IndexError(at)
        rows = [self._run.rows[number] for number in self._run.ranks.share(self._left[at])]
        path = self._run.path
        parts = loss.pieces(rows, path, piece_tokens(device()))
        return [loss.collate(part, pad=self._pad, share=path == "shared") for part in parts]


class _Steps(TrainerCallback):  # type: ignore[misc]
    def __init__(self, run: SeamRun) -> None:
        self._run = run

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        save, stop = self._run.after_step(state.global_step)
        control.should_save = save
        control.should_training_stop = control.should_training_stop or stop
        return control


def diverged(step: int, what: str) -> TrainingError:
    """Training left the numbers."""
    return TrainingError(
        f"Training diverged at step {step}: {what}",
        next="lower learning_rate to a third in the recipe (or set dtype = float32), then train again",
    )


def unsaved(error: BaseException, folder: Path) -> TrainingError:
    """A checkpoint could not be written; the one before it is whole."""
    reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
    return TrainingError(
        f"A checkpoint could not be written: {reason}; the one before it is kept",
        where=str(folder),
        next="free some disk space, then run the same command again: it goes on from the last checkpoint",
    )


def _as_it_is(batch: Any) -> Any:
    return batch
