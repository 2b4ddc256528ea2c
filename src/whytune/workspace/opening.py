"""The first start of `whytune web`: a workspace where there is none, its first person, and how whoever starts it comes in.

    begun = begin(Path.cwd(), first="", alone=False)
    begun.link      # the secret of a welcome link; empty where a password is there already
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from whytune.errors import NotAllowedError, NotFoundError, RefusedError
from whytune.workspace import people
from whytune.workspace.workspace import Workspace


@dataclass(frozen=True)
class Opening:
    """How a server begins. person: whom `link` is for; made: whether the workspace was made, founded: whether the person was."""

    root: Path
    person: str = ""
    link: str = ""
    made: bool = False
    founded: bool = False


def begin(start: Path, *, first: str = "", alone: bool = False) -> Opening:
    """Make what is missing. first: the first person's name, otherwise WHYTUNE_PERSON or the login; alone: nobody is made.

    Whoever starts the server and cannot sign in yet gets a link. That opens nothing which was shut: their name alone
    lets them act at this terminal until they have a password.
    """
    try:
        workspace, made = Workspace.open(start), False
    except NotFoundError:
        workspace, made = Workspace.open(start, create=True), True
    try:
        known = workspace.people()
        if alone or first:
            _check(workspace, known_names=[person.name for person in known], first=first, alone=alone)
        if alone:
            return Opening(workspace.root, made=made)
        if not known:
            name = first or workspace.person.name
            return Opening(workspace.root, name, people.found(workspace, name), made, founded=True)
        try:
            person = workspace.person
        except NotAllowedError:  # unknown here, or with a password or token: they sign in
            return Opening(workspace.root)
        if people.has_password(workspace, person.name) or not person.roles:
            return Opening(workspace.root)
        return Opening(workspace.root, person.name, people.welcome(workspace, person.name))
    finally:
        workspace.store.close()


def _check(workspace: Workspace, *, known_names: list[str], first: str, alone: bool) -> None:
    if first and alone:
        raise RefusedError("Either there is a first person, or one works alone", next="whytune web --first NAME, or whytune web --alone")
    if known_names:
        there = ", ".join(known_names[:8])
        raise RefusedError(
            f"There are people in this workspace already: {there}", where=str(workspace.root),
            next="whytune web; an admin adds others: whytune user add NAME --role ROLE, then: whytune user welcome NAME",
        )  # fmt: skip
