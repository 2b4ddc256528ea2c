"""The error tree as HTTP: which status each error has, and its JSON body. A stack trace never leaves the server."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from whytune.errors import (
    DataError,
    LockedError,
    NotAllowedError,
    NotFoundError,
    NotProvenError,
    NotSignedInError,
    RefusedError,
    TooLargeError,
    UnavailableError,
    UsageError,
    WaitError,
    WhytuneError,
)

STATUS: tuple[tuple[type[WhytuneError], int], ...] = (
    (TooLargeError, 413),
    (UsageError, 400),
    (DataError, 400),
    (NotSignedInError, 401),
    (WaitError, 429),
    (NotAllowedError, 403),
    (NotFoundError, 404),
    (RefusedError, 409),
    (NotProvenError, 409),
    (LockedError, 409),
    (UnavailableError, 503),
)
HELP = "GET /api/v1/projects shows whether you are signed in; the documentation lists the addresses"
CODES = {400: "usage", 401: "not-allowed", 403: "not-allowed", 404: "not-found", 405: "usage", 413: "too-large", 415: "usage"}


def status_of(error: WhytuneError) -> int:
    """The HTTP status of an error; 500 for what is nobody's mistake but ours or the machine's."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def error_body(error: WhytuneError) -> dict[str, Any]:
    """What happened, where, every other mistake of the same input, and what to do next."""
    return {"code": error.code, "what": error.what, "where": error.where, "problems": list(error.problems), "next": error.next}


def said(error: WhytuneError, status: int = 0) -> JSONResponse:
    """The answer for an error; with another status where one is given."""
    status = status or status_of(error)
    return JSONResponse(error_body(error), status, headers_of(error, status))


def headers_of(error: WhytuneError, status: int) -> dict[str, str]:
    """What the answer to an error says in its headers: how one signs in, when one may try again."""
    if isinstance(error, WaitError):
        return {"Retry-After": str(error.seconds)}
    return {"WWW-Authenticate": 'Bearer realm="whytune"'} if status == 401 else {}
