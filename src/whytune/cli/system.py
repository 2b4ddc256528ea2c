"""`whytune doctor | explain | demo | config`: the machine, the words, a first run, the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whytune.cli.options import DryRun, Json
from whytune.cli.screen import Screen, plain_seconds, say, say_json, say_next


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    for command in (doctor, explain, demo):
        app.command()(command)
    config = typer.Typer(help="Settings and where each comes from.", no_args_is_help=True)
    config.command("show")(show)
    app.add_typer(config, name="config")


def doctor(as_json: Json = False) -> None:
    """What this machine has and lacks, each line with its fix."""
    from whytune.workspace.doctor import check_reader, examine

    check_reader(Path.cwd())
    found = examine(Path.cwd())
    if as_json:
        say_json("doctor", {"lines": [line.__dict__ for line in found]})
    else:
        for line in found:
            say(f"{'ok ' if line.ok else 'FIX'} {line.name:<10} {line.found}" + ("" if line.ok else f"\n    fix: {line.fix}"))
    if not all(line.ok for line in found):
        raise typer.Exit(1)


def explain(code: Annotated[str, typer.Argument(help="An error code, a verdict, a check, a metric, a task or an arm.")], as_json: Json = False) -> None:
    """What a word of this program means and what to do about it."""
    from whytune.workspace.explain import meaning

    text = meaning(code)
    if as_json:
        say_json("explanation", {"code": code, "text": text})
    else:
        say(text)


def demo(
    case: Annotated[str, typer.Argument(help="tickets, handbook or reviews.")] = "tickets",
    folder: Annotated[Path | None, typer.Option(help="Where to put it; ./whytune-demo if left out.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Run the main job on a small case that comes with whytune; everything is measured here and now."""
    import time

    from whytune.workspace import demos

    place = folder or Path("whytune-demo")
    if dry_run:
        for name, line in demos.titles().items():
            say(f"{name}: {line}")
        return
    begun = time.monotonic()
    chosen = demos.unpack(case, place)
    if not as_json:
        say(f"demo {case}: {demos.titles()[case]}")
        say(f"project folder: {chosen.folder}")
    prices = chosen.file.prices
    screen = Screen(quiet=as_json, money_hour=prices.compute_hour, currency=prices.currency)
    try:
        chosen.run(screen)
    finally:
        screen.close()
    decision = chosen.decision
    assert decision is not None  # run() ends with one or raises
    page = chosen.write_report()
    if as_json:
        say_json("demo", {"case": case, "verdict": decision.verdict, "report": str(page), "seconds": time.monotonic() - begun})
        return
    say()
    for arm in decision.arms:
        say(f"  {arm.title:<16} {arm.primary.value:6.1%}  ({arm.primary.low:.1%} to {arm.primary.high:.1%}, n = {arm.primary.n})  reaches the bar of {decision.rule.bar:.0%}: {arm.reaches_bar}")
    say()
    say(decision.verdict.headline)
    say(decision.verdict.sentence)
    say(f"measured in {plain_seconds(time.monotonic() - begun)} on this machine; nothing was recorded beforehand")
    say(f"report: {page}")
    others = [name for name in demos.titles() if name != case]
    say("other cases: " + ", ".join(f"make demo CASE={name}" for name in others))
    say_next("whytune init NAME --task TASK --from FILE   (your own data)")


def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    as_json: Json = False,
) -> None:
    """Every setting: flag, then WHYTUNE_* variable, then user file, then default."""
    from whytune import settings

    found = settings.load()
    values = {name: getattr(found, name) for name in settings.NAMES}
    if as_json:
        say_json("settings", {"values": values, "origins": dict(found.origins)})
        return
    for name, value in values.items():
        say(f"{name} = {value!r}" + (f"   # {found.origins[name]}" if origin else ""))
    if origin:
        say_next(f"edit {settings.user_file()} or set WHYTUNE_NAME")
