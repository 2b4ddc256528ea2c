"""Long work as jobs: begun from any door, done in a process of its own, followed and stopped from everywhere.

    job = start(workspace, "support", "run", {"until": "test"})   # returns at once
    points(workspace, job.id)                                     # what happened so far
    stop(workspace, job.id, keep_best=True)                       # end training now, keep the best weights

The process belongs to nobody's browser and to no server: it goes on when they are gone. What a person does at the
terminal is the same job (`recorded`), only that the terminal's own process does it.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from whytune.errors import (
    NotAllowedError,
    NotFoundError,
    RefusedError,
    StoppedError,
    StoreError,
    UsageError,
    WhytuneError,
)
from whytune.jobs.precedence import give_way
from whytune.jobs.progress import Progress, Silent
from whytune.records.job import DRAFT, Job, JobFailure, JobPoint
from whytune.records.responsible import PLANTED_FEWEST, PLANTED_MOST, PLANTED_USUALLY
from whytune.workspace import drafting, importing, outcomes, roles
from whytune.workspace.noting import TRAINING, JobNotes

if TYPE_CHECKING:
    from whytune.workspace.flow import Status
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

STEP_ACTS = {
    "usecase": "usecase.fixed", "data": "dataset.created", "check": "dataset.checked", "triage": "triage.done",
    "dev": "dev.measured", "train": "adapter.trained", "test": "trial.measured", "decide": "decision.made",
}  # fmt: skip
"""What a step does first that is not everybody's to do."""
KIND_ACTS = {"check": "dataset.checked", "train": "adapter.trained", "responsible": "responsible.measured", "canaries": "responsible.measured", "forgetting": "forgetting.measured", "release": "release.made"}
IMPORT_ACT = "project.created"
"""An import is begun from a draft, not by its kind."""
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "run": ("until",), "train": ("how",), "check": (), "responsible": ("arm", "quick"), "canaries": ("arm", "count"), "forgetting": ("arm",), "release": (),
}  # fmt: skip
AGAIN = "start it again: it goes on from what was kept"
MOST_LISTED = 200


def start(workspace: Workspace, project_name: str, kind: str, arguments: Mapping[str, str] | None = None) -> Job:
    """Begin long work in a process of its own. NotAllowedError, or LockedError where the project is being worked on."""
    project = workspace.project(project_name)
    asked = _asked(kind, arguments or {})
    roles.check(workspace.person, needed(project.status(), kind))
    workspace.store.check_unlocked(project.key)  # somebody may be at it who is no job: it is refused now, not a minute later
    return _begun(workspace, _new(workspace, project.key, kind, asked))


def start_import(workspace: Workspace, draft: str) -> Job:
    """Begin to make a project of a draft, in a process of its own. SettingsError with all that can be told before its files are read."""
    found, name = drafting.check(workspace, draft)
    return _begun(workspace, _new(workspace, f"{DRAFT}{found.id}", "import", {"name": name}))


def import_of(workspace: Workspace, draft: str) -> Job | None:
    """The newest import of one's own draft, if it was ever begun."""
    found, _ = workspace.store.jobs.listed([f"{DRAFT}{drafting.named(workspace, draft).id}"], 0, 1)
    return found[0] if found else None


def wait(workspace: Workspace, id: str, seconds: float) -> Job:
    """The job as it is once it has ended, or after so many seconds."""
    end = time.monotonic() + seconds
    while (found := workspace.store.jobs.one(id)).live and time.monotonic() < end:
        time.sleep(0.05)
    return found


def _begun(workspace: Workspace, job: Job) -> Job:
    store = workspace.store
    descriptor = store.jobs.begin(job)
    try:
        _spawn(workspace, job, descriptor)
    except OSError as error:
        trouble = StoreError(f"The job's process could not be started: {error}", where=str(store.jobs.folder), next="free some memory or disk, then start it again")
        store.jobs.settle(job.id, "failed", error=_failure(trouble))
        raise trouble from error
    finally:
        os.close(descriptor)  # the process has it now: the lock lives as long as that does
    return store.jobs.one(job.id)


def jobs(workspace: Workspace, project: str = "", offset: int = 0, limit: int = 50) -> tuple[list[Job], int]:
    """Jobs of a project or of all that this person sees, newest first, and how many there are; imports of one's own drafts too."""
    drafts = (f"{DRAFT}{one.id}" for one in drafting.drafts(workspace))
    names = [workspace.project(project).key] if project else [*(one.key for one in workspace.projects()), *drafts]
    return workspace.store.jobs.listed(names, max(0, offset), min(max(1, limit), MOST_LISTED))


def job(workspace: Workspace, id: str) -> Job:
    """One job. NotFoundError also where its project is not this person's to see."""
    found = workspace.store.jobs.one(id)
    try:
        if not found.draft:
            project_of(workspace, found)
        elif found.person != workspace.person.name:
            raise NotFoundError("Another's draft", next="whytune jobs")
    except NotFoundError:
        raise NotFoundError(f"There is no job {id!r}", next="whytune jobs") from None
    return found


def project_of(workspace: Workspace, found: Job) -> Project:
    """The project that a job works on: by its own name, whatever its folder is called."""
    named = workspace.project(found.project)
    if named.key == found.project:
        return named
    other = next((each for each in workspace.projects() if each.key == found.project), None)
    if other is None:
        raise NotFoundError(f"There is no project {found.project!r}", next="whytune status")
    return other


def points(workspace: Workspace, id: str, after: int = 0) -> list[JobPoint]:
    """What happened after point number `after`, oldest first; at most 5,000 at once."""
    return workspace.store.jobs.points(job(workspace, id).id, after)


def may_stop(workspace: Workspace, found: Job) -> bool:
    """Who started it may, and whoever may start such work."""
    held = set(workspace.person.roles)
    acts = STEP_ACTS.values() if found.kind == "run" else [KIND_ACTS.get(found.kind, IMPORT_ACT)]
    return found.person == workspace.person.name or any(held & set(roles.ACTS[act]) for act in acts)


def stop(workspace: Workspace, id: str, keep_best: bool = False) -> Job:
    """Ask a job to stop; what is done is kept. keep_best: only its training ends, with the best weights, and it goes on."""
    found = job(workspace, id)
    if not may_stop(workspace, found):
        raise NotAllowedError(f"{workspace.person.name} may not stop what {found.person} started", next=f"ask {found.person}")
    if not keep_best:
        return workspace.store.jobs.ask_to_stop(id)
    if found.phase != TRAINING or not found.live:
        raise RefusedError("Nothing is being trained now, so there is no best to keep", where=f"job {id}: {found.phase or found.state}", next=f"whytune jobs stop {id}")
    return workspace.store.jobs.ask_to_end(id, workspace.person.name)


def ending(workspace: Workspace, found: Job) -> str:
    """Who asked the job to end its training and keep the best; empty where nobody did, or it has done so."""
    try:
        return workspace.store.jobs.ending_file(found.id).read_text("utf-8") if found.live else ""
    except FileNotFoundError:
        return ""


def needed(status: Status, kind: str) -> str:
    """The act that whoever starts this work must be permitted: for a run, that of the first step which is not done."""
    if kind != "run":
        return KIND_ACTS[kind]
    ready = next((step.name for step in status.steps if step.state == "ready"), "")
    return STEP_ACTS.get(ready, "dataset.checked")  # all is done: to walk the flow again changes nothing


def perform(workspace: Workspace, id: str, held: int | None = None) -> None:
    """Do the work, in the process that was begun for it, as the person who asked. held: descriptor of the job's lock."""
    give_way()
    descriptor = workspace.store.jobs.take_up(id, held)
    found = workspace.store.jobs.one(id)
    acting = workspace.as_person(found.person)  # the door that kept the job had proved who it is
    if found.draft:
        brought = importing.DraftImport(acting, found)
        with _at_work(acting, found, descriptor, Silent(), _Words(brought.outcome, importing.AGAIN, lambda: brought.back)) as progress:
            brought.run(progress)
        return
    project = project_of(acting, found)
    with _of_project(project, found, descriptor, Silent()) as progress:
        _do(project, found.kind, found.arguments, progress)


@contextmanager
def recorded(project: Project, kind: str, arguments: Mapping[str, str], beside: Progress) -> Iterator[Progress]:
    """Work that this process does itself, known as a job: the browser shows it live, and may stop it."""
    found = _new(project.workspace, project.key, kind, _asked(kind, arguments))
    jobs_kept = project.workspace.store.jobs
    descriptor = jobs_kept.begin(found)
    jobs_kept.take_up(found.id, descriptor)
    with _of_project(project, found, descriptor, beside) as progress:
        yield progress


@dataclass(frozen=True)
class _Words:
    """What is said of a job that has ended. outcome: where it ended well. again: what to do where it was stopped. back: the page to go on from then."""

    outcome: Callable[[], Mapping[str, str]]
    again: str = AGAIN
    back: Callable[[], str] = str


@contextmanager
def _of_project(project: Project, found: Job, descriptor: int, beside: Progress) -> Iterator[JobNotes]:
    project.ending_file = project.workspace.store.jobs.ending_file(found.id)
    try:
        with _at_work(project.workspace, found, descriptor, beside, _Words(lambda: outcomes.outcome(project, found.kind, found.arguments))) as notes:
            yield notes
    finally:
        project.ending_file = None


@contextmanager
def _at_work(workspace: Workspace, found: Job, descriptor: int, beside: Progress, words: _Words) -> Iterator[JobNotes]:
    kept = workspace.store.jobs
    try:
        with JobNotes(kept, found.id, beside) as notes:
            yield notes
        kept.settle(found.id, "done", **words.outcome())
    except StoppedError as error:
        kept.settle(found.id, "stopped", said=error.what, next=words.again, link=words.back())
        raise
    except NotAllowedError as error:
        # Not a failure: it went as far as this person's roles go, and what comes next is somebody else's.
        kept.settle(found.id, "stopped", said=error.what, next=error.next, link=words.back(), error=_failure(error))
        raise
    except WhytuneError as error:
        kept.settle(found.id, "failed", said=error.what, next=error.next, link=words.back(), error=_failure(error))
        raise
    except KeyboardInterrupt:
        kept.settle(found.id, "stopped", said="It was stopped; what was done is kept", next=words.again, link=words.back())
        raise
    except BaseException as fault:
        failure = JobFailure(code="failed", what=f"Something went wrong inside: {type(fault).__name__}: {fault}"[:500], where=str(kept.folder / f"{found.id}.log"), next="look into that file, then report it")
        kept.settle(found.id, "failed", said=failure.what, next=failure.next, link=words.back(), error=failure)
        raise
    finally:
        kept.release(found.id, descriptor)


def _do(project: Project, kind: str, arguments: Mapping[str, str], progress: Progress) -> None:
    if kind == "run":
        project.run(progress, until=arguments.get("until", ""))
    elif kind == "train":
        project.run(progress, until="train", how=arguments.get("how", ""))
    elif kind == "check":
        project.run(progress, until="check", stop_at_gate=False)
    elif kind == "responsible":
        from whytune.workspace import inspecting

        inspecting.run(project, arguments.get("arm", ""), progress, quick=arguments.get("quick") == "yes")
    elif kind == "canaries":
        from whytune.workspace import planting

        planting.run(project, arguments.get("arm", ""), progress, count=int(arguments.get("count", PLANTED_USUALLY)))
    elif kind == "forgetting":
        project.forgetting(arguments.get("arm", "") or "tuned", progress)
    else:
        from whytune.workspace import registering

        registering.make(project, progress)


def _asked(kind: str, arguments: Mapping[str, str]) -> dict[str, str]:
    """The arguments that say something. Every mistake at once."""
    from whytune.workspace.flow import STEPS

    if kind not in ARGUMENTS:
        raise UsageError(f"There is no work named {kind!r}", next=f"choose one of: {', '.join(ARGUMENTS)}")
    given = {name: value for name, value in arguments.items() if value}
    problems = [f"{name}: {kind} knows {', '.join(ARGUMENTS[kind]) or 'no argument'}" for name in given if name not in ARGUMENTS[kind]]
    allowed = {"until": STEPS, "how": ("all", "ladder"), "quick": ("yes",)}
    problems += [f"{name}: {value[:40]!r} is none of {', '.join(allowed[name])}" for name, value in given.items() if name in allowed and value not in allowed[name]]
    if "count" in given and not (re.fullmatch(r"\d{1,3}", given["count"], re.ASCII) and PLANTED_FEWEST <= int(given["count"]) <= PLANTED_MOST):
        problems.append(f"count: {given['count'][:40]!r} is no whole number from {PLANTED_FEWEST} to {PLANTED_MOST}")
    if problems:
        raise UsageError(f"This {kind} cannot be started", problems=problems, next="mend them, then start it again")
    return given


def _new(workspace: Workspace, project: str, kind: str, arguments: dict[str, str]) -> Job:
    return Job(
        id=secrets.token_hex(6), project=project, kind=kind, arguments=arguments, person=workspace.person.name, state="waiting",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _spawn(workspace: Workspace, found: Job, descriptor: int) -> None:
    folder = workspace.store.jobs.folder
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "whytune", "job", "perform", found.id, "--held", str(descriptor)]
    environment: dict[str, Any] = {**os.environ, "WHYTUNE_HOME": str(workspace.store.folder), "PYTHONUNBUFFERED": "1"}
    with (folder / f"{found.id}.log").open("wb") as out:
        # A session of its own: neither the server's end nor Ctrl-C at its terminal reaches it.
        process = subprocess.Popen(
            command, cwd=workspace.root, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, pass_fds=(descriptor,), start_new_session=True
        )
    threading.Thread(target=process.wait, name=f"whytune-job-{found.id}", daemon=True).start()  # so that it leaves no zombie behind


def _failure(error: WhytuneError) -> JobFailure:
    return JobFailure(code=error.code, what=error.what, where=error.where, problems=error.problems, next=error.next)
