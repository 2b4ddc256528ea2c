"""The workspace itself: people and their roles, sessions, private projects, the ledger's proof, the machine and its storage."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.responses import Response

from whytune.errors import UsageError
from whytune.records.ledger import ROLES
from whytune.web import paging
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest, route
from whytune.web.pages.entrance import address_of
from whytune.web.pages.profile import once, session_ended
from whytune.workspace import doctor, people, permissions, privacy, roles, working

ROOM = "/system"
ONE = ROOM + "/people/{person}"


def shown(ask: WebRequest) -> Any:
    """Everybody with their roles, whoever is locked, open sessions, the ledger's head, jobs at work; private projects by name for those who keep order."""
    workspace, person, wanted = ask.workspace, ask.workspace.person, paging.asked(ask.query)
    text = ask.query.get("q", "").strip()[:80]
    admin = not person.solo and roles.reads(person, "accounts")
    found = [one for one in sorted(workspace.people(), key=lambda one: one.name.casefold()) if text.casefold() in f"{one.name} {' '.join(one.roles)}".casefold()]
    number, head = workspace.store.head()
    opened, part = [] if person.solo else people.sessions(workspace), paging.beside(ask.query, "sessions")
    atwork, _ = working.jobs(workspace, limit=20)
    return {
        "people": wanted.cut(found), "page": wanted.of(len(found)), "q": text, "alone": person.solo, "me": person.name,
        "locked": workspace.store.accounts.locked() if admin else {}, "sessions": part.cut(opened), "sessions_page": part.of(len(opened)), "glass": people.open_glass(workspace),
        "private": privacy.named(workspace) if roles.reads(person, "names of private projects") else [], "ledger": {"events": number, "head": head},
        "jobs": [job for job in atwork if job.state in ("waiting", "running", "stopping")], "sees_machine": permissions.may_read(workspace, "machine").allowed,
        "acts": [{"act": act, "roles": held} for act, held in roles.ACTS.items()], "reads": [{"what": what, "roles": held} for what, held in roles.READS.items()], "roles": list(ROLES),
        "may": {"change": permissions.may(workspace, "person.changed"), "glass": permissions.may(workspace, "break_glass.used")},
    }  # fmt: skip


def one(ask: WebRequest) -> Any:
    """One person: their roles, and the ways in which they sign in."""
    workspace, actor = ask.workspace, ask.workspace.person
    found = people.find(workspace, ask.path["person"])
    admin = roles.reads(actor, "accounts")
    mine = admin or actor.name == found.name
    return {
        "person": found, "roles": list(ROLES), "self": actor.name == found.name, "admin": admin,
        "password": people.has_password(workspace, found.name) if mine else None, "locked": workspace.store.accounts.locked().get(found.name, "") if admin else "",
        "sessions": [note for note in people.sessions(workspace) if note.person == found.name],
        "tokens": [note for note in people.tokens(workspace) if note.person == found.name and not note.revoked],
        "may": {"change": permissions.may(workspace, "person.changed")},
    }  # fmt: skip


def added(ask: WebRequest) -> Any:
    """A new person with their roles, and the link by which they come in, told this once."""
    name, held = ask.take(name=str, roles_=list)
    if not held:
        raise UsageError("No role was chosen", next="choose one role or more: without one a person may do nothing, and cannot sign in")
    first = not ask.workspace.people()
    made = people.add(ask.workspace, name, held)
    if first:  # from now on nobody is alone: the page goes to the person there is
        ask = dataclasses.replace(ask, workspace=ask.workspace.as_person(made.name))
    return _link(ask, made.name, people.welcome(ask.workspace, made.name))


def changed(ask: WebRequest) -> Any:
    """The roles a person holds from now on."""
    (held,) = ask.take(roles_=list)
    person = people.find(ask.workspace, ask.path["person"])
    roles.check_roles(tuple(held))
    return people.change(ask.workspace, person.name, [role for role in held if role not in person.roles], [role for role in person.roles if role not in held])


def welcomed(ask: WebRequest) -> Response:
    """A new welcome link, told this once; an earlier one ends."""
    ask.take()
    return _link(ask, ask.path["person"], people.welcome(ask.workspace, ask.path["person"]))


def linked(ask: WebRequest) -> Any:
    """A welcome link as data, told this once."""
    ask.take()
    return {"person": ask.path["person"], "link": address_of(ask.request, people.welcome(ask.workspace, ask.path["person"]))}


def glass_broken(ask: WebRequest) -> Any:
    """The operator's role for some hours, in an emergency."""
    reason, hours = ask.take(reason=str, hours=float)
    return people.break_glass(ask.workspace, reason, hours)


def ledger(ask: WebRequest) -> Any:
    """Every hash of the ledger and the records computed again, now."""
    found = ask.workspace.audit()
    return {"events": found.events, "head": found.head, "whole": found.whole, "problems": found.problems[:200], "more": max(0, len(found.problems) - 200)}


def machine(ask: WebRequest) -> Any:
    """What the store takes on its disk; with `?look=yes` also what this machine has and lacks, which takes some seconds."""
    permissions.require_read(ask.workspace, "machine")
    use = ask.workspace.store.disk_use()
    return {"lines": doctor.examined_apart(ask.workspace) if ask.query.get("look") == "yes" else None, "storage": use, "whole": sum(use.values())}


def _link(ask: WebRequest, name: str, secret: str) -> Response:
    return once(ask, {
        "title": f"Welcome link for {name}", "secret": address_of(ask.request, secret), "label": "the welcome link", "back": ROOM,
        "hint": f"Give it to {name} and nobody else. It sets their password and signs them in: once, within the hour. You can make another one.",
    })  # fmt: skip


routes = [
    *page(ROOM, shown, "system.html.j2", title="System", cli="whytune user list"),
    *page(ONE, one, "system_person.html.j2", title="Person", cli="whytune user list"),
    *page(f"{ROOM}/ledger", ledger, "system_ledger.html.j2", title="The ledger, proven", cli="whytune audit verify"),
    *page(f"{ROOM}/machine", machine, "system_machine.html.j2", title="Machine and storage", cli="whytune doctor"),
    *form(f"{ROOM}/people", added, back=ROOM),
    *form(f"{ONE}/roles", changed, back=ROOM, said=lambda _, person: f"{person.name} is now: {', '.join(person.roles).replace('_', ' ') or 'without a role, and shut out'}."),
    *form(f"{ONE}/welcome", welcomed, back=ROOM),
    *form(f"{ROOM}/sessions/{{session}}/end", session_ended, back=ROOM, said="The session has ended."),
    route("POST", "/api/v1/people/{person}/welcome", linked, 201),
    route("DELETE", "/api/v1/sessions/{session}", session_ended),
    *form(f"{ROOM}/break-glass", glass_broken, back=ROOM, said=lambda _, made: f"You are {made.role} until {made.until[:16]} UTC. Everybody sees it."),
]
