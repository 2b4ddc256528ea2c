"""`whytune data find | versions | diff | approve`: what lies there, which versions there are, what parts them, who approved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whytune.cli.options import Json, Name, project
from whytune.cli.screen import Screen, say, say_json, say_next, table

if TYPE_CHECKING:
    from whytune.records.found import FoundFile


def add_to(room: typer.Typer) -> None:
    """Register this file's commands in `whytune data`."""
    for command in (find, versions, diff, approve):
        room.command()(command)


def find(
    path: Annotated[list[Path], typer.Argument(help="Files, folders or archives to look through.")],
    as_json: Json = False,
) -> None:
    """What lies in folders and archives: formats, rows, columns, the task each file may serve, personal data, licence."""
    from whytune.workspace import finding

    screen = Screen(quiet=as_json)
    found = finding.find(path, screen)
    screen.close()
    if as_json:
        say_json("found", {"files": found})
        return
    table(("file", "kind", "format", "rows", "may serve", "personal data", "licence"), [_line(one) for one in found])
    for one in found:
        if one.why:
            say(f"  {one.file}: {one.why}")
    rows = [one for one in found if one.fits and "!/" not in one.file]
    if rows:
        best = max(rows, key=lambda one: (one.fits[0].confidence, one.rows))
        fit = best.fits[0]
        columns = (f" --input {fit.input!r}" if fit.input else "") + (f" --target {fit.target!r}" if fit.target else "")
        say_next(f"whytune init NAME --task {fit.task} --from {best.file}{columns}")


def _line(one: FoundFile) -> tuple[str, ...]:
    fits = ", ".join(f"{fit.task} {fit.confidence:.0%}" for fit in one.fits[:2])
    personal = ", ".join(f"{kind} in {count:,} of {one.looked_at:,}" for kind, count in one.personal.items())
    rows = (f"{one.rows:,}" + ("" if one.counted else "+")) if one.rows else ""
    return (one.file, one.kind, one.format, rows, fits, personal, one.licence)


def versions(name: Name = "", as_json: Json = False) -> None:
    """Every dataset version: rows, sources, state, who made and who approved it."""
    from whytune.records.data import SPLITS
    from whytune.records.record import short
    from whytune.workspace import versions as found

    chosen = project(name)
    listed = found.versions(chosen)
    if as_json:
        say_json("versions", {"project": chosen.name, "versions": [{"id": one.dataset.id, "number": one.dataset.number, "parent": one.dataset.parent, "counts": one.dataset.counts, "removed": one.dataset.removed, "sources": one.dataset.sources, "state": one.state, "when": one.when, "person": one.person, "approvals": one.approvals} for one in listed]})
        return
    table(
        ("version", *SPLITS, "removed", "state", "made", "by", "approved by", "id"),
        [
            (f"v{one.dataset.number}", *(f"{one.dataset.counts.get(split, 0):,}" for split in SPLITS), f"{sum(one.dataset.removed.values()):,}", one.state, one.when[:16], one.person,
             ", ".join(f"{given.person} ({given.role}{', alone' if given.solo else ''})" for given in one.approvals), short(one.dataset.id))
            for one in listed
        ],
    )  # fmt: skip
    say_next(f"whytune data diff {chosen.name} v{listed[-2].dataset.number} v{listed[-1].dataset.number}" if len(listed) > 1 else chosen.status().next)


def diff(
    name: Annotated[str, typer.Argument(help="Project name or folder.")],
    first: Annotated[str, typer.Argument(help="A version: its number, or how its id begins.")],
    second: Annotated[str, typer.Argument(help="Another version.")],
    rows: Annotated[int, typer.Option(help="Rows of each kind to show; those of test stay sealed.")] = 10,
    as_json: Json = False,
) -> None:
    """What parts two dataset versions: rows that came, left, moved, or have another answer."""
    from whytune.workspace import versions as found

    chosen = project(name)
    parted = found.diff(chosen, found.numbered(chosen, first), found.numbered(chosen, second), rows)
    if as_json:
        say_json("diff", {"first": parted.first.id, "second": parted.second.id, "unchanged": parted.unchanged, "counts": parted.counts, "changes": parted.changes})
        return
    say(f"v{parted.first.number} -> v{parted.second.number}: {parted.unchanged:,} rows in both")
    for what, counts in parted.counts.items():
        if counts:
            say(f"  {what} {sum(counts.values()):,}: " + ", ".join(f"{split} {count:,}" for split, count in sorted(counts.items())))
    for change in parted.changes:
        told = f"{change.before!r} -> {change.after!r}" if change.what in ("moved", "answered") else repr(change.after or change.before)
        say(f"  {change.what} [{change.split}] {change.input[:80]!r}: {told[:120]} ({change.origin})")
    say_next(f"whytune data check {chosen.name}")


def approve(
    name: Name = "",
    role: Annotated[str, typer.Option(help="In which role: tester, data_creator, legal or responsible_ai; the first that you hold if left out.")] = "",
    reason: Annotated[str, typer.Option(help="What it stands on.")] = "",
    as_json: Json = False,
) -> None:
    """Approve the newest dataset version; whoever wrote rows of it may not."""
    from whytune.workspace import versions as found

    chosen = project(name)
    approval = found.approve(chosen, role, reason)
    if as_json:
        say_json("dataset-approval", {"id": approval.id, **approval.model_dump()})
        return
    say(f"{approval.person} approved it as {approval.role}, on {len(approval.reviews)} review{'' if len(approval.reviews) == 1 else 's'} by people" + ("; not independently approved: you are alone in this workspace" if approval.solo else ""))
    say_next(chosen.status().next)
