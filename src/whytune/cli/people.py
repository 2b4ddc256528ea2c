"""`whytune user | team`: people, their roles and how they sign in; teams, duties, skills and what is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from whytune.cli.options import Json, Name, project, workspace
from whytune.cli.screen import say, say_json, say_next, table
from whytune.errors import UsageError

Person = Annotated[str, typer.Argument(help="The person's name.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read passwords from standard input, one a line; for scripts.")]


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    user = typer.Typer(help="People, their roles, passwords and tokens.", no_args_is_help=True)
    for command in (add, role, welcome, password, token, tokens, revoke):
        user.command()(command)
    user.command("list")(listed)
    user.command("break-glass")(break_glass)
    app.add_typer(user, name="user")
    team = typer.Typer(help="Teams: branches, functions, duties, skills, and what a project lacks.", no_args_is_help=True)
    for each in (show, edit, declare, gaps, raci):
        team.command()(each)
    app.add_typer(team, name="team")


def add(
    name: Person,
    roles: Annotated[list[str], typer.Option("--role", help="A role; may be given several times. The first person becomes admin too.")],
    as_json: Json = False,
) -> None:
    """Add a person. From the first one on nobody is solo, and only known people act."""
    from whytune.workspace import people

    room = workspace()
    alone = room.person.solo
    made = people.add(room, name, roles)
    if as_json:
        say_json("person", {"person": made, "first": alone})
        return
    say(f"{made.name}: {', '.join(made.roles)}")
    if alone:
        say(f"{made.name} is the first person and so the admin; what was done until now counts as done by {made.name}")
        say_next(f"export WHYTUNE_PERSON={_quoted(made.name)}, then: whytune user add NAME --role ROLE")
    else:
        say_next(f"whytune user token {_quoted(made.name)}")


def role(
    name: Person,
    add: Annotated[list[str] | None, typer.Option("--add", help="A role to give; may be given several times.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A role to take; may be given several times.")] = None,
    as_json: Json = False,
) -> None:
    """Give or take roles. Nobody changes their own, and who gives a role cannot use it on what is open then."""
    from whytune.workspace import people

    if not add and not remove:
        raise UsageError("No role is named", next=f"whytune user role {_quoted(name)} --add ROLE, or --remove ROLE")
    made = people.change(workspace(), name, add or (), remove or ())
    if as_json:
        say_json("person", {"person": made})
        return
    say(f"{made.name}: {', '.join(made.roles) or 'no role; their tokens and password have ended'}")
    say_next("whytune user list")


def welcome(
    name: Person,
    address: Annotated[str, typer.Option(help="Where this workspace's pages are.")] = "http://127.0.0.1:8765",
    as_json: Json = False,
) -> None:
    """Make a link by which somebody sets their password and signs in: once, within the hour. It is shown this once."""
    from whytune.workspace import people

    link = people.welcome(workspace(), name)
    page = f"{address.rstrip('/')}/welcome?token={link}"
    if as_json:
        say_json("welcome", {"person": name, "link": page})
        return
    say(page)
    say_next(f"whytune web, and give this link to {_quoted(name)} and nobody else")


def password(name: Person, stdin: Stdin = False) -> None:
    """Set a password: asked twice at a terminal; with --stdin the new one on a line, after the old one where there is one."""
    from whytune.workspace import people

    room = workspace()
    secured = room.store.accounts.secured(name)
    lines = _lines() if stdin else []
    if secured and not _token():
        room = people.prove(room, name, _secret("Password now", lines, stdin))
    new = _secret("New password", lines, stdin)
    if not stdin and _secret("New password again", lines, stdin) != new:
        raise UsageError("The two passwords differ; nothing was changed", next=f"whytune user password {_quoted(name)}")
    people.set_password(room, name, new)
    say(f"{name} has a new password; sessions that were open have ended")
    say_next(f"whytune user token {_quoted(name)}")


def token(
    name: Person,
    label: Annotated[str, typer.Option(help="What it is for, to know it again.")] = "",
    days: Annotated[int, typer.Option(help="How long it is good.")] = 90,
    stdin: Stdin = False,
    as_json: Json = False,
) -> None:
    """Make a token and show it, this once. Needs the password, or a token in WHYTUNE_TOKEN, where there is one."""
    from whytune.workspace import people

    room = workspace()
    if room.store.accounts.secured(name) and not _token():
        room = people.prove(room, name, _secret("Password", _lines() if stdin else [], stdin))
    made = people.make_token(room, name, label, days)
    if as_json:
        say_json("token", {"person": name, "label": label, "days": days, "token": made})
        return
    say(made)
    say_next("export WHYTUNE_TOKEN with this value; it is not shown again")


def tokens(as_json: Json = False) -> None:
    """Your tokens; for an admin everybody's. Never the tokens themselves."""
    from whytune.workspace import people

    found = people.tokens(workspace())
    if as_json:
        say_json("tokens", {"tokens": found})
        return
    if not found:
        say("no token yet")
    else:
        table(
            ("id", "person", "label", "created", "expires", "last used", ""),
            [(t.id, t.person, t.label, t.created[:10], t.expires[:10], t.used[:16] or "never", "revoked" if t.revoked else "") for t in found],
        )
    say_next("whytune user revoke ID")


def revoke(id: Annotated[str, typer.Argument(help="The token's id, from `whytune user tokens`.")]) -> None:
    """End a token now."""
    from whytune.workspace import people

    found = people.revoke(workspace(), id)
    say(f"token {id} of {found.person} ({found.label or 'no label'}) is revoked")
    say_next("whytune user tokens")


def listed(as_json: Json = False) -> None:
    """Everybody and their roles."""
    from whytune.workspace import people

    room = workspace()
    found, glass = room.people(), people.open_glass(room)
    if as_json:
        say_json("people", {"people": found, "break_glass": glass})
        return
    if not found:
        say(f"nobody yet: {room.person.name} is alone and holds every role; nothing is independently approved")
        say_next("whytune user add NAME --role admin")
        return
    table(("person", "roles"), [(person.name, ", ".join(person.roles) or "none") for person in found])
    for each in glass:
        say(f"! {each.person} broke the glass: {each.role} until {each.until[:16]}Z: {each.reason}")
    say_next("whytune team gaps PROJECT")


def break_glass(
    reason: Annotated[str, typer.Option(help="Why; it is on record.")],
    hours: Annotated[float, typer.Option(help="How long, at most 24.")] = 2.0,
    as_json: Json = False,
) -> None:
    """Take the operator's role in an emergency: on record, it expires, and it signs nothing."""
    from whytune.workspace import people

    made = people.break_glass(workspace(), reason, hours)
    if as_json:
        say_json("break-glass", {"break_glass": made})
        return
    say(f"{made.person} is {made.role} until {made.until[:16]}Z; everybody sees it in `whytune status` and in the ledger")
    say_next("whytune audit log")


def show(
    toml: Annotated[bool, typer.Option("--toml", help="As text that `whytune team edit` reads.")] = False,
    as_json: Json = False,
) -> None:
    """The chart of teams: branches, functions, and the roles their people hold."""
    from whytune.workspace import teams

    room = workspace()
    found = teams.table(room)
    if as_json:
        say_json("team", {"team": found, "skills": list(teams.declared(room).values())})
        return
    if toml:
        say(teams.as_text(room).rstrip())
        return
    people_of: dict[str, list[str]] = {}
    for each in teams.declared(room).values():
        for function in each.functions:
            people_of.setdefault(function, []).append(each.person)
    say(found.head)
    table(
        ("branch", "function", "roles", "people"),
        [(b.name, f.name, ", ".join(f.roles), ", ".join(people_of.get(f"{b.name}/{f.name}", []))) for b in found.branches for f in b.functions],
    )
    say_next("whytune team raci")


def edit(file: Annotated[Path, typer.Argument(help="A table as `whytune team show --toml` prints it; - reads standard input.")]) -> None:
    """Put another table of teams in force. Every mistake is told at once."""
    from whytune.workspace import teams

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", next="whytune team show --toml > team.toml") from error
    made = teams.edit(workspace(), text, str(file))
    say(f"{len(made.branches)} branches, {len(made.duties)} boxes in force")
    say_next("whytune team show")


def declare(
    name: Person,
    function: Annotated[list[str] | None, typer.Option(help="Branch/Function; may be given several times.")] = None,
    skill: Annotated[list[str] | None, typer.Option(help="A skill; may be given several times.")] = None,
    domain: Annotated[list[str] | None, typer.Option(help="A field you know, such as 'retail banking'; may be given several times.")] = None,
    years: Annotated[float, typer.Option(help="Years of experience.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Say what you do, what you can, and what you know. It replaces what was said before."""
    from whytune.workspace import teams

    made = teams.declare(workspace(), name, functions=function or (), skills=skill or (), domains=domain or (), years=years)
    if as_json:
        say_json("skills", {"skills": made})
        return
    say(f"{made.person}: {', '.join(made.functions) or 'no function'}; {', '.join((*made.skills, *made.domains)) or 'no skill'}; {made.years:g} years")
    say_next("whytune team gaps PROJECT")


def gaps(name: Name = "", as_json: Json = False) -> None:
    """What a project's team lacks, and which stage needs it. It blocks nothing."""
    from whytune.workspace import teams

    chosen = project(name)
    found = teams.gaps(chosen)
    if as_json:
        say_json("gaps", {"project": chosen.name, "gaps": found})
        return
    if chosen.workspace.person.solo:
        say("one person alone holds every duty; nothing can be independently approved")
        say_next("whytune user add NAME --role admin")
        return
    for line in teams.said(found):
        say(line)
    if not found:
        say("every duty can be filled")
    say_next("whytune team declare PERSON --function F --skill S, or whytune user role PERSON --add ROLE" if found else chosen.status().next)


def raci(as_json: Json = False) -> None:
    """Who is responsible (R), accountable (A), consulted (C) and informed (I) in each box of the flowchart."""
    from whytune.workspace import teams

    duties = teams.table(workspace()).duties
    if as_json:
        say_json("raci", {"duties": duties})
        return
    for duty in duties:
        say(f"{duty.box} [{duty.stage}]" + (f", needs {' or '.join(duty.roles)}" if duty.roles else ""))
        for letter, functions in (("R", duty.responsible), ("A", duty.accountable), ("C", duty.consulted), ("I", duty.informed)):
            if functions:
                say(f"  {letter}  {', '.join(functions)}")
    say_next("whytune team show --toml > team.toml, edit it, then: whytune team edit team.toml")


def _token() -> bool:
    import os

    from whytune.workspace.people import TOKEN_VARIABLE

    return bool(os.environ.get(TOKEN_VARIABLE))


def _lines() -> list[str]:
    return sys.stdin.read().splitlines()


def _secret(asked: str, lines: list[str], stdin: bool) -> str:
    if stdin:
        if not lines:
            raise UsageError(f"{asked}: standard input holds no line for it", next="give one line for each password")
        return lines.pop(0)
    if not sys.stdin.isatty():
        raise UsageError(f"{asked}: there is no terminal to ask at", next="use --stdin, one password a line")
    return str(typer.prompt(asked, hide_input=True, err=True))


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
