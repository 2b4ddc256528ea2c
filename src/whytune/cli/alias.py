"""`whytune alias`: names that stand for releases; set, roll back, and what stood for what at which time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from whytune.cli.options import Json, workspace
from whytune.cli.screen import say, say_json, say_next, table

if TYPE_CHECKING:
    from whytune.workspace.aliasing import Step

Alias = Annotated[str, typer.Argument(help="The name, such as champion or support/champion.")]
Which = Annotated[str, typer.Argument(help="PROJECT/NUMBER, an alias, or the beginning of its id.")]
Reason = Annotated[str, typer.Option(help="Why; kept.")]


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    names = typer.Typer(help="Names that stand for releases, with their whole history.", no_args_is_help=True)
    for command in (set_, list_, history, at, rollback, remove):
        names.command(command.__name__.rstrip("_"))(command)
    app.add_typer(names, name="alias")


def set_(alias: Alias, release: Which, reason: Reason = "", as_json: Json = False) -> None:
    """From now on the name stands for this release. The gate is asked again; nothing has to be restarted."""
    from whytune.workspace import aliasing, releasing

    room = workspace()
    found = releasing.named(room, release)
    move = aliasing.set_alias(room, alias, found, reason)
    if as_json:
        say_json("alias-moved", {"move": move})
        return
    say(f"{move.name} stands for {found.project}/{found.number}")
    say_next(f"whytune serve --alias {alias}")


def list_(as_json: Json = False) -> None:
    """Every name and what it stands for."""
    from whytune.records.release import Release
    from whytune.workspace import releasing

    room = workspace()
    found = {name: room.store.get(Release, id) for name, id in sorted(releasing.aliases(room).items())}
    if as_json:
        say_json("aliases", {"aliases": {name: {"id": each.id, "release": f"{each.project}/{each.number}"} for name, each in found.items()}})
        return
    table(("alias", "release", "approach", "id"), [(name, f"{each.project}/{each.number}", each.arm, each.id[:24]) for name, each in found.items()])
    say_next("whytune alias history ALIAS" if found else "whytune alias set champion PROJECT/NUMBER")


def history(alias: Alias, as_json: Json = False) -> None:
    """Every move of a name: when, by whom, to which release, and who had signed for it."""
    from whytune.workspace import aliasing

    steps = aliasing.history(workspace(), alias)
    if as_json:
        say_json("alias-history", {"alias": alias, "steps": [_step(step) for step in steps]})
        return
    table(
        ("when", "who", "how", "release", "signed by", "reason"),
        [(str(told["when"])[:19], str(told["by"]), str(told["how"]), str(told["release"] or "-"), ", ".join(told["signed"]), str(told["reason"])) for told in map(_step, steps)],
    )
    say_next(f"whytune alias rollback {alias} --reason \"...\"")


def at(
    alias: Alias,
    when: Annotated[str, typer.Argument(help="A time, such as 2026-11-22T14:00:00Z; without a zone it is UTC.")],
    as_json: Json = False,
) -> None:
    """What a name stood for at a time, and who had signed for that."""
    from whytune.workspace import aliasing

    told = _step(aliasing.at(workspace(), alias, when))
    if as_json:
        say_json("alias-at", {"alias": alias, "asked": when, **told})
        return
    say(f"{alias} stood for {told['release']} ({told['id']}), set by {told['by']} on {told['when']}")
    for line in told["signed"]:
        say(f"  signed: {line}")


def _step(step: Step) -> dict[str, Any]:
    release = step.release
    return {
        "when": step.when, "by": step.person, "how": step.move.how, "reason": step.move.reason, "id": step.move.release,
        "release": f"{release.project}/{release.number}" if release else "", "signed": [f"{each.role}: {each.person}" for each in step.signed],
    }  # fmt: skip


def rollback(alias: Alias, reason: Reason = "", as_json: Json = False) -> None:
    """Back to the release before this one, at once; one operator is enough."""
    from whytune.workspace import aliasing, releasing

    room = workspace()
    move = aliasing.rollback(room, alias, reason)
    now = releasing.live(room, alias)
    if as_json:
        say_json("alias-moved", {"move": move})
        return
    say(f"{alias} stands for {now.project}/{now.number} again")
    say_next(f"whytune alias history {alias}")


def remove(alias: Alias, reason: Reason = "", as_json: Json = False) -> None:
    """Take a name out of use: nothing answers under it any more."""
    from whytune.workspace import aliasing

    move = aliasing.remove(workspace(), alias, reason)
    if as_json:
        say_json("alias-moved", {"move": move})
        return
    say(f"nothing answers as {alias} any more")
    say_next("whytune alias list")
