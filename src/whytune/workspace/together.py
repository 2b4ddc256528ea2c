"""What several processes are handed when they train together: ids and plain values, written to a file beside the run."""

from __future__ import annotations

from whytune.records.candidate import Base, Recipe, Retrieval
from whytune.records.record import Value


class TogetherOrder(Value):
    """What the processes are asked to do; ids and plain values, no rows."""

    root: str
    project: str
    dataset: str
    base: Base
    recipe: Recipe
    index: str
    hybrid: bool
    retrieval: Retrieval | None = None
    processes: int
    ending: str = ""
    """The file whose being there asks the run to end early."""
