"""`whytune policy | sign | accept`: what must be shown, who has signed, and yes or no with every reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from whytune.cli.options import DryRun, Json, Name, project
from whytune.cli.screen import say, say_json, say_next, table

if TYPE_CHECKING:
    from whytune.records.release import Acceptance, Policy
    from whytune.workspace.project import Project

Arm = Annotated[str, typer.Option(help="Which arm's candidate; the one that the decision names if left out.")]


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(help="What must be shown and signed before anything is released.", no_args_is_help=True)
    room.command("init")(policy_init)
    room.command("fix")(policy_fix)
    room.command("show")(policy_show)
    app.add_typer(room, name="policy")
    app.command()(sign)
    app.command()(accept)


def policy_init(
    name: Name = "",
    solo: Annotated[bool | None, typer.Option("--solo/--no-solo", help="Whether a person alone may sign every role; if left out, yes where the workspace has no people.")] = None,
    as_json: Json = False,
) -> None:
    """Write policy.toml, with a comment for each key; it counts once it is fixed."""
    from whytune.workspace import policies

    chosen = project(name)
    path = policies.init(chosen, solo=solo)
    if as_json:
        say_json("policy-file", {"path": str(path)})
        return
    say(f"wrote {path}: read it, then fix it")
    say_next(f"whytune policy fix {chosen.name}")


def policy_fix(name: Name = "", dry_run: DryRun = False, as_json: Json = False) -> None:
    """Put policy.toml into force. Signatures under another policy are stale from then on."""
    from whytune.workspace import policies

    chosen = project(name)
    policy = policies.read(chosen) if dry_run else policies.fix(chosen)
    _tell_policy(chosen, policy, as_json)


def policy_show(name: Name = "", as_json: Json = False) -> None:
    """The policy in force."""
    from whytune.workspace import policies

    chosen = project(name)
    _tell_policy(chosen, policies.fixed(chosen), as_json)


def _tell_policy(chosen: Project, policy: Policy, as_json: bool) -> None:
    if as_json:
        say_json("policy", {"id": policy.id, "policy": policy})
        return
    say(f"policy {policy.number} of {policy.project} ({policy.id[:17]})")
    say(f"evidence:   {', '.join(policy.evidence) or 'none is asked for'}")
    say(f"signatures: {', '.join(policy.signatures)}" + ("; one person alone may give them all, and the release says so" if policy.solo else "; a different person each"))
    for section in ("test", "human", "responsible", "data", "ceilings"):
        values: dict[str, Any] = getattr(policy, section).model_dump(mode="json")
        say(f"{section}: " + ", ".join(f"{key} {value}" for key, value in values.items()))
    say_next(f"whytune accept {chosen.name} --dry-run")


def sign(
    name: Name = "",
    role: Annotated[str, typer.Option(help="The role in which you sign.")] = "",
    reason: Annotated[str, typer.Option(help="What you looked at, and what speaks for or against it.")] = "",
    reject: Annotated[bool, typer.Option("--reject", help="Say no.")] = False,
    arm: Arm = "",
    as_json: Json = False,
) -> None:
    """Sign for a candidate, on the evidence there is now. Who made any part of it cannot."""
    from whytune.errors import UsageError
    from whytune.workspace import accepting

    chosen = project(name)
    if not role:
        open_yet = accepting.asked(chosen, arm)
        said = [f"{each}: {', '.join(may) or 'nobody may as things stand'}" for each, may in open_yet.items()]
        raise UsageError("In which role do you sign?", problems=said, next=f'whytune sign {chosen.name} --role ROLE --reason "..."')
    given = accepting.sign(chosen, role, "reject" if reject else "approve", reason, arm)
    open_yet = accepting.asked(chosen, arm)
    if as_json:
        say_json("approval", {"id": given.id, "approval": given, "open": open_yet})
        return
    say(f"{given.person} signed as {given.role}: {given.says}" + (" (alone: not independently approved)" if given.solo else ""))
    for waiting, may in open_yet.items():
        say(f"  {waiting} has not signed; may: {', '.join(may) or 'nobody as things stand'}")
    say_next(f"whytune accept {chosen.name}" if not open_yet else f'whytune sign {chosen.name} --role {next(iter(open_yet))} --reason "..."')


def accept(name: Name = "", arm: Arm = "", dry_run: DryRun = False, as_json: Json = False) -> None:
    """Accepted? Yes, or no with every reason, the slices to mend and the rows to look for. Exit code 3: no."""
    from whytune.workspace import accepting

    chosen = project(name)
    made = accepting.judge(chosen, arm) if dry_run else accepting.accept(chosen, arm)
    if as_json:
        say_json("acceptance", {"id": made.id, "acceptance": made})
    else:
        _tell(chosen, made)
    if not made.accepted:
        raise typer.Exit(3)


def _tell(chosen: Project, made: Acceptance) -> None:
    say(("YES: " if made.accepted else "NO: ") + made.sentence)
    for objection in made.objections:
        say(f"  - [{objection.code}] {objection.sentence}")
        if objection.next:
            say(f"      {objection.next}")
    for note in made.notes:
        say(f"  note: {note}")
    if made.slices_to_mend:
        say(f"where it falls short on dev ({made.measured_on_dev}; exploratory: among many slices some fall short by luck):")
        table(
            ("slice", "right", "interval", "n", "rows to look for"),
            [
                (f"{s.name} = {s.value}"[:60], f"{s.share:.3f}", f"{s.low:.3f} to {s.high:.3f}", f"{s.n:,}", f"{t.rows:,}")
                for s, t in zip(made.slices_to_mend, made.collection_targets, strict=True)
            ],
        )
    if made.accepted:
        say_next(f"whytune release make {chosen.name}")
    else:
        unsigned = [objection for objection in made.objections if objection.code == "unsigned"]
        only = len(unsigned) == len(made.objections)
        say_next(unsigned[0].next if only else f"mend the data, then: whytune run {chosen.name}")
