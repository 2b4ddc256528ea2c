"""The registry in the browser: releases of the organisation, one release with card, parts, ancestors and signatures, names and their history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from whytune.errors import UsageError
from whytune.records.release import Release
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest, route
from whytune.web.paging import asked
from whytune.web.routes import release as api
from whytune.workspace import aliasing, endpoints, pedigree, registering, releasing, serving_use
from whytune.workspace.aliasing import Step
from whytune.workspace.permissions import may
from whytune.workspace.registering import Listed

CHOICES = 100
"""Releases that a name's page offers, the newest; an older one is put under the name from its own page."""
STATES = ("released", "live", "retired")


def registry(ask: WebRequest) -> Any:
    """Releases of every use case that whoever asks may see, found by words, licence, task and state, newest first."""
    query, wanted = ask.query, asked(ask.query)
    if (state := query.get("state", "")) and state not in STATES:
        raise UsageError(f"There is no state {state[:20]!r}", next=f"choose one of: {', '.join(STATES)}")
    every = registering.listed(ask.workspace)
    found = registering.search(ask.workspace, query.get("q", ""), licence=query.get("licence", ""), task=query.get("task", ""))
    found = [each for each in found if state in ("", each.state)]
    bases = [each.release.manifest for each in every]
    return {
        "releases": [line(each) for each in wanted.cut(found)], "page": wanted.of(len(found)), "total": len(every), "states": STATES,
        "licences": sorted({each.base.licence for each in bases} - {""}), "tasks": sorted({each.task for each in bases}),
        "q": query.get("q", ""), "licence": query.get("licence", ""), "task": query.get("task", ""), "state": state,
    }  # fmt: skip


def shown(ask: WebRequest) -> Any:
    """One release: model card, bill of materials, what it was made from, who signed, the names it had, what it answered."""
    release = _named(ask)
    whole = pedigree.pedigree(ask.workspace, release)
    week = _days_ago(7)
    return {
        "release": line(whole.listed), "manifest": release.manifest, "public_key": release.public_key, "signature": release.signature, "card": whole.card,
        "parts": whole.parts, "ancestors": whole.ancestors, "approvals": whole.approvals, "acceptance": whole.acceptance, "retirement": whole.retirement,
        "moves": whole.moves, "names": sorted(releasing.aliases(ask.workspace)), "answered": serving_use.answered(ask.workspace, week).get(release.id), "since": week,
        "serving": [each for each in endpoints.known(ask.workspace) if release.id in each.serves.values()],
        "may": {"alias": may(ask.workspace, "alias.set"), "retire": may(ask.workspace, "release.retired")},
    }  # fmt: skip


def verified(ask: WebRequest) -> Any:
    """Every digest of a release computed again, now."""
    release = _named(ask)
    problems = registering.verify(ask.workspace, release)
    return {"release": release.id, "name": _title(release), "whole": not problems, "problems": problems, "key": release.public_key}


def named(ask: WebRequest) -> Any:
    """A name stands for this release from now on."""
    name, reason = ask.take(alias=str, reason_=str)
    return aliasing.set_alias(ask.workspace, name.strip(), _named(ask), reason)


def retired(ask: WebRequest) -> Any:
    """This release is out of use for good."""
    (reason,) = ask.take(reason=str)
    return registering.retire(ask.workspace, _named(ask), reason)


def names(ask: WebRequest) -> Any:
    """Every name and the release it stands for."""
    standing, wanted = releasing.aliases(ask.workspace), asked(ask.query)
    lines = {each.release.id: line(each) for each in registering.listed(ask.workspace)}
    running = endpoints.known(ask.workspace)
    found = sorted((name, id) for name, id in standing.items() if id in lines)
    return {
        "aliases": standing, "page": wanted.of(len(found)),
        "names": [{"alias": name, "release": lines[id], "serving": sum(each.serves.get(name) == id for each in running)} for name, id in wanted.cut(found)],
    }  # fmt: skip


def alias(ask: WebRequest) -> Any:
    """What a name stands for now, or stood for `?at=` a time, and who had signed; every move."""
    name, at = ask.path["alias"], ask.query.get("at", "")
    steps = aliasing.history(ask.workspace, name)
    found = aliasing.at(ask.workspace, name, at) if at else steps[-1]
    wanted = asked(ask.query)
    project = next(step.release.project for step in steps if step.release)
    choices = [line(each) for each in registering.listed(ask.workspace, project) if each.state != "retired"][:CHOICES]
    return {
        **_step(found), "alias": name, "at": at, "project": project, "steps": [_step(step) for step in wanted.cut(steps[::-1])], "page": wanted.of(len(steps)), "choices": choices,
        "serving": [each for each in endpoints.known(ask.workspace) if name in each.serves], "may": {"alias": may(ask.workspace, "alias.set")},
    }  # fmt: skip


def set_to(ask: WebRequest) -> Any:
    """The name stands for another release from now on."""
    release, reason = ask.take(release=str, reason_=str)
    return aliasing.set_alias(ask.workspace, ask.path["alias"], releasing.named(ask.workspace, release), reason)


def removed(ask: WebRequest) -> Any:
    """Nothing answers under this name any more."""
    (reason,) = ask.take(reason=str)
    return aliasing.remove(ask.workspace, ask.path["alias"], reason)


def line(each: Listed) -> dict[str, Any]:
    """A release as lists show it."""
    manifest = each.release.manifest
    return {
        "id": each.release.id, "name": _title(each.release), "project": manifest.project, "number": manifest.number, "state": each.state, "aliases": each.aliases,
        "arm": manifest.arm, "task": manifest.task, "purpose": manifest.purpose, "base": manifest.base.name, "licence": manifest.base.licence,
        "made": manifest.made, "by": manifest.by, "solo": manifest.solo,
    }  # fmt: skip


def _title(release: Release) -> str:
    return f"{release.project}/{release.number}"


def _named(ask: WebRequest) -> Release:
    return releasing.named(ask.workspace, ask.path["release"])


def _step(step: Step) -> dict[str, Any]:
    release = step.release
    return {"when": step.when, "by": step.person, "move": step.move, "release": release, "name": _title(release) if release else "", "signed": step.signed}


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def _to_alias(ask: WebRequest, _: Any) -> str:
    return f"/aliases/{quote(ask.path['alias'])}"


def _moved(_: WebRequest, move: Any) -> str:
    return f"{move.name} stands for another release since now." if move.release else f"{move.name} stands for nothing any more."


routes = [
    *page("/registry", registry, "registry.html.j2", title="Registry", cli="whytune release list"),
    *page("/registry/{release}", shown, "release.html.j2", title="Release", cli="whytune release show {release}"),
    *page("/registry/{release}/verify", verified, "release_verified.html.j2", title="Verify a release", cli="whytune release verify {release}"),
    *form("/registry/{release}/alias", named, back=lambda _, move: f"/aliases/{quote(move.name)}", said=_moved),
    *form("/registry/{release}/retire", retired, back="/registry/{release}", said="Retired: it answers nothing from now on."),
    *page("/aliases", names, "aliases.html.j2", title="Aliases", cli="whytune alias list"),
    # An alias may hold a slash, so what is done with it stands before the name.
    route("GET", "/api/v1/aliases/history/{alias:path}", api.history),
    *page("/aliases/{alias:path}", alias, "alias.html.j2", title="Alias", cli="whytune alias history {alias}"),
    *form("/aliases/set/{alias:path}", set_to, back=_to_alias, said=_moved),
    *form("/aliases/rollback/{alias:path}", api.rolled_back, back=_to_alias, said="Rolled back: the next question goes to the release before."),
    *form("/aliases/remove/{alias:path}", removed, back=_to_alias, said=_moved),
]
