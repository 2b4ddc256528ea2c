"""Where things have their page: boxes of the flowchart, tasks, what a search found, what a command does.

    onward("whytune decide support")      # the page Decide of support, and the command for who sits at a terminal
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from whytune.workspace.mapping import BoxState
from whytune.workspace.my_tasks import MyTask
from whytune.workspace.searching import SearchHit

BOXES = {
    "usecase": "map#use-case", "task": "data", "rag": "compare", "find": "data", "create": "data", "validate": "data/findings", "train": "runs", "test": "compare",
    "review": "review", "responsible": "responsible", "board": "decide#leaderboard", "accepted": "decide", "registry": "live", "enough": "decide",
}  # fmt: skip
DUE = {
    "dataset.created": "runs", "dataset.checked": "runs", "dev.measured": "runs", "adapter.trained": "runs", "trial.measured": "runs", "decision.made": "runs", "usecase.fixed": "runs",
    "responsible.measured": "responsible", "queue.opened": "review", "dataset.approved": "data", "approval.signed": "decide", "acceptance.decided": "decide",
    "policy.fixed": "decide", "release.made": "live", "alias.set": "live", "responsible.waived": "responsible",
}  # fmt: skip
"""Where what is due is done, if it is not the box's own page."""


ROOMS = {
    "status": ("map", "Map"), "next": ("map", "Map"), "map": ("map", "Map"), "data": ("data", "Data"), "data check": ("data/findings", "Findings"), "data approve": ("data", "Data"),
    "data proposals": ("data/proposals", "Proposals"), "data documents": ("data/documents", "Documents"), "compare": ("compare", "Compare"), "cases": ("compare/cases", "Cases"), "run": ("runs", "Runs"), "train": ("runs", "Runs"),
    "ladder": ("runs", "Runs"), "forgetting": ("runs", "Runs"), "jobs": ("runs", "Runs"), "review": ("review", "Review"), "responsible": ("responsible", "Responsible AI"),
    "decide": ("decide", "Decide"), "report": ("decide", "Decide"), "leaderboard": ("decide", "Decide"), "sign": ("decide", "Decide"), "accept": ("decide", "Decide"),
    "policy": ("decide", "Decide"), "release": ("live", "Live"), "alias": ("live", "Live"),
}  # fmt: skip
"""The page of a use case where one does what a command does."""
HALLS = {
    "init": ("/projects/new", "New use case"), "demo": ("/projects/new", "New use case"), "projects": ("/projects", "Use cases"), "tasks": ("/tasks", "My tasks"), "portfolio": ("/portfolio", "Portfolio"),
    "search": ("/search", "Search"), "release": ("/registry", "Registry"), "alias": ("/aliases", "Names of releases"), "key": ("/consumers", "Consumers"), "feedback": ("/feedback", "Feedback"),
    "endpoints": ("/endpoints", "Endpoints"), "user": ("/system", "System"), "audit": ("/system", "System"), "doctor": ("/system/machine", "Machine"), "team": ("/team", "Team"), "jobs": ("/runs", "Jobs"),
    "explain": ("/help", "Help"),
}  # fmt: skip
"""The page for what is of no one use case."""
_PAGE = re.compile(r"(?:^|\s)(/(?:projects|review|registry|runs|drafts|tasks|system|feedback)\b[^\s,]*)")
_COMMAND = re.compile(r"`?whytune ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?(?: ([^\s`,;]+))?")


@dataclass(frozen=True)
class Onward:
    """What to do next. said: in words, without the command where it could be taken out; command: for the terminal; href and word: the page where it is done, empty where there is none."""

    said: str = ""
    command: str = ""
    href: str = ""
    word: str = ""


def onward(text: str, project: str = "", known: Sequence[str] = ()) -> Onward:
    """A next step as people in a browser need it: what the command in it does, they do on a page. known: projects it may name."""
    found = _COMMAND.search(text)
    if not found:
        page = _PAGE.search(text)
        return Onward("" if "/api/" in text else text, "", page[1] if page else "", "Go on" if page else "")
    before = re.sub(r"(?:[\s,;:(]|\bthen|\bor|\band)+$", "", text[: found.start()])
    command = text[found.start() :].strip("`")
    said, command = (before, command) if before and "`" not in command else ("", text.replace("`", ""))
    noun, words = found[1], [word for word in found.groups()[1:] if word]
    project = next((word for word in words if word in known), project)
    room = ROOMS.get(f"{noun} {words[0] if words else ''}") or ROOMS.get(noun)
    if room and project:
        return Onward(said, command, f"/projects/{quote(project, safe='')}/{room[0]}", room[1])
    return Onward(said, command, *HALLS.get(noun, ("", "")))


def box_link(project: str, box: BoxState) -> str:
    """The page with a box's evidence, or where what is due in it is done; the work itself while it goes on."""
    if box.job:
        return f"/runs/{quote(box.job, safe='')}"
    key = "create" if box.key == "validate" and box.word == "not started" else box.key  # there are no findings to be seen yet
    return place_link(project, key, box.act if box.word == "due" else "")


def place_link(project: str, key: str, act: str = "") -> str:
    """The page of a box."""
    if key == "feedback":
        return f"/feedback?project={quote(project, safe='')}"
    if key == "find" and act:
        return f"/projects/{quote(project, safe='')}/data"
    return f"/projects/{quote(project, safe='')}/{DUE.get(act) or BOXES[key]}"


def task_link(task: MyTask) -> str:
    """Where a task is done."""
    room = f"/projects/{quote(task.project, safe='')}"
    if task.kind in ("review", "settle"):
        return f"/review/{quote(task.target, safe=':')}" + ("/disputes" if task.kind == "settle" else "")
    if task.kind == "rows":
        return f"{room}/data/proposals"
    return place_link(task.project, task.place, task.act)


def hit_link(hit: SearchHit) -> str:
    """The page of something that a search found."""
    room = f"/projects/{quote(hit.project, safe='')}"
    if hit.kind == "dataset":
        return f"{room}/data/versions/{quote(hit.key, safe='')}"
    name, _, anchor = hit.key.partition("#")
    manual = "/help" + ("" if name == "index" else f"/{quote(name)}") + (f"#{quote(anchor)}" if anchor else "")
    pages = {"use case": f"{room}/map", "review": f"{room}/review", "release": f"/registry/{quote(hit.key, safe=':')}", "person": "/team", "documentation": manual}
    return pages[hit.kind]
