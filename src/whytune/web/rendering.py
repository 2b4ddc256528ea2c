"""HTML from plain data: one frame around every page, everything from outside escaped.

The frame (`frame` in the templates) says who is asking, what stands in the bar, and what the page's twins are; the
page's own data is `it`. It decides nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from whytune.errors import WhytuneError
from whytune.web import curves, linking, markdown, showing
from whytune.web.auth import csrf_of, local_path, session_of
from whytune.web.errors import headers_of
from whytune.web.forms import SECRET, field_of
from whytune.web.handling import WebRequest, project_named
from whytune.workspace.workspace import Workspace

HERE = Path(__file__).parent
STATIC = HERE / "static"
THEMES = ("auto", "light", "dark")
TABS = (
    ("map", "Map"), ("data", "Data"), ("compare", "Compare"), ("runs", "Runs"), ("review", "Review"),
    ("responsible", "Responsible AI"), ("decide", "Decide"), ("live", "Live"),
)  # fmt: skip
"""Inside a use case, in the order of the flow."""


@dataclass(frozen=True)
class Head:
    """What a page says of itself: its title, its tab and the command that shows the same."""

    title: str
    tab: str = ""
    cli: str = ""


@dataclass(frozen=True)
class Frame:
    """What stands around every page. csrf and `once` go into each form; said is the message of the form just sent."""

    title: str
    person: str
    roles: tuple[str, ...]
    solo: bool
    signed_in: bool
    csrf: str
    theme: str
    keys: bool
    tab: str
    tabs: tuple[tuple[str, str], ...]
    project: str
    cli: str
    json_url: str
    path: str
    query: Mapping[str, str]
    said: str

    @property
    def once(self) -> str:
        """A new name for a form, so that sending it twice is one act."""
        return secrets.token_hex(16)


def render(template: str, data: Any, ask: WebRequest, head: Head) -> str:
    """A page's HTML. Data may name the page and the command that shows the same more closely: `page_title`, `page_cli`."""
    if isinstance(data, Mapping):
        head = replace(head, title=str(data.get("page_title") or head.title), cli=str(data.get("page_cli") or head.cli))
    return environment().get_template(template).render(it=data, frame=frame_of(ask.request, ask.workspace, head))


def html(text: str, status: int = 200) -> HTMLResponse:
    """The answer that carries a page."""
    return HTMLResponse(text, status)


def frame_of(request: Request, workspace: Workspace | None, head: Head) -> Frame:
    """The frame for this request; without a workspace, or with nobody signed in, the bar stays empty."""
    person = workspace.person if workspace is not None and not getattr(request.state, "nobody", False) else None
    secret = session_of(request.headers)
    kept, path = cookies(request), request.url.path
    name = str(request.path_params.get("name", "")) if path.startswith("/projects/") else ""
    query = "?" + request.url.query if request.url.query else ""
    return Frame(
        title=head.title, person=person.name if person else "", roles=person.roles if person else (), solo=bool(person and person.solo),
        signed_in=bool(person and secret), csrf=csrf_of(secret) if secret else "", theme=kept.get("whytune_theme", "auto"), keys=kept.get("whytune_keys", "on") != "off",
        tab=head.tab, tabs=TABS, project=name if head.tab else "", cli=_filled(head.cli, request.path_params), json_url=f"/api/v1{path if path != '/' else '/tasks'}{query}",
        path=path, query=dict(request.query_params), said=_said(request, workspace, person.name if person else ""),
    )  # fmt: skip


def cookies(request: Request) -> dict[str, str]:
    """The reader's own settings: theme and shortcuts; whatever else a cookie says counts as not set."""
    try:
        read = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return {}
    allowed = {"whytune_theme": THEMES, "whytune_keys": ("on", "off")}
    return {name: read[name].value for name, values in allowed.items() if name in read and read[name].value in values}


def failure(error: WhytuneError, status: int, request: Request, workspace: Workspace | None) -> HTMLResponse:
    """The page that says what went wrong, with everything that was typed, ready to be sent again."""
    typed = getattr(request.state, "typed", None)
    onward, ways = _ways(error, request, workspace)
    told = {
        "what": error.what, "where": error.where, "problems": list(error.problems), "onward": onward, "ways": ways, "code": error.code, "status": status,
        "typed": [(name, "" if SECRET.search(name) else one) for name, value in typed.fields.items() for one in (value if isinstance(value, list) else [value])] if typed else [],
        "secrets": [name for name in typed.fields if SECRET.search(name)] if typed else [],
        "files": sorted({field_of(key) for key in typed.files}) if typed else [], "kept": getattr(request.state, "kept", []), "lost": _not_kept(request) if typed else [],
        "action": request.url.path if typed else "",
    }  # fmt: skip
    frame = frame_of(request, workspace, Head(showing.TITLES.get(status, "This did not work")))
    return HTMLResponse(environment().get_template("failure.html.j2").render(it=told, frame=frame), status, headers_of(error, status))


def _not_kept(request: Request) -> list[str]:
    """Names of files that were sent and are not kept."""
    kept = [one.name for one in getattr(request.state, "kept", [])]
    return [file.name for file in request.state.typed.files.values() if file.name not in kept]


def _ways(error: WhytuneError, request: Request, workspace: Workspace | None) -> tuple[linking.Onward, list[tuple[str, str]]]:
    """What to do next, and where to go from a page that could not be shown: where it is done, back, the use case or all of them."""
    if workspace is None or getattr(request.state, "nobody", False):
        return linking.onward(error.next), [("/sign-in", "Sign in")]
    name = str(request.path_params.get("name", "")) if request.url.path.startswith("/projects/") else ""
    try:
        project = project_named(workspace, name).name if name else ""
    except WhytuneError:  # that may be what went wrong
        project = ""
    onward = linking.onward(error.next, project)
    if error.next.startswith("?") and " " not in error.next:
        onward = linking.Onward("", "", request.url.path + error.next, "Show it")
    came = urlsplit(request.headers.get("referer", ""))
    back = local_path(came.path + ("?" + came.query if came.query else "")) if came.netloc == request.url.netloc else "/"
    home = (f"/projects/{quote(project, safe='')}/map", f"Map of {project}") if project else ("/projects", "Use cases")
    ways = {href: word for href, word in ((onward.href, onward.word), (back if back != "/" else "", "Back"), home) if href and href != request.url.path}
    return onward, list(ways.items())


@cache
def environment() -> Environment:
    """The templates: autoescaping, and an unknown name is an error."""
    made = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False)
    made.globals.update(static=static, curve_of_job=curves.of_job, curves_of_two=curves.of_two, onward=linking.onward)
    made.filters.update(showing.FILTERS, manual=markdown.html)
    return made


def compile_templates(between: Callable[[], object]) -> None:
    """All of them, which each page would do for its own when it is first asked for. between: is called after each."""
    for name in environment().list_templates(extensions=["j2"]):
        environment().get_template(name)
        between()


@cache
def static(name: str) -> str:
    """The address of a file of `static/`, with a mark of its content, so that a browser may keep it for good."""
    return f"/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def _said(request: Request, workspace: Workspace | None, person: str) -> str:
    once = request.query_params.get("sent", "")
    if not once or workspace is None or not person:
        return ""
    found = workspace.store.submissions.found(once, person)
    return found.said if found else ""


def _filled(text: str, path: Mapping[str, Any]) -> str:
    for name, value in path.items():
        text = text.replace("{" + name + "}", str(value))
    return text
