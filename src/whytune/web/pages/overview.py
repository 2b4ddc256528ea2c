"""Pages over many use cases: what waits for me, the list of them, the portfolio, the search."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable
from typing import Any, get_args

from whytune.errors import UsageError
from whytune.web import paging
from whytune.web.frame import page
from whytune.web.handling import WebRequest
from whytune.web.linking import hit_link, place_link, task_link
from whytune.workspace import held, mapping, my_tasks, permissions, portfolio, searching
from whytune.workspace.portfolio import UseCaseLine

LONGEST = searching.LONGEST


def tasks(ask: WebRequest) -> Any:
    """What waits for whoever asks, worked out from records and roles; what waits longest stands first."""
    wanted, kind = paging.asked(ask.query), _one_of(ask.query.get("kind", ""), "kind", get_args(my_tasks.TaskKind))
    room = held.looking(ask.workspace)
    every = my_tasks.tasks_for(room)
    kinds = sorted({task.kind for task in every})
    found = [task for task in every if kind in ("", task.kind)]
    lines = [{**dataclasses.asdict(task), "link": task_link(task)} for task in wanted.of(len(found)).cut(found)]
    return {"person": room.person.name, "roles": room.person.roles, "tasks": lines, "page": wanted.of(len(found)), "kind": kind, "kinds": kinds, "projects": len(room.held), "may": {"new": permissions.may(room, "project.created")}}


def projects(ask: WebRequest) -> Any:
    """Every use case with how far it is and for whom it waits; what waits longest stands first."""
    wanted, words = paging.asked(ask.query), _words(ask.query.get("q", ""))
    stage, who = _one_of(ask.query.get("stage", ""), "stage", mapping.STAGES), ask.query.get("who", "")
    room = held.looking(ask.workspace)
    every = portfolio.use_cases(room)
    found = [line for line in every if _fits(line, words) and stage in ("", line.stage) and who in ("", *line.waiting_for)]
    filters = {"q": ask.query.get("q", ""), "stage": stage, "who": who, "stages": sorted({line.stage for line in every}), "people": sorted({name for line in every for name in line.waiting_for})}
    return {
        "projects": [_case(line) for line in wanted.of(len(found)).cut(found)], "page": wanted.of(len(found)), "filters": filters, "every": len(every),
        "broken": [{"folder": folder, "why": why} for folder, why in room.broken], "dots": [title for title, _ in portfolio.DOTS], "may": {"new": permissions.may(room, "project.created")},
    }  # fmt: skip


def whole(ask: WebRequest) -> Any:
    """All use cases by stage, with waiting time, spending against budget, what they save, and risk."""
    wanted, words = paging.asked(ask.query), _words(ask.query.get("q", ""))
    found = portfolio.portfolio(ask.workspace)
    lines = [line for line in found.lines if _fits(line.case, words)]
    shown = [{**dataclasses.asdict(line), "case": _case(line.case)} for line in wanted.of(len(lines)).cut(lines)]
    return {
        "lines": shown, "page": wanted.of(len(lines)), "q": ask.query.get("q", ""), "every": len(found.lines), "waiting": found.waiting, "live": found.live, "spent": found.spent, "saving": found.saving,
        "stages": [{"title": title, "count": count} for title, count in found.stages.items()], "most": max(found.stages.values(), default=1),
        "over": sum(line.over for line in found.lines), "stopped": sum(bool(line.risk.stopped) for line in found.lines), "alone": sum(line.risk.solo for line in found.lines),
    }  # fmt: skip


def search(ask: WebRequest) -> Any:
    """Use cases, dataset versions, rounds of review, releases, people and documentation in which all the words stand."""
    wanted, text, kind = paging.asked(ask.query), ask.query.get("q", "").strip(), ask.query.get("kind", "")
    _words(text)
    _one_of(kind, "kind", searching.KINDS)
    every = searching.search(ask.workspace, text)
    found = [hit for hit in every if kind in ("", hit.kind)]
    counts = {one: sum(hit.kind == one for hit in every) for one in searching.KINDS}
    lines = [{**dataclasses.asdict(hit), "link": hit_link(hit)} for hit in wanted.of(len(found)).cut(found)]
    typed = shlex.join(["whytune", "search", *text.split()]) if text else ""
    return {"q": text, "kind": kind, "kinds": counts, "found": lines, "page": wanted.of(len(found)), "page_cli": typed}


def _one_of(text: str, name: str, known: Iterable[str]) -> str:
    if text and text not in known:
        raise UsageError(f"There is no {name} {text[:40]!r}", next=f"choose one of: {', '.join(known)}")
    return text


def _words(text: str) -> list[str]:
    if len(text) > LONGEST:
        raise UsageError(f"{len(text):,} letters are too many to look for", next=f"use at most {LONGEST}")
    return text.casefold().split()


def _fits(line: UseCaseLine, words: Iterable[str]) -> bool:
    told = " ".join((line.name, line.task, line.purpose, line.stage, line.headline, *line.waiting_for)).casefold()
    return all(word in told for word in words)


def _case(line: UseCaseLine) -> dict[str, Any]:
    link = place_link(line.name, line.place) if line.place else f"/projects/{line.name}/map"
    return {**dataclasses.asdict(line), "link": link}


routes = [
    *page("/", tasks, "tasks.html.j2", title="My tasks", cli="whytune tasks"),
    page("/tasks", tasks, "tasks.html.j2", title="My tasks", cli="whytune tasks")[0],
    *page("/projects", projects, "projects.html.j2", title="Use cases", cli="whytune projects"),
    *page("/portfolio", whole, "portfolio.html.j2", title="Portfolio", cli="whytune portfolio"),
    *page("/search", search, "search.html.j2", title="Search", cli="whytune search WORDS"),
]
