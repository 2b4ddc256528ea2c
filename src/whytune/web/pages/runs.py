"""Runs: long work started, followed live, ended; adapters and two of them beside each other.

A page shows a job as it is in the store; what changes while it is open comes as server-sent events from there too. So
nothing is lost with a browser, a reload or the server, and a second browser sees the same.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, StreamingResponse

from whytune.errors import UsageError
from whytune.records.job import KINDS, Job
from whytune.web import paging
from whytune.web.frame import form, page
from whytune.web.handling import Address, WebRequest, route
from whytune.web.watching import standing, watched
from whytune.workspace import following, ladder, working
from whytune.workspace.estimating import estimate
from whytune.workspace.permissions import may
from whytune.workspace.workspace import Workspace

LONGEST = 55.0
"""Seconds of one stream; the browser then asks anew from where it was, and who is signed out by then is not let in."""
SHOWN = 50
"""Adapters of one page of their list."""
ROOM = "/projects/{name}/runs"


def listed(ask: WebRequest) -> Any:
    """Jobs and adapters of a project, what may be started, and what a run would take where that is known at once."""
    project = ask.project
    asked = paging.asked(ask.query, per=20)
    found, total = working.jobs(ask.workspace, project.name, asked.offset, asked.per)
    newest = found[:1] if asked.number == 1 else working.jobs(ask.workspace, project.name, 0, 1)[0]
    trained = paging.beside(ask.query, "adapters", SHOWN)
    adapters, made, status = following.trained(project), project.latest_dataset, project.status()
    return {
        "project": project.name, "jobs": found, "page": asked.of(total), "live": newest[0] if newest and newest[0].live else None,
        "adapters": trained.cut(adapters), "adapters_page": trained.of(len(adapters)),
        "may": {kind: may(ask.workspace, working.needed(status, kind)) for kind in KINDS},
        "steps": [{"name": step.name, "box": step.box, "state": step.state} for step in status.steps],
        "arms": [arm for arm in ("tuned", "tuned_rag") if arm in project.file.arms.use],
        "estimate": estimate(project, made.counts) if made else None,
    }  # fmt: skip


def candidates(ask: WebRequest) -> Any:
    """The model ladder: which bases fit and why others do not, which candidates were tried smallest first and what each reached on dev, which was taken and why."""
    return {"project": ask.project.name, "ladder": ladder.ladder(ask.project), "may": {"train": may(ask.workspace, working.needed(ask.project.status(), "train"))}}


def estimated(ask: WebRequest) -> Any:
    """What a run would take; the files are read for it where no dataset is made yet."""
    return {"project": ask.project.name, "estimate": ask.project.estimate()}


def everywhere(ask: WebRequest) -> Any:
    """Jobs of every project the asker sees, newest first."""
    asked = paging.asked(ask.query)
    found, total = working.jobs(ask.workspace, "", asked.offset, asked.per)
    return {"jobs": found, "page": asked.of(total)}


def followed(ask: WebRequest) -> Any:
    """One job: where it stands, its curve, its log, what came out and what to do now."""
    part = ask.query.get("part", "0")
    if not (part.isascii() and part.isdecimal() and len(part) < 6):
        raise UsageError(f"part={part[:20]!r} is not a whole number", next="?part=1")
    found = following.follow(ask.workspace, ask.path["id"], int(part))
    job = found.job
    if ask.query.get("onward") and job.state == "done" and job.link:
        return RedirectResponse(job.link, 303)  # a page without a script goes on by itself, see its template
    again = job.kind != "import" and job.state in ("failed", "stopped", "lost")
    return {
        "page_title": f"{job.kind}: {job.place}", "page_cli": f"whytune jobs show {job.id}", "place": job.place, "draft": job.draft, "still": bool(ask.query.get("still")), "job": job, "curve": found.curve, "log": found.log, "after": found.after, "ending": found.ending,
        "may_stop": found.may_stop, "may_keep": found.may_stop and found.training and not found.ending,
        "again": {"kind": job.kind, **job.arguments} if again else None, "standing": standing(job),
        "adapters": _made(ask, job) if found.curve.parts else [],
        "may_again": may(ask.workspace, working.needed(working.project_of(ask.workspace, job).status(), job.kind)) if again else None,
    }  # fmt: skip


def happened(ask: WebRequest) -> Any:
    """Points of a job after number `after`, oldest first; `next` is the number to go on from, None at the end."""
    after = ask.query.get("after", "0")
    if not (after.isascii() and after.isdecimal() and len(after) < 12):
        raise UsageError(f"after={after[:20]!r} is not a whole number", next="?after=0")
    found = working.points(ask.workspace, ask.path["id"], int(after))
    return {"points": found, "next": found[-1].seq if found else None}


def compared(ask: WebRequest) -> Any:
    """Two adapters beside each other: settings that differ, curves, results."""
    one, two = ask.query.get("one", ""), ask.query.get("two", "")
    if not one or not two:
        raise UsageError("Two adapters are compared", problems=[f"{name}: missing" for name, value in (("one", one), ("two", two)) if not value], next="choose both in the list of runs")
    found = following.beside(ask.project, one, two)
    digits = [found[each]["line"].id.rpartition(":")[2][:10] for each in ("one", "two")]
    return {"project": ask.project.name, **found, "page_cli": f"whytune jobs compare {ask.project.name} {' '.join(digits)}"}


def started(ask: WebRequest) -> Any:
    """Start long work in a process of its own: kind, and what that kind takes (until, how, arm, quick, count)."""
    kind, until, how, arm, quick, count = ask.take(kind=str, until_=str, how_=str, arm_=str, quick_=str, count_=str)
    given = {"until": until, "how": how, "arm": arm, "count": count, "quick": "yes" if quick in ("on", "yes", "true") else quick}
    return working.start(ask.workspace, ask.project.name, kind, {name: value for name, value in given.items() if value})


def stopped(ask: WebRequest) -> Any:
    """Ask a job to stop; keep_best: only its training ends, and the best weights are kept."""
    (keep_best,) = ask.take(keep_best_=bool)
    return working.stop(ask.workspace, ask.path["id"], bool(keep_best))


async def events(request: Request) -> StreamingResponse:
    """What happens in a job from a point on, as server-sent events: `point` with its number as id, `job` where it stands, `end`."""
    workspace, id = request.state.workspace, request.path_params["id"]
    given = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    after = int(given) if given.isascii() and given.isdecimal() and len(given) < 12 else 0
    await run_in_threadpool(working.job, workspace, id)  # who may not see it is told so before anything flows
    return StreamingResponse(_flow(workspace, id, after), media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})


async def _flow(workspace: Workspace, id: str, after: int) -> AsyncIterator[str]:
    yield "retry: 1500\n\n"
    end, told = time.monotonic() + LONGEST, ""
    async with watched(workspace, id, after) as run:
        while (left := end - time.monotonic()) > 0:
            await run.wait(after, told, left)
            text, after = await run.after(after)
            if run.standing != told:
                told = run.standing
                text += told
            if run.over(after):
                yield text + "event: end\ndata: {}\n\n"
                return
            if text:
                yield text


def _made(ask: WebRequest, job: Job) -> list[dict[str, str]]:
    """Adapters that a finished training speaks of, with their place."""
    if job.kind not in ("run", "train") or job.state != "done":
        return []
    project = working.project_of(ask.workspace, job)
    return [{"id": line.id, "best": f"step {line.best_step}", "dev_loss": f"{line.dev_loss:.3f}", "early": "yes" if line.ended_early else ""} for line in following.trained(project) if line.current]


def _to_job(_: WebRequest, result: Any) -> str:
    return f"/runs/{quote(result.id, safe='')}"


def _told(ask: WebRequest, _: Any) -> str:
    return "Training ends after this step; the best weights are kept." if ask.body.get("keep_best") else "The job is asked to stop; what is done is kept."


_streams = [Address("GET", f"{root}/runs/{{id}}/events", events, function=events, face="stream") for root in ("", "/api/v1")]
routes = [
    *page(ROOM, listed, "runs.html.j2", title="Runs", tab="runs", cli="whytune jobs {name}"),
    *page(f"{ROOM}/estimate", estimated, "runs_estimate.html.j2", title="What a run would take", tab="runs", cli="whytune run {name} --dry-run"),
    *page(f"{ROOM}/candidates", candidates, "runs_candidates.html.j2", title="Models and candidates", tab="runs", cli="whytune ladder {name} --show"),
    *page(f"{ROOM}/compare", compared, "runs_compare.html.j2", title="Two runs beside each other", tab="runs", cli="whytune jobs compare {name}"),
    *page("/runs", everywhere, "runs_all.html.j2", title="Jobs", cli="whytune jobs"),
    *page("/runs/{id}", followed, "run.html.j2", title="Job", cli="whytune jobs show {id}"),
    *form(ROOM, started, back=_to_job, said="Started. It goes on in a process of its own: this page may be closed."),
    *form("/runs/{id}/stop", stopped, back=_to_job, said=_told),
    *_streams,
    route("GET", "/api/v1/runs/{id}/points", happened),
    route("POST", "/api/v1/projects/{name}/runs", started, 201),
    route("POST", "/api/v1/runs/{id}/stop", stopped),
]
