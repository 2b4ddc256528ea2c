"""Pages and forms: each page is one function that gives plain data, shown as HTML here and as JSON under /api/v1.

    def view(ask: WebRequest) -> Any:
        '''Where it stands.'''
        return {"project": ask.project.name}

    routes = [
        *page("/projects/{name}/map", view, "map.html.j2", title="Map", tab="map", cli="whytune status {name}"),
        *form("/projects/{name}/sign", signed, back="/projects/{name}/decide", said="Signed."),
    ]

What a page knows its JSON knows too, because it is the same data. A form does one act by the same function that the
JSON address calls; it is answered once however often it is sent, and what was typed is never lost.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from whytune.errors import LockedError, NotAllowedError, RefusedError, UsageError, WhytuneError
from whytune.web import acts, rendering
from whytune.web.auth import CSRF_FIELD, csrf_proven, session_of
from whytune.web.forms import KEPT_FIELD, SentForm, UploadedFile, field_of, free_name, sent
from whytune.web.handling import Address, WebRequest, looking, plain, route
from whytune.workspace import keeping

View = Callable[[WebRequest], Any]
Told = str | Callable[[WebRequest, Any], str]
"""A text with `{name}` of the path in it, or a function of the request and its result."""
PATIENCE = 20.0
"""Seconds that the second sending of a form waits for what the first one comes to."""


def page(path: str, view: View, template: str, *, title: str, cli: str, tab: str = "") -> list[Route]:
    """A page and its JSON twin: GET path and GET /api/v1 + path. cli: the command that shows the same."""
    guarded = acts.guard(f"GET {path}", view)

    async def endpoint(request: Request) -> Response:
        ask = WebRequest(request.state.workspace, request.path_params, request.query_params, {}, request)
        text = await run_in_threadpool(_shown, ask, guarded, template, rendering.Head(title, tab, cli))
        return text if isinstance(text, Response) else rendering.html(text)

    return [Address("GET", path, endpoint, function=view, face="html"), route("GET", f"/api/v1{path if path != '/' else '/tasks'}", view)]


def form(path: str, function: View, *, back: Told, said: Told = "Done.") -> list[Route]:
    """An address that takes a form, does the act, and sends the browser `back`, where `said` is shown once."""

    guarded = acts.guard(f"POST {path}", function)

    async def endpoint(request: Request) -> Response:
        async with sent(request) as given:
            request.state.typed = given
            csrf_proven(request, given.own.get(CSRF_FIELD, ""))
            ask = WebRequest(request.state.workspace, request.path_params, request.query_params, given.fields, request, given.files, form=True)
            made = await run_in_threadpool(_with_files, ask, given, guarded, (back, said))
        return made if isinstance(made, Response) else RedirectResponse(made, 303)

    return [Address("POST", path, endpoint, function=function, face="form")]


def upload(path: str, function: View, status: int = 201) -> list[Route]:
    """The same for applications: an address under /api/v1 that takes files as multipart/form-data and answers JSON."""
    guarded = acts.guard(f"POST {path}", function)

    async def endpoint(request: Request) -> Response:
        async with sent(request) as given:
            csrf_proven(request, given.own.get(CSRF_FIELD, ""))
            ask = WebRequest(request.state.workspace, request.path_params, request.query_params, given.fields, request, given.files)
            made = await run_in_threadpool(guarded, ask)
        return JSONResponse(plain(made), status)

    return [Address("POST", path, endpoint, function=function, face="upload", status=status)]


def _shown(ask: WebRequest, view: View, template: str, head: rendering.Head) -> str | Response:
    ask = looking(ask)
    data = view(ask)
    return data if isinstance(data, Response) else rendering.render(template, plain(data), ask, head)


def _with_files(ask: WebRequest, given: SentForm, function: View, told: tuple[Told, Told]) -> str | Response:
    """Do it with the files that were sent, and those kept when the form was refused before; where it is refused, they are kept."""
    path = ask.request.url.path
    before = keeping.found(ask.workspace, path, given.own.get(KEPT_FIELD, "").split())
    chosen = {field_of(key) for key in given.files}
    standing = [one for one in before if one.field not in chosen]  # a newly chosen file takes the place of the kept ones
    for one in standing:
        given.files[free_name(one.field, given.files)] = UploadedFile(one.name, one.path, one.size, one.id)  # its id stands for what is in it
    try:
        made = _done(ask, given, function, told)
    except NotAllowedError:
        raise
    except WhytuneError:
        own = {one.path for one in standing}
        new = [(field_of(key), file.name, file.path) for key, file in given.files.items() if file.path not in own]
        ask.request.state.kept = [*(one for one in standing if one.path.is_file()), *keeping.keep(ask.workspace, ask.workspace.person.name, path, new)]
        raise
    keeping.drop(ask.workspace, before)
    return made


def _done(ask: WebRequest, given: SentForm, function: View, told: tuple[Told, Told]) -> str | Response:
    """Do it once: the address to go to, with the name of the message there. Gives a Response where the function made one."""
    submissions, once = ask.workspace.store.submissions, given.own.get("_once", "")
    person = ask.workspace.person.name
    if not 16 <= len(once) <= 64 or not once.isalnum():
        raise UsageError("The form has lost its name", next="open the page again and send it from there")
    mark = _mark(ask, given)
    if not submissions.begin(once, person, mark):
        return _earlier(ask, once, mark)
    try:
        result = function(ask)
    except BaseException:
        submissions.drop(once)
        raise
    if isinstance(result, Response):
        submissions.drop(once)
        return result
    back, said = (one(ask, result) if callable(one) else one.format_map({key: quote(str(value), safe="") for key, value in ask.path.items()}) for one in told)
    location = back + ("&" if "?" in back else "?") + f"sent={once}"
    submissions.finish(once, location, said)
    return location


def _mark(ask: WebRequest, given: SentForm) -> str:
    """A hash of where a form goes and all that it brings, keyed with its session, so that nobody can guess a password from it."""
    url = ask.request.url
    brought = [url.path, url.query, given.fields, {name: (file.name, file.digest) for name, file in given.files.items()}]
    return hmac.new(f"{session_of(ask.request.headers)} {given.own.get('_once', '')}".encode(), json.dumps(brought, sort_keys=True).encode(), "sha256").hexdigest()


def _earlier(ask: WebRequest, once: str, mark: str) -> str:
    """Where the first sending of the same form went. Raises RefusedError where it brought something else, or went elsewhere."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = ask.workspace.store.submissions.found(once, ask.workspace.person.name)
        if found is None:  # the first one was refused: the sender has its answer
            raise UsageError("The same form was sent twice at once, and refused", next="send it again")
        if found.mark != mark:
            raise RefusedError("This form was sent before with something else in it, and that was done", next="look at what was done, then send this again if it is still wanted")
        if found.location:
            return found.location
        time.sleep(0.05)
    raise LockedError("The same form was sent before, and is still being worked on", next="wait a moment, then open the page again")
