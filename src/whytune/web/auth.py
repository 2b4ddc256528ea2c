"""Who is asking: a bearer token or a sign-in session becomes a person, and the request a workspace acting as them.

Loopback only, unless behind a proxy that ends TLS, and then only with people. A workspace without people is open to
its one user on loopback. A host name that is not this machine's is refused: a page elsewhere could otherwise point its
own name here and read the answers. A session needs its second secret, in a header, for every change.
"""

from __future__ import annotations

import ipaddress
from http.cookies import CookieError, SimpleCookie

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whytune.errors import NotAllowedError, WhytuneError
from whytune.web.errors import said
from whytune.workspace.workspace import Workspace

COOKIE, CSRF = "whytune_session", "x-whytune-csrf"
OPEN = frozenset({("GET", "/healthz"), ("POST", "/api/v1/session")})
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
    "x-frame-options": "DENY", "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
}  # fmt: skip
TOKEN_HINT = "send Authorization: Bearer TOKEN; `whytune user token NAME` makes one"


class NotSignedInError(NotAllowedError):
    """Nobody has said who they are."""


class PersonDoor:
    """ASGI middleware: nothing behind it is reached without a person, but for signing in and the health check."""

    def __init__(self, app: ASGIApp, workspace: Workspace, *, behind_proxy: bool = False) -> None:
        self._app = app
        self._workspace = workspace
        self._behind_proxy = behind_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through as a person, or answer why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it, and nobody gets past this door by it
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            workspace = await run_in_threadpool(self._admit, scope)
        except WhytuneError as error:
            await said(error, 401 if isinstance(error, NotSignedInError) else 0)(scope, receive, dressed)
            return
        scope.setdefault("state", {}).update(workspace=workspace, behind_proxy=self._behind_proxy)
        await self._app(scope, receive, dressed)

    def _admit(self, scope: Scope) -> Workspace:
        headers = Headers(scope=scope)
        if not self._behind_proxy:
            _check_near(scope, headers)
        if scope["method"] not in SAFE:
            _check_origin(headers)
        people = self._workspace.people()
        if self._behind_proxy and not people:
            raise NotAllowedError("Nobody may come in through a proxy while the workspace has no people", next="whytune user add NAME --role admin")
        if (scope["method"], scope["path"]) in OPEN:
            return self._workspace
        if not people:
            # Read anew: somebody may have been added since the server began.
            return Workspace(self._workspace.root, self._workspace.store, self._workspace.settings)
        name = self._name(scope["method"], headers)
        acting = self._workspace.as_person(name)
        _ = acting.person  # raises where that person is gone
        return acting

    def _name(self, method: str, headers: Headers) -> str:
        accounts = self._workspace.store.accounts
        kind, _, token = headers.get("authorization", "").partition(" ")
        if token:
            name = accounts.person_of_token(token.strip()) if kind.lower() == "bearer" else None
            if name is None:
                raise NotSignedInError("The token is unknown, expired or revoked", next=TOKEN_HINT)
            return name
        secret = session_of(headers)
        if not secret:
            raise NotSignedInError("Nobody is signed in", next=TOKEN_HINT)
        name = accounts.person_of_session(secret)
        if name is None:
            raise NotSignedInError("The session has ended", next="POST /api/v1/session signs in again")
        if method not in SAFE and accounts.person_of_session(secret, headers.get(CSRF, "")) is None:
            raise NotAllowedError(f"A change from a session needs its {CSRF} header", next="send the csrf value that signing in gave")
        return name


def session_of(headers: Headers) -> str:
    """The session's secret from the cookie; empty where there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:  # a broken cookie is no cookie
        return ""
    return found.value if found else ""


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_near(scope: Scope, headers: Headers) -> None:
    asked = headers.get("host", "")
    host = asked.rsplit("]", 1)[0] + "]" if asked.startswith("[") else asked.partition(":")[0]
    client = scope.get("client")
    if not is_loopback(host) or (client and not is_loopback(client[0])):
        raise NotAllowedError(
            "Only this machine itself may come in", where=asked or "no host named", next="whytune web --behind-proxy, with people and a proxy that ends TLS"
        )


def _check_origin(headers: Headers) -> None:
    # A browser names the page that sends a change; another site's page has no business here, signed in or not.
    origin = headers.get("origin", "")
    if origin and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        raise NotAllowedError("A page of another site may not change anything here", where=origin, next="send it from a page of this address, or without a browser")
