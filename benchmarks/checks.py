"""CPU-seconds of all checks over 10,000 and 100,000 rows; bars: 6 and 60.

    python benchmarks/checks.py --cases ../shared/cases

Rows are banking77's (or generated ones of like length), repeated with other words in between to reach the size, with
their labels; then the same as questions and answers. Prints JSON: CPU-seconds by check, of this process and its threads.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from pathlib import Path
from typing import Any

from whytune.checks.registry import ALWAYS, CHECKS
from whytune.checks.subject import Ruler, Subject
from whytune.records.data import Certificate, Example, Origin, SplitName
from whytune.tasks import task_named

WORDS = ["my", "card", "has", "not", "arrived", "yet", "please", "tell", "me", "when", "it", "comes", "and", "why", "I", "was", "charged", "twice", "for", "one", "payment", "to", "the", "shop", "on", "the", "corner", "of", "the", "market"]
CERTIFICATE = Certificate(same_group=0, exact=0, near=0, purged=0, pairs_verified=0, components=9, method="x")
SPLIT: tuple[SplitName, ...] = ("train", "train", "train", "dev", "test")


def texts(cases: Path, count: int) -> list[tuple[str, str]]:
    """Messages and their labels."""
    file = cases / "banking77" / "train.csv"
    draw = random.Random(17)
    if file.is_file():
        with file.open(encoding="utf-8", newline="") as lines:
            rows = [(row["text"], row["category"]) for row in csv.DictReader(lines)]
    else:
        rows = [(" ".join(draw.choices(WORDS, k=12)), f"label {n % 77}") for n in range(10_000)]
    made = []
    for number in range(count):
        text, label = rows[number % len(rows)]
        said = text.split()
        for _ in range(number // len(rows) * 2):  # each round of the file says something else in between
            said.insert(draw.randrange(len(said) + 1), draw.choice(WORDS))
        made.append((" ".join(said), label))
    return made


def subject(pairs: list[tuple[str, str]], task: str) -> Subject:
    """A dataset of these rows."""
    splits: dict[SplitName, list[Example]] = {"train": [], "dev": [], "test": []}
    for number, (text, label) in enumerate(pairs):
        target = label if task == "categorization" else f"This is about {label.replace('_', ' ')}, as we answer question {number} of our customers here."
        splits[SPLIT[number % 5]].append(Example.of(text, target, origin=Origin(source="0", file="f", line=number + 1)))
    labels = tuple(sorted({label for _, label in pairs})) if task == "categorization" else ()
    return Subject(task_named(task), splits, CERTIFICATE, labels, tokens=ruler())


def ruler() -> Ruler:
    """The bundled model's tokenizer where it is on this machine, else an estimate."""
    from whytune import settings
    from whytune.answering.backends.counting import tokenizer

    found = sorted((settings.load().cache_folder / "bundled").glob("*/tokenizer.json"))
    count = tokenizer(found[-1].parent) if found else lambda some: [len(text) // 4 for text in some]
    return Ruler("bundled", count, 1024, 20, bool(found))


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--cases", type=Path, default=Path("../shared/cases"))
    ask.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    given = ask.parse_args()
    results: list[dict[str, Any]] = []
    for size in given.sizes:
        pairs = texts(given.cases, size)
        for task in ("categorization", "qna"):
            looked_at = subject(pairs, task)
            for example in looked_at.examples:
                _ = example.id  # known already when rows come from the store
            spent: dict[str, float] = {}
            for name in (*looked_at.task.checks, *ALWAYS):
                start = time.process_time()
                CHECKS[name](looked_at)
                spent[name] = round(time.process_time() - start, 2)
            results.append({"rows": size, "task": task, "cpu_seconds": round(sum(spent.values()), 2), "by_check": spent})
    print(json.dumps({"benchmark": "checks", "results": results}, indent=1))


if __name__ == "__main__":
    main()
