"""`whytune jobs | jobs show | jobs stop | jobs compare`: long work, begun here or in the browser; where it stands, how to end it, two trainings beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from whytune.cli.options import Json, ListByDefault, project, workspace
from whytune.cli.screen import plain_seconds, say, say_json, say_next, table

if TYPE_CHECKING:
    from whytune.records.job import Job
    from whytune.workspace.following import TrainedLine

Which = Annotated[str, typer.Argument(help="The job's id, as `whytune jobs` lists it.")]


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(help="Long work: what runs, what came out, how to end it.", cls=ListByDefault)
    room.command("list")(list_jobs)
    room.command()(show)
    room.command()(stop)
    room.command()(compare)
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
        [(each.id, each.place, _what(each), each.state, each.started or each.created, each.person, _standing(each)) for each in found],
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
    say(f"{found.id}: {_what(found)} of {found.place} by {found.person}, {found.state}")
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


def compare(
    name: Annotated[str, typer.Argument(help="Project name or folder.")],
    one: Annotated[str, typer.Argument(help="An adapter, by the beginning of its id; without two of them those that there are are listed.")] = "",
    two: Annotated[str, typer.Argument(help="Another one.")] = "",
    as_json: Json = False,
) -> None:
    """Two trainings beside each other: what came out, settings that differ, looks at dev."""
    from whytune.errors import UsageError
    from whytune.workspace import following

    chosen = project(name)
    if bool(one) != bool(two):
        raise UsageError("Two adapters are compared, and one is named", next=f"whytune jobs compare {chosen.name} lists them")
    if one:
        found = following.beside(chosen, one, two)
        if as_json:
            say_json("compared-runs", {"project": chosen.name, **found})
        else:
            _beside(found)
            say_next(f"whytune leaderboard {chosen.name}")
        return
    lines = following.trained(chosen)
    if as_json:
        say_json("trained", {"project": chosen.name, "adapters": lines})
        return
    if lines:
        table(
            ("adapter", "base", "version", "best step", "dev loss", "dev metric", "epochs", "time"),
            [(_short(line.id), line.base, f"v{line.version}", f"{line.best_step:,}", f"{line.dev_loss:.4f}", _metric(line), f"{line.epochs:.2f}" + (" (ended early)" if line.ended_early else ""), plain_seconds(line.seconds)) for line in lines],
        )  # fmt: skip
    else:
        say("nothing was trained yet")
    say_next(f"whytune jobs compare {chosen.name} {_short(lines[1].id)} {_short(lines[0].id)}" if len(lines) > 1 else f"whytune train {chosen.name}")


def perform(job: Which, held: Annotated[int, typer.Option(help="Descriptor of the job's lock.")] = -1) -> None:
    """Do a job that was begun elsewhere; its process is started with this."""
    import signal

    from whytune.workspace import working

    # Both act as at a terminal: a step in hand is saved, then the work ends.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    working.perform(workspace(), job, held if held >= 0 else None)


def _beside(found: dict[str, Any]) -> None:
    one, two = found["one"], found["two"]
    lines: tuple[TrainedLine, TrainedLine] = (one["line"], two["line"])
    say("They were trained on different versions of the dataset: their figures say nothing about each other." if not found["same_test"] else "Dev is where the best step was chosen; only the sealed test counts.")
    table(("", "A", "B"), [
        ("adapter", *(_short(line.id) for line in lines)),
        (f"sealed test, {lines[0].metric}", *(f"{said.value:.3f} ({said.low:.3f} to {said.high:.3f}, n {said.n:,})" if said else "not measured" for said in (one["result"], two["result"]))),
        (f"dev, {lines[0].metric}", *(_metric(line) for line in lines)),
        ("dev loss at the best step", *(f"{line.dev_loss:.4f} at step {line.best_step:,}" for line in lines)),
        ("time", *(plain_seconds(line.seconds) for line in lines)),
        ("cost", *("not kept" if line.money is None else f"{line.money:.4f} {line.currency}" for line in lines)),
        *((each["name"], each["one"], each["two"]) for each in found["differ"]),
    ])  # fmt: skip
    say(f"{len(found['differ'])} settings differ, {len(found['same'])} are the same")
    table(("look at dev", "step", "epoch", "train loss", "dev loss", "metric"), [
        (word, f"{look.step:,}", f"{look.epoch:.2f}", f"{look.train_loss:.4f}", f"{look.dev_loss:.4f}", "" if look.dev_metric is None else f"{look.dev_metric:.3f}")
        for word, each in (("A", one), ("B", two)) for look in each["curve"]
    ])  # fmt: skip


def _metric(line: TrainedLine) -> str:
    return "not looked at" if line.dev_metric is None else f"{line.dev_metric:.3f}"


def _short(id: str) -> str:
    return id.rpartition(":")[2][:10]


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
