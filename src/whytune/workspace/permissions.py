"""May this person do this, and if not, who may: the one table of `roles`, told to every door before anybody presses a button.

    permission = may(workspace, "alias.set")
    permission.allowed, permission.reason, permission.who
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from whytune.errors import NotAllowedError
from whytune.workspace import roles

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace


@dataclass(frozen=True)
class Permission:
    """allowed; where not: one sentence of why, and the names of those who may (empty: nobody yet)."""

    allowed: bool
    reason: str = ""
    who: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The reason and who may, in one line; empty where it is allowed."""
        if self.allowed:
            return ""
        return f"{self.reason}. {'Who may: ' + ', '.join(self.who) if self.who else 'Nobody here may yet'}."


YES = Permission(True)


def may(workspace: Workspace, act: str) -> Permission:
    """Whether the person who asks holds a role for this act. Duties on one subject (author, signer) are not looked at here."""
    return _held(workspace, roles.ACTS[act])


def may_read(workspace: Workspace, what: str) -> Permission:
    """Whether the person who asks holds a role for reading this, see `roles.READS`."""
    return _held(workspace, roles.READS[what])


def require_read(workspace: Workspace, what: str) -> None:
    """Raise NotAllowedError, with the reason and who may, unless the person who asks may read this."""
    _require(workspace, may_read(workspace, what), f"read {what!r}")


def _held(workspace: Workspace, allowed: tuple[str, ...]) -> Permission:
    if set(workspace.person.roles) & set(allowed):
        return YES
    wanted = " or ".join(role.replace("_", " ") for role in allowed)
    return Permission(False, f"This takes the role {wanted}", who_hold(workspace, allowed))


def require(workspace: Workspace, act: str) -> None:
    """Raise NotAllowedError, with the reason and who may, unless the person who asks holds a role for this act."""
    _require(workspace, may(workspace, act), f"do {act!r}")


def _require(workspace: Workspace, found: Permission, doing: str) -> None:
    if not found.allowed:
        person = workspace.person
        raise NotAllowedError(
            f"{person.name} ({', '.join(person.roles) or 'no role'}) may not {doing}", problems=[found.reason],
            next=f"ask {' or '.join(found.who)}, who may" if found.who else "ask an admin to give somebody the role: whytune user role NAME --add ROLE",
        )  # fmt: skip


def who_hold(workspace: Workspace, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Names of everybody who holds one of these roles today."""
    latest = {person.name: person for person in workspace.people()}
    return tuple(sorted(name for name, person in latest.items() if set(person.roles) & set(wanted)))
