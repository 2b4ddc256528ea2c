"""What a training run was expected to take beside what it took, by method and length of rows; prints JSON.

Each run is a process of its own (the peak of memory is the process's), one thread, the bundled model and one of other
proportions, dev looked at as in a project. Three figures each: added up before anything is loaded, told after three
measured steps on the longest batch, and what it was. Time is that of the training steps.

    python benchmarks/estimates.py [CASE ...]      # any of CASES
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

WORDS = ["card", "payment", "my", "please", "arrived", "yet", "why", "transfer", "the", "account", "was", "charged", "twice", "fee", "refund"]
LABELS = tuple(f"intent_{number}" for number in range(12))
SYSTEM = "Choose the one category that fits the message."
MEMORY_BAR, TIME_BAR = 0.15, 0.20


@dataclass(frozen=True)
class Case:
    """One run."""

    method: str
    words: int
    rows: int
    batch: int
    model: str = "bundled"


CASES = {
    "lora": Case("lora", 30, 32, 8),
    "lora_long": Case("lora", 200, 12, 4),
    "qlora": Case("qlora", 30, 32, 8),
    "qlora_long": Case("qlora", 200, 12, 4),
    "dora": Case("dora", 30, 32, 8),
    "rslora": Case("rslora", 30, 32, 8),
    "full": Case("full", 30, 32, 8),
    "wide_lora": Case("lora", 60, 32, 8, "wide"),
    "wide_full": Case("full", 60, 32, 8, "wide"),
}


def wide(bundled: Path, folder: Path) -> Path:
    """A model of few and broad layers with a head of its own and random weights; the bundled tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(bundled)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=768, intermediate_size=3072, num_hidden_layers=6, num_attention_heads=12,
        num_key_value_heads=12, tie_word_embeddings=False, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def one(case: Case, location: str) -> dict[str, Any]:
    """The run, in this process."""
    from whytune.answering.backends.models import prepare_folder
    from whytune.answering.backends.protocol import Backend, Labels
    from whytune.jobs.progress import Silent
    from whytune.records.candidate import Decoding, Prompt, Recipe
    from whytune.records.content import Message
    from whytune.records.data import Example, Origin
    from whytune.training.estimate import estimate
    from whytune.training.plan import TrainingPlan
    from whytune.training.train import train

    chance = random.Random(1)

    def made(n: int, line: int) -> list[Example]:
        said = [" ".join(chance.choices(WORDS, k=chance.randint(case.words // 2, case.words))) for _ in range(n)]
        return [Example.of(text, LABELS[at % 12], origin=Origin(source="", file="rows", line=line + at)) for at, text in enumerate(said)]

    rows, dev = made(case.rows, 0), made(12, 10_000)

    def look(backend: Backend) -> float:
        said: list[Any] = []
        chats = [(Message.of("system", SYSTEM), Message.of("user", row.input_text)) for row in dev]
        backend.complete(chats, Decoding(constrained=True), Labels(LABELS), said.extend)
        return 0.0

    rate = 1e-4 if case.method == "full" else 1e-3
    recipe = Recipe.model_validate({"method": case.method, "batch_size": case.batch, "epochs": 1, "checkpoints": 2, "dtype": "float32", "max_length": 2048, "learning_rate": rate})
    with tempfile.TemporaryDirectory() as folder:
        plan = TrainingPlan(prepare_folder(Path(location)), recipe, Prompt(system=SYSTEM), Path(folder) / "run")
        before = estimate(plan, rows)
        begun = time.process_time()
        ran = train(plan, rows, dev, look=look, progress=Silent())
        busy = time.process_time() - begun
    return {
        "steps": before.steps, "computed_tokens": before.computed_tokens, "longest": before.longest,
        "memory_mb_added_up": round(before.memory_bytes / 1e6), "memory_mb_expected": round(ran.estimated_memory_bytes / 1e6), "memory_mb": round(ran.memory_bytes / 1e6),
        "seconds_added_up": round(before.seconds, 2), "seconds_expected": round(ran.estimated_seconds, 2), "seconds": round(ran.step_seconds, 2), "cpu_seconds_in_all": round(busy, 1),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=", ".join(CASES))
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "whytune")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        given = json.loads(asked.one)
        print(json.dumps(one(Case(**given["case"]), given["location"])))
        return
    from whytune.answering.backends.models import prepare_bundled

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        places = {"bundled": prepare_bundled(asked.cache).location}
        for name in asked.names or CASES:
            case = CASES[name]
            if case.model not in places:
                places[case.model] = str(wide(Path(places["bundled"]), Path(folder) / case.model))
            given = json.dumps({"case": asdict(case), "location": places[case.model]})
            done = subprocess.run(
                [sys.executable, "-W", "ignore", __file__, "--one", given], stdout=subprocess.PIPE, text=True, check=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            found[name] = {**asdict(case), **json.loads(done.stdout[done.stdout.rindex("{") :])}
            print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    print(json.dumps({"memory_bar": MEMORY_BAR, "time_bar": TIME_BAR, "threads": 1, "runs": found}, indent=1))


if __name__ == "__main__":
    main()
