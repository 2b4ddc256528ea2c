"""One project: what there is, and where it stands. The list of them is a page with its twin."""

from __future__ import annotations

from typing import Any

from whytune.web.handling import WebRequest, route
from whytune.workspace import teams


def shown(ask: WebRequest) -> Any:
    """One project: its use case, newest dataset version, verdict and looks at the test set."""
    project = ask.project
    decision = project.decision
    return {
        "name": project.name, "task": project.file.task, "usecase": project.file.usecase, "dataset": project.latest_dataset,
        "verdict": decision.verdict if decision else None, "decision": decision.id if decision else None, "looks": project.looks,
    }  # fmt: skip


def status(ask: WebRequest) -> Any:
    """Where it stands, step by step."""
    return ask.project.status()


def gaps(ask: WebRequest) -> Any:
    """What its team lacks, and which stage needs it."""
    return {"project": ask.project.name, "gaps": teams.gaps(ask.project)}


routes = [
    route("GET", "/api/v1/projects/{name}", shown),
    route("GET", "/api/v1/projects/{name}/status", status),
    route("GET", "/api/v1/projects/{name}/gaps", gaps),
]
