"""The table of teams as text: reading it with every mistake at once, writing it, the one that comes with whytune.

Pure: text in, `TeamTable` out, and back. What is written is read again as the same table.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from functools import cache
from importlib import resources
from typing import Any

from pydantic import ValidationError

from whytune.errors import UsageError
from whytune.records.ledger import ROLES
from whytune.records.team import TeamFunction, TeamTable

LATER = ("review", "responsible", "accept", "release", "serve", "feedback")
STAGES = ("usecase", "data", "check", "triage", "dev", "train", "test", "decide", *LATER)
"""Where a box can stand: the steps of a run, and what comes after them."""
TOP = ("head", "signatures", "domains", "branches", "duties")
RACI = ("responsible", "accountable", "consulted", "informed")
NEXT = "mend it, then: whytune team edit FILE; `whytune team show --toml` prints the one in force"


@cache
def default() -> TeamTable:
    """The table that comes with whytune."""
    return read(resources.files("whytune.workspace").joinpath("team.toml").read_text("utf-8"), "team.toml")


def read(text: str, where: str = "") -> TeamTable:
    """A table from its text. Raises UsageError with every mistake."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The table of teams cannot be read: {error}", where=where, next=NEXT) from error
    problems = [f"{name}: not a field here; there are: {', '.join(TOP)}" for name in raw if name not in TOP]
    branches = raw.get("branches", {})
    if not isinstance(branches, dict) or not all(isinstance(one, dict) for one in branches.values()):
        raise UsageError("[branches.NAME] must hold functions, each with its list of roles", where=where, next=NEXT)
    content = {name: raw[name] for name in TOP if name in raw and name != "branches"}
    content["branches"] = [{"name": name, "functions": [{"name": f, "roles": held} for f, held in functions.items()]} for name, functions in branches.items()]
    try:
        found = TeamTable.model_validate(content)
    except ValidationError as error:
        problems += [f"{'.'.join(map(str, slip['loc']))}: {slip['msg']}" for slip in error.errors()]
        problems += _mistakes(_without(content, {slip["loc"] for slip in error.errors()}))
        raise UsageError("The table of teams cannot be used", where=where, problems=problems, next=NEXT) from error
    problems += _mistakes(found)
    if problems:
        raise UsageError("The table of teams cannot be used", where=where, problems=problems, next=NEXT)
    return found


def write(table: TeamTable) -> str:
    """The text of a table."""
    lines = ["# A function is named Branch/Function; stage is one of: " + ", ".join(STAGES), ""]
    lines += [f"head = {_quoted(table.head)}", f"signatures = {_list(table.signatures)}", f"domains = {_list(table.domains)}"]
    for branch in table.branches:
        lines += ["", f"[branches.{_quoted(branch.name)}]", *(f"{_quoted(f.name)} = {_list(f.roles)}" for f in branch.functions)]
    for duty in table.duties:
        lines += ["", "[[duties]]", f"box = {_quoted(duty.box)}", f"stage = {_quoted(duty.stage)}", f"roles = {_list(duty.roles)}"]
        lines += [f"{name} = {_list(getattr(duty, name))}" for name in (*RACI, "skills")]
        lines += [f"years = {duty.years!r}"]
    return "\n".join(lines) + "\n"


def functions(table: TeamTable) -> dict[str, TeamFunction]:
    """Every function by its whole name."""
    return {f"{branch.name}/{function.name}": function for branch in table.branches for function in branch.functions}


def _without(content: dict[str, Any], slips: set[tuple[int | str, ...]]) -> TeamTable:
    """What is left of a table without its parts that cannot be read: the other mistakes are to be told too."""
    broken = {loc[:2] for loc in slips}
    kept: dict[str, Any] = {"head": "somebody"} | {name: value for name, value in content.items() if (name,) not in slips}
    for part in ("branches", "duties"):
        listed = kept.get(part, [])
        kept[part] = [one for at, one in enumerate(listed) if (part, at) not in broken] if isinstance(listed, list) else []
    try:
        return TeamTable.model_validate(kept)
    except ValidationError:
        return TeamTable.model_validate({"head": "somebody", "branches": [], "duties": []})


def _mistakes(table: TeamTable) -> list[str]:
    known = functions(table)
    found = [f"branches: {name} stands there twice" for name, n in Counter(b.name for b in table.branches).items() if n > 1]
    found += [f"branch {b.name!r}: a name without / is needed" for b in table.branches if "/" in b.name or not b.name.strip()]
    found += [f"{name}: no role is named {role}" for name, f in known.items() for role in f.roles if role not in ROLES]
    found += [f"signatures: no role is named {role}" for role in table.signatures if role not in ROLES]
    found += [f"duties: the box {box!r} stands there twice" for box, n in Counter(d.box for d in table.duties).items() if n > 1]
    for duty in table.duties:
        if duty.stage not in STAGES:
            found.append(f"{duty.box}: there is no stage {duty.stage!r}; there are: {', '.join(STAGES)}")
        found += [f"{duty.box}: no role is named {role}" for role in duty.roles if role not in ROLES]
        found += [f"{duty.box}: {part} names {name!r}, which no branch has" for part in RACI for name in getattr(duty, part) if name not in known]
        if len(duty.accountable) != 1:
            found.append(f"{duty.box}: exactly one function is accountable, not {len(duty.accountable)}")
        if not duty.responsible:
            found.append(f"{duty.box}: somebody must be responsible")
    return found


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(texts: tuple[str, ...] | list[Any]) -> str:
    return "[" + ", ".join(_quoted(text) for text in texts) + "]"


