"""One shape for every address: a plain function gets a `WebRequest` and gives what becomes the JSON body.

The function runs in a thread, so it may block; errors of the tree become answers elsewhere. Example:

    def show(ask: WebRequest) -> Any:
        return {"project": ask.project.name}

    routes = [route("GET", "/api/v1/projects/{name}", show)]
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, compile_path

from whytune.errors import NotFoundError, TooLargeError, UsageError
from whytune.text import unkeepable
from whytune.web import acts
from whytune.web.auth import csrf_proven
from whytune.web.forms import Unreadable, UploadedFile, from_form
from whytune.workspace import held, privacy
from whytune.workspace.held import HeldProject, LookingRoom
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

LARGEST = 1_000_000
"""Bytes of a body."""
MOST_PROBLEMS = 50


@dataclasses.dataclass(frozen=True)
class WebRequest:
    """One request. workspace acts as the person who asks; body is the JSON object that was sent, empty where none was."""

    workspace: Workspace
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    request: Request
    files: Mapping[str, UploadedFile] = dataclasses.field(default_factory=dict)
    form: bool = False
    """Whether the body came from a form: everything in it is text then, and lists of text."""

    @property
    def project(self) -> Project:
        """The project named by `{name}` in the path; by its name only, never by a path on the disk."""
        return project_named(self.workspace, self.path["name"])

    def take(self, **kinds: type) -> list[Any]:
        """The fields of the body, each of its kind; every mistake at once. A field that may be missing has a name that ends in `_`."""
        problems, found = [], []
        known = {name.removesuffix("_") for name in kinds}
        problems += [f"{name}: not a field here; there are: {', '.join(sorted(known))}" for name in self.body if (name.partition(".")[0] if self.form else name) not in known]
        for name, kind in kinds.items():
            key = name.removesuffix("_")
            value = from_form(self.body, key, kind) if self.form else self.body.get(key)
            if value is None:
                if key == name:
                    problems.append(f"{key}: missing")
                found.append(kind())
                continue
            if isinstance(value, Unreadable):
                problems.append(f"{key}: {value.why}")
                found.append(kind())
                continue
            right = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) if kind is float else type(value) is kind
            if not right or (kind is list and not all(isinstance(one, str) for one in value)):
                problems.append(f"{key}: must be a {'list of text' if kind is list else {'str': 'text', 'int': 'whole number', 'float': 'number', 'bool': 'true or false'}.get(kind.__name__, kind.__name__)}")
            found.append(value)
        if problems:
            raise UsageError("The request cannot be used", problems=problems, next=f"mend the {'form' if self.form else 'JSON body'} and send it again")
        return found


def looking(ask: WebRequest) -> WebRequest:
    """The same for who only looks: what the records say comes from memory until the ledger moves on."""
    return dataclasses.replace(ask, workspace=held.looking(ask.workspace))


def project_named(workspace: Workspace, name: str) -> Project:
    """A project by its name. Raises NotFoundError."""
    keys = {folder: privacy.of(folder).key for folder in workspace.folders()}  # of a broken file too: the others stay reachable
    chosen = next((folder for folder, key in keys.items() if key == name and not privacy.hides(workspace, folder)), None)
    if chosen is None:
        seen = [key for folder, key in keys.items() if not privacy.hides(workspace, folder)]
        raise NotFoundError(f"There is no project {name!r}", where=f"there are: {', '.join(seen) or 'none yet'}", next="whytune projects")
    return HeldProject(workspace, chosen) if isinstance(workspace, LookingRoom) else Project(workspace, chosen)


class _ReleaseWord(Convertor[str]):
    """A release in an address: an id, an alias, or its shown name `support/1`."""

    regex = "[^/]+(?:/[0-9]+)?"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("release", _ReleaseWord())


class Address(Route):
    """A route that remembers what it stands for: the function behind it, and whether it speaks json, html or takes a form."""

    def __init__(self, method: str, path: str, endpoint: Callable[[Request], Any], *, function: Callable[..., Any], face: str, status: int = 200) -> None:
        super().__init__(path, endpoint, methods=[method], name=f"{method} {path}")
        self.path_regex, self.path_format, self.param_convertors = compile_path(path.replace("{release}", "{release:release}"))
        self.function = function
        self.face = face
        self.status = status


def route(method: str, path: str, function: Callable[[WebRequest], Any], status: int = 200) -> Route:
    """An address. What the function gives becomes JSON, unless it is a Response already."""

    guarded = acts.guard(f"{method} {path}", function)

    async def endpoint(request: Request) -> Response:
        csrf_proven(request)
        ask = WebRequest(request.state.workspace, request.path_params, request.query_params, await _body(request), request)
        given = await run_in_threadpool(lambda: guarded(looking(ask) if method == "GET" else ask))
        return given if isinstance(given, Response) else JSONResponse(plain(given), status)

    return Address(method, path, endpoint, function=function, face="json", status=status)


def plain(value: Any) -> Any:
    """Records, dataclasses and what holds them, as JSON values; a record carries its id."""
    if isinstance(value, BaseModel):
        identity = {"id": value.id} if hasattr(value, "id") and "id" not in type(value).model_fields else {}
        return {**identity, **value.model_dump(mode="json")}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


async def _body(request: Request) -> dict[str, Any]:
    if request.method in ("GET", "HEAD"):
        return {}
    held = bytearray()
    async for part in request.stream():
        held += part
        if len(held) > LARGEST:
            raise TooLargeError(f"The body has more than {LARGEST:,} bytes", next="send less at once")
    if not held:
        return {}
    # Another site's form cannot send this type without the browser asking us first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UsageError("The body must be JSON", next="send it with the header Content-Type: application/json")
    try:
        content = json.loads(held)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The body is not JSON: {error}", next="mend it and send it again") from error
    if not isinstance(content, dict):
        raise UsageError("The body must be a JSON object", next='send {"field": value}')
    if problems := unkeepable(content):
        raise UsageError("The request cannot be used", problems=problems[:MOST_PROBLEMS], next="mend the JSON body and send it again")
    return content
