"""Accepted?, releases and aliases: policy, signatures, yes or no, what is live and what was."""

from __future__ import annotations

from typing import Any

from starlette.responses import PlainTextResponse, Response

from whytune.errors import UsageError
from whytune.records.release import Release
from whytune.web.handling import WebRequest, route
from whytune.workspace import accepting, aliasing, policies, registering, releasing
from whytune.workspace.aliasing import Step
from whytune.workspace.registering import Listed

MEDIA = {"card.md": "text/markdown", "datasheet.md": "text/markdown"}


def policy(ask: WebRequest) -> Any:
    """The policy in force."""
    return policies.fixed(ask.project)


def signatures(ask: WebRequest) -> Any:
    """Who may still sign, by role."""
    return {"open": accepting.asked(ask.project, ask.query.get("arm", ""))}


def signed(ask: WebRequest) -> Any:
    """One signature, by whoever asks. seen: as GET .../decide gave it; where something else is there by now, nothing is signed."""
    role, says, reason, arm, seen = ask.take(role=str, says=str, reason=str, arm_=str, seen_=str)
    if says not in ("approve", "reject"):
        raise UsageError(f"says = {says[:20]!r}", next="say approve or reject")
    return accepting.sign(ask.project, role, says, reason, arm, seen)


def judged(ask: WebRequest) -> Any:
    """Yes or no as things stand; nothing is written."""
    return accepting.judge(ask.project, ask.query.get("arm", ""))


def accepted(ask: WebRequest) -> Any:
    """Yes or no, written down. A no is an answer, not an error. seen: as GET .../decide gave it for the decision."""
    arm, seen = ask.take(arm_=str, seen_=str)
    return accepting.accept(ask.project, arm, seen)


def sent_back(ask: WebRequest) -> Any:
    """The business owner's own no, with its reason: what the next dataset version is to mend is written down with it."""
    reason, arm, seen = ask.take(reason=str, arm_=str, seen_=str)
    return accepting.send_back(ask.project, reason, arm, seen)


def fixed_policy(ask: WebRequest) -> Any:
    """Put a policy into force, given as the text of policy.toml; signatures under the one before are stale from then on."""
    (text,) = ask.take(text=str)
    return policies.fix_text(ask.project, text)


def made(ask: WebRequest) -> Any:
    """A release of what was accepted."""
    ask.take()
    return registering.make(ask.project)


def listed(ask: WebRequest) -> Any:
    """Releases of the organisation, found by words, licence, task."""
    found = registering.search(ask.workspace, ask.query.get("q", ""), licence=ask.query.get("licence", ""), task=ask.query.get("task", ""))
    return {"releases": [_listed(each) for each in found]}


def shown(ask: WebRequest) -> Any:
    """One release, by id, by the beginning of its id, or by alias."""
    release = _named(ask)
    return _listed(next(each for each in registering.listed(ask.workspace, release.project) if each.release.id == release.id))


def verified(ask: WebRequest) -> Any:
    """Every digest computed again."""
    release = _named(ask)
    problems = registering.verify(ask.workspace, release)
    return {"release": release.id, "whole": not problems, "problems": problems, "key": release.public_key}


def document(ask: WebRequest) -> Response:
    """A file of a release: card.md, card.json, datasheet.md, bom.json, ..."""
    name = ask.path["file"]
    return PlainTextResponse(registering.document(ask.workspace, _named(ask), name), media_type=MEDIA.get(name, "application/json"))


def retired(ask: WebRequest) -> Any:
    """Taken out of use."""
    (reason,) = ask.take(reason=str)
    return registering.retire(ask.workspace, _named(ask), reason)


def history(ask: WebRequest) -> Any:
    """Every move of a name."""
    return {"steps": [_step(step) for step in aliasing.history(ask.workspace, ask.path["alias"])]}


def moved(ask: WebRequest) -> Any:
    """The name stands for another release from now on."""
    release, reason = ask.take(release=str, reason_=str)
    return aliasing.set_alias(ask.workspace, ask.path["alias"], releasing.named(ask.workspace, release), reason)


def rolled_back(ask: WebRequest) -> Any:
    """The name stands for the release before this one again."""
    (reason,) = ask.take(reason=str)
    return aliasing.rollback(ask.workspace, ask.path["alias"], reason)


def _named(ask: WebRequest) -> Release:
    return releasing.named(ask.workspace, ask.path["release"])


def _listed(found: Listed) -> dict[str, Any]:
    release = found.release
    return {"name": f"{release.project}/{release.number}", "state": found.state, "aliases": found.aliases, "release": release}


def _step(step: Step) -> dict[str, Any]:
    return {"when": step.when, "by": step.person, "move": step.move, "release": step.release, "signed": step.signed}


routes = [
    route("GET", "/api/v1/projects/{name}/policy", policy),
    route("PUT", "/api/v1/projects/{name}/policy", fixed_policy),
    route("GET", "/api/v1/projects/{name}/approvals/open", signatures),
    route("POST", "/api/v1/projects/{name}/approvals", signed, 201),
    route("GET", "/api/v1/projects/{name}/acceptance", judged),
    route("POST", "/api/v1/projects/{name}/acceptance", accepted, 201),
    route("POST", "/api/v1/projects/{name}/acceptance/send-back", sent_back, 201),
    route("POST", "/api/v1/projects/{name}/releases", made, 201),
    route("GET", "/api/v1/releases", listed),
    route("GET", "/api/v1/releases/{release}", shown),
    route("GET", "/api/v1/releases/{release}/verify", verified),
    route("POST", "/api/v1/releases/{release}/retirement", retired, 201),
    route("GET", "/api/v1/releases/{release}/files/{file}", document),
    # An alias may hold a slash, so what is asked of it stands before the name.
    route("POST", "/api/v1/aliases/rollback/{alias:path}", rolled_back, 201),
    route("PUT", "/api/v1/aliases/{alias:path}", moved),
]
