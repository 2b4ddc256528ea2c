"""Models that may be tuned or asked, as their publishers describe them; and whether each fits a project and a machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from whytune.records.record import Value


class ModelEntry(Value):
    """A base model that can be named in `whytune.toml`. 0 and empty mean: not known."""

    name: str = Field(min_length=1)
    base: str = Field(pattern=r"^(bundled|folder:.+|hub:[^/]+/.+|endpoint:.+)$")
    """As it stands under [model] base."""
    parameters: int = Field(default=0, ge=0)
    context: int = Field(default=0, ge=0)
    """Longest input in tokens."""
    licence: str = ""
    """SPDX identifier in small letters."""
    languages: tuple[str, ...] = ()
    modality: Literal["text"] = "text"
    tasks: tuple[str, ...] = ()
    """Empty: all text tasks."""
    note: str = ""


class ModelFit(Value):
    """Whether a model may be used here. Every reason against it is told; `unknown` is what could not be checked."""

    entry: ModelEntry
    listed: Literal["whytune", "workspace"]
    """Who listed it: the package, or the workspace's own models.toml."""
    fits: bool
    trainable: bool
    """Whether training it here fits too; otherwise `against_training` says why not."""
    answer_bytes: int
    """Memory to answer with it, about; 0 for an endpoint or where the size is not known."""
    train_bytes: dict[str, int]
    """Memory to train it by method, about."""
    against: tuple[str, ...] = ()
    against_training: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
