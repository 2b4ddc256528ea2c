"""The web application: every noun's addresses, behind the one door that knows who is asking.

    app = make_app(Path("."))       # an ASGI application; `whytune web` runs it on 127.0.0.1:8765
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from socket import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from whytune.errors import NotAllowedError, WhytuneError
from whytune.web import failing, files, openapi, rendering
from whytune.web.auth import PersonDoor, is_loopback
from whytune.web.pages import (
    compare,
    decide,
    entrance,
    flowchart,
    help,
    new,
    overview,
    profile,
    registry,
    system,
    team,
)
from whytune.web.pages import data as data_pages
from whytune.web.pages import feedback as feedback_pages
from whytune.web.pages import live as live_pages
from whytune.web.pages import models as model_pages
from whytune.web.pages import responsible as responsible_pages
from whytune.web.pages import review as review_pages
from whytune.web.pages import runs as run_pages
from whytune.web.routes import data, events, people, projects, release, responsible, review, session, teams
from whytune.workspace import warming
from whytune.workspace.workspace import Workspace

NOUNS = (session, new, projects, data, people, teams, events, review, responsible, release)
"""The files of routes; each holds `routes`."""
PAGES: tuple[Any, ...] = (overview, flowchart, entrance, profile, system, team, data_pages, compare, decide, help, openapi, review_pages, run_pages, responsible_pages, registry, live_pages, feedback_pages, model_pages)
"""The files of pages; each holds `routes` too."""


FIRST = 1.0
"""Seconds that the first visitor has for themselves, before anything is read ahead."""


def make_routes() -> list[Route]:
    """Every address there is."""
    return [Route("/healthz", _healthy), *files.routes, *(one for noun in (*NOUNS, *PAGES) for one in noun.routes)]


def make_app(workspace_root: Path | str = ".", *, behind_proxy: bool = False, ahead: bool = False) -> Starlette:
    """The application for the workspace at or above this folder. It holds the store open as long as it lives.

    ahead: read what the first pages need in a thread beside them, so that nobody waits for it.
    """
    workspace = Workspace.open(workspace_root)

    @asynccontextmanager
    async def open_while_serving(_: Starlette) -> AsyncIterator[None]:
        stop = threading.Event()
        reading = threading.Thread(target=_read_ahead, args=(workspace, stop), name="whytune-warming")
        if ahead:
            reading.start()
        yield
        stop.set()
        if ahead:
            await run_in_threadpool(reading.join)
        workspace.store.close()

    return Starlette(
        routes=make_routes(),
        lifespan=open_while_serving,
        middleware=[Middleware(GZipMiddleware, minimum_size=1000), Middleware(PersonDoor, workspace=workspace, behind_proxy=behind_proxy)],
        exception_handlers={WhytuneError: failing.on_whytune_error, HTTPException: failing.on_http_error, Exception: failing.on_fault},
    )


def _read_ahead(workspace: Workspace, stop: threading.Event) -> None:
    if not stop.wait(FIRST):  # whoever started it looks at it at once, and goes first
        rendering.compile_templates(lambda: stop.wait(0.005))
        warming.warm(workspace, stop)


def run(workspace_root: Path | str, bound: socket, *, behind_proxy: bool = False) -> None:
    """Serve on a socket that listens already, until interrupted; see `check_address` and `endpoints.listen`."""
    app = make_app(workspace_root, behind_proxy=behind_proxy, ahead=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=3)
    with suppress(KeyboardInterrupt):  # how one ends it
        uvicorn.Server(config).run(sockets=[bound])


def check_address(host: str, *, behind_proxy: bool, alone: bool = False) -> None:
    """Raise NotAllowedError where others could come in without TLS or without signing in."""
    if not behind_proxy and not is_loopback(host):
        raise NotAllowedError(
            f"{host} can be reached from elsewhere, and this speaks no TLS", next="whytune web --host 127.0.0.1, or --behind-proxy with people and a proxy that ends TLS"
        )
    if behind_proxy and alone:
        raise NotAllowedError("Through a proxy others come in, and alone means that nobody signs in", next="whytune web --behind-proxy, without --alone")


async def _healthy(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})
