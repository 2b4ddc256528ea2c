"""How long rows are for the model that the project names, without loading the model: its tokenizer alone, or an estimate.

Nothing is fetched and nothing unpacked for this: where the tokenizer is not on this machine yet, four characters count
as a token and the finding says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.checks.subject import Ruler
from whytune.workspace.reading import located

if TYPE_CHECKING:
    from whytune.records.data import Dataset
    from whytune.workspace.project import Project

_BATCH = 4_096


def ruler(project: Project, made: Dataset) -> Ruler:
    """What `token_length` measures by. limit: the smaller of context and, where an arm is trained, the longest row trained on."""
    file = project.file
    prompt = project.task.prompt(labels=made.labels, fields=made.fields, tuned=True)
    system = file.arms.system.replace("{labels}", ", ".join(made.labels)).replace("{fields}", ", ".join(made.fields)) or prompt.system
    trained = bool({"tuned", "tuned_rag"} & set(file.arms.use)) and not file.model.base.startswith("endpoint:")
    context = file.model.context or (8192 if file.model.base.startswith("endpoint:") else 2048)
    limit = min(context, file.training.max_length) if trained else context
    folder = _tokenizer(project)
    count: Callable[[Sequence[str]], list[int]] = _counter(folder) if folder else _estimates
    name = file.model.name or file.model.base.rpartition("/")[2]
    return Ruler(model=name, count=count, limit=limit, prompt=count([system])[0], exact=folder is not None)


def _tokenizer(project: Project) -> Path | None:
    """The folder that holds the model's tokenizer, if it is on this machine."""
    kind, _, rest = project.file.model.base.partition(":")
    cache = project.workspace.settings.cache_folder
    if kind == "bundled":
        found = sorted((cache / "bundled").glob("*/tokenizer.json"))
    elif kind == "folder":
        found = [located(project.folder, rest) / "tokenizer.json"]
    elif kind == "hub":
        found = sorted((cache / "hub").glob(f"models--{rest.replace('/', '--')}/snapshots/*/tokenizer.json"))
    else:
        found = []
    return next((path.parent for path in reversed(found) if path.is_file()), None)


def _counter(folder: Path) -> Callable[[Sequence[str]], list[int]]:
    from whytune.answering.backends.counting import tokenizer

    measure = tokenizer(folder)

    def count(texts: Sequence[str]) -> list[int]:
        return [size for start in range(0, len(texts), _BATCH) for size in measure(texts[start : start + _BATCH])]

    return count


def _estimates(texts: Sequence[str]) -> list[int]:
    return [math.ceil(len(text) / 4) for text in texts]
