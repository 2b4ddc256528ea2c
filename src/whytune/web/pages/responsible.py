"""Responsible AI in the browser: what the probes found beside the same candidate without its adapter, worst cases, waivers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from whytune.errors import NotFoundError, UsageError
from whytune.records.responsible import DIMENSIONS, ResponsibleReport
from whytune.web import paging
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest
from whytune.workspace import inspecting, planting, working, worst
from whytune.workspace.permissions import may
from whytune.workspace.project import Project

ROOM = "/projects/{name}/responsible"
TRAINED = ("tuned", "tuned_rag")
"""Approaches that can hold a secret of the rows."""


def found(ask: WebRequest) -> Any:
    """The newest report about `?arm=`, each finding as it stands today with waivers counted, and what was reported before."""
    project, arm = ask.project, ask.query.get("arm", "")
    reports = {each.id: each for each in project.records(ResponsibleReport)}
    wanted, before = paging.beside(ask.query, "reports", 20), _history(project, reports)
    shown = {
        "doses": planting.newest_doses(project), "trained": [each for each in inspecting.inspectable(project) if each in TRAINED],
        "arms": inspecting.inspectable(project), "arm": arm, "history": wanted.cut(before), "history_page": wanted.of(len(before)), "dimensions": DIMENSIONS, "working": _working(ask, project),
        "may": {"run": may(ask.workspace, "responsible.measured"), "waive": may(ask.workspace, "responsible.waived")},
        "until": (datetime.now(UTC).date() + timedelta(days=90)).isoformat(), "last_day": (datetime.now(UTC).date() + timedelta(days=inspecting.LONGEST_WAIVER_DAYS)).isoformat(),
    }  # fmt: skip
    try:
        report = inspecting.report_of(project, arm)
    except NotFoundError as error:
        if arm and arm not in shown["arms"]:
            raise
        return shown | {"report": None, "missing": {"what": error.what, "next": error.next}, "left_out": False, "standing": [], "statuses": {}, "waivers": [], "today": ""}
    today = datetime.now(UTC).date()
    waivers = [waiver for waiver in inspecting.waivers(project) if waiver.candidate == report.candidate]
    return shown | {
        "report": report, "missing": None, "left_out": inspecting.privacy_left_out(project, report), "standing": inspecting.standing(project, report, today), "statuses": report.statuses(waivers, today),
        "waivers": waivers, "today": today.isoformat(),
    }  # fmt: skip


def cases(ask: WebRequest) -> Any:
    """The worst cases of one probe with their words: the row or suite item, and what both sides answered."""
    project = ask.project
    report = inspecting.report_of(project, ask.query.get("arm", ""))
    finding, told = worst.words(project, report, ask.path["probe"])
    return {"finding": finding, "cases": told, "arm": report.arm, "two_sides": report.reference != report.candidate}


def waived(ask: WebRequest) -> Any:
    """Whoever asks accepts a finding until a date. finding: DIMENSION or DIMENSION/PROBE."""
    finding, reason, until, arm = ask.take(finding=str, reason=str, until=str, arm_=str)
    dimension, _, probe = finding.partition("/")
    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"until: {until!r} is no date", next='give a day as "2027-01-31"') from None
    return inspecting.waive(ask.project, inspecting.Wish(dimension, reason, day, probe), arm)


def started(ask: WebRequest) -> Any:
    """Begin probing as a job."""
    arm, quick = ask.take(arm_=str, quick_=bool)
    return working.start(ask.workspace, ask.project.name, "responsible", {"arm": arm, "quick": "yes" if quick else ""})


def plants(ask: WebRequest) -> Any:
    """Begin a privacy run as a job: the recipe once more, on a copy of the rows with secrets planted."""
    (arm,) = ask.take(arm_=str)
    return working.start(ask.workspace, ask.project.name, "canaries", {"arm": arm})


def _history(project: Project, reports: dict[str, ResponsibleReport]) -> list[dict[str, Any]]:
    """Every report there ever was, newest first, as it stood when it was made."""
    made = []
    for event in project.events():
        for id in event.wrote:
            if event.act == "responsible.measured" and id in reports:
                statuses = reports[id].statuses()
                counts = {status: sum(each == status for each in statuses.values()) for status in ("FAIL", "NOT PROVEN", "PASS", "NOT RUN")}
                made.append({"when": event.when, "by": event.person, "arm": reports[id].arm, "report": id, "candidate": reports[id].candidate, "counts": counts})
    return made[::-1]


def _working(ask: WebRequest, project: Project) -> Any:
    """The job that probes this project now; None where none does."""
    listed, _ = working.jobs(ask.workspace, project.name, limit=20)
    return next((job for job in listed if job.live and job.kind in ("responsible", "canaries")), None)


routes = [
    *page(ROOM, found, "responsible.html.j2", title="Responsible AI", tab="responsible", cli="whytune responsible show {name}"),
    *page(f"{ROOM}/probes/{{probe}}", cases, "responsible_cases.html.j2", title="Worst cases", tab="responsible", cli="whytune responsible show {name} --json"),
    *form(f"{ROOM}/waive", waived, back=f"{ROOM}", said=lambda _, made: f"Waived until {made.until}: {made.dimension.replace('_', ' ')} {made.probe}".strip() + "."),
    *form(f"{ROOM}/canaries", plants, back=lambda _, job: f"/runs/{job.id}", said="The privacy run was started. It goes on when you close this page."),
    *form(f"{ROOM}/run", started, back=lambda _, job: f"/runs/{job.id}", said="The probes were started. They go on when you close this page."),
]
