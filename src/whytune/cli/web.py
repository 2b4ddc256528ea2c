"""`whytune web`: the workspace over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whytune.cli.screen import say, say_next
from whytune.errors import UnavailableError


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    app.command()(web)


def web(
    host: Annotated[str, typer.Option(help="Address to listen at; others than this machine's own need --behind-proxy.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=1, max=65535)] = 8765,
    behind_proxy: Annotated[bool, typer.Option("--behind-proxy", help="A proxy in front ends TLS; people must exist, and each request needs a token or session.")] = False,
) -> None:
    """Serve the workspace's HTTP API until interrupted: projects, people, teams, reviews, releases, the ledger."""
    try:
        from whytune.web.app import run
    except ModuleNotFoundError as error:
        raise UnavailableError(f"The web server is not installed ({error.name} is missing)", next="pip install 'whytune[serve]'") from error
    say(f"http://{host}:{port}/api/v1/projects")
    say_next("press Ctrl-C to stop")
    run(Path.cwd(), host, port, behind_proxy=behind_proxy)
