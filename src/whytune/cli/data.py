"""`whytune data ...`: what is in the dataset, what was removed and why, what the checks found; the rest of the room stands beside it."""

from __future__ import annotations

from typing import Annotated

import typer

from whytune.cli import create, versions
from whytune.cli.options import Json, Name, project
from whytune.cli.screen import Screen, say, say_json, say_next, table


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(help="Find, create, show, check, compare and approve data.", no_args_is_help=True)
    room.command()(show)
    room.command()(check)
    versions.add_to(room)
    create.add_to(room)
    app.add_typer(room, name="data")


def show(
    name: Name = "",
    rows: Annotated[int, typer.Option(help="Rows of train and dev to show; the test set stays sealed.")] = 5,
    removed: Annotated[bool, typer.Option("--removed", help="List what was removed, with file, line and reason.")] = False,
    as_json: Json = False,
) -> None:
    """The current dataset version: counts, sources, certificate, rows or removals."""
    from whytune.records.data import SPLITS  # only now: a bare --help does without the records

    chosen = project(name)
    screen = Screen(quiet=as_json)
    chosen.run(screen, until="data")
    screen.close()
    dataset = chosen.dataset
    gone = list(chosen.removals()) if removed or as_json else []
    shown = chosen.sample(rows)
    if as_json:
        say_json("dataset", {"dataset": dataset, "id": dataset.id, "rows": shown, "removals": gone, "erased": chosen.erased})
        return
    counts = ", ".join(f"{split} {dataset.counts.get(split, 0):,}" for split in SPLITS)
    say(f"{dataset.project} v{dataset.number} ({dataset.id[:18]}): {counts}")
    for source in dataset.sources:
        say(f"  {source.file}: {source.format}, {source.encoding}, {source.rows:,} rows, {source.documents:,} documents, {source.unreadable:,} unreadable")
    if chosen.erased:
        say(f"erased since, at somebody's request: {chosen.erased:,} rows; the counts are those of when it was made")
    if dataset.removed:
        say("removed: " + ", ".join(f"{reason} {n:,}" for reason, n in sorted(dataset.removed.items())))
    sealed = dataset.certificate
    say(f"leakage between test and the rest: same group {sealed.same_group}, exact {sealed.exact}, near {sealed.near}; purged {sealed.purged} ({sealed.method})")
    if removed:
        table(("where", "reason", "detail"), [(f"{gap.origin.file}:{gap.origin.line or '?'}", gap.reason, gap.detail[:80]) for gap in gone])
    for split, example in shown:
        say(f"  [{split}] {example.input_text[:80]!r} -> {example.target_text[:60]!r}")
    say_next(f"whytune data check {chosen.name}")


def check(name: Name = "", as_json: Json = False) -> None:
    """Run every check of the task over the dataset; exit code 3 where one fails."""
    chosen = project(name)
    screen = Screen(quiet=as_json)
    chosen.run(screen, until="check", stop_at_gate=False)
    screen.close()
    validation = chosen.validation
    if as_json:
        say_json("findings", {"dataset": validation.dataset, "passed": validation.passed, "findings": validation.findings})
    else:
        table(("", "check", "rows", "what"), [({"pass": "ok", "warn": "!", "fail": "FAIL"}[f.status], f.check, f"{f.count:,}", f.message) for f in validation.findings])
        for finding in validation.findings:
            if finding.status != "pass" and finding.next:
                say(f"  {finding.check}: {finding.next}")
        say_next(chosen.status().next)
    if not validation.passed:
        raise typer.Exit(3)
