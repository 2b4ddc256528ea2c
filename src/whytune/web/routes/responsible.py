"""Responsible AI over HTTP beside the page of the same name: the findings as a page of their own, and waivers."""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.responses import HTMLResponse

from whytune.errors import UsageError
from whytune.web.handling import WebRequest, route
from whytune.workspace import inspecting

ROOM = "/api/v1/projects/{name}/responsible"


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
    route("GET", f"{ROOM}/page", page),
    route("POST", f"{ROOM}/waivers", waived, 201),
]
