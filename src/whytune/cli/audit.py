"""`whytune audit verify | checkpoint | export | log`: the ledger, its signed checkpoints, and what an auditor takes along."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whytune.cli.options import Json, workspace
from whytune.cli.screen import say, say_json, say_next, table
from whytune.errors import TamperedError

Anchor = Annotated[Path | None, typer.Option(help="File outside the store that holds the checkpoints, best on another machine.")]

FINISH = "run the same `whytune erase` command again, then whytune audit verify --deep"


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(help="The ledger: who did what, chained by hash, with signed checkpoints.", no_args_is_help=True)
    for command in (verify, checkpoint, export, log):
        room.command()(command)
    app.add_typer(room, name="audit")


def verify(
    head: Annotated[str, typer.Option(help="The ledger head you noted elsewhere; shows a cut or rewritten ledger.")] = "",
    anchor: Anchor = None,
    key: Annotated[str, typer.Option(help="The public key that must have signed the anchor; its first line's if left out.")] = "",
    deep: Annotated[bool, typer.Option("--deep", help="Also read every pack, file and adapter that is kept.")] = False,
    as_json: Json = False,
) -> None:
    """Recompute the hash of every event and record. A chain alone can be rewritten whole: keep an anchor elsewhere."""
    from whytune.workspace import checkpoints

    room = workspace()
    found = checkpoints.audit(room, head=head, anchor=anchor, key=key, deep=deep)
    if as_json:
        said = {"events": found.events, "head": found.head, "problems": list(found.problems), "halfway": list(found.halfway)}
        say_json("audit", {**said, "checkpoints": found.checkpoints, "anchored": found.anchored, "unanchored": found.unanchored})
    else:
        say(f"{found.events:,} events, head {found.head or 'none'}")
    if found.problems and found.halfway:
        raise TamperedError(
            "The ledger is not what was written; an erasure stands half-way, and what it blanked is not written down yet",
            problems=(*(f"an erasure begun {when} is not finished" for when in found.halfway), *found.problems), next=FINISH,
        )  # fmt: skip
    if found.problems:
        raise TamperedError("The ledger is not what was written", problems=found.problems, next="restore the store from a backup whose head you know")
    if as_json:
        return
    for when in found.halfway:
        say(f"an erasure begun {when} is not finished: {FINISH}")
    if anchor:
        say(f"every hash fits, and {found.checkpoints:,} checkpoints vouch for the events up to {found.anchored:,}")
        if found.unanchored:
            say(f"the last {found.unanchored:,} events rest on the chain alone until the next checkpoint")
            say_next(f"whytune audit checkpoint --anchor {anchor}")
    else:
        say("every hash fits" + (" and the head is the one given" if head else "; note the head elsewhere to detect a rewritten ledger"))
        if not head:
            say_next("whytune audit checkpoint --anchor FILE   (a file outside this folder)")


def checkpoint(anchor: Anchor = None, as_json: Json = False) -> None:
    """Sign the ledger's head; with --anchor, add it to a file outside the store. A ledger that is not whole is not signed."""
    from whytune.workspace import checkpoints

    made = checkpoints.checkpoint(workspace(), anchor)
    if as_json:
        say_json("checkpoint", {"checkpoint": made, "id": made.id, "anchor": str(anchor) if anchor else ""})
        return
    say(f"signed event {made.number:,}, {made.head}")
    say(f"public key {made.public_key}: note it where nobody who can write here can change it")
    if anchor:
        say(f"added to {anchor}")
        say_next(f"whytune audit verify --anchor {anchor}")
    else:
        say_next("whytune audit checkpoint --anchor FILE   (without an anchor elsewhere, a rewritten ledger looks whole)")


def export(out: Annotated[Path, typer.Option("-o", "--out", help="File to write, one event a line.")], as_json: Json = False) -> None:
    """Write every event as JSON lines, to be verified without whytune."""
    from whytune.workspace import checkpoints

    count = checkpoints.export(workspace(), out)
    if as_json:
        say_json("export", {"events": count, "file": str(out)})
        return
    say(f"wrote {count:,} events to {out}")
    say_next("whytune audit checkpoint --anchor FILE   (so that the copy can be held against a signature)")


def log(
    last: Annotated[int, typer.Option(help="How many events, newest last.")] = 20,
    as_json: Json = False,
) -> None:
    """The newest events: when, who, what."""
    events = workspace().events()[-last:]
    if as_json:
        say_json("events", {"events": events})
        return
    table(
        ("#", "when", "who", "what", "project", "wrote"),
        [(str(e.number), e.when[:19], e.person + (" (solo)" if e.solo else ""), e.act, e.project, str(len(e.wrote))) for e in events],
    )
