"""Import, split, certificate and checks of many generated rows: seconds, CPU seconds and peak memory, as one JSON line.

The rows imitate support tickets in 40 categories: 4 % exact duplicates, 4 % near-duplicates, some contradictions, some
broken lines. Nothing is read but what is written here.

    python benchmarks/data.py --rows 100000 --format csv
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from whytune.checks.registry import run
from whytune.checks.subject import Subject
from whytune.datasets.importing import read_source
from whytune.datasets.spec import ReadSpec
from whytune.datasets.split import build
from whytune.records.data import SPLITS, SplitPlan
from whytune.tasks import task_named

_SYLLABLES = [
    "ba",
    "ko",
    "ri",
    "ten",
    "mo",
    "sal",
    "ver",
    "du",
    "lin",
    "gra",
    "po",
    "sti",
    "ne",
    "far",
    "ul",
    "cha",
    "bri",
    "tor",
    "em",
    "wi",
    "zan",
    "hel",
    "os",
    "pra",
    "qui",
]
_FRAMES = (
    "My {0} {1} since {2} and the {3} shows {4}, can you {5} it?",
    "Please {5} the {0}; it {1} whenever I open the {3} on {2}.",
    "Since {2} our {3} says {4} and nobody can {5} the {0} that {1}.",
    "I was told to {5} my {0} but the {3} {1} with {4} again on {2}, and again {6} after {7} with {8}.",
)


def generate(rows: int, seed: int) -> list[tuple[str, str]]:
    """(text, category) rows with known flaws."""
    draw = random.Random(seed)
    vocabulary = ["".join(draw.choices(_SYLLABLES, k=draw.randint(1, 3))) for _ in range(6000)]
    made: list[tuple[str, str]] = []
    for number in range(rows):
        kind = draw.random()
        if made and kind < 0.04:
            made.append(draw.choice(made))
        elif made and kind < 0.08:
            text, category = draw.choice(made)
            made.append((text.rstrip("?.") + " please", category))
        elif made and kind < 0.082:
            made.append((draw.choice(made)[0], f"category {draw.randrange(40)}"))
        else:
            words = [draw.choice(vocabulary) for _ in range(9)]
            made.append((draw.choice(_FRAMES).format(*words), f"category {number % 40}"))
    return made


def main() -> None:
    """Writes the file, then measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--format", choices=("csv", "jsonl", "json"), default="csv")
    parser.add_argument("--seed", type=int, default=17)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows.{given.format}"
        made = generate(given.rows, given.seed)
        with path.open("w", encoding="utf-8", newline="") as file:
            if given.format == "csv":
                writer = csv.writer(file)
                writer.writerow(("text", "category"))
                writer.writerows(made)
            else:
                rows = [{"text": text, "category": category} for text, category in made]
                file.write(json.dumps(rows) if given.format == "json" else "\n".join(map(json.dumps, rows)))
        del made
        baseline = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(_measure(path, given.rows) | {"format": given.format, "mib_before": baseline >> 10}))


def _measure(path: Path, rows: int) -> dict[str, object]:
    task, plan = task_named("categorization"), SplitPlan()
    marks = [(time.perf_counter(), time.process_time())]

    def mark() -> None:
        marks.append((time.perf_counter(), time.process_time()))

    reading = read_source(ReadSpec(paths=(path,), task=task.name))
    mark()
    built = build(reading.examples, plan, task)
    mark()
    removed = Counter(built.removed) + Counter(removal.reason for removal in reading.problems)
    findings = run(
        Subject(task, {name: built.of(name) for name in SPLITS}, built.certificate, built.labels, (), removed)
    )
    mark()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps = ("import", "split", "checks")
    result: dict[str, object] = {"rows": rows}
    for step, before, after in zip(steps, marks, marks[1:], strict=False):
        result[f"{step}_seconds"] = round(after[0] - before[0], 2)
        result[f"{step}_cpu_seconds"] = round(after[1] - before[1], 2)
    result["import_split_seconds"] = round(marks[2][0] - marks[0][0], 2)
    result["peak_mib"] = peak >> (20 if sys.platform == "darwin" else 10)
    result["counts"] = built.counts
    result["removed"] = built.removed
    result["findings"] = dict(Counter(finding.status for finding in findings))
    return result


if __name__ == "__main__":
    main()
