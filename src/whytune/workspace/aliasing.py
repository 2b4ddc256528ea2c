"""Names for releases: champion, challenger, any. Each move is kept, so "what was live at T, and who signed" is a question.

    set_alias(workspace, "champion", release, "better on refunds")   # asks the gate again
    rollback(workspace, "champion", "wrong answers about fees")      # one operator, at once
    at(workspace, "champion", "2026-11-22T14:00:00Z").release
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from whytune.errors import NotFoundError, RefusedError, UsageError
from whytune.records.release import Acceptance, AliasMove, Approval, Release
from whytune.workspace import privacy, releasing

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._-]{0,63})?")


@dataclass(frozen=True)
class Step:
    """One line of an alias's history: when, by whom, to which release, and who had signed for that one."""

    move: AliasMove
    when: str
    person: str
    release: Release | None
    signed: tuple[Approval, ...]


def set_alias(workspace: Workspace, name: str, release: Release, reason: str = "") -> AliasMove:
    """From now on the name stands for this release. Refused where it is retired, tampered with, or its waivers have ended."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be an alias", next="use letters, digits, dots and dashes, as in champion or support/champion")
    privacy.check(workspace, release.project)
    moves = releasing.moves_of(workspace.whole(), name)
    if moves and not releasing.moves_of(workspace, name):
        raise RefusedError(f"The alias {name!r} is taken", next=f"whytune alias set {release.project}/{name} {release.project}/{release.number}")
    before = moves[-1].release if moves else ""
    if before == release.id:
        return moves[-1]
    if before and workspace.store.get(Release, before).project != release.project:
        other = workspace.store.get(Release, before).project
        raise RefusedError(f"{name!r} stands for a release of {other!r}, not of {release.project!r}", next=f"whytune alias set {release.project}/{name} {release.project}/{release.number}")
    acceptance = workspace.store.get(Acceptance, release.acceptance)
    newest = [made for made in workspace.store.list(Acceptance, release.project) if made.candidate == release.candidate][-1]
    if not newest.accepted:
        raise RefusedError(
            f"Since release {release.project}/{release.number} was made, its candidate was refused", problems=[objection.sentence for objection in newest.objections],
            next=f"whytune accept {release.project} --arm {release.arm}",
        )  # fmt: skip
    if acceptance.valid_until and datetime.now(UTC).date() > date.fromisoformat(acceptance.valid_until):
        raise RefusedError(
            f"Release {release.project}/{release.number} stands on a waiver that ended on {acceptance.valid_until}", next=f"whytune accept {release.project}, then: whytune release make {release.project}"
        )
    releasing.load(workspace, release)
    return _move(workspace, name, release, "set", reason)


def rollback(workspace: Workspace, name: str, reason: str) -> AliasMove:
    """Back to the release before this one that may still be used. No gate is asked: it was live already."""
    moves = releasing.moves_of(workspace, name)
    if not moves:
        raise NotFoundError(f"There is no alias {name!r}", next="whytune alias list")
    if not reason.strip():
        raise UsageError("A rollback needs a reason", next=f'whytune alias rollback {name} --reason "..."')
    current = moves[-1].release
    # Rolled back from: neither it nor what was itself rolled back may be where a second rollback lands.
    left = {current, *(move.before for move in moves if move.how == "rollback")}
    for move in reversed(moves):
        if move.release and move.release not in left:
            release = workspace.store.get(Release, move.release)
            if releasing.retirement(workspace, release) is None:
                return _move(workspace, name, release, "rollback", reason)
    raise NotFoundError(f"{name!r} stood for no earlier release that may still be used", next=f"whytune alias remove {name}, and nothing answers under that name")


def remove(workspace: Workspace, name: str, reason: str) -> AliasMove:
    """Take the name out of use: nothing answers under it."""
    releasing.live(workspace, name)
    return _move(workspace, name, None, "removed", reason)


def history(workspace: Workspace, name: str) -> list[Step]:
    """Every move of a name, oldest first."""
    moves = {move.id: move for move in releasing.moves_of(workspace, name)}
    if not moves:
        raise NotFoundError(f"There is no alias {name!r}", where=f"aliases: {', '.join(sorted(releasing.aliases(workspace))) or 'none yet'}", next="whytune alias set NAME RELEASE")
    found = []
    releases, approvals = functools.cache(partial(workspace.store.get, Release)), functools.cache(partial(workspace.store.get, Approval))
    # Every release of one name is of one project, so its part of the ledger holds every move.
    first = next(iter(moves.values()))
    for event in workspace.store.events(workspace.store.get(Release, first.release or first.before).project):
        if event.act != "alias.set":
            continue
        for id in event.wrote:
            if id in moves:
                move = moves[id]
                release = releases(move.release) if move.release else None
                signed = tuple(approvals(each) for each in release.manifest.approvals) if release else ()
                found.append(Step(move, event.when, event.person, release, signed))
    return found


def at(workspace: Workspace, name: str, when: str) -> Step:
    """What the name stood for at a time, and who had signed. Raises NotFoundError where it stood for nothing."""
    moment = _time(when)
    before = [step for step in history(workspace, name) if datetime.fromisoformat(step.when) <= moment]
    if not before or before[-1].release is None:
        raise NotFoundError(f"{name!r} stood for nothing at {moment.isoformat()}", next=f"whytune alias history {name}")
    return before[-1]


def _time(when: str) -> datetime:
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        raise UsageError(f"{when!r} is not a time", next="write it as 2026-11-22T14:00:00Z; without a zone it is UTC") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _move(workspace: Workspace, name: str, release: Release | None, how: Literal["set", "rollback", "removed"], reason: str) -> AliasMove:
    moves = releasing.moves_of(workspace, name)
    before = moves[-1].release if moves else ""
    project = release.project if release else workspace.store.get(Release, before).project
    with workspace.act("alias.set", project=project, read=[id for id in (release.id if release else "", before) if id]) as act:
        act.facts.update(alias=name, how=how, release=f"{release.project}/{release.number}" if release else "")
        return act.write(
            AliasMove(name=name, number=len(moves) + 1, release=release.id if release else "", before=before, how=how, reason=reason.strip(), person=workspace.person.name)
        )
