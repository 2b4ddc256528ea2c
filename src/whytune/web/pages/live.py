"""What is live: a use case's releases, the endpoints that answer, the keys of those who ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from whytune.errors import NotFoundError
from whytune.records.release import Acceptance
from whytune.records.served import SCOPES, USUAL_SCOPES, ConsumerKey
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest, route
from whytune.web.pages.registry import line
from whytune.web.paging import asked
from whytune.web.told_once import ToldOnce
from whytune.workspace import (
    aliasing,
    consumers,
    endpoints,
    feedback,
    registering,
    releasing,
    serving_use,
    working,
)
from whytune.workspace.consumers import KeyTerms
from whytune.workspace.permissions import may

SECRETS = ToldOnce()


def live(ask: WebRequest) -> Any:
    """What of this use case is live: releases with what they answered, names, endpoints, feedback."""
    project, room, wanted = ask.project, ask.workspace, asked(ask.query, 20)
    found = registering.listed(room, project.key)
    since = (datetime.now(UTC) - timedelta(days=7)).isoformat(timespec="seconds")
    answered, own = serving_use.answered(room, since), {each.release.id for each in found}
    standing = {name: id for name, id in releasing.aliases(room).items() if id in own}
    acceptance = room.store.latest(Acceptance, project.key)
    released = acceptance is not None and any(each.release.acceptance == acceptance.id and each.state != "retired" for each in found)
    jobs, _ = working.jobs(room, project.name, limit=20)
    return {
        "releases": [line(each) | {"answered": answered.get(each.release.id)} for each in wanted.cut(found)], "page": wanted.of(len(found)), "since": since,
        "names": [{"alias": name, "step": _last(room, name), "release": next(line(each) for each in found if each.release.id == id)} for name, id in sorted(standing.items())],
        "endpoints": [each for each in endpoints.known(room) if own & set(each.process.served.values())],
        "acceptance": acceptance, "released": released, "feedback": feedback.states(room, project.key),
        "working": next((job for job in jobs if job.live and job.kind == "release"), None),
        "may": {"release": may(room, "release.made"), "alias": may(room, "alias.set")},
    }  # fmt: skip


def release_started(ask: WebRequest) -> Any:
    """Begin to make a release of what was accepted, as a job: the base model is hashed."""
    ask.take()
    return working.start(ask.workspace, ask.project.name, "release", {})


def running(ask: WebRequest) -> Any:
    """Processes that answer applications: where they listen, what they serve, when they were last heard of."""
    found = endpoints.known(ask.workspace)
    return {
        "endpoints": found, "serving": sum(each.state == "serving" for each in found),
        "names": {each.release.id: f"{each.release.project}/{each.release.number}" for each in registering.listed(ask.workspace)},
        "aliases": sorted(releasing.aliases(ask.workspace)),
    }  # fmt: skip


def keys(ask: WebRequest) -> Any:
    """Keys of consumers: who may ask what, how much, and what they used in the last 14 days. Secrets are never shown here."""
    wanted, tries = asked(ask.query), ask.query.get("trying", "") == "yes"
    every = consumers.keys(ask.workspace)[::-1]
    found = [key for key in every if key.consumer.startswith(f"{consumers.TRY}.") == tries]
    words = ask.query.get("q", "").casefold().split()
    found = [key for key in found if all(word in f"{key.consumer} {key.key} {consumers.state(key)}".casefold() for word in words)]
    spent, today, unseen = consumers.spent(ask.workspace), consumers.used_today(ask.workspace), _unseen(ask)
    return {
        "found": [_shown(key, unseen) | {"spent": spent.get(key.key), "today": today.get(key.key, (0, 0))[1]} for key in wanted.cut(found)],
        "page": wanted.of(len(found)), "trying": tries, "tries": sum(key.consumer.startswith(f"{consumers.TRY}.") for key in every), "q": ask.query.get("q", ""),
        "scopes": SCOPES, "usual": USUAL_SCOPES, "aliases": sorted(releasing.aliases(ask.workspace)), "may": {"change": may(ask.workspace, "key.changed")},
    }  # fmt: skip


def added(ask: WebRequest) -> Any:
    """Make a key. Over the API its secret comes with the answer, this once; in the browser the next page shows it."""
    consumer, scopes, models, access, rate, budget, days = ask.take(
        consumer=str, scopes_=list, models_=list, access_=list, rate_=int, daily_budget_=int, days_=int
    )
    # Left out is the usual, 0 is without limit: what was not sent is known by its absence alone.
    usual = {"rate": KeyTerms.per_minute, "daily_budget": KeyTerms.daily_tokens, "days": KeyTerms.days}
    given = {"rate": rate, "daily_budget": budget, "days": days}
    numbers = [given[name] if str(ask.body.get(name, "")).strip() else usual[name] for name in given]
    made = consumers.grant(ask.workspace, KeyTerms(consumer.strip(), tuple(scopes) or USUAL_SCOPES, tuple(models), tuple(access), *numbers))
    if ask.form:
        SECRETS.keep(ask.workspace.person.name, made.key.key, made.secret)
        return made.key
    return {"key": made.key, "secret": made.secret}


def told(ask: WebRequest) -> Any:
    """The secret of a key just made, once."""
    name = ask.path["key"]
    if name not in {key.key for key in consumers.keys(ask.workspace)}:
        raise NotFoundError(f"There is no key {name[:40]!r}", next="whytune key list")
    return {"key": name, "secret": SECRETS.take(ask.workspace.person.name, name), "aliases": sorted(releasing.aliases(ask.workspace))}


def revoked(ask: WebRequest) -> Any:
    """Take a key back; it opens nothing from the next question on."""
    ask.take()
    return _shown(consumers.revoke(ask.workspace, ask.path["key"]), _unseen(ask))


def _shown(key: ConsumerKey, unseen: set[str]) -> dict[str, Any]:
    return {
        "key": key.key, "consumer": key.consumer, "scopes": key.scopes, "may": [name if name not in unseen else "(not yours to see)" for name in key.may],
        "access": key.access, "per_minute": key.per_minute, "daily_tokens": key.daily_tokens, "created": key.created, "expires": key.expires,
        "revoked": key.revoked, "state": consumers.state(key),
    }  # fmt: skip


def _unseen(ask: WebRequest) -> set[str]:
    """Names and ids of what belongs to projects that whoever asks does not see."""
    if not ask.workspace.hidden:
        return set()
    whole, seen = releasing.aliases(ask.workspace.whole()), releasing.aliases(ask.workspace)
    ids = {each.id for each in releasing.releases(ask.workspace.whole())} - {each.id for each in releasing.releases(ask.workspace)}
    return (set(whole) - set(seen)) | ids


def _last(room: Any, name: str) -> Any:
    step = aliasing.history(room, name)[-1]
    return {"when": step.when, "by": step.person, "how": step.move.how, "reason": step.move.reason}


routes = [
    *page("/projects/{name}/live", live, "live.html.j2", title="Live", tab="live", cli="whytune release list {name}"),
    *form("/projects/{name}/live/release", release_started, back=lambda _, job: f"/runs/{job.id}", said="The release is being made."),
    *page("/endpoints", running, "endpoints.html.j2", title="Endpoints", cli="whytune endpoints"),
    *page("/consumers", keys, "consumers.html.j2", title="Keys of consumers", cli="whytune key list"),
    *form("/consumers", added, back=lambda _, key: f"/consumers/secret/{key.key}", said="The key was made."),
    route("POST", "/api/v1/consumers", added, 201),
    *page("/consumers/secret/{key}", told, "secret.html.j2", title="A new key", cli="whytune key add CONSUMER"),
    *form("/consumers/revoke/{key}", revoked, back="/consumers", said="Taken back: it opens nothing from the next question on."),
    route("POST", "/api/v1/consumers/revoke/{key}", revoked),
]
