"""`whytune jobs | jobs show | jobs stop`: long work, begun here or in the browser; where it stands, and how to end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from whytune.cli.options import Json, ListByDefault, workspace
from whytune.cli.screen import plain_seconds, say, say_json, say_next, table

if TYPE_CHECKING:
    from whytune.records.job import Job

Which = Annotated[str, typer.Argument(help="The job's id, as `whytune jobs` lists it.")]


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(help="Long work: what runs, what came out, how to end it.", cls=ListByDefault)
    room.command("list")(list_jobs)
    room.command()(show)
    room.command()(stop)
    app.add_typer(room, name="jobs")
    own = typer.Typer(help="What a job's own process is started with.")
    own.command(hidden=True)(perform)
    own.callback()(_alone)
    app.add_typer(own, name="job", hidden=True)


def list_jobs(
    name: Annotated[str, typer.Argument(help="Only this project's; all if left out.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="So many, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Jobs, newest first."""
    from whytune.workspace import working

    found, total = working.jobs(workspace(), name, limit=limit)
    if as_json:
        say_json("jobs", {"jobs": found, "total": total})
        return
    if not found:
        say("no job yet")
        say_next(f"whytune run {name}".rstrip())
        return
    table(
        ("job", "project", "what", "state", "since", "who", "where it stands"),
        [(each.id, each.project, _what(each), each.state, each.started or each.created, each.person, _standing(each)) for each in found],
    )
    if total > len(found):
        say(f"{total - len(found):,} older ones are not shown")
    say_next(f"whytune jobs show {found[0].id}")


def show(
    job: Which,
    as_json: Json = False,
) -> None:
    """One job: where it stands, its log, what came out and what to do now."""
    from whytune.workspace import working

    room = workspace()
    found, happened = working.job(room, job), working.points(room, job)
    if as_json:
        say_json("job", {"job": found, "points": happened})
        return
    say(f"{found.id}: {_what(found)} of {found.project} by {found.person}, {found.state}")
    for point in happened:
        if line := _line(point.kind, point.values):
            say(f"  {point.when[11:19]} {line}")
    say(_standing(found))
    if found.error:
        for problem in found.error.problems:
            say(f"  - {problem}")
    if asker := working.ending(room, found):
        say(f"{asker} asked it to end training and keep the best")
    say_next(found.next or (f"whytune jobs stop {found.id} ends it" if found.live else f"whytune status {found.project}"))


def stop(
    job: Which,
    keep_best: Annotated[bool, typer.Option("--keep-best", help="End only its training, with the best weights so far; the job goes on with them.")] = False,
    as_json: Json = False,
) -> None:
    """Ask a job to stop. What is done is kept, and starting it again goes on from there."""
    from whytune.workspace import working

    found = working.stop(workspace(), job, keep_best)
    if as_json:
        say_json("job", {"job": found})
        return
    say(f"{found.id}: " + ("its training ends after this step, and the best weights are kept" if keep_best else "it is asked to stop"))
    say_next(f"whytune jobs show {found.id}")


def perform(job: Which, held: Annotated[int, typer.Option(help="Descriptor of the job's lock.")] = -1) -> None:
    """Do a job that was begun elsewhere; its process is started with this."""
    from whytune.workspace import working

    working.perform(workspace(), job, held if held >= 0 else None)


def _alone() -> None:
    """A group of one command stays a group."""


def _what(job: Job) -> str:
    return " ".join([job.kind, *(f"{name}={value}" for name, value in job.arguments.items())])


def _standing(job: Job) -> str:
    if not job.live:
        return job.said
    parts = [job.phase or "beginning"]
    if job.total:
        parts.append(f"{job.done:,}/{job.total:,} {job.unit}".rstrip())
    if job.left is not None:
        parts.append(f"{plain_seconds(job.left)} left")
    return ", ".join(part for part in (*parts, job.note) if part)


def _line(kind: str, values: dict[str, Any]) -> str:
    if kind == "phase":
        return str(values["name"]) + (f": {values['total']:,} {values['unit']}".rstrip() if values["total"] else "")
    if kind == "progress":
        return f"  {100 * values['done'] // values['total']} %" + (f", {values['note']}" if values["note"] else "")
    return str(values["text"]) if kind == "log" else ""
