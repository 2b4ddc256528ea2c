"""`whytune erase`: a person or a thing out of everything kept, with what had been made from it."""

from __future__ import annotations

from typing import Annotated

import typer

from whytune.cli.options import DryRun, Json, workspace
from whytune.cli.screen import say, say_json, say_next, table
from whytune.errors import UsageError


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    app.command()(erase)


def erase(
    subject: Annotated[str, typer.Argument(help="An address, a name, a customer's, conversation's or feedback's id.")] = "",
    reason: Annotated[str, typer.Option(help="Why; it stays in the ledger, so it must not name the subject.")] = "",
    project: Annotated[str, typer.Option(help="Only what this project keeps; traffic is left out.")] = "",
    retrain_days: Annotated[int, typer.Option(help="Days until adapters trained on it must be replaced.")] = 30,
    listed: Annotated[bool, typer.Option("--list", help="Say what was erased so far.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Erase a subject from rows, documents, passages, answers and traffic; list the versions, adapters and releases it was in."""
    from whytune.workspace import erasing

    room = workspace()
    if listed:
        _list(erasing.erasures(room), as_json)
        return
    if not subject:
        raise UsageError("Who or what is to be erased?", next="whytune erase person@example.org --dry-run")
    if dry_run:
        found = erasing.survey(room, subject, project)
        if as_json:
            say_json("erasure-survey", {name: sorted(value) if isinstance(value, frozenset) else value for name, value in found.__dict__.items()})
            return
        _say(
            {
                "rows": len(found.rows), "documents": len(found.documents), "passages": sum(map(len, found.indexes.values())), "lines of packs": sum(found.packs.values()),
                "kept answers": len(found.answers), "records that quote it": len(found.records), "responses and feedback": len(found.traffic), "reviewers' notes": len(found.opinions),
                "training runs": len(found.runs), "jobs and forms": len(found.said), "use cases not created yet": len(found.drafts),
            },
            {"versions": found.datasets, "adapters": found.adapters, "candidates": found.candidates, "releases": found.releases, "live as": found.aliases},
        )  # fmt: skip
        if found.same_group:
            say(f"{found.same_group:,} other rows share a group with these and stay: erase the group's name too if they are about the same person")
        for pack in found.old_packs:
            say(f"  pack {pack} was written by an earlier whytune: single rows cannot be taken from it")
        if found.unread:
            say(f"  {found.unread:,} uploaded files of use cases not created yet cannot be looked into: ask whoever uploaded them")
        for file in found.files:
            say(f"  {file}: speaks of it, and is yours to clean")
        say_next(f"whytune erase {subject!r} --reason TEXT" if found.anything else "try other spellings")
        return
    made = erasing.erase(room, subject, reason, project, retrain_days)
    if as_json:
        say_json("erasure", {"erasure": made, "id": made.id})
        return
    _say(
        {
            "rows": len(made.rows), "documents": len(made.documents), "passages": sum(len(index.passages) for index in made.indexes), "lines of packs": sum(made.packs.values()),
            "kept answers": made.answers, "records that quoted it": len(made.records), "responses and feedback": len(made.traffic), "reviewers' notes": made.opinions,
            "training runs": len(made.runs), "jobs and forms": made.said, "use cases not created yet, emptied": made.drafts,
        },
        {"versions": made.datasets, "adapters": made.adapters, "candidates": made.candidates, "releases": made.releases, "live as": made.aliases},
    )  # fmt: skip
    for place in made.left:
        say(f"  still found: {place}")
    if made.retrain_by:
        say(f"weights cannot be blanked: replace these adapters by {made.retrain_by}")
        say_next("whytune run   (builds the next version without these rows and trains again)")
    else:
        say_next("whytune audit verify --deep")


def _say(counts: dict[str, int], used: dict[str, tuple[str, ...]]) -> None:
    for name, count in counts.items():
        if count:
            say(f"{count:>7,} {name}")
    for name, ids in used.items():
        for id in ids:
            say(f"  {name}: {id}")
    if not any(counts.values()):
        say("nothing that is kept speaks of it")


def _list(found: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        say_json("erasures", {"erasures": found})
        return
    if not found:
        say("nothing was erased so far")
        return
    table(("when", "by", "rows", "documents", "releases", "retrain by", "reason"), [tuple(line.values()) for line in found])
