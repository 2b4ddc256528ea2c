"""`whytune data propose | proposals | accept`: rows that one person brings and another takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whytune.cli.options import DryRun, Json, Name, project
from whytune.cli.screen import Screen, say, say_json, say_next, table
from whytune.errors import UsageError

if TYPE_CHECKING:
    from whytune.records.proposal import Proposal
    from whytune.workspace.project import Project

ProposalName = Annotated[str, typer.Argument(help="The proposal's id or how it begins; may be left out where only one is open.")]


def add_to(room: typer.Typer) -> None:
    """Register this file's commands in `whytune data`."""
    for command in (draft, create, synthesize, propose, proposals, accept):
        room.command()(command)


def draft(
    table: Annotated[Path, typer.Option(help="CSV, TSV, JSON lines or Parquet with named columns.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file of templates to write.")] = Path("templates.toml"),
    title: Annotated[str, typer.Option(help="Column that names a row; guessed if left out.")] = "",
) -> None:
    """Write a first file of templates from a table's columns, to read and mend."""
    from whytune.workspace import templating
    from whytune.workspace.writing import write_whole

    if out.exists():
        raise UsageError(f"{out} is there already", next="choose another name with -o, or remove it")
    text = templating.draft(table, title)
    write_whole(out, text)
    say(f"wrote {out}: {text.count('[[template]]')} templates; read and mend them")
    say_next(f"whytune data create PROJECT --table {table} --template {out}")


def create(
    name: Annotated[str, typer.Argument(help="Project name or folder.")],
    table: Annotated[Path, typer.Option(help="CSV, TSV, JSON lines or Parquet with named columns.")],
    template: Annotated[Path, typer.Option(help="The file of templates; `whytune data draft` writes a first one.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Propose questions and answers made from a table's rows by templates; no model is asked."""
    from whytune.workspace import templating

    chosen = project(name)
    if dry_run:
        made, rows = templating.filled(chosen, table, template)
        if as_json:
            say_json("created", {"rows": len(rows), "left_out": made.left_out, "ambiguous": made.ambiguous, "first": rows[:3]})
            return
        for row in rows[:5]:
            say(f"  {row['input'][:80]!r} -> {row['target'][:80]!r}")
        _say_left(len(rows), made.left_out, made.ambiguous, templating.REASONS)
        return
    proposal, made = templating.create(chosen, table, template)
    if not as_json:
        _say_left(len(made.rows), made.left_out, made.ambiguous, templating.REASONS)
    told(chosen, proposal, as_json=as_json)


def synthesize(
    name: Annotated[str, typer.Argument(help="Project name or folder.")],
    endpoint: Annotated[str, typer.Option(help="Address of a service that speaks the OpenAI chat protocol.")],
    model: Annotated[str, typer.Option(help="The model's name there; the bundled small model is refused as an author.")],
    per_passage: Annotated[int, typer.Option(help="Rows to ask for about each passage.")] = 3,
    limit: Annotated[int, typer.Option(help="Stop at that many rows.")] = 200,
    max_cost: Annotated[float, typer.Option(help="Never spend more, by [prices]; may be left out for a service on this network.")] = 0.0,
    key_env: Annotated[str, typer.Option(help="Environment variable holding the endpoint's key.")] = "",
    seed: Annotated[int, typer.Option(help="Decides which passages come first.")] = 17,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Propose questions and answers that a model at your endpoint writes about your documents, each verified in its passage."""
    from whytune.workspace.synthesizing import SynthesisOrder, plan
    from whytune.workspace.synthesizing import synthesize as write

    chosen = project(name)
    order = SynthesisOrder(endpoint, model, per_passage, limit, max_cost, key_env, seed)
    if dry_run:
        planned = plan(chosen, order)
        if as_json:
            say_json("synthesis-plan", {"passages": len(planned.passages), "sealed_documents": planned.sealed, "restricted_documents": planned.restricted, "test_rows_without_document": planned.unknown, "most_cost": planned.most_cost, "currency": planned.currency})
            return
        say(f"{len(planned.passages):,} passages may be sent; {planned.sealed:,} documents stay back because the test set asks about them, {planned.restricted:,} because not everybody may read them")
        if planned.unknown:
            say(f"{planned.unknown:,} test rows name no document, so what they ask about is not kept back: name their documents under [data] evidence in whytune.toml")
        say(f"at most {planned.most_cost:.4f} {planned.currency} for {limit:,} rows, if each passage gives {per_passage}")
        return
    screen = Screen(quiet=as_json)
    try:
        proposal, found = write(chosen, order, screen)
    finally:
        screen.close()
    if not as_json:
        for line in (*proposal.reasons, *([found.stopped] if found.stopped else [])):
            say(f"  {line}")
    told(chosen, proposal, as_json=as_json)


def _say_left(count: int, left: Mapping[str, int], ambiguous: Sequence[str], reasons: Mapping[str, str]) -> None:
    say(f"{count:,} questions, each value of an answer found in its row")
    for reason, n in left.items():
        say(f"  left out {n:,}: {reasons.get(reason, reason)}")
    if ambiguous:
        say(f"  questions that do not tell rows apart: {', '.join(ambiguous[:8])}")


def propose(
    name: Annotated[str, typer.Argument(help="Project name or folder.")],
    file: Annotated[Path, typer.Argument(help="JSON lines with input and target, and group, tags, evidence, note where known.")],
    reason: Annotated[list[str] | None, typer.Option(help="Why these rows are brought; may be given several times.")] = None,
    instead_of: Annotated[str, typer.Option(help="The proposal that these rows replace, as after mending it.")] = "",
    as_json: Json = False,
) -> None:
    """Propose rows of a file for the next dataset version; another person accepts them."""
    from whytune.workspace import proposing

    chosen = project(name)
    rows = [row.model_dump() for row in proposing.read_rows(file)]
    replaced = proposing.named(chosen, instead_of) if instead_of else None
    kind = replaced.kind if replaced else "manual"
    made = proposing.propose(chosen, kind, rows, reason or (), instead_of=replaced.id if replaced else "")
    told(chosen, made, as_json=as_json)


def proposals(name: Name = "", as_json: Json = False) -> None:
    """Every proposal: what it brings, who wrote it, who accepted it."""
    from whytune.records.proposal import AcceptedRows, Proposal
    from whytune.records.record import short
    from whytune.workspace import proposing

    chosen = project(name)
    found, taken = chosen.records(Proposal), {one.proposal: one for one in chosen.records(AcceptedRows)}
    waiting = proposing.open_ones(chosen)
    if as_json:
        say_json("proposals", {"project": chosen.name, "proposals": [{"id": one.id, **one.model_dump()} for one in found], "accepted": list(taken.values()), "open": [one.id for one in waiting]})
        return
    table(
        ("proposal", "kind", "rows", "by", "state", "file"),
        [
            (short(one.id), one.kind, f"{one.count:,}", one.person, f"{taken[one.id].count:,} accepted by {taken[one.id].person}" if one.id in taken else "open" if one in waiting else "replaced",
             str(proposing.place(chosen, one).relative_to(chosen.folder)))
            for one in found
        ],
    )  # fmt: skip
    say_next(f"whytune data accept {chosen.name} {short(waiting[0].id)} --all" if waiting else chosen.status().next)


def accept(
    name: Annotated[str, typer.Argument(help="Project name or folder.")],
    proposal: ProposalName = "",
    every: Annotated[bool, typer.Option("--all", help="Accept every row.")] = False,
    rows: Annotated[Path | None, typer.Option(help="JSON lines: those rows of the proposal's file that are accepted.")] = None,
    as_json: Json = False,
) -> None:
    """Accept a proposal's rows into the next dataset version; nobody accepts their own unless alone."""
    from whytune.workspace import proposing

    chosen = project(name)
    found = proposing.named(chosen, proposal)
    if every == (rows is not None):
        at = proposing.place(chosen, found)
        raise UsageError("Say which rows are accepted", next=f"read {at}, then --all, or --rows with a copy that lacks the bad lines")
    accepted = proposing.accept(chosen, found, rows)
    if as_json:
        say_json("accepted", {"id": accepted.id, **accepted.model_dump()})
        return
    say(f"{accepted.count:,} rows accepted, {accepted.refused:,} not" + ("; not independently accepted: you are alone in this workspace" if accepted.solo else ""))
    say_next(f"whytune data show {chosen.name}")


def told(chosen: Project, made: Proposal, *, as_json: bool) -> None:
    """What was proposed and what was left out."""
    from whytune.records.record import short
    from whytune.workspace import proposing

    at = proposing.place(chosen, made)
    if as_json:
        say_json("proposal", {"id": made.id, "file": str(at), **made.model_dump()})
        return
    say(f"proposed {made.count:,} rows ({made.kind}): {at}")
    for reason, count in made.left_out.items():
        say(f"  left out {count:,}: {proposing.REASONS.get(reason, reason.replace('_', ' '))}")
    say_next(f"whytune data accept {chosen.name} {short(made.id)} --all")
