"""The OpenAPI 3.1 document of `/api/v1`, read from the addresses themselves, so that it cannot say something else.

What an address takes is found in its function: the fields of `ask.take(...)`, what it reads of `ask.query` and
`ask.body`, and the same of the functions it hands `ask` to. Its docstring is the description; what it answers is read by
`answers`.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, get_args

from starlette.routing import BaseRoute

from whytune.records.job import KINDS as JOBS
from whytune.records.ledger import ROLES
from whytune.web import paging
from whytune.web.answers import answered
from whytune.web.handling import Address, WebRequest, route

KINDS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"}, "int": {"type": "integer"}, "float": {"type": "number"}, "bool": {"type": "boolean"},
    "list": {"type": "array", "items": {"type": "string"}}, "dict": {"type": "object", "additionalProperties": {"type": "string"}},
}  # fmt: skip
ERRORS = {
    "400": "The request or its data cannot be used", "401": "Nobody is signed in", "403": "Not allowed: role, duty, another host or site", "404": "There is nothing by that name",
    "413": "More than is taken at once", "409": "The evidence says no, is not enough, or another process works on it", "429": "Tried too often", "503": "A backing service does not answer",
}  # fmt: skip
FACES = ("json", "stream", "upload")
"""Of these addresses it speaks: those that answer JSON, a stream of events, or take files."""
CHOICES: dict[str, Iterable[str]] = {"kind": JOBS, "role": ROLES, "roles": ROLES, "add": ROLES, "remove": ROLES}
"""What fields of these names may say at every address."""
FILES = {"type": "object", "required": ["upload"], "properties": {"upload": {"type": "array", "items": {"type": "string", "format": "binary"}}}}
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
DEEP = 4
"""How many calls away from its function a field of an address is still looked for."""


@dataclass
class TakenField:
    """What a function reads of a request: fields of the body with their kind (empty: any), which of them must be there, words of the query."""

    fields: dict[str, str] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    query: dict[str, dict[str, Any]] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    """Of fields of the body: what they may say, where the function names it."""
    more: bool = False
    """Whether it looks at the body as a whole, so that further fields may be meant."""


def document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """The document about every JSON address among the routes."""
    paths: dict[str, dict[str, Any]] = {}
    shapes: dict[str, Any] = {}
    for one in routes:
        if isinstance(one, Address) and one.face in FACES and one.path.startswith("/api/"):
            for method in sorted((one.methods or set()) - {"HEAD"}):
                paths.setdefault(PARAMETER.sub(r"{\1}", one.path), {})[method.lower()] = _operation(method, one, shapes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "whytune", "version": "1", "description": "The workspace over HTTP. Every page of the site has the same data here."},
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "whytune_session"},
            },
            "schemas": dict(sorted(shapes.items())) | {
                "Error": {
                    "type": "object", "required": ["code", "what", "where", "problems", "next"],
                    "properties": {name: {"type": "string"} for name in ("code", "what", "where", "next")} | {"problems": {"type": "array", "items": {"type": "string"}}},
                }
            },
        },
        "security": [{"token": []}, {"session": []}],
    }  # fmt: skip


def shown(ask: WebRequest) -> Any:
    """This document: every address, what it takes, what it answers."""
    return document(ask.request.app.routes)


@lru_cache(maxsize=1024)
def taken(function: Callable[..., Any]) -> TakenField:
    """What a function reads of the request that it is given."""
    found = TakenField()
    _look(function, found, set(), DEEP)
    return found


def _operation(method: str, address: Address, shapes: dict[str, Any]) -> dict[str, Any]:
    takes, lines = taken(address.function), (inspect.getdoc(address.function) or "").split("\n\n")
    parameters: list[dict[str, Any]] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in PARAMETER.findall(address.path)]
    parameters += [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in sorted(takes.query.items())]
    made: dict[str, Any] = {
        "operationId": f"{method.lower()}_{re.sub(r'[^a-z0-9]+', '_', address.path.removeprefix('/api/v1').lower()).strip('_')}",
        "summary": lines[0].replace("\n", " "), "parameters": parameters, "responses": _responses(address, shapes),
    }  # fmt: skip
    if len(lines) > 1:
        made["description"] = "\n\n".join(lines)
    if method not in ("GET", "DELETE") or takes.fields:
        schema: dict[str, Any] = {"type": "object", "additionalProperties": takes.more, "properties": {name: _kind(name, kind, takes) for name, kind in sorted(takes.fields.items())}}
        if takes.required:
            schema["required"] = sorted(takes.required)
        made["requestBody"] = {"required": bool(takes.required), "content": {"application/json": {"schema": schema}}}
    if address.face == "upload":
        made["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": FILES}}}
    return made


def _kind(name: str, kind: str, takes: TakenField) -> dict[str, Any]:
    found, words = KINDS.get(kind, {}), takes.choices.get(name) or CHOICES.get(name)
    if not words:
        return found
    return {**found, "items": {"type": "string", "enum": list(words)}} if kind == "list" else {**found, "enum": list(words)} if kind in ("str", "") else found


def _responses(address: Address, shapes: dict[str, Any]) -> dict[str, Any]:
    # A function that makes its own response says its status and its media type itself.
    own = "Response" in str(inspect.signature(address.function).return_annotation)
    good: dict[str, Any] = {"2XX": {"description": "Done"}}
    if address.face == "stream":
        good = {"200": {"description": "Server-sent events, until the end or for a minute: then ask again from the last id", "content": {"text/event-stream": {"schema": {"type": "string"}}}}}
    elif not own:
        good = {str(address.status): {"description": "Done", "content": {"application/json": {"schema": answered(address.function, shapes)}}}}
    failed = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    return {**good, **{status: {"description": said, **failed} for status, said in ERRORS.items()}}


def _look(function: Callable[..., Any], found: TakenField, seen: set[Any], deep: int) -> None:
    function = inspect.unwrap(function)
    if function in seen or not inspect.isfunction(function) or function.__name__ == "<lambda>":
        return
    seen.add(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        _attribute(node, found, tree, function.__globals__)
        _choice(node, found, tree, function.__globals__)
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name == "ask.take":
            _fields(node, found, tree)
        elif name.endswith("paging.asked") or name == "asked":
            found.query |= {"page": {"type": "integer", "minimum": 1}, "per": {"type": "integer", "minimum": 1, "maximum": paging.MOST}}
        elif name.endswith("paging.beside") and isinstance(node.args[1], ast.Constant):
            found.query[str(node.args[1].value)] = {"type": "integer", "minimum": 1}
        called = _named(node.func, function.__globals__)
        handed = [*node.args, *(keyword.value for keyword in node.keywords)]
        if deep and called is not None and any(isinstance(one, ast.Name) and one.id == "ask" for one in handed):
            _look(called, found, seen, deep - 1)


def _choice(node: ast.AST, found: TakenField, tree: ast.AST, names: Mapping[str, Any]) -> None:
    """`_one_of(ask.query.get("state"), "state", STATES)` and `says not in ("approve", "reject")`: which words a field may say."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("one_of") and len(node.args) == 3:
        asked, known = ast.unparse(node.args[0]), node.args[2]
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotIn):
        asked, known = ast.unparse(node.left), node.comparators[0]
    else:
        return
    words = _known(known, names)
    for name, value in _readings(tree):
        if asked in (name, value) and words:
            key = re.fullmatch(r"(?:ask\.)?query\.get\('(\w+)'.*\)", value)
            if key:
                found.query[key[1]] = {"type": "string", "enum": words}
            elif value.startswith("ask.take "):
                found.choices[value.partition(" ")[2]] = words


def _readings(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Names of a function and what of the request they are: `query.get('q')`, `ask.take field`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("ask.query.get", "query.get"):
            yield "", ast.unparse(node)
        if isinstance(node, ast.NamedExpr):
            yield node.target.id, ast.unparse(node.value)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "ask.take":
            yield from ((ast.unparse(one), f"ask.take {(each.arg or '').removesuffix('_')}") for one, each in zip(node.targets[0].elts, node.value.keywords, strict=False))
    yield from ((ast.unparse(target), ast.unparse(value)) for target, value in _assignments(tree))


def _known(node: ast.expr, names: Mapping[str, Any]) -> list[str]:
    """The words of a tuple or a table that the code names; none where it is worked out while it runs."""
    if isinstance(node, ast.Starred):
        return _known(node.value, names)
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return [word for each in node.elts for word in _known(each, names)]
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and node.value else []
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "get_args" and node.args:
        return list(get_args(_named(node.args[0], names)))
    found = _named(node, names)
    return [word for word in found if isinstance(word, str)] if isinstance(found, (tuple, list, dict, frozenset)) else []


def _fields(call: ast.Call, found: TakenField, tree: ast.AST) -> None:
    for keyword in call.keywords:
        if keyword.arg is not None:
            _field(keyword.arg, keyword.value, found, certain=True)
        elif isinstance(keyword.value, ast.Name):  # `**shape`, a table of fields that stands in the same function
            for value in _assigned(tree, keyword.value.id):
                found.more = found.more or any(isinstance(node, ast.DictComp) for node in ast.walk(value))
                for table in (node for node in ast.walk(value) if isinstance(node, ast.Dict)):
                    for key, kind in zip(table.keys, table.values, strict=True):
                        if isinstance(key, ast.Constant):
                            _field(str(key.value), kind, found, certain=table is value)


def _assigned(tree: ast.AST, name: str) -> list[ast.expr]:
    """Everything that a function assigns to this name."""
    return [value for target, value in _assignments(tree) if ast.unparse(target) == name]


def _assignments(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and node.value:
            yield node.target, node.value
        elif isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            both = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            yield from zip(target.elts, value.elts, strict=False) if both else [(target, value)]  # type: ignore[attr-defined]


def _field(name: str, kind: ast.expr, found: TakenField, *, certain: bool) -> None:
    bare = name.removesuffix("_")
    found.fields[bare] = ast.unparse(kind)
    if bare == name and certain:
        found.required.add(bare)


def _attribute(node: ast.AST, found: TakenField, tree: ast.AST, names: Mapping[str, Any]) -> None:
    """`ask.query.get("q")`, `ask.query["q"]`, `"q" in ask.query`, and the same of `ask.body`; a name that goes over a list of words is all of them."""
    asked: tuple[str, ast.expr] | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        asked = ast.unparse(node.func.value), node.args[0]
    elif isinstance(node, ast.Subscript):
        asked = ast.unparse(node.value), node.slice
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
        asked = ast.unparse(node.comparators[0]), node.left
    elif isinstance(node, (ast.Call, ast.For, ast.comprehension)):
        whole = [*node.args, *(keyword.value for keyword in node.keywords)] if isinstance(node, ast.Call) else [node.iter]
        found.more = found.more or any(ast.unparse(one) in ("ask.body", "ask.body.items()") for one in whole)
    if asked and asked[0] in (*_called(tree, "ask.query"), "request.query_params", "ask.body"):
        for text in _words(asked[1], tree, names):
            if asked[0] != "ask.body":
                found.query.setdefault(text, {"type": "string"})
            else:
                found.fields.setdefault(text, "")


def _called(tree: ast.AST, what: str) -> set[str]:
    """What a function calls this: itself, and names that it gives it, as in `query, wanted = ask.query, paging.asked(ask.query)`."""
    return {what, *(ast.unparse(target) for target, value in _assignments(tree) if ast.unparse(value) == what)}


def _words(node: ast.expr, tree: ast.AST, names: Mapping[str, Any]) -> list[str]:
    """The texts that an expression can be, as far as the code says them outright."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return [text for one in node.elts for text in _words(one, tree, names)]
    if not isinstance(node, ast.Name):
        return []
    known = names.get(node.id)
    if isinstance(known, str):
        return [known]
    if isinstance(known, (tuple, list, frozenset, set, dict)):
        return [text for text in known if isinstance(text, str)]
    loops = (one for one in ast.walk(tree) if isinstance(one, (ast.For, ast.comprehension)) and ast.unparse(one.target) == node.id)
    return [text for one in loops if ast.unparse(one.iter) != node.id for text in _words(one.iter, tree, names)]


def _named(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The function that a call names: one of this module, or of a module it knows."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return getattr(names.get(node.value.id), node.attr, None)
    return None


routes = [route("GET", "/api/v1/openapi.json", shown)]
