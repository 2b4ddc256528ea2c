"""Answers per second of the bundled model against a one-by-one `generate` loop over the same prompts, in one run.

    python benchmarks/answering.py --cases ../shared/cases --dtype float32 --threads 2

48 banking77 messages with a shared list of 12 labels in the prompt, 16 new tokens (generated messages of like length
where the cases are not there). Prints JSON: medians over `--rounds`, in seconds of the clock and of the processor; on a
machine that does other work the ratios by processor time are the ones to read. `same`: free answers that are the slow
way's word for word.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from whytune.answering.backends.local import LocalBackend
from whytune.answering.backends.models import load, prepare_bundled
from whytune.answering.backends.protocol import Chat, Completion, Constraint, Labels
from whytune.records.candidate import Decoding
from whytune.records.content import Message

LABELS = 12
WORDS = ["my", "card", "has", "not", "arrived", "yet", "please", "tell", "me", "when", "it", "comes", "and", "why", "I", "was", "charged", "twice", "for", "one", "payment"]


def prompts(cases: Path, count: int) -> tuple[list[Chat], tuple[str, ...], str]:
    """The chats, the labels, and where they are from."""
    file = cases / "banking77" / "test.csv"
    if file.is_file():
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        labels = tuple(sorted({row["category"] for row in rows})[:LABELS])
        texts = [row["text"] for row in rows[:: max(1, len(rows) // count)]][:count]
        source = "banking77 test"
    else:
        labels = tuple(f"{first}_{second}" for first in ("card", "transfer", "refund") for second in ("late", "lost", "fee", "limit"))
        texts = [" ".join(WORDS[(n * 7 + k) % len(WORDS)] for k in range(5 + n * 3 % 17)) for n in range(count)]
        source = "generated"
    system = (
        "Choose the one category that fits the message. Answer with the category only.\nCategories: "
        + ", ".join(labels)
    )
    return [(Message.of("system", system), Message.of("user", text)) for text in texts], labels, source


def timed(work: Callable[[], Any], rounds: int) -> tuple[Any, float, float]:
    """What it gave, and the median seconds by the clock and of the processor."""
    clock, processor, given = [], [], None
    for _ in range(rounds):
        start, spent = time.perf_counter(), time.process_time()
        given = work()
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - spent)
    return given, median(clock), median(processor)


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--cases", type=Path, default=Path("../shared/cases"))
    ask.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "whytune")
    ask.add_argument("--count", type=int, default=48)
    ask.add_argument("--slow", type=int, default=0, help="prompts of the one-by-one loop; 0: all")
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--dtype", default="auto")
    ask.add_argument("--threads", type=int, default=0)
    given = ask.parse_args()

    chats, labels, source = prompts(given.cases, given.count)
    base = prepare_bundled(given.cache)
    backend = LocalBackend(base, dtype=given.dtype, threads=given.threads)
    slow = load(base, backend.machine.dtype)
    asked = chats[: given.slow or len(chats)]

    def one_by_one() -> list[str]:
        texts = []
        for chat in asked:
            ids = torch.tensor([slow.encoder.prompt(chat).ids])
            done = slow.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False, pad_token_id=0
            )
            texts.append(slow.encoder.decode(done[0, ids.shape[1] :].tolist()).strip())
        return texts

    def batched(constraint: Constraint) -> dict[int, Completion]:
        found: dict[int, Completion] = {}
        backend.forget()
        backend.complete(chats, Decoding(max_new_tokens=16), constraint, lambda batch: found.update(dict(batch)))
        return found

    batched(None)
    texts, slow_clock, slow_processor = timed(one_by_one, 1 if given.slow else given.rounds)
    free, free_clock, free_processor = timed(lambda: batched(None), given.rounds)
    _, label_clock, label_processor = timed(lambda: batched(Labels(labels)), given.rounds)
    n, m = len(chats), len(asked)
    print(
        json.dumps(
            {
                "n": n,
                "n_one_by_one": m,
                "rounds": given.rounds,
                "prompts": source,
                "tokens_in": sum(said.tokens_in for said in free.values()) // n,
                "dtype": backend.machine.dtype,
                "threads": backend.machine.threads,
                "answers_per_second": {
                    "one_by_one": round(m / slow_clock, 2),
                    "free": round(n / free_clock, 2),
                    "labels": round(n / label_clock, 2),
                },
                "answers_per_processor_second": {
                    "one_by_one": round(m / slow_processor, 2),
                    "free": round(n / free_processor, 2),
                    "labels": round(n / label_processor, 2),
                },
                "ratio_free": round(n / free_clock / (m / slow_clock), 1),
                "ratio_labels": round(n / label_clock / (m / slow_clock), 1),
                "ratio_free_processor": round(n / free_processor / (m / slow_processor), 1),
                "ratio_labels_processor": round(n / label_processor / (m / slow_processor), 1),
                "same": sum(text == free[number].text for number, text in enumerate(texts)),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
