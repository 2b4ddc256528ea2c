"""`whytune models | ladder | forgetting`: which base models fit, the smallest that does, and what tuning took away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from whytune.cli.options import Json, ListByDefault, Name, project, workspace
from whytune.cli.screen import Screen, plain_seconds, say, say_json, say_next, table

if TYPE_CHECKING:
    from whytune.records.choice import ModelChoice
    from whytune.workspace.project import Project


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(help="Base models that may be used, and which of them fit.", cls=ListByDefault)
    room.command("list")(list_models)
    room.command("add")(add)
    app.add_typer(room, name="models")
    app.command()(ladder)
    app.command()(forgetting)


def list_models(name: Annotated[str, typer.Argument(help="Project that the models should fit; without one, only this machine counts.")] = "", as_json: Json = False) -> None:
    """Every listed model, what fits first and the smallest first, with each reason against the others."""
    from whytune.workspace import catalogue

    room = workspace()
    chosen = room.project(name) if name else None
    found = catalogue.fits(room, chosen)
    if as_json:
        say_json("models", {"project": chosen.name if chosen else "", "models": found})
        return
    table(
        ("fits", "trains", "model", "weights", "context", "licence", "answer", "lora", "base ="),
        [
            (
                "yes" if each.fits else "no", "yes" if each.trainable else "no", each.entry.name,
                f"{each.entry.parameters / 1e6:,.0f}M" if each.entry.parameters else "?", f"{each.entry.context:,}" if each.entry.context else "?",
                each.entry.licence or "?", f"{each.answer_bytes / 1e9:.1f} GB" if each.answer_bytes else "",
                f"{each.train_bytes['lora'] / 1e9:.1f} GB" if each.train_bytes else "", each.entry.base,
            )
            for each in found
        ],
    )  # fmt: skip
    for each in found:
        for reason in (*each.against, *each.against_training):
            say(f"  {each.entry.name}: {reason}")
    say("weights, context and licence are the publisher's; memory is calculated, not measured")
    say_next(f"name one under [model] base in {chosen.name}/whytune.toml, or several as [[candidates]]" if chosen else "whytune models PROJECT")


def add(
    name: Annotated[str, typer.Argument(help="What to call it in the list.")],
    base: Annotated[str, typer.Option(help="folder:PATH, hub:ORG/NAME or endpoint:URL.")],
    licence: Annotated[str, typer.Option(help="SPDX identifier, such as apache-2.0.")] = "",
    parameters: Annotated[int, typer.Option(help="Number of weights; read from a folder.")] = 0,
    context: Annotated[int, typer.Option(help="Longest input in tokens; read from a folder.")] = 0,
    language: Annotated[list[str] | None, typer.Option(help="Language it is made for; may be given several times.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Task it is for; may be given several times; without one, all.")] = None,
    note: Annotated[str, typer.Option(help="A remark.")] = "",
    as_json: Json = False,
) -> None:
    """List a model in this workspace's models.toml; one of the same name is replaced."""
    from pydantic import ValidationError

    from whytune.errors import UsageError
    from whytune.records.catalogue import ModelEntry
    from whytune.workspace import catalogue

    try:
        given = ModelEntry(
            name=name, base=base, licence=licence, parameters=parameters, context=context,
            languages=tuple(language or ()), tasks=tuple(task or ()), note=note,
        )  # fmt: skip
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))} = {item.get('input')!r}: {item['msg']}" for item in error.errors()]
        raise UsageError("This model cannot be listed", problems=problems, next="whytune models add --help") from None
    entry = catalogue.add(workspace(), given)
    if as_json:
        say_json("model", {"model": entry})
        return
    say(f"listed {entry.name}: {entry.base}")
    say_next("whytune models")


def ladder(
    name: Name = "",
    show: Annotated[bool, typer.Option("--show", help="Train nothing: what was tried from the smallest on, why the next rung was or was not climbed, which models fit.")] = False,
    as_json: Json = False,
) -> None:
    """Train the smallest candidate; climb to the next only while dev proves that it falls short and the budget allows."""
    chosen = project(name)
    if show:
        _shown(chosen, as_json)
        return
    screen = Screen(quiet=as_json, money_hour=chosen.file.prices.compute_hour, currency=chosen.file.prices.currency)
    from whytune.workspace import working

    try:
        with working.recorded(chosen, "train", {"how": "ladder"}, screen) as progress:
            chosen.run(progress, until="train", how="ladder")
    finally:
        screen.close()
    show_choice(chosen.choice, as_json)
    if not as_json:
        say_next(chosen.status().next)


def _shown(chosen: Project, as_json: bool) -> None:
    from whytune.workspace import ladder as rungs

    found = rungs.ladder(chosen)
    if as_json:
        say_json("ladder", {"project": chosen.name, "ladder": found})
        return
    if found.choice is None:
        say("no candidate was trained yet; listed: " + ", ".join(f"{each.name} ({each.base}, {each.method})" for each in found.listed))
        say_next(f"whytune ladder {chosen.name}")
        return
    show_choice(found.choice, False)
    say(f"from the smallest, on dataset version {found.version}" + ("" if found.newest else ", which is not the newest"))
    for step in found.steps:
        say(f"  {step.rung.name}: {'next rung: ' if step.place else 'not tried: '}{step.onward}")
    if found.changed:
        say(f"whytune.toml names other candidates by now: {', '.join(each.name for each in found.listed)}")
    say_next(f"whytune models {chosen.name}")


def show_choice(choice: ModelChoice | None, as_json: bool) -> None:
    """The candidates, best on dev first, and the finalist."""
    if as_json:
        say_json("choice", {"choice": choice})
        return
    if choice is None:
        say("no choice was made: whytune.toml lists no [[candidates]], or nothing may be trained; `whytune status` says more")
        return
    table(
        ("", "candidate", "model", "method", choice.metric, "interval", "to the best", "p (Holm)", "training"),
        [
            (
                ">" if rung.name == choice.finalist else "", rung.name, rung.base_name, rung.method,
                f"{rung.measure.value:.3f}" if rung.measure else "not tried", f"{rung.measure.low:.3f} to {rung.measure.high:.3f}" if rung.measure else "",
                f"{rung.to_best.value:+.3f}" if rung.to_best else "", f"{rung.p_holm:.3f}" if rung.p_holm is not None else "", plain_seconds(rung.seconds),
            )
            for rung in choice.rungs
        ],
    )  # fmt: skip
    for rung in choice.rungs:
        say(f"  {rung.name}: {rung.reason}")
    say(choice.reason)


def forgetting(
    name: Name = "",
    arm: Annotated[str, typer.Option(help="tuned or tuned_rag: whose weights are asked.")] = "tuned",
    as_json: Json = False,
) -> None:
    """Ask the tuned model and its base the same general questions: what did tuning take away? Exit code 3 where something."""
    chosen = project(name)
    screen = Screen(quiet=as_json, money_hour=chosen.file.prices.compute_hour, currency=chosen.file.prices.currency)
    from whytune.workspace import working

    try:
        with working.recorded(chosen, "forgetting", {"arm": arm}, screen) as progress:
            found = chosen.forgetting(arm, progress)
    finally:
        screen.close()
    if as_json:
        say_json("forgetting", {"id": found.id, "forgetting": found})
    else:
        table(
            ("skill", "base", "tuned", "lost", "gained", "n"),
            [(each.skill, f"{each.before.value:.2f}", f"{each.after.value:.2f}", str(each.lost), str(each.gained), str(each.before.n)) for each in found.skills],
        )
        say(found.sentence)
        say_next(chosen.status().next)
    if found.conclusion == "worse":
        raise typer.Exit(3)
