"""People and their roles: who is acting, adding somebody, changing roles, passwords and tokens, the broken glass.

Names and roles are records of the ledger; passwords and tokens are operational and only their hashes are kept. Nobody
changes their own roles, the administrator included; the first person of a workspace becomes its administrator.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from whytune.errors import (
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
    RefusedError,
    UsageError,
    WaitError,
)
from whytune.records.ledger import ROLES, Person
from whytune.records.team import BreakGlass
from whytune.workspace import lately, roles

if TYPE_CHECKING:
    from whytune.store.accounts import SessionNote, TokenNote
    from whytune.workspace.workspace import Workspace

TOKEN_VARIABLE = "WHYTUNE_TOKEN"
EMERGENCY_ROLE = "operator"
MOST_HOURS = 24
LONGEST_NAME = 64
TOKEN_DAYS = 90


def acting(workspace: Workspace, name: str, *, vouched: bool) -> Person:
    """Who acts under this name, with the role of an emergency while it lasts.

    vouched: the door has already proved who it is. Otherwise a name is enough only for people who have neither a
    password nor a token; for the others the token must be in WHYTUNE_TOKEN, which then also says the name.
    """
    known = workspace.people()
    if not known:
        return roles.solo(name)
    token = "" if vouched else os.environ.get(TOKEN_VARIABLE, "")
    if token:
        whose = workspace.store.accounts.person_of_token(token)
        if whose is None:
            raise NotAllowedError(f"The token in {TOKEN_VARIABLE} is unknown, expired or revoked", next="whytune user token NAME makes a new one")
        if workspace.settings.person and whose != name:
            raise NotAllowedError(f"The token in {TOKEN_VARIABLE} is not {name}'s", next="unset WHYTUNE_PERSON, or use that person's own token")
        name = whose
    person = roles.current(known, name)
    if not vouched and not token and workspace.store.accounts.secured(name):
        raise NotAllowedError(f"{name} has a password or a token, so the name alone is not enough", next=f"whytune user token {name}, then set {TOKEN_VARIABLE}")
    extra = tuple(sorted({glass.role for glass in open_glass(workspace) if glass.person == name} - set(person.roles)))
    return person.model_copy(update={"roles": (*person.roles, *extra)}) if extra else person


def record(workspace: Workspace, name: str, held: Sequence[str]) -> Person:
    """Record that this person holds exactly these roles. Refused for oneself; the first person becomes admin too."""
    known = {person.name: person for person in workspace.people()}
    clean = tuple(role for role in ROLES if role in held)
    if name not in known:
        _check_name(name, list(known), held)
    roles.check_roles(tuple(held))
    if not known:
        clean = tuple(role for role in ROLES if role in {*held, "admin"})
    if name in known and name == workspace.person.name:
        raise NotAllowedError(f"{name} may not change their own roles", next=f"ask another admin: whytune user role {name} --add ROLE; an admin may add one: whytune user add NAME --role admin")
    with workspace.act("person.changed", read=[known[name].id] if name in known else []) as act:
        act.facts["roles"] = ", ".join(clean) or "none"
        made = act.write(Person(name=name, roles=clean))
    if not clean:
        workspace.store.accounts.shut_out(name)
    workspace.forget_person()  # who was alone until now no longer is
    return made


def add(workspace: Workspace, name: str, held: Sequence[str]) -> Person:
    """A new person. Raises UsageError where the name is taken."""
    if name in {person.name for person in workspace.people()}:
        raise UsageError(f"{name} is a person of this workspace already", next=f"whytune user role {name} --add ROLE")
    return record(workspace, name, held)


def change(workspace: Workspace, name: str, give: Sequence[str] = (), take: Sequence[str] = ()) -> Person:
    """Give and take roles."""
    person = find(workspace, name)
    roles.check_roles((*give, *take))
    if both := sorted(set(give) & set(take)):
        raise UsageError(f"{', '.join(both)}: given and taken at once", next="name a role under --add or under --remove")
    return record(workspace, name, [role for role in ROLES if role in {*person.roles, *give} - set(take)])


def find(workspace: Workspace, name: str) -> Person:
    """The person of that name as last recorded. Raises NotFoundError."""
    known = {person.name: person for person in workspace.people()}
    if name not in known:
        raise NotFoundError(f"{name!r} is not a person of this workspace", where=f"there are: {', '.join(known) or 'none yet'}", next=f"whytune user add {name} --role ROLE")
    return known[name]


def prove(workspace: Workspace, name: str, password: str) -> Workspace:
    """The workspace acting as this person, whose password this is. Raises NotSignedInError, without saying what was wrong, and WaitError while the name is locked."""
    if seconds := workspace.store.accounts.locked_for(name):
        raise WaitError(f"After five wrong passwords in a row this name is locked for {-(-seconds // 60)} more minutes", next="wait and try again, or ask an admin for a welcome link", seconds=seconds)
    if not workspace.store.accounts.check_password(name, password) or name not in {person.name for person in workspace.people()}:
        raise NotSignedInError("The name or the password is wrong; five wrong passwords in a row lock a name for 15 minutes", next="try again, or ask an admin for a welcome link")
    return workspace.as_person(name)


def set_password(workspace: Workspace, name: str, password: str) -> None:
    """Set one's own password, or as admin that of somebody else."""
    person = _may_secure(workspace, name)
    workspace.store.accounts.set_password(name, password)
    _secured(workspace, person, "password set")


def found(workspace: Workspace, name: str) -> str:
    """The first person of a workspace without people, with every role; gives the secret of their welcome link."""
    if workspace.people():
        raise RefusedError("This workspace has people already", next="whytune user list")
    record(workspace, name, tuple(ROLES))
    return welcome(workspace.as_person(name), name)


def welcome(workspace: Workspace, name: str) -> str:
    """The secret of a link by which this person sets a password and signs in, once, within the hour; for oneself, or as admin for others."""
    person = _may_secure(workspace, name)
    if not person.roles:
        raise RefusedError(f"{name} holds no role, and so cannot sign in", next=f"whytune user role {name} --add ROLE")
    link = workspace.store.accounts.make_welcome(name)
    _secured(workspace, person, "welcome made")
    return link


def welcomed(workspace: Workspace, link: str, password: str) -> Workspace:
    """The workspace acting as whom this link welcomes, whose password this is from now on."""
    accounts = workspace.store.accounts
    name = accounts.person_of_welcome(link)
    if name is None or name not in {person.name for person in workspace.people()} or accounts.spend_welcome(link, password) != name:
        raise NotAllowedError("This link was used already, or is older than an hour", next="sign in, or ask an admin for a new link: whytune user welcome NAME")
    acting = workspace.as_person(name)
    _secured(acting, acting.person, "password set")
    return acting


def sessions(workspace: Workspace) -> list[SessionNote]:
    """One's own open sessions; an admin sees everybody's."""
    person = workspace.person
    return workspace.store.accounts.sessions("" if roles.reads(person, "accounts") else person.name)


def end_session(workspace: Workspace, id: str) -> SessionNote:
    """End a session now: one's own, or as admin anybody's."""
    known = next((note for note in sessions(workspace) if note.id == id), None)
    if known is None:
        raise NotFoundError(f"There is no session {id!r} that you may end", next="it may have ended by itself; open the list again")
    person = _may_secure(workspace, known.person)
    workspace.store.accounts.end_session(id)
    _secured(workspace, person, "session ended")
    return known


def has_password(workspace: Workspace, name: str) -> bool:
    """Whether a password must be given before it is changed."""
    return workspace.store.accounts.has_password(name)


def make_token(workspace: Workspace, name: str, label: str = "", days: int = TOKEN_DAYS) -> str:
    """A token for oneself, or as admin for somebody else. It is told once."""
    person = _may_secure(workspace, name)
    token = workspace.store.accounts.make_token(name, label, days)
    _secured(workspace, person, "token made")
    return token


def tokens(workspace: Workspace) -> list[TokenNote]:
    """What is known of one's own tokens; an admin sees everybody's."""
    person = workspace.person
    return workspace.store.accounts.tokens("" if roles.reads(person, "accounts") else person.name)


def revoke(workspace: Workspace, id: str) -> TokenNote:
    """End a token: one's own, or as admin anybody's."""
    found = next((note for note in tokens(workspace) if note.id == id), None)
    if found is None:
        raise NotFoundError(f"There is no token {id!r} that you may end", next="whytune user tokens lists them")
    person = _may_secure(workspace, found.person)
    workspace.store.accounts.revoke(id)
    _secured(workspace, person, "token revoked")
    return found


def break_glass(workspace: Workspace, reason: str, hours: float) -> BreakGlass:
    """Take the operator's role for some hours, in an emergency. It is on record, expires, and signs nothing."""
    problems = [] if len(reason.strip()) >= 10 else [f"the reason {reason!r} says too little: ten characters at least"]
    if not 0 < hours <= MOST_HOURS:
        problems.append(f"{hours:g} hours: more than 0 and at most {MOST_HOURS}")
    if workspace.person.solo:
        problems.append("you are alone in this workspace and hold every role already")
    if problems:
        raise UsageError("The glass is not broken", problems=problems, next='whytune user break-glass --reason "what happened" --hours 2')
    since = datetime.now(UTC)
    with workspace.act("break_glass.used") as act:
        made = act.write(
            BreakGlass(
                person=workspace.person.name, role=EMERGENCY_ROLE, reason=reason.strip(),
                since=since.isoformat(timespec="seconds"), until=(since + timedelta(hours=hours)).isoformat(timespec="seconds"),
            )
        )  # fmt: skip
        act.facts.update(role=made.role, until=made.until)
    workspace.forget_person()
    return made


def open_glass(workspace: Workspace) -> list[BreakGlass]:
    """Emergencies that have not expired."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return [glass for glass in lately.standing(workspace.store, BreakGlass) if glass.until > now]


def _may_secure(workspace: Workspace, name: str) -> Person:
    person = find(workspace, name)
    actor = workspace.person
    if actor.name != name and "admin" not in actor.roles:
        raise NotAllowedError(f"{actor.name} may not change how {name} signs in", next=f"ask {name} or an admin")
    return person


def _secured(workspace: Workspace, person: Person, what: str) -> None:
    # The person is named by the id of their record: facts hold no names.
    with workspace.act("person.secured", read=[person.id]) as act:
        act.facts["what"] = what


def _check_name(name: str, known: Sequence[str], held: Sequence[str]) -> None:
    """Raise UsageError where it cannot be a name; roles that there are not are told with it."""
    problems = []
    if not name or len(name) > LONGEST_NAME or name != name.strip():
        problems.append(f"it has {len(name)} characters; 1 to {LONGEST_NAME}, without spaces at either end")
    if any(unicodedata.category(letter)[0] in "CZ" and letter != " " for letter in name) or set(name) & set("/\\?#%"):
        problems.append(r"it holds a control character or one of / \ ? # %")
    same = [other for other in known if _folded(other) == _folded(name)]
    if same:
        problems.append(f"it reads like {', '.join(same)}, who is here already")
    if problems:
        problems += [f"no role is named {role}; choose from: {', '.join(ROLES)}" for role in held if role not in ROLES]
        raise UsageError(f"{name!r} cannot be a name", problems=problems, next="whytune user add NAME --role ROLE")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
