"""whytune: should we fine-tune a model for this, or is a prompt or RAG enough?

    import whytune
    project = whytune.open().project("support")
    project.run()
    project.decision.verdict
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

__all__ = ["Project", "Workspace", "open"]


def open(start: Path | str = ".", *, create: bool = False) -> Workspace:
    """The workspace at or above `start`."""
    from whytune.workspace.workspace import Workspace

    return Workspace.open(start, create=create)


def __getattr__(name: str) -> Any:
    # Loaded when asked for: a bare import must load neither torch nor SQL.
    if name == "Workspace":
        from whytune.workspace.workspace import Workspace

        return Workspace
    if name == "Project":
        from whytune.workspace.project import Project

        return Project
    raise AttributeError(f"module 'whytune' has no attribute {name!r}")
