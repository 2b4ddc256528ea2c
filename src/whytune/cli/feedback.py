"""`whytune feedback list | show | triage | propose`: from what consumers say to proposed rows."""

from __future__ import annotations

from typing import Annotated

import typer

from whytune.cli.options import Json, project, workspace
from whytune.cli.screen import say, say_json, say_next, table
from whytune.errors import UsageError

Id = Annotated[str, typer.Argument(help="As `whytune feedback list` shows it.")]


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(help="Feedback of consumers: look, sort, propose as rows.", no_args_is_help=True)
    room.command("list")(listed)
    room.command()(show)
    room.command()(triage)
    room.command()(propose)
    app.add_typer(room, name="feedback")


def listed(
    state: Annotated[str, typer.Option(help="new, useful, not_useful or proposed; all if left out.")] = "",
    as_json: Json = False,
) -> None:
    """The inbox, oldest first."""
    from whytune.workspace.feedback import inbox

    found = inbox(workspace(), state)
    if as_json:
        say_json("feedback-list", {"feedback": found})
        return
    table(
        ("id", "when", "consumer", "rating", "consent", "state", "correction"),
        [(f.id, f.when[:16], f.consumer, f.rating, "yes" if f.consent else "no", f.state, "erased" if f.erased else _line(f.correction, 50)) for f in found],
    )
    say_next("whytune feedback show ID" if found else "whytune serve")


def show(name: Id, as_json: Json = False) -> None:
    """One piece of feedback, with question and answer where they are kept."""
    from whytune.workspace.feedback import show as look

    found = look(workspace(), name)
    if as_json:
        say_json("feedback", {"feedback": found.feedback, "response": found.response, "exchange": found.exchange})
        return
    said = found.feedback
    say(f"{said.id}: {said.rating}, {said.state.replace('_', ' ')}, from {said.consumer} on {said.when[:16]}, consent: {'yes' if said.consent else 'no'}")
    say(f"about {found.response.id} of {found.response.project} by {found.response.release[:18]}, conversation {said.conversation}")
    for message in found.exchange.asked if found.exchange else ():
        say(f"  {message.role}: {_line(message.text, 500)}")
    if found.exchange:
        say(f"  answer: {_line(found.exchange.answer, 500)}")
    for part, text in (("question", said.question), ("correction", said.correction), ("comment", said.comment), ("reason", said.reason)):
        if text:
            say(f"  {part}: {_line(text, 500)}")
    say_next(f"whytune feedback triage {said.id} --useful --reason TEXT")


def triage(
    name: Id,
    useful: Annotated[bool | None, typer.Option("--useful/--not-useful", help="Whether it should go further.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for those who come after.")] = "",
    as_json: Json = False,
) -> None:
    """Say whether feedback is of use."""
    from whytune.workspace.feedback import triage as sort

    if useful is None:
        raise UsageError("Is it useful or not?", next=f"whytune feedback triage {name} --useful, or --not-useful")
    settled = sort(workspace(), name, useful=useful, reason=reason)
    if as_json:
        say_json("feedback", {"feedback": settled})
        return
    say(f"{settled.id}: {settled.state.replace('_', ' ')}")
    say_next("whytune feedback propose PROJECT" if useful else "whytune feedback list --state new")


def propose(
    name: Annotated[str, typer.Argument(help="Project name or folder.")],
    ids: Annotated[list[str] | None, typer.Argument(help="Feedback ids; all that is useful if left out.")] = None,
    input: Annotated[str, typer.Option(help="The question as the row should ask it; for one id.")] = "",
    target: Annotated[str, typer.Option(help="The answer as the row should give it; for one id.")] = "",
    as_json: Json = False,
) -> None:
    """Propose useful feedback as rows, for somebody else to accept. Without consent, or with personal data, it stays."""
    from whytune.workspace.feedback import propose as put_forward

    made = put_forward(project(name), ids or (), input=input, target=target)
    if as_json:
        say_json("feedback-proposal", {"proposal": made.proposal, "id": made.proposal.id, "left": made.left})
        return
    say(f"{made.proposal.id[:19]}: {made.proposal.count} rows")
    for id, why in made.left.items():
        say(f"  left in the inbox: {id}: {why}")
    say_next(f"whytune data accept {name} {made.proposal.id[:19]}   (somebody else)")


def _line(text: str, width: int) -> str:
    """Text of strangers on one line: whatever could steer a terminal is shown, not obeyed."""
    plain = "".join(character if character.isprintable() else "▯" for character in " ".join(text[: width * 4].split()))
    return plain if len(plain) <= width else plain[: width - 1] + "…"
