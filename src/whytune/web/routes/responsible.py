"""Responsible AI over HTTP: what the probes found as it stands today, and waivers. Probing itself is run by command."""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.responses import HTMLResponse

from whytune.errors import UsageError
from whytune.web.handling import WebRequest, route
from whytune.workspace import inspecting

ROOM = "/api/v1/projects/{name}/responsible"


def shown(ask: WebRequest) -> Any:
    """The newest report about `?arm=`, its findings with waivers counted, and each dimension's status."""
    project = ask.project
    report = inspecting.report_of(project, ask.query.get("arm", ""))
    waivers = inspecting.waivers(project)
    return {
        "report": report, "standing": inspecting.standing(project, report), "statuses": report.statuses(waivers),
        "waivers": [waiver for waiver in waivers if waiver.candidate == report.candidate],
    }  # fmt: skip


def page(ask: WebRequest) -> HTMLResponse:
    """The same as a page that runs nothing."""
    report = inspecting.report_of(ask.project, ask.query.get("arm", ""))
    return HTMLResponse(inspecting.page(ask.project, report))


def waived(ask: WebRequest) -> Any:
    """Whoever asks accepts a finding until a date."""
    dimension, reason, until, probe, arm = ask.take(dimension=str, reason=str, until=str, probe_=str, arm_=str)
    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"until: {until!r} is no date", next='give a day as "2027-01-31"') from None
    return inspecting.waive(ask.project, inspecting.Wish(dimension, reason, day, probe), arm)


routes = [
    route("GET", ROOM, shown),
    route("GET", f"{ROOM}/page", page),
    route("POST", f"{ROOM}/waivers", waived, 201),
]
