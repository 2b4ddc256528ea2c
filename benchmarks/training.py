"""Training speed against TRL's SFTTrainer, in one run on one machine; prints JSON.

Non-padding tokens of full sequences a second, the same rows for both sides, LoRA r 16 on all linear layers, the bundled
model. `uneven`: TRL with its defaults (messages as they come, batches of 8, every token trained) against `train`'s own
way. `even`: rows of equal length, TRL at its best settings (our token ids and labels, batches of 16, float32, no
recomputation) against ours. The sides take turns; the best rate of each counts, since other work only slows.

    python benchmarks/training.py --rows banking77/train.csv --steps 3 --turns 2
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from whytune.answering.backends.models import load, prepare_bundled, prepare_folder
from whytune.records.candidate import Base, Prompt, Recipe
from whytune.records.data import Example, Origin
from whytune.training import loss, machine
from whytune.training.batches import schedule
from whytune.training.rows import TrainingRow, prepare
from whytune.training.trl_seam import Seam, SeamRun, adapt, calm

INTENTS = 12
SYSTEM = "Choose the one category that fits the message."
LORA = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}


def examples(path: Path | None, count: int) -> list[Example]:
    """Rows of the first intents of a `text,category` file, or made ones of uneven length."""
    chance = random.Random(17)
    if path is None:
        words = [
            "card",
            "payment",
            "my",
            "please",
            "arrived",
            "yet",
            "why",
            "transfer",
            "the",
            "account",
            "was",
            "charged",
            "twice",
            "fee",
            "refund",
        ]
        pairs = [
            (" ".join(chance.choices(words, k=chance.randint(4, 40))), f"intent_{n % INTENTS}")
            for n in range(count)
        ]
    else:
        with path.open(encoding="utf-8") as file:
            found = [(row["text"], row["category"]) for row in csv.DictReader(file)]
        kept = sorted({label for _, label in found})[:INTENTS]
        pairs = [pair for pair in found if pair[1] in kept]
        chance.shuffle(pairs)
    return [Example.of(text, label, origin=Origin(source="", file="rows")) for text, label in pairs[:count]]


@dataclass(frozen=True)
class Rate:
    """Tokens a second by the clock, and by processor time, which other work on the machine hardly changes."""

    wall: float
    processor: float


def now() -> tuple[float, float]:
    """The clock and this process's processor time."""
    return time.perf_counter(), time.process_time()


def rate(tokens: int, ends: list[tuple[float, float]]) -> Rate:
    """Of the steps after the first."""
    return Rate(tokens / (ends[-1][0] - ends[0][0]), tokens / (ends[-1][1] - ends[0][1]))


class Clock(TrainerCallback):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Notes the time."""
        self.ends.append(now())


def theirs(base: Base, data: Dataset, steps: int, options: dict[str, Any]) -> Rate:
    """Tokens a second of SFTTrainer over its steps but the first."""
    loaded, clock = load(base, "float32"), Clock()
    with tempfile.TemporaryDirectory() as folder, calm():
        trainer = SFTTrainer(
            model=loaded.model,
            args=SFTConfig(
                output_dir=folder,
                max_steps=steps + 1,
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
                **options,
            ),
            train_dataset=data,
            processing_class=loaded.tokenizer,
            peft_config=LoraConfig(**LORA),
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        seen: list[int] = []
        usual = trainer.compute_loss

        def counting(model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
            seen.append(int(inputs["attention_mask"].sum()))
            return usual(model, inputs, *more, **named)

        trainer.compute_loss = counting
        trainer.train()
    assert len(seen) == steps + 1
    return rate(sum(seen[1:]), clock.ends)


def ours(base: Base, rows: Sequence[TrainingRow], order: list[tuple[int, ...]], dtype: str) -> Rate:
    """Tokens a second of our way over the same count of steps."""
    loaded = load(base, dtype)  # type: ignore[arg-type]
    recipe = Recipe(rank=16, alpha=32)
    model = adapt(loaded.model, recipe)
    with calm():
        path = loss.choose_path(model, rows, pad=0, dtype=dtype)
    ends: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        run = SeamRun(
            recipe=recipe, rows=rows, schedule=order, done=0, path=path, checkpointing=False, saving=Path(folder),
            on_loss=lambda *_: None,
            after_step=lambda _: (bool(ends.append(now())), False),  # type: ignore[func-returns-value]
            after_save=lambda _: None,
        )  # fmt: skip
        Seam(model, loaded.tokenizer, run).train(None)
    return rate(sum(len(rows[n].ids) for step in order[1:] for n in step), ends)


def measure(sides: dict[str, Callable[[], Rate]], turns: int) -> dict[str, Rate]:
    """Each side's best rates, taking turns."""
    seen: dict[str, list[Rate]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, side in sides.items():
            found = side()
            seen[name].append(found)
            print(
                f"{name}: {found.wall:.1f} tokens/s, {found.processor:.1f} a processor second",
                file=sys.stderr,
                flush=True,
            )
    return {
        name: Rate(max(rate.wall for rate in rates), max(rate.processor for rate in rates))
        for name, rates in seen.items()
    }


def main() -> None:
    """Measures and prints."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--rows", type=Path, help="CSV with text,category; made rows without it")
    ask.add_argument("--model", type=Path, help="model folder; the bundled one without it")
    ask.add_argument("--cache", type=Path, default=Path(".bench"))
    ask.add_argument("--steps", type=int, default=6)
    ask.add_argument("--turns", type=int, default=2)
    ask.add_argument("--threads", type=int, default=0)
    given = ask.parse_args()
    base = prepare_folder(given.model) if given.model else prepare_bundled(given.cache)
    if given.threads:
        torch.set_num_threads(given.threads)
    dtype = machine.choose_dtype("auto", torch.device("cpu"))
    asked = examples(given.rows, 480)
    loaded = load(base, "float32")
    prompt, recipe = Prompt(system=SYSTEM), Recipe()
    ready = prepare(loaded.encoder, prompt, recipe, asked, contexts={}).rows
    del loaded
    said = [{"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": example.input_text},
                          {"role": "assistant", "content": example.target_text}]} for example in asked]  # fmt: skip
    lengths = [len(row.ids) for row in ready]
    uneven = schedule(lengths, size=16, epochs=1, seed=17)[: given.steps + 1]
    middle = sorted(lengths)[len(lengths) // 2]
    even = sorted(ready, key=lambda row: abs(len(row.ids) - middle))[: 16 * (given.steps + 1)]
    evenly = [tuple(range(16 * n, 16 * n + 16)) for n in range(len(even) // 16)]
    tokens = Dataset.from_dict(
        {"input_ids": [list(row.ids) for row in even], "labels": [row.labels for row in even]}
    )
    defaults = {"bf16": False} if dtype == "float32" else {}
    best = {
        "per_device_train_batch_size": 16, "gradient_checkpointing": False, "bf16": dtype == "bfloat16",
        "max_length": None, "logging_strategy": "no", "train_sampling_strategy": "sequential",
    }  # fmt: skip
    rates = measure(
        {
            "trl_defaults_uneven": lambda: theirs(base, Dataset.from_list(said), given.steps, defaults),
            "whytune_uneven": lambda: ours(base, ready, uneven, dtype),
            "trl_best_even": lambda: theirs(base, tokens, given.steps, best),
            "whytune_even": lambda: ours(base, even, evenly, dtype),
        },
        given.turns,
    )
    print(json.dumps({
        "schema": "whytune.bench.training/1", "model": base.name, "dtype": dtype, "threads": torch.get_num_threads(),
        "rows": len(ready), "mean_length": round(sum(lengths) / len(lengths), 1), "longest": max(lengths),
        "steps": given.steps, "turns": given.turns, "tokens_per_second": {name: round(found.wall, 1) for name, found in rates.items()},
        "tokens_per_processor_second": {name: round(found.processor, 1) for name, found in rates.items()},
        "uneven_ratio": round(rates["whytune_uneven"].wall / rates["trl_defaults_uneven"].wall, 2), "uneven_ratio_processor": round(rates["whytune_uneven"].processor / rates["trl_defaults_uneven"].processor, 2), "uneven_bar": 1.6,
        "even_ratio": round(rates["whytune_even"].wall / rates["trl_best_even"].wall, 2), "even_ratio_processor": round(rates["whytune_even"].processor / rates["trl_best_even"].processor, 2), "even_bar": 1.0,
        "note": "TRL's default of bfloat16 is switched off where this machine is slower in it" if defaults else "",
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
