"""The web application: every noun's addresses, behind the one door that knows who is asking.

    app = make_app(Path("."))       # an ASGI application; `whytune web` runs it on 127.0.0.1:8765
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from whytune.errors import NotAllowedError, WhytuneError
from whytune.web import errors
from whytune.web.auth import PersonDoor, is_loopback
from whytune.web.routes import data, events, people, projects, release, responsible, review, session, teams
from whytune.workspace.workspace import Workspace

NOUNS = (session, projects, data, people, teams, events, review, responsible, release)
"""The files of routes; each holds `routes`."""


def make_app(workspace_root: Path | str = ".", *, behind_proxy: bool = False) -> Starlette:
    """The application for the workspace at or above this folder. It holds the store open as long as it lives."""
    workspace = Workspace.open(workspace_root)
    routes = [Route("/healthz", _healthy), *(one for noun in NOUNS for one in noun.routes)]

    @asynccontextmanager
    async def open_while_serving(_: Starlette) -> AsyncIterator[None]:
        yield
        workspace.store.close()

    return Starlette(
        routes=routes,
        lifespan=open_while_serving,
        middleware=[Middleware(PersonDoor, workspace=workspace, behind_proxy=behind_proxy)],
        exception_handlers={WhytuneError: errors.on_whytune_error, HTTPException: errors.on_http_error, Exception: errors.on_fault},
    )


def run(workspace_root: Path | str, host: str, port: int, *, behind_proxy: bool = False) -> None:
    """Serve until interrupted. Raises NotAllowedError for an address that others can reach, unless behind a proxy."""
    if not behind_proxy and not is_loopback(host):
        raise NotAllowedError(
            f"{host} can be reached from elsewhere, and this speaks no TLS", next="whytune web --host 127.0.0.1, or --behind-proxy with people and a proxy that ends TLS"
        )
    app = make_app(workspace_root, behind_proxy=behind_proxy)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, server_header=False, proxy_headers=False)


async def _healthy(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})
