"""One's own page: how pages look, the password, tokens, open sessions, and what one declares of oneself."""

from __future__ import annotations

from typing import Any

from starlette.responses import HTMLResponse, RedirectResponse, Response

from whytune.errors import NotAllowedError, NotSignedInError, UsageError
from whytune.web import rendering
from whytune.web.auth import local_path, session_of
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest
from whytune.web.pages.entrance import begin_session, carry
from whytune.workspace import people, team_table, teams

ROOM = "/profile"
YEAR = 365 * 86_400
SETTINGS = {"theme": rendering.THEMES, "keys": ("on", "off")}


def shown(ask: WebRequest) -> Any:
    """Who is asking: roles, how pages look, tokens, open sessions, skills. No secret is among it."""
    workspace, person = ask.workspace, ask.workspace.person
    accounts, here = workspace.store.accounts, session_of(ask.request.headers)
    said = teams.declared(workspace).get(person.name)
    return {
        "person": person, "alone": person.solo, "password": not person.solo and people.has_password(workspace, person.name), "changed": ask.query.get("changed", "")[:20],
        "tokens": [] if person.solo else [note for note in people.tokens(workspace) if note.person == person.name and not note.revoked],
        "sessions": [{"id": note.id, "opened": note.opened, "expires": note.expires, "here": bool(here) and note.id == accounts.session_id(here)} for note in accounts.sessions(person.name)],
        "skills": said, "functions": list(team_table.functions(teams.table(workspace))), "days": people.TOKEN_DAYS,
    }  # fmt: skip


def looked(ask: WebRequest) -> Response:
    """How pages look and whether single keys do something: kept in the browser, not here."""
    theme, keys, then = ask.take(theme_=str, keys_=str, then_=str)
    given = {"theme": theme, "keys": keys}
    problems = [f"{name}: {value[:20]!r}; there are: {', '.join(SETTINGS[name])}" for name, value in given.items() if value and value not in SETTINGS[name]]
    if problems:
        raise UsageError("That cannot be set", problems=problems, next="choose one of the list")
    answer = RedirectResponse(local_path(then or ROOM), 303)
    for name, value in given.items():
        if value:
            answer.set_cookie(f"whytune_{name}", value, max_age=YEAR, samesite="lax", secure=bool(ask.request.state.behind_proxy), path="/")
    return answer


def password_changed(ask: WebRequest) -> Response:
    """A new password, after the old one; every session but this one ends."""
    password, again, old = ask.take(password=str, again=str, old_=str)
    workspace, name = ask.workspace, ask.workspace.person.name
    if password != again:
        raise UsageError("The two new passwords differ; nothing was changed", next="type the same password twice")
    if people.has_password(workspace, name):
        try:
            people.prove(workspace, name, old)
        except NotSignedInError as error:
            raise NotAllowedError("The old password is wrong", next="try again, or ask an admin for a welcome link") from error
    people.set_password(workspace, name, password)
    answer = RedirectResponse(f"{ROOM}?changed=password", 303)
    return carry(ask.request, answer, begin_session(ask.request, workspace)) if session_of(ask.request.headers) else answer


def token_made(ask: WebRequest) -> Response:
    """A new token, told this once."""
    label, days = ask.take(label_=str, days_=int)
    made = people.make_token(ask.workspace, ask.workspace.person.name, label, days or people.TOKEN_DAYS)
    return once(ask, {
        "title": "Your new token", "secret": made, "label": "the token", "back": ROOM,
        "hint": "Set it as WHYTUNE_TOKEN at the terminal, or send it as Authorization: Bearer. It acts in your name: give it to nobody.",
    })  # fmt: skip


def token_revoked(ask: WebRequest) -> Any:
    """End one of one's own tokens now."""
    ask.take()
    return people.revoke(ask.workspace, ask.path["token"])


def session_ended(ask: WebRequest) -> Any:
    """End a session now: one's own, or as admin anybody's."""
    ask.take()
    return people.end_session(ask.workspace, ask.path["session"])


def declared(ask: WebRequest) -> Any:
    """What one says of oneself; it replaces what one said before."""
    functions, skills, domains, years = ask.take(functions_=list, skills_=list, domains_=list, years_=float)
    return teams.declare(ask.workspace, ask.workspace.person.name, functions=functions, skills=skills, domains=domains, years=years)


def once(ask: WebRequest, told: dict[str, Any]) -> Response:
    """The page that shows a secret: in the answer to the form itself, so that it stands in no table and no address."""
    return HTMLResponse(rendering.render("once.html.j2", told, ask, rendering.Head(told["title"])))


routes = [
    *page(ROOM, shown, "profile.html.j2", title="Profile", cli="whytune user tokens"),
    *form(f"{ROOM}/look", looked, back=ROOM),
    *form(f"{ROOM}/password", password_changed, back=ROOM),
    *form(f"{ROOM}/tokens", token_made, back=ROOM),
    *form(f"{ROOM}/tokens/{{token}}/revoke", token_revoked, back=ROOM, said="The token is revoked."),
    *form(f"{ROOM}/sessions/{{session}}/end", session_ended, back=ROOM, said="The session has ended."),
    *form(f"{ROOM}/skills", declared, back=ROOM, said="Kept. The team page and the gaps of each use case count with it."),
]
