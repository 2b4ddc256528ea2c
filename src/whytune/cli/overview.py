"""`whytune tasks | projects | map | portfolio | search`: what waits for me, all use cases, one use case box by box, what is where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from whytune.cli.options import Json, Name, workspace
from whytune.cli.screen import say, say_json, say_next, table

if TYPE_CHECKING:
    from whytune.workspace.portfolio import RiskLine

BEGIN = "whytune init NAME --task TASK --from FILE"


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    for command in (tasks, projects, portfolio, search):
        app.command()(command)
    app.command("map")(show_map)


def tasks(as_json: Json = False) -> None:
    """What waits for me, from records and roles; what waits longest stands first."""
    from whytune.workspace import my_tasks

    found = my_tasks.tasks_for(workspace())
    if as_json:
        say_json("tasks", {"tasks": found})
        return
    for task in found:
        say(f"{task.since[:16].replace('T', ' '):<16}  {task.project}: {task.title}")
        say(f"{'':<18}{task.detail}")
    if found:
        say_next(found[0].cli)
    else:
        say("nothing waits for you")
        say_next("whytune projects")


def projects(as_json: Json = False) -> None:
    """Every use case: where it stands, for whom it waits and since when; what waits longest stands first."""
    from whytune.workspace import portfolio as whole

    found = whole.use_cases(workspace())
    if as_json:
        say_json("projects", {"projects": found})
        return
    if not found:
        say("no project yet")
        say_next(BEGIN)
        return
    table(
        ("use case", "task", "stands at", "waits for", "since", "what is said"),
        [(one.name, one.task, one.stage, ", ".join(one.waiting_for), one.since[:16].replace("T", " "), one.working or one.headline) for one in found],
    )
    say_next(found[0].next)


def show_map(name: Name = "", as_json: Json = False) -> None:
    """One use case box by box: state, evidence, who did it or who acts next."""
    from whytune.workspace import mapping

    found = workspace().project(name)
    boxes = mapping.boxes(found)
    if as_json:
        say_json("map", {"project": found.name, "boxes": boxes})
        return
    for box in boxes:
        say(f"{box.word:<12} {box.title:<20} {box.detail}" + (f" ({', '.join(box.who) or 'nobody yet'})" if box.act else f" ({box.by})" if box.by else ""))
    due = mapping.due(boxes)
    say_next(due[0].cli if due else f"whytune report {found.name} -o report.html" if found.decision else f"whytune status {found.name}")


def portfolio(as_json: Json = False) -> None:
    """All use cases with waiting time, spending against budget, what they save, and risk."""
    from whytune.workspace import portfolio as whole

    found = whole.portfolio(workspace())
    if as_json:
        say_json("portfolio", {"portfolio": found})
        return
    table(
        ("use case", "stands at", "waits for", "spent", "budget", "saves a month", "risk"),
        [
            (
                one.case.name, one.case.stage, ", ".join(one.case.waiting_for), f"{one.money.spent:.2f} {one.money.currency}" + (" (over)" if one.over else ""),
                f"{one.money.budget:g}" if one.money.budget else "", f"{one.money.saving:.2f}" if one.money.saving is not None else "", _risk(one.risk),
            )
            for one in found.lines
        ],
    )  # fmt: skip
    say(f"{len(found.lines)} use cases, {found.live} live, {found.waiting} waiting for somebody")
    say_next("whytune projects" if found.lines else BEGIN)


def search(
    words: Annotated[list[str], typer.Argument(help="Words that must all be there.")],
    as_json: Json = False,
) -> None:
    """Use cases, dataset versions, rounds of review, releases, people and documentation in which the words stand."""
    from whytune.workspace import searching

    found = searching.search(workspace(), " ".join(words))
    if as_json:
        say_json("search", {"found": found})
        return
    for hit in found:
        say(f"{hit.kind:<13} {hit.title}: {hit.about[:120]}")
    if not found:
        say("nothing holds all of these words")
    say_next(f"whytune map {found[0].project}" if found and found[0].project else "whytune projects")


def _risk(risk: RiskLine) -> str:
    parts = [f"{count} {status}" for status, count in risk.responsible.items()]
    parts += [f"stopped: {', '.join(risk.stopped)}"] if risk.stopped else []
    parts += ["alone"] if risk.solo else []
    parts += [f"{risk.gaps} gaps"] if risk.gaps else []
    return ", ".join(parts)
