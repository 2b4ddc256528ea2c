"""What a reader is told when something did not work: a page for those who read pages, JSON for the rest. No stack trace leaves the server."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from whytune.errors import NotFoundError, UsageError, WhytuneError
from whytune.web import rendering
from whytune.web.auth import reads_pages
from whytune.web.errors import CODES, HELP, said, status_of


class FaultError(WhytuneError):
    """A fault of ours."""

    code = "failed"


async def on_whytune_error(request: Request, error: Exception) -> Response:
    """Handler for every error of the tree."""
    assert isinstance(error, WhytuneError)  # registered for this class alone
    if reads_pages(request.url.path, request.headers):
        return rendering.failure(error, status_of(error), request, getattr(request.state, "workspace", None))
    return said(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Handler for what the router refuses: no such address, no such method."""
    assert isinstance(error, HTTPException)  # registered for this class alone
    if reads_pages(request.url.path, request.headers):
        kind = NotFoundError if error.status_code == 404 else UsageError
        told = kind("There is no such page" if error.status_code == 404 else str(error.detail), where=request.url.path, next="open the use cases, or search")
        return rendering.failure(told, error.status_code, request, getattr(request.state, "workspace", None))
    body = {"code": CODES.get(error.status_code, "failed"), "what": str(error.detail), "where": request.url.path, "problems": [], "next": HELP}
    return JSONResponse(body, error.status_code, dict(error.headers or {}))


async def on_fault(request: Request, _: Exception) -> Response:
    """Handler for a fault of ours. The server's own log has the trace; the reader learns no more than that."""
    told = FaultError("Something went wrong inside", where=request.url.path, next="look into the server's log, then report it")
    if reads_pages(request.url.path, request.headers):
        return rendering.failure(told, 500, request, getattr(request.state, "workspace", None))
    return said(told, 500)
