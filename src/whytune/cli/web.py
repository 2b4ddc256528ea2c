"""`whytune web`: the workspace in the browser, and over HTTP."""

from __future__ import annotations

import sys
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
    first: Annotated[str, typer.Option(help="Name of the first person; WHYTUNE_PERSON or your login if left out.")] = "",
    alone: Annotated[bool, typer.Option("--alone", help="Nobody signs in: the workspace stays without people, open to its one user on this machine.")] = False,
) -> None:
    """Serve the workspace's pages and HTTP API until interrupted. The first start makes the first person and says how to sign in."""
    try:
        from whytune.web.app import check_address, run
    except ModuleNotFoundError as error:
        raise UnavailableError(f"The web server is not installed ({error.name} is missing)", next="pip install 'whytune[serve]'") from error
    from whytune.workspace import endpoints, opening

    check_address(host, behind_proxy=behind_proxy, alone=alone)
    # Before anything is made: a link to another server's port would be no way in.
    with endpoints.listen(host, port, next=f"whytune web --port {port + 1 if port < 65535 else port - 1}, or stop what listens there") as bound:
        begun = opening.begin(Path.cwd(), first=first, alone=alone)
        address = "https://YOUR-ADDRESS" if behind_proxy else f"http://{f'[{host}]' if ':' in host else host}:{port}"
        if begun.made:
            say(f"new workspace in {begun.root}")
        if begun.founded:
            say(f"{begun.person} is the first person here and holds every role; nobody signs for what they made, so add others under {address}/system")
        if begun.link:
            say(f"set your password, once, within the hour: {address}/welcome?token={begun.link}")
        else:
            say(f"{address}/" if alone else f"{address}/sign-in")
        say_next("press Ctrl-C to stop")
        sys.stdout.flush()  # read from a pipe too
        run(begun.root, bound, behind_proxy=behind_proxy)
