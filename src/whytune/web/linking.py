"""Where things have their page: boxes of the flowchart, tasks, what a search found."""

from __future__ import annotations

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
