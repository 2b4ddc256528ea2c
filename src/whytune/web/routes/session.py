"""Signing in and out with a password: a cookie that scripts cannot read, and a second secret for changes."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from whytune.web.auth import COOKIE, session_of
from whytune.web.handling import WebRequest, route
from whytune.workspace import people


def whoami(ask: WebRequest) -> Any:
    """Who is asking, and in which roles."""
    return {"person": ask.workspace.person}


def sign_in(ask: WebRequest) -> Response:
    """Name and password for a session."""
    name, password = ask.take(name=str, password=str)
    opened = people.prove(ask.workspace, name, password).store.accounts.open_session(name)
    answer = JSONResponse({"person": name, "csrf": opened.csrf, "expires": opened.expires}, 201)
    secure = bool(ask.request.state.behind_proxy)
    answer.set_cookie(COOKIE, opened.secret, httponly=True, samesite="strict", secure=secure, path="/")
    return answer


def sign_out(ask: WebRequest) -> Response:
    """End this session."""
    secret = session_of(ask.request.headers)
    if secret:
        ask.workspace.store.accounts.close_session(secret)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/")
    return answer


routes = [
    route("GET", "/api/v1/session", whoami),
    route("POST", "/api/v1/session", sign_in),
    route("DELETE", "/api/v1/session", sign_out),
]
