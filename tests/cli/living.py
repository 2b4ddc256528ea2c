"""What the tests of the whole command line share: small data, a project around it, and the command in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

WORDS = (
    "card", "loan", "rate", "door", "lamp", "rain", "fish", "gold", "moon", "salt", "tree", "wind", "book", "snow", "bread", "chair",
    "glass", "horse", "river", "stone", "table", "train", "wheel", "apple", "brick", "cloud", "grass", "knife", "lemon", "paper",
)  # fmt: skip
PLACES = ("Aarau", "Basel", "Chur", "Davos", "Erlach", "Fribourg", "Geneva", "Horgen", "Ilanz", "Jegenstorf")
QUICK = {
    "epochs": "0.5", "rank": "2", "alpha": "4", "batch_size": "16", "max_length": "512", "checkpoints": "1", "dtype": '"float32"',
}  # fmt: skip
"""[training] that takes a moment with the tiny model."""


def environment(**more: str) -> dict[str, str]:
    """Few threads, and none of this machine's own settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WHYTUNE_")}
    return {**kept, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", **more}


def whytune(*arguments: str, cwd: Path, code: int | None = 0, **more: str) -> subprocess.CompletedProcess[str]:
    """The command as a user types it; its exit code is checked, and that no error reaches the user as a traceback."""
    command = [sys.executable, "-m", "whytune", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment(**more))
    assert "Traceback" not in done.stderr, done.stderr
    assert code is None or done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def told(*arguments: str, cwd: Path, code: int = 0) -> dict[str, Any]:
    """What the command says as JSON."""
    found: dict[str, Any] = json.loads(whytune(*arguments, "--json", cwd=cwd, code=code).stdout)
    return found


def change(project: Path, **values: str) -> None:
    """Set keys of `whytune.toml`, as an owner does with an editor: one line a key."""
    file = project / "whytune.toml"
    text = file.read_text("utf-8")
    for key, value in values.items():
        text, changed = re.subn(rf"(?m)^(# )?{key} = .*$", f"{key} = {value}", text, count=1)
        assert changed, key
    file.write_text(text, "utf-8")


def tickets(path: Path, rows: int = 90, labels: tuple[str, ...] = ("delay", "loss", "refund")) -> Path:
    """Messages and their category as CSV; no two messages share many words."""
    lines = ["text,category"]
    for number in range(rows):
        label = labels[number % len(labels)]
        some = [WORDS[(number * k + k * k) % len(WORDS)] for k in (1, 7, 11, 13)]
        lines.append(f"{' '.join(some)} {number * 37} about {label},{label}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def handbook(folder: Path, rows: int = 60) -> tuple[Path, Path]:
    """(questions, documents): one small document for each place, and questions about what stands in them."""
    documents = folder / "handbook"
    documents.mkdir()
    for number, place in enumerate(PLACES):
        facts = "".join(f"The {WORDS[(number + k) % 30]} room is on floor {number + k}. " for k in range(6))
        (documents / f"{place.lower()}.md").write_text(f"# {place}\n\n{facts}\n", "utf-8")
    lines = []
    for number in range(rows):
        at, k = number % 10, number // 10
        question = f"On which floor is the {WORDS[(at + k) % 30]} room in {PLACES[at]}?"
        lines.append(json.dumps({"question": question, "answer": f"floor {at + k}", "source": f"{PLACES[at].lower()}.md"}))
    path = folder / "questions.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path, documents


def bookings(path: Path, rows: int = 60) -> Path:
    """Sentences with what is to be taken out of them, as JSON lines."""
    lines = []
    for number in range(rows):
        place, when = PLACES[number % 10], f"{8 + number % 12}:{number % 60:02d}"
        text = f"{WORDS[number % 30]} {WORDS[(number * 7 + 3) % 30]} for {1 + number % 6} in {place} at {when}, number {number * 31}"
        lines.append(json.dumps({"text": text, "fields": {"place": place, "time": when}}))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def start(cwd: Path, model: Path | str, *arguments: str, task: str = "categorization", quick: bool = True, **values: str) -> Path:
    """`whytune init desk` with that model, and a training that takes a moment."""
    base = model if isinstance(model, str) else f"folder:{model}"
    whytune("init", "desk", "--task", task, "--model", base, *arguments, cwd=cwd)
    change(cwd / "desk", **{**(QUICK if quick else {}), "hybrid": '"off"', **values})
    return cwd / "desk"
