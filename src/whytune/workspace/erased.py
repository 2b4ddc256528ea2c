"""What may not come back: ids of rows and documents that were erased, for whoever builds the next dataset version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whytune.records.data import Dataset, Example, Removal
from whytune.records.erasure import Erasure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whytune.workspace.project import Project


def erased_ids(project: Project) -> frozenset[str]:
    """Ids of examples and documents that were erased from this project's versions."""
    versions = {made.id for made in project.records(Dataset)}
    found = [one for one in project.workspace.store.list(Erasure) if versions & set(one.datasets)]
    return frozenset(id for one in found for id in (*one.rows, *one.documents))


def without(examples: Sequence[Example], gone: frozenset[str]) -> tuple[list[Example], list[Removal]]:
    """The examples that were not erased, and a removal for each that was."""
    kept = [example for example in examples if example.id not in gone]
    lost = [Removal(reason="erased", origin=example.origin) for example in examples if example.id in gone]
    return kept, lost
