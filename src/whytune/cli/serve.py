"""`whytune serve`, `whytune endpoints` and `whytune key add | list | revoke`: releases behind an OpenAI-compatible address, who answers, who may ask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whytune.cli.options import DryRun, Json, workspace
from whytune.cli.screen import say, say_json, say_next, table
from whytune.errors import RefusedError, UsageError


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    app.command()(serve)
    app.command()(endpoints)
    room = typer.Typer(help="Keys of consumers: who may ask, and how much.", no_args_is_help=True)
    room.command()(add)
    room.command("list")(show)
    room.command()(revoke)
    app.add_typer(room, name="key")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; another than this machine needs keys and encryption.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8000,
    alias: Annotated[list[str] | None, typer.Option(help="Alias to serve; may be given several times. champion if left out.")] = None,
    behind_proxy: Annotated[bool, typer.Option("--behind-proxy", help="A proxy in front of it encrypts.")] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key, PEM.")] = None,
    body_limit: Annotated[int, typer.Option(min=1024, help="Largest request in bytes.")] = 1 << 20,
    timeout: Annotated[float, typer.Option(min=1.0, help="Seconds that one answer may take.")] = 120.0,
    at_once: Annotated[int, typer.Option(min=1, help="Questions under way together; more are turned away.")] = 256,
    dry_run: DryRun = False,
) -> None:
    """Serve releases by alias, OpenAI-compatible. An alias that moves takes effect with the next question."""
    try:
        from whytune.serve import running
    except ModuleNotFoundError as missing:
        raise UsageError(f"Serving needs a library that is not here: {missing.name}", next="pip install 'whytune[serve]'") from None
    from whytune.serve.door import DoorLimits
    from whytune.workspace.serving import Gateway

    place = running.Listening(host, port, behind_proxy, tls_cert, tls_key)
    room = workspace()
    gateway = Gateway(room, alias or ["champion"])
    try:
        running.check(place, keys=not gateway.open)
        problems = gateway.problems()
        for problem in problems:
            say(f"not served: {problem}")
        if len(problems) == len(gateway.aliases):
            raise RefusedError("None of the aliases stands for a release that can be served", problems=problems, next="whytune release list, then: whytune alias set champion RELEASE")
        for served in gateway.served():
            say(f"{served.name}: {served.project}, {served.arm}, {served.release[:18]}" + (", not independently approved" if served.solo else ""))
        if gateway.open:
            say("no key was made yet: this machine may ask without one")
        if dry_run:
            return
        running.run(gateway, place, DoorLimits(body_limit, timeout, at_once), _say_ready)
    finally:
        gateway.close()


def endpoints(as_json: Json = False) -> None:
    """Processes that serve: where they listen, what they serve, when they were last heard of."""
    from whytune.workspace.endpoints import known

    found = known(workspace())
    if as_json:
        say_json("endpoints", {"endpoints": [{"state": each.state, "process": each.process} for each in found]})
        return
    table(
        ("address", "state", "serves", "last heard of", "process"),
        [(p.address, each.state, ", ".join(p.served) or "-", p.ended or p.beat, f"{p.machine}, {p.pid}") for each in found for p in (each.process,)],
    )
    say_next("whytune serve" if not any(each.state == "serving" for each in found) else "whytune key list")


def _say_ready(address: str) -> None:
    import sys

    say(f"listening on {address}")
    say_next(f"curl {address}/models")
    sys.stdout.flush()


def add(
    consumer: Annotated[str, typer.Argument(help="Who will ask: an application or a team.")],
    scope: Annotated[list[str] | None, typer.Option(help="chat, completions, embeddings, models, feedback or metrics; all but metrics if left out.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Alias or release id it may ask; every served alias if left out.")] = None,
    access: Annotated[list[str] | None, typer.Option(help="Access label it holds; passages with other labels stay unseen.")] = None,
    rate: Annotated[int, typer.Option(help="Requests a minute; 0: no limit.")] = 60,
    daily_budget: Annotated[int, typer.Option(help="Tokens a day, in and out; 0: no limit.")] = 0,
    days: Annotated[int, typer.Option(help="Days until it ends; 0: never.")] = 365,
    as_json: Json = False,
) -> None:
    """Make a key. Its secret is shown now and never again."""
    from whytune.records.served import USUAL_SCOPES
    from whytune.workspace.consumers import KeyTerms, grant

    terms = KeyTerms(consumer, tuple(scope or USUAL_SCOPES), tuple(model or ()), tuple(access or ()), rate, daily_budget, days)
    made = grant(workspace(), terms)
    if as_json:
        say_json("key", {"key": made.key, "secret": made.secret})
        return
    say(f"key {made.key.key} for {consumer}, until {made.key.expires[:10] or 'taken back'}: {', '.join(made.key.scopes)}")
    say(f"secret, shown this once: {made.secret}")
    say_next("whytune serve")


def show(as_json: Json = False) -> None:
    """All keys, what they may do, and what they used today."""
    from whytune.workspace.consumers import keys, state, used_today

    room = workspace()
    found, used = keys(room), used_today(room)
    if as_json:
        rows = [{"key": key, "state": state(key), "requests_today": used.get(key.key, (0, 0))[0], "tokens_today": used.get(key.key, (0, 0))[1]} for key in found]
        say_json("keys", {"keys": rows})
        return
    table(
        ("key", "consumer", "state", "until", "asked today", "tokens today", "budget", "models", "scopes"),
        [
            (k.key, k.consumer, state(k), k.expires[:10] or "-", *(f"{n:,}" for n in used.get(k.key, (0, 0))), f"{k.daily_tokens:,}", ", ".join(name[:18] for name in k.may) or "all", ", ".join(k.scopes))
            for k in found
        ],
    )
    say_next("whytune key add CONSUMER" if not found else "whytune key revoke KEY")


def revoke(name: Annotated[str, typer.Argument(help="The key's public name, as `whytune key list` shows it.")], as_json: Json = False) -> None:
    """Take a key back; it opens nothing from the next question on."""
    from whytune.workspace.consumers import revoke as take_back

    gone = take_back(workspace(), name)
    if as_json:
        say_json("key", {"key": gone})
    else:
        say(f"key {gone.key} of {gone.consumer} was taken back on {gone.revoked[:10]}")
