"""Options and arguments that several commands share, and how a command opens the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

Name = Annotated[str, typer.Argument(help="Project name or folder; may be left out inside one.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable, with the name of its schema.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and what it takes; change nothing.")]


def workspace() -> Workspace:
    """The workspace one stands in."""
    from whytune.workspace.workspace import Workspace

    return Workspace.open()


def project(name: str) -> Project:
    """The project named on the command line."""
    return workspace().project(name)
