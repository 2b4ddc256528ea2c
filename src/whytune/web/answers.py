"""What an address answers, read from its function: the keys of the mapping it gives, and what stands behind them.

A page function gives plain data; the types of it are those of the records, dataclasses and workspace functions that it
calls, as their annotations say them. What cannot be told is left open (an empty schema), never guessed.

    answered(view, shapes)      # {"type": "object", "properties": {"project": {"type": "string"}, ...}}; shapes: records by name
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Literal, Union

from pydantic import BaseModel
from starlette.responses import Response

from whytune.web.handling import WebRequest

Schema = dict[str, Any]
SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
BUILT_IN = {"len": int, "str": str, "bool": bool, "int": int, "any": bool, "all": bool, "round": float, "abs": float}
TEXTS = {"strip": str, "lower": str, "casefold": str, "format": str, "join": str, "replace": str, "removeprefix": str, "removesuffix": str, "isoformat": str, "split": list[str], "splitlines": list[str], "startswith": bool, "endswith": bool}
DEEP = 6
"""How far from its function a value is followed."""


@dataclasses.dataclass(frozen=True, eq=False)
class ShapedDict:
    """A mapping with known keys. whole: whether there may be no others."""

    keys: dict[str, Any]
    optional: frozenset[str] = frozenset()
    whole: bool = True

    def merged(self, other: ShapedDict) -> ShapedDict:
        """This one and another over it."""
        return ShapedDict({**self.keys, **other.keys}, (self.optional - set(other.keys)) | (other.optional - set(self.keys)), self.whole and other.whole)


@dataclasses.dataclass(frozen=True, eq=False)
class ShapedList:
    """A list of such mappings."""

    holds: ShapedDict


@dataclasses.dataclass(frozen=True, eq=False)
class EitherOf:
    """One of several kinds, a mapping with known keys among them."""

    kinds: tuple[Any, ...]


def answered(function: Callable[..., Any], shapes: dict[str, Schema]) -> Schema:
    """The schema of what a function of an address gives. shapes: where records and dataclasses are put, by name."""
    return schema(_gives(inspect.unwrap(function)), shapes)


@lru_cache(maxsize=1024)
def _gives(function: Callable[..., Any]) -> Any:
    return _Function(function, 0).gives


def schema(kind: Any, shapes: dict[str, Schema]) -> Schema:
    """A type as its JSON, in the way of `handling.plain`."""
    if kind in SIMPLE:
        return {"type": SIMPLE[kind]}
    if isinstance(kind, ShapedDict):
        needed = sorted(set(kind.keys) - kind.optional)
        made: Schema = {"type": "object", "properties": {name: schema(each, shapes) for name, each in kind.keys.items()}, "additionalProperties": not kind.whole}
        return {**made, "required": needed} if needed else made
    if isinstance(kind, ShapedList):
        return {"type": "array", "items": schema(kind.holds, shapes)}
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType) or isinstance(kind, EitherOf):
        found: list[Schema] = []
        for each in kind.kinds if isinstance(kind, EitherOf) else inner:
            if (one := schema(each, shapes)) not in found:
                found.append(one)
        return {} if {} in found else found[0] if len(found) == 1 else {"anyOf": found}
    if origin is Literal:
        return {"enum": list(inner)}
    if _is(origin or kind, Mapping):
        return {"type": "object", "additionalProperties": schema(inner[1], shapes) if len(inner) == 2 else True}
    if isinstance(kind, type) and (_is(kind, BaseModel) or dataclasses.is_dataclass(kind)):
        if kind.__name__ not in shapes:
            shapes[kind.__name__] = {}  # it may hold itself
            fields = hints(kind)
            known: Any = kind
            names = list(known.model_fields) if _is(kind, BaseModel) else [field.name for field in dataclasses.fields(known)]
            held, needed = {name: schema(fields.get(name, Any), shapes) for name in names}, sorted(names)
            if _is(kind, BaseModel) and hasattr(kind, "id") and "id" not in names:
                # Only a record that stands by itself is told with its id, not one within another.
                held = {"id": {"type": "string"}, **held}
            shapes[kind.__name__] = {"type": "object", "properties": held, "required": needed}
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    if _is(origin or kind, Iterable):
        return {"type": "array", "items": schema(element(kind), shapes)}
    return {}


def element(kind: Any) -> Any:
    """What a list, a set or a tuple holds, and what one gets of a mapping by going over it."""
    if isinstance(kind, ShapedList):
        return kind.holds
    if typing.get_origin(kind) in (Union, types.UnionType) or isinstance(kind, EitherOf):
        return Any
    if _is(typing.get_origin(kind) or kind, Mapping):
        return str
    inner = [each for each in typing.get_args(kind) if each is not Ellipsis]
    return _either(inner) if inner else Any


def hints(what: Any) -> dict[str, Any]:
    """Annotations as types. What is imported for checking alone is found by its name: no two classes share one."""
    own = vars(sys.modules.get(getattr(what, "__module__", ""), types))
    try:
        return typing.get_type_hints(what, localns={name: each for name, each in _named_classes(len(sys.modules)).items() if name not in own})
    except (NameError, TypeError, AttributeError):
        return {}


def _kind_of(value: Any) -> Any:
    """The type of a constant."""
    if isinstance(value, dict):
        return dict[str, _either([_kind_of(each) for each in value.values()])]  # type: ignore[misc]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list[_either([_kind_of(each) for each in value])]  # type: ignore[misc]
    return type(value) if type(value) in SIMPLE else Any


def _member(kind: Any, name: str) -> Any:
    """The type of an attribute: a field, a property; of several types that there may be, of each that is no None."""
    if typing.get_origin(kind) in (Union, types.UnionType):
        return _either([_member(each, name) for each in typing.get_args(kind) if each is not type(None)])
    if not isinstance(kind, type):
        return Any
    known = inspect.getattr_static(kind, name, None)
    reads = known.fget if isinstance(known, property) else known.func if isinstance(known, cached_property) else None
    return hints(reads).get("return", Any) if reads else hints(kind).get(name, Any)


@lru_cache(maxsize=1)
def _named_classes(_: int) -> dict[str, Any]:
    held = [module for name, module in list(sys.modules.items()) if name.startswith("whytune.")]
    return {name: each for module in held for name, each in vars(module).items() if isinstance(each, type) and each.__module__ == module.__name__}


def _is(kind: Any, what: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, what)


def _either(kinds: Iterable[Any]) -> Any:
    """One of these types; mappings with known keys become one whose other keys may be missing."""
    found = list(kinds)
    if len(found) > 1 and all(isinstance(each, ShapedDict) for each in found):
        every: dict[str, list[Any]] = {}
        for each in found:
            for name, value in each.keys.items():
                every.setdefault(name, []).append(value)
        missing = {name for name, values in every.items() if len(values) < len(found)}
        return ShapedDict({name: _either(values) for name, values in every.items()}, frozenset(missing | {name for each in found for name in each.optional}), all(each.whole for each in found))
    plain: list[Any] = []
    for each in found:
        for one in each.kinds if isinstance(each, EitherOf) else (each,):
            if one is Any:
                return Any
            if one not in plain:
                plain.append(one)
    if any(isinstance(each, (ShapedDict, ShapedList)) for each in plain):
        return plain[0] if len(plain) == 1 else EitherOf(tuple(plain))
    return plain[0] if len(plain) == 1 else Union[tuple(plain)] if plain else Any  # noqa: UP007 (of a tuple)


class _Function:
    """One function, its names and what they stand for."""

    def __init__(self, function: Callable[..., Any], deep: int) -> None:
        self.function, self.deep = function, deep
        self.names = function.__globals__
        self.given = hints(function)
        self._looking: set[str] = set()

    @cached_property
    def tree(self) -> ast.AST:
        return ast.parse(textwrap.dedent(inspect.getsource(self.function))).body[0]

    @property
    def gives(self) -> Any:
        """What it gives back: as annotated, or as its returns say; an answer made by hand has no shape."""
        said = self.given.get("return", Any)
        if said is not Any and not (typing.get_origin(said) is dict and Any in typing.get_args(said)):
            return Any if _is(said, Response) else said
        if self.deep > DEEP:
            return Any
        found = [self.of(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Return) and node.value is not None]
        found = [each for each in found if not _is(each, Response)]
        return _either(found) if found else Any

    def of(self, node: ast.expr) -> Any:
        """The type of an expression."""
        look = getattr(self, f"_{type(node).__name__.lower()}", None)
        return look(node) if look else Any

    def _constant(self, node: ast.Constant) -> Any:
        return type(node.value) if type(node.value) in SIMPLE else Any

    def _joinedstr(self, _: ast.JoinedStr) -> Any:
        return str

    def _compare(self, _: ast.Compare) -> Any:
        return bool

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        return bool if isinstance(node.op, ast.Not) else self.of(node.operand)

    def _ifexp(self, node: ast.IfExp) -> Any:
        return _either([self.of(node.body), self.of(node.orelse)])

    def _boolop(self, node: ast.BoolOp) -> Any:
        return _either([self.of(each) for each in node.values])

    def _namedexpr(self, node: ast.NamedExpr) -> Any:
        return self.of(node.value)

    def _binop(self, node: ast.BinOp) -> Any:
        left, right = self.of(node.left), self.of(node.right)
        if isinstance(node.op, ast.BitOr) and isinstance(left, ShapedDict) and isinstance(right, ShapedDict):
            return left.merged(right)
        return left if left == right and left is not int else Any

    def _dict(self, node: ast.Dict) -> Any:
        made = ShapedDict({})
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                inner = self.of(value)
                made = made.merged(inner if isinstance(inner, ShapedDict) else ShapedDict({}, whole=False))
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                made = made.merged(ShapedDict({key.value: self.of(value)}))
            else:
                return dict[str, Any]
        return made

    def _listcomp(self, node: ast.ListComp) -> Any:
        return self._list_of(self.of(node.elt))

    _setcomp = _generatorexp = _listcomp

    def _dictcomp(self, node: ast.DictComp) -> Any:
        value = self.of(node.value)
        return dict[str, Any] if isinstance(value, ShapedDict) else dict[str, value]  # type: ignore[valid-type]

    def _list(self, node: ast.List | ast.Tuple) -> Any:
        if any(isinstance(each, ast.Starred) for each in node.elts):
            return list[Any]
        return self._list_of(_either([self.of(each) for each in node.elts]))

    _tuple = _set = _list

    def _list_of(self, kind: Any) -> Any:
        return ShapedList(kind) if isinstance(kind, ShapedDict) else list[kind]

    def _subscript(self, node: ast.Subscript) -> Any:
        value = self.of(node.value)
        if isinstance(node.slice, ast.Slice):
            return value
        if isinstance(value, ShapedDict):
            return value.keys.get(str(node.slice.value), Any) if isinstance(node.slice, ast.Constant) else Any
        origin, inner = typing.get_origin(value), typing.get_args(value)
        if origin is tuple and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int) and Ellipsis not in inner and node.slice.value < len(inner):
            return inner[node.slice.value]
        if _is(origin, Mapping):
            return inner[1] if len(inner) == 2 else Any
        return element(value) if _is(origin, (list, tuple)) else Any

    def _attribute(self, node: ast.Attribute) -> Any:
        known = self._thing(node)
        if known is not None:
            return _kind_of(known)
        return _member(self.of(node.value), node.attr)

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id in BUILT_IN:
            return BUILT_IN[node.func.id]
        if isinstance(node.func, ast.Name) and node.func.id in ("sum", "max", "min") and node.args:
            kinds = [element(self.of(node.args[0]))] if len(node.args) == 1 else [self.of(each) for each in node.args]
            kinds += [self.of(keyword.value) for keyword in node.keywords if keyword.arg == "default"]
            return _either([int if each is bool else each for each in kinds])
        if isinstance(node.func, ast.Name) and node.func.id in ("sorted", "list", "tuple", "set", "reversed") and node.args:
            inner = self.of(node.args[0])
            return inner if isinstance(inner, ShapedList) else list[element(inner)]  # type: ignore[misc]
        known = self._thing(node.func)
        if isinstance(known, type):
            return known
        if known is not None and inspect.isfunction(inspect.unwrap(known)) and known.__module__.startswith(("whytune.", self.function.__module__)):
            return _Function(inspect.unwrap(known), self.deep + 1).gives
        if not isinstance(node.func, ast.Attribute):
            return Any
        name, value = node.func.attr, self.of(node.func.value)
        if value is str and name in TEXTS:
            return TEXTS[name]
        if name == "items" and _is(typing.get_origin(value), Mapping):
            return list[tuple[str, typing.get_args(value)[1]]]  # type: ignore[misc]
        if _is(typing.get_origin(value), Mapping) or isinstance(value, ShapedDict):
            inner = typing.get_args(value)
            return (_either([inner[1], self.of(node.args[1]) if len(node.args) > 1 else type(None)]) if len(inner) == 2 else Any) if name == "get" else Any
        if name == "cut" and node.args:  # a page of a list holds what the list holds
            inner = self.of(node.args[0])
            return inner if isinstance(inner, ShapedList) else list[element(inner)]  # type: ignore[misc]
        if name == "worked_out" and isinstance(node.args[-1], ast.Lambda):
            return self.of(node.args[-1].body)
        method = getattr(value, name, None) if isinstance(value, type) else None
        return hints(inspect.unwrap(method)).get("return", Any) if inspect.isfunction(method) else Any

    def _name(self, node: ast.Name) -> Any:
        name = node.id
        if name in self.given:
            return self.given[name]
        if name == "ask":
            return WebRequest
        if name in self._looking:
            return Any
        self._looking.add(name)
        try:
            found = list(self._meanings(name))
        finally:
            self._looking.discard(name)
        if found:
            return _either(found)
        return _kind_of(self.names.get(name, _kind_of))

    def _meanings(self, name: str) -> Iterable[Any]:
        """Everything that the function lets a name stand for."""
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.For, ast.comprehension)):
                yield from self._parts(name, node.target, node.iter, over=True)
            elif isinstance(node, ast.Assign):
                if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple) and len(node.targets[0].elts) == len(node.value.elts):
                    for target, value in zip(node.targets[0].elts, node.value.elts, strict=True):
                        yield from self._parts(name, target, value)
                else:
                    for target in node.targets:
                        yield from self._parts(name, target, node.value)
            elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
                yield from self._parts(name, node.target, node.value)
            elif (isinstance(node, ast.AugAssign) and ast.unparse(node.target) == name) or (isinstance(node, ast.withitem) and node.optional_vars is not None and ast.unparse(node.optional_vars) == name):
                yield Any

    def _parts(self, name: str, target: ast.expr, value: ast.expr, *, over: bool = False) -> Iterable[Any]:
        """What a name is where `target` is given a value, or goes over what the value holds."""
        if isinstance(target, ast.Name) and target.id == name:
            yield element(self.of(value)) if over else self.of(value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            names = [ast.unparse(each) for each in target.elts]
            if name in names:
                whole = element(self.of(value)) if over else self.of(value)
                inner = typing.get_args(whole)
                exact = typing.get_origin(whole) is tuple and Ellipsis not in inner and len(inner) == len(names)
                yield inner[names.index(name)] if exact else element(whole) if _is(typing.get_origin(whole), (list, tuple)) else Any
            elif any(name in ast.unparse(each) for each in target.elts):
                yield Any

    def _thing(self, node: ast.expr) -> Any:
        """The function, class or constant that an expression names, of this module or of one it knows."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and isinstance(self.names.get(node.value.id), types.ModuleType):
            return getattr(self.names[node.value.id], node.attr, None)
        return None
