"""Coming in and going out: the sign-in page, welcome links, and what becomes of a form whose sender's session has ended.

Signing in always opens a new session and ends the one that was brought along, so nobody can be handed a session in
advance. Nothing here says whether a name exists. A form that arrives after its session's end is not lost: its fields
travel through the sign-in page and are shown again for sending, its passwords do not; its files are kept for whoever's
session it was, and for nobody else.
"""

from __future__ import annotations

import dataclasses
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Message

from whytune.errors import TooLargeError, UsageError, WhytuneError
from whytune.text import unkeepable
from whytune.web import rendering
from whytune.web.auth import (
    COOKIE,
    CSRF_FIELD,
    INTERRUPTED,
    csrf_of,
    local_path,
    session_of,
)
from whytune.web.errors import headers_of, status_of
from whytune.web.forms import (
    KEPT_FIELD,
    LARGEST_FORM,
    LARGEST_UPLOAD,
    SECRET,
    SentForm,
    field_of,
    sent,
)
from whytune.web.frame import form
from whytune.web.handling import Address, WebRequest
from whytune.workspace import keeping, people
from whytune.workspace.workspace import Workspace

Kept = list[tuple[str, str]]


def signing_in(request: Request) -> Response:
    """The sign-in page; whoever is signed in already goes on."""
    workspace: Workspace = request.state.workspace
    then = local_path(request.query_params.get("then", "/"))
    if not workspace.people() or workspace.store.accounts.person_of_session(session_of(request.headers)):
        return RedirectResponse(then, 303)
    if request.headers.get("sec-fetch-site") == "cross-site" and not session_of(request.headers):
        # A link on another site: the browser keeps the cookie back on that one step, and sends it on the next, from here.
        return _drawn("onward.html.j2", {"to": "/sign-in?" + urlencode({"then": then})}, rendering.frame_of(request, None, rendering.Head("One moment")), 200)
    return _page(request, {"then": then})


def signed_in(request: Request, given: SentForm) -> Response:
    """Name and password for a session, and back to where one wanted to go."""
    workspace: Workspace = request.state.workspace
    name, password = _text(given, "person"), _text(given, "password")
    kept, send = _kept(_text(given, "kept")), _text(given, "send")
    then = local_path(_text(given, "then"))
    try:
        if not name or not password:
            raise UsageError("A name and a password are needed", next="type both")
        acting = people.prove(workspace, name, password)
    except WhytuneError as error:
        return _page(request, {"then": then, "name": name, "what": error.what, "next": error.next, "send": send, "kept": kept}, status_of(error), headers_of(error, 0))
    opened = begin_session(request, acting)
    return _again(request, acting, opened, send, kept) if send else carry(request, RedirectResponse(then, 303), opened)


def interrupted(request: Request, given: SentForm | None, person: str = "") -> Response:
    """A form came without a session: sign in first, what was typed comes along. None: it was too large to be kept. person: whose session it was."""
    path = getattr(request.state, "interrupted", "")
    send = local_path(quote(path) + ("?" + request.url.query if request.url.query else ""))
    if not path or send == "/":
        return RedirectResponse("/sign-in", 303)
    if given is None:
        return _page(request, {"too_large": True}, 401)
    kept = [(name, one) for name, value in given.fields.items() for one in (value if isinstance(value, list) else [value])]
    kept = [(name, "" if SECRET.search(name) else value) for name, value in kept]
    workspace: Workspace = request.state.workspace
    files = [(field_of(key), file.name, file.path) for key, file in given.files.items()]
    held = keeping.keep(workspace, person, path, files) if person else []
    ids = [*given.own.get(KEPT_FIELD, "").split(), *(one.id for one in held)]  # whose the others are is asked after signing in
    kept += [(KEPT_FIELD, " ".join(ids))] if ids else []
    names = [one.name for one in held]
    return _page(request, {"send": send, "kept": kept, "kept_names": names, "files": [name for _, name, _ in files if name not in names]}, 401)


def welcoming(request: Request) -> Response:
    """The page behind a welcome link. Looking at it does not use the link up."""
    token = request.query_params.get("token", "")
    return _welcome(request, token, status=200 if _whose(request, token) else 403)


def welcomed(request: Request, given: SentForm) -> Response:
    """A first or new password, and signed in with it."""
    token, password, again = (_text(given, name) for name in ("token", "password", "again"))
    try:
        if password != again:
            raise UsageError("The two passwords differ; nothing was changed", next="type the same password twice")
        acting = people.welcomed(request.state.workspace, token, password)
    except WhytuneError as error:
        return _welcome(request, token, error, status_of(error))
    return carry(request, RedirectResponse("/", 303), begin_session(request, acting))


def signed_out(ask: WebRequest) -> Response:
    """End this session."""
    if secret := session_of(ask.request.headers):
        ask.workspace.store.accounts.close_session(secret)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/")
    # What a browser holds of pages must not be seen by whoever sits down next.
    answer.headers["clear-site-data"] = '"cache"'
    return answer


def begin_session(request: Request, acting: Workspace) -> str:
    """A new session's secret; the session that the browser brought along ends, whoever's it was."""
    accounts = acting.store.accounts
    if before := session_of(request.headers):
        accounts.close_session(before)
    return accounts.open_session(acting.person.name).secret


def carry(request: Request, answer: Response, secret: str) -> Response:
    """The answer with the cookie of this session, which no script can read and no other site sends along."""
    answer.set_cookie(COOKIE, secret, httponly=True, samesite="strict", secure=bool(request.state.behind_proxy), path="/")
    return answer


def _again(request: Request, acting: Workspace, secret: str, send: str, kept: Kept) -> Response:
    """What had been typed, to be looked at and sent under the new session. It is not sent by itself: who signed in may be somebody else."""
    request.state.nobody = False
    frame = rendering.frame_of(request, acting, rendering.Head("Send again?"))
    frame = dataclasses.replace(frame, csrf=csrf_of(secret), signed_in=True, path="/sign-in")
    ids = [id for name, text in kept if name == KEPT_FIELD for id in text.split()]
    files = keeping.found(acting, unquote(local_path(send).partition("?")[0]), ids)
    typed = [(name, value) for name, value in kept if name != KEPT_FIELD]
    told = {"send": local_path(send), "kept": typed, "files": files, "secrets": [name for name, _ in typed if SECRET.search(name)]}
    return carry(request, _drawn("again.html.j2", told, frame, 200), secret)


def _page(request: Request, told: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    usual = {"then": "/", "name": "", "what": "", "next": "", "send": "", "kept": [], "kept_names": [], "files": [], "too_large": False}
    told = {**usual, **told}
    told["held"] = json.dumps(told["kept"]) if told["kept"] else ""
    frame = rendering.frame_of(request, None, rendering.Head("Sign in"))
    answer = _drawn("sign_in.html.j2", told, frame, status)
    answer.headers.update(headers or {})
    return answer


def _welcome(request: Request, token: str, error: WhytuneError | None = None, status: int = 200) -> Response:
    told = {
        "token": token, "person": _whose(request, token), "what": error.what if error else "",
        "problems": list(error.problems) if error else [], "next": error.next if error else "",
    }  # fmt: skip
    return _drawn("welcome.html.j2", told, rendering.frame_of(request, None, rendering.Head("Welcome")), status)


def _whose(request: Request, token: str) -> str:
    workspace: Workspace = request.state.workspace
    name = workspace.store.accounts.person_of_welcome(token)
    return name if name and name in {person.name for person in workspace.people()} else ""


def _drawn(template: str, told: dict[str, Any], frame: rendering.Frame, status: int) -> HTMLResponse:
    return HTMLResponse(rendering.environment().get_template(template).render(it=told, frame=frame), status)


def _text(given: SentForm, name: str) -> str:
    value = given.fields.get(name, "")
    return value[-1] if isinstance(value, list) else value


def _kept(text: str) -> Kept:
    """The fields that came along, as the sign-in page wrote them down; whatever else is sent there counts as nothing."""
    try:
        read = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return []
    pairs = read if isinstance(read, list) and not unkeepable(read) else []
    return [(pair[0], pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)]


def _shown(path: str, function: Callable[[Request], Response]) -> Address:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(function, request)

    return Address("GET", path, endpoint, function=function, face="open")


def _taken(path: str, function: Callable[[Request, SentForm], Response]) -> Address:
    async def endpoint(request: Request) -> Response:
        async with sent(request, LARGEST_FORM) as given:
            return await run_in_threadpool(function, request, given)

    return Address("POST", path, endpoint, function=function, face="open")


def _lost(path: str) -> Address:
    async def endpoint(request: Request) -> Response:
        secret = session_of(request.headers)
        person = await run_in_threadpool(request.state.workspace.store.accounts.person_of_ended_session, secret) if secret else None
        if person:
            try:
                async with sent(request) as given:
                    proven = hmac.compare_digest(csrf_of(secret).encode(), given.own.get(CSRF_FIELD, "").encode())
                    return await run_in_threadpool(interrupted, request, given, person if proven else "")
            except UsageError:  # no form, or more than any form may bring
                return await run_in_threadpool(interrupted, request, None)
        # Nobody has signed in: at most this much is held, in memory, and a long upload is listened to and let go.
        held, size = bytearray(), 0
        async for part in request.stream():
            size += len(part)
            if size > LARGEST_UPLOAD:
                raise TooLargeError(f"What was sent has more than {LARGEST_UPLOAD:,} bytes, and nobody is signed in", next="sign in, then send less at once")
            if size <= LARGEST_FORM:
                held += part
        if size > LARGEST_FORM:
            return await run_in_threadpool(interrupted, request, None)

        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(held), "more_body": False}

        try:
            async with sent(Request(request.scope, receive), LARGEST_FORM) as given:
                return await run_in_threadpool(interrupted, request, given)
        except UsageError:  # no form: there is nothing that a page could show again
            return RedirectResponse("/sign-in", 303)

    return Address("POST", path, endpoint, function=interrupted, face="open")


def address_of(request: Request, token: str) -> str:
    """The whole address of a welcome link, on the site as the reader reaches it."""
    scheme = "https" if request.state.behind_proxy else request.url.scheme
    return f"{scheme}://{request.headers.get('host', request.url.netloc)}/welcome?token={quote(token)}"


routes = [
    _shown("/sign-in", signing_in),
    _taken("/sign-in", signed_in),
    _lost(INTERRUPTED),
    _shown("/welcome", welcoming),
    _taken("/welcome", welcomed),
    *form("/sign-out", signed_out, back="/sign-in"),
]
