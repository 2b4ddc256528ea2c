"""`whytune responsible run | show | waive | canaries`: is the candidate fair, safe, private, robust; who accepted what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from whytune.cli.options import Json, Name, project
from whytune.cli.screen import Screen, plain_seconds, say, say_json, say_next, table
from whytune.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from whytune.records.responsible import ResponsibleReport
    from whytune.workspace.project import Project

Arm = Annotated[str, typer.Option(help="Arm, or the beginning of a candidate's id; what was trained if left out.")]


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(help="Responsible-AI eval: bias, safety, privacy, robustness, security; always beside the model without adapter.", no_args_is_help=True)
    for command in (run, show, waive, canaries):
        room.command()(command)
    app.add_typer(room, name="responsible")


def run(
    name: Name = "",
    arm: Arm = "",
    quick: Annotated[bool, typer.Option("--quick", help="A dozen rows a probe: to see that it works, not to prove anything.")] = False,
    as_json: Json = False,
) -> None:
    """Run every probe over a candidate; a killed run goes on where it stopped. Exit code 3 where one fails."""
    from whytune.workspace import inspecting, working

    chosen = project(name)
    prices = chosen.file.prices
    screen = Screen(quiet=as_json, money_hour=prices.compute_hour, currency=prices.currency)
    try:
        with working.recorded(chosen, "responsible", {"arm": arm, "quick": "yes" if quick else ""}, screen) as progress:
            report = inspecting.run(chosen, arm, progress, quick=quick)
    finally:
        screen.close()
    _tell(chosen, report, as_json)


def show(
    name: Name = "",
    arm: Arm = "",
    html: Annotated[str, typer.Option(help="Write the findings as a page to this file.")] = "",
    as_json: Json = False,
) -> None:
    """What the probes found, as it stands today with its waivers. Exit code 3 where one fails."""
    from whytune.workspace import inspecting

    chosen = project(name)
    report = inspecting.report_of(chosen, arm)
    if html:
        from pathlib import Path

        _write(Path(html), chosen, report)
        return
    _tell(chosen, report, as_json)


def waive(
    name: Name,
    dimension: Annotated[str, typer.Argument(help="fairness, counterfactual_bias, safety, privacy, robustness, security, unsafe_output, truthfulness or transparency.")],
    reason: Annotated[str, typer.Option(help="Why it may be so; shown wherever the finding is.")],
    until: Annotated[str, typer.Option(help="Last day on which it counts, as 2027-01-31; a year at most.")],
    probe: Annotated[str, typer.Option(help="Only this probe of the dimension.")] = "",
    arm: Arm = "",
    as_json: Json = False,
) -> None:
    """Accept a finding under your name until a date. Who made the candidate may not."""
    from datetime import date

    from whytune.workspace import inspecting

    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"{until!r} is no date", next="give a day as --until 2027-01-31") from None
    chosen = project(name)
    made = inspecting.waive(chosen, inspecting.Wish(dimension, reason, day, probe), arm)
    if as_json:
        say_json("waiver", {"id": made.id, "waiver": made})
        return
    say(f"{made.dimension}{f' ({made.probe})' if made.probe else ''}: waived by {made.person} as {made.role} until {made.until}{', solo: not independent' if made.solo else ''}")
    say_next(f"whytune responsible show {chosen.name}")


def canaries(
    name: Name = "",
    arm: Arm = "",
    count: Annotated[int, typer.Option(min=4, max=64, help="Secrets planted once each; four more are planted 4 and 16 times.")] = 12,
    as_json: Json = False,
) -> None:
    """Train once more on a copy of the rows with secrets planted, and measure how far the model knows them."""
    from whytune.workspace import planting, working

    chosen = project(name)
    prices = chosen.file.prices
    screen = Screen(quiet=as_json, money_hour=prices.compute_hour, currency=prices.currency)
    try:
        with working.recorded(chosen, "canaries", {"arm": arm, "count": str(count)}, screen) as progress:
            made = planting.run(chosen, arm, progress, count=count)
    finally:
        screen.close()
    if as_json:
        say_json("canaries", {"id": made.id, "run": made})
        return
    table(
        ("secret", "planted", "rank", "of", "bits", "bits without adapter"),
        [(each.canary, str(each.repeats), str(each.rank), str(each.references + 1), f"{each.exposure:.1f}", f"{each.base_exposure:.1f}") for each in (*made.planted, *made.unplanted)],
    )
    say_next(f"whytune responsible run {chosen.name}")


def _tell(chosen: Project, report: ResponsibleReport, as_json: bool) -> None:
    from whytune.workspace import inspecting

    found = inspecting.standing(chosen, report)
    statuses = report.statuses(inspecting.waivers(chosen))
    failed, left_out = any(result.status == "FAIL" for result in found), inspecting.privacy_left_out(chosen, report)
    if as_json:
        live = [each for each in inspecting.waivers(chosen) if each.candidate == report.candidate]
        say_json("responsible", {"id": report.id, "report": report, "standing": found, "statuses": statuses, "waivers": live, "privacy_left_out": left_out})
    else:
        answers = inspecting.said(chosen, report)
        say(f"{chosen.name}, {report.arm} ({report.candidate[:20]}): {len(found)} probes in {plain_seconds(report.seconds)}")
        for result in found:
            say(f"{result.status:<11} {result.dimension:<20} {result.probe:<19} {result.sentence}")
            for note in result.notes:
                say(f"{'':<53}{note}")
            for worst in result.worst if result.status in ("FAIL", "NOT PROVEN") else ():
                words = f": {answers[worst.item]!r}" if worst.item in answers else ""
                say(f"{'':<53}- {worst.item[:26]}: {worst.change[:80]}: {worst.result[:80]}{words}")
        say("dimensions: " + ", ".join(f"{name} {status}" for name, status in statuses.items()))
        if left_out:
            say(f"secrets were planted after these probes, which do not count them: whytune responsible run {chosen.name} --arm {report.arm}")
        say_next(f"whytune responsible waive {chosen.name} DIMENSION --reason WHY --until DATE, or mend the data" if failed else f"whytune status {chosen.name}")
    if failed:
        raise typer.Exit(3)


def _write(path: Path, chosen: Project, report: ResponsibleReport) -> None:
    from whytune.workspace import inspecting
    from whytune.workspace.writing import write_whole

    write_whole(path, inspecting.page(chosen, report))
    say(f"wrote {path}")
