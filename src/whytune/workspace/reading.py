"""From the paths and columns of `whytune.toml` to what the importer is told."""

from __future__ import annotations

import os
from pathlib import Path

from whytune.datasets.spec import ReadSpec
from whytune.workspace.config import ProjectFile


def located(folder: Path, name: str) -> Path:
    """A path of `whytune.toml` from the project's folder, which need not be there yet."""
    return Path(os.path.normpath(folder / Path(name).expanduser()))


def spec(file: ProjectFile, folder: Path) -> ReadSpec:
    """What the importer is told."""
    data = file.data

    def place(name: str) -> Path | None:
        return located(folder, name) if name else None

    return ReadSpec(
        paths=tuple(located(folder, path) for path in data.from_), task=file.task, format=data.format, input=data.input,
        target=data.target, group=data.group, evidence=data.evidence, labels_file=place(data.labels_file),
        mapping_file=place(data.mapping_file), encoding=data.encoding, root=folder,
    )  # fmt: skip
