"""A project on a tiny model with several ways to tune, for tests of model selection."""

from __future__ import annotations

from pathlib import Path

from tests.cli.living import QUICK, tickets
from tests.tiny import build

from whytune.workspace import config, setup
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

TRAINING = {key: value.strip('"') for key, value in QUICK.items()}


def project(root: Path, candidates: str, *, bar: float = 0.5, model: Path | None = None, run: str = "", order: str = "all") -> Project:
    """A project in its own workspace under `root`; `candidates` is TOML put at the end of its file."""
    model = model or build(root / "model")
    tickets(root / "tickets.csv")
    drafted = setup.draft(
        {
            "name": "support", "task": "categorization", "purpose": "",
            "data": {"from": [str(root / "tickets.csv")], "input": "text", "target": "category", "documents": [], "labels_file": "", "mapping_file": ""},
            "acceptance": {"metric": "", "bar": bar, "margin": 0.05}, "model": {"base": f"folder:{model}"},
            "arms": {"use": ["prompt", "tuned"]}, "split": {"train": 0.6, "dev": 0.2, "test": 0.2},
            "training": TRAINING, "circumstances": {"may_train": True},
        },
        root / "support",
    )  # fmt: skip
    made = setup.create(drafted)
    file = made.folder / config.FILE
    text = file.read_text("utf-8")
    if run:
        text = text.replace('launcher = "local"   # local, torchrun\nprocesses = 1', run)
        assert run in text
    text = text.replace('order = "all"', f'order = "{order}"')
    file.write_text(text + candidates, "utf-8")
    return Project(Workspace.open(root), made.folder)

