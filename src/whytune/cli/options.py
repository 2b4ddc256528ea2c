"""Options and arguments that several commands share, and how a command opens the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

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


class ListByDefault(TyperGroup):
    """A group whose `list` may be left out: `whytune models NAME` is `whytune models list NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        asked_for_help = args and args[0] in ("-h", "--help")
        if not asked_for_help and (not args or args[0] not in self.commands):
            args = ["list", *args]
        return super().parse_args(ctx, args)
