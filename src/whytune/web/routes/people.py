"""People: names, roles, tokens."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from whytune.errors import NotAllowedError, NotSignedInError
from whytune.web.handling import WebRequest, route
from whytune.workspace import people, teams


def listed(ask: WebRequest) -> Any:
    """Everybody, their roles and what they declare of themselves."""
    return {"people": ask.workspace.people(), "skills": list(teams.declared(ask.workspace).values()), "break_glass": people.open_glass(ask.workspace)}


def added(ask: WebRequest) -> Any:
    """A new person."""
    name, roles = ask.take(name=str, roles=list)
    return people.add(ask.workspace, name, roles)


def changed(ask: WebRequest) -> Any:
    """Roles given and taken."""
    give, take = ask.take(add_=list, remove_=list)
    return people.change(ask.workspace, ask.path["person"], give, take)


def declared(ask: WebRequest) -> Any:
    """What a person says of themself."""
    functions, skills, domains, years = ask.take(functions_=list, skills_=list, domains_=list, years_=float)
    return teams.declare(ask.workspace, ask.path["person"], functions=functions, skills=skills, domains=domains, years=years)


def token_made(ask: WebRequest) -> Any:
    """A new token, told this once."""
    label, days = ask.take(label_=str, days_=int)
    return {"token": people.make_token(ask.workspace, ask.path["person"], label, days or people.TOKEN_DAYS)}


def password_set(ask: WebRequest) -> Response:
    """A new password: one's own after the old one, or as admin somebody else's."""
    password, old = ask.take(password=str, old_=str)
    name, workspace = ask.path["person"], ask.workspace
    if name == workspace.person.name and people.has_password(workspace, name):
        try:
            people.prove(workspace, name, old)
        except NotSignedInError as error:  # who they are is known: it is the old password that is wrong
            raise NotAllowedError("The old password is wrong", next='send it as "old"') from error
    people.set_password(workspace, name, password)
    return Response(status_code=204)


def glass_broken(ask: WebRequest) -> Any:
    """The operator's role for some hours, in an emergency."""
    reason, hours = ask.take(reason=str, hours=float)
    return people.break_glass(ask.workspace, reason, hours)


def tokens(ask: WebRequest) -> Any:
    """What is known of tokens: one's own, for an admin everybody's."""
    return {"tokens": people.tokens(ask.workspace)}


def token_revoked(ask: WebRequest) -> Response:
    """End a token now."""
    people.revoke(ask.workspace, ask.path["token"])
    return Response(status_code=204)


routes = [
    route("GET", "/api/v1/people", listed),
    route("POST", "/api/v1/people", added, 201),
    route("PATCH", "/api/v1/people/{person}", changed),
    route("PUT", "/api/v1/people/{person}/skills", declared),
    route("POST", "/api/v1/people/{person}/tokens", token_made, 201),
    route("PUT", "/api/v1/people/{person}/password", password_set),
    route("POST", "/api/v1/break-glass", glass_broken, 201),
    route("GET", "/api/v1/tokens", tokens),
    route("DELETE", "/api/v1/tokens/{token}", token_revoked),
]
