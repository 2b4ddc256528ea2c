"""Who is asking: a bearer token or a sign-in session becomes a person, and the request a workspace acting as them.

Loopback only, unless behind a proxy that ends TLS, and then only with people. A workspace without people is open to
its one user on loopback. A host name that is not this machine's is refused: a page elsewhere could otherwise point its
own name here and read the answers. A session needs its second secret, in a header or a form's field, for every change.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whytune.errors import NotAllowedError, NotSignedInError, WhytuneError
from whytune.web.errors import said
from whytune.workspace.workspace import Workspace

COOKIE, CSRF, CSRF_FIELD = "whytune_session", "x-whytune-csrf", "_csrf"
INTERRUPTED = "/sign-in/interrupted"
"""Where a form lands whose sender's session has ended: it keeps what they typed."""
OPEN = frozenset({
    ("GET", "/healthz"), ("POST", "/api/v1/session"), ("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/welcome"), ("POST", "/welcome"), ("POST", INTERRUPTED),
})  # fmt: skip
"""Addresses that are reached by somebody who has not said who they are."""
OPEN_FOLDER = "/static/"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "same-origin",
    "x-frame-options": "DENY", "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
}  # fmt: skip
TOKEN_HINT = "send Authorization: Bearer TOKEN; `whytune user token NAME` makes one"


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
        except NotSignedInError as error:
            if not reads_pages(scope["path"], Headers(scope=scope)):
                await said(error, 401)(scope, receive, dressed)
                return
            if scope["method"] in SAFE:
                asked = quote(scope["path"]) + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
                await RedirectResponse("/sign-in?" + urlencode({"then": asked}), 303)(scope, receive, dressed)
                return
            # What was typed is not lost: the sign-in page takes it along.
            workspace = self._workspace
            scope = {**scope, "path": INTERRUPTED, "raw_path": INTERRUPTED.encode(), "state": {**scope.get("state", {}), "interrupted": scope["path"]}}
        except WhytuneError as error:
            await said(error)(scope, receive, dressed)
            return
        # Behind an open address nobody has said who they are, though the server itself runs under somebody's name.
        scope.setdefault("state", {}).update(workspace=workspace, behind_proxy=self._behind_proxy, nobody=workspace is self._workspace)
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
        if (scope["method"], scope["path"]) in OPEN or scope["path"].startswith(OPEN_FOLDER):
            return self._workspace
        if not people:
            # Read anew: somebody may have been added since the server began.
            return Workspace(self._workspace.root, self._workspace.store, self._workspace.settings)
        name = self._name(scope, headers)
        acting = self._workspace.as_person(name)
        _ = acting.person  # raises where that person is gone
        return acting

    def _name(self, scope: Scope, headers: Headers) -> str:
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
        if scope["method"] not in SAFE and not _is(csrf_of(secret), headers.get(CSRF, "")) and accounts.person_of_session(secret, headers.get(CSRF, "")) is None:
            if headers.get("content-type", "").partition(";")[0].strip().lower() not in FORMS:
                raise NotAllowedError(f"A change from a session needs its {CSRF} header", next="send the csrf value that signing in gave")
            # A form carries it as a field; who reads the form must prove it, see `csrf_proven`.
            scope.setdefault("state", {})["csrf_due"] = csrf_of(secret)
        return name


def csrf_of(secret: str) -> str:
    """What the forms of a session carry: it follows from the session's secret, and the secret does not follow from it."""
    return hmac.new(secret.encode(), b"whytune form", "sha256").hexdigest()


def csrf_proven(request: Request, given: str = "") -> None:
    """Raise NotAllowedError where a form's second secret is still due and what was given is not it."""
    due = getattr(request.state, "csrf_due", "")
    if due and not _is(due, given):
        raise NotAllowedError("This form was not made for your session", next="open the page again and send it from there")


def _is(secret: str, given: str) -> bool:
    return hmac.compare_digest(secret.encode(), given.encode("utf-8", "replace"))


def reads_pages(path: str, headers: Headers) -> bool:
    """Whether whoever asks reads pages rather than JSON."""
    return not path.startswith(("/api/", "/healthz")) and "text/html" in headers.get("accept", "")


def session_of(headers: Headers) -> str:
    """The session's secret from the cookie; empty where there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:  # a broken cookie is no cookie
        return ""
    return found.value if found else ""


def local_path(text: str) -> str:
    """The path within this site that a text names; `/` for anything else, so that no link leads from here to another site."""
    plain = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isascii() and text.isprintable()
    return text if plain and len(text) <= 2_000 and not text.startswith(("/sign-in", "/sign-out", "/welcome", "/api/")) else "/"


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
    named = HOST.fullmatch(asked)
    client = scope.get("client")
    if not named or not is_loopback(named[1]) or (client and not is_loopback(client[0])):
        raise NotAllowedError(
            "Only this machine itself may come in", where=asked or "no host named", next="whytune web --behind-proxy, with people and a proxy that ends TLS"
        )


def _check_origin(headers: Headers) -> None:
    # A browser names the page that sends a change; another site's page has no business here, signed in or not.
    origin = headers.get("origin", "") or ("another site" if headers.get("sec-fetch-site") == "cross-site" else "")
    if origin and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        raise NotAllowedError("A page of another site may not change anything here", where=origin, next="send it from a page of this address, or without a browser")
