"""Which act each address stands for. The roles for an act stand in `roles.ACTS`, the one table for every door.

The door asks here before anything else is looked at, so that whoever may not do a thing learns that first and changes
nothing, whatever they sent. What an act does checks its role again, and duties on one subject besides. Every address
that changes something must stand here: a test compares this with the addresses there are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from whytune.workspace import permissions, roles

if TYPE_CHECKING:
    from whytune.web.handling import WebRequest

OWN = "one's own"
"""Everybody, about themselves: their settings, their way of signing in. For others it takes an admin, which the function asks."""
NOBODY = "before signing in"
KIND = "as the kind of work"
"""Long work of several kinds at one address: `working.start` asks for the role that its kind or its next step takes."""
API = "/api/v1"
OF: dict[str, str] = {
    # Coming in, and oneself
    "POST /api/v1/session": NOBODY, "POST /sign-in": NOBODY, "POST /sign-in/interrupted": NOBODY, "POST /welcome": NOBODY,
    "DELETE /api/v1/session": OWN, "POST /sign-out": OWN, "POST /profile/look": OWN,
    "POST /profile/password": "person.secured", "POST /profile/tokens": "person.secured", "POST /profile/tokens/{token}/revoke": "person.secured",
    "POST /profile/sessions/{session}/end": "person.secured", "POST /system/sessions/{session}/end": "person.secured", "DELETE /api/v1/sessions/{session}": "person.secured",
    "PUT /api/v1/people/{person}/password": "person.secured", "POST /api/v1/people/{person}/tokens": "person.secured", "DELETE /api/v1/tokens/{token}": "person.secured",
    "POST /api/v1/people/{person}/welcome": "person.secured", "POST /system/people/{person}/welcome": "person.secured",
    "POST /profile/skills": "skills.declared", "PUT /api/v1/people/{person}/skills": "skills.declared",
    # People and teams
    "POST /api/v1/people": "person.changed", "PATCH /api/v1/people/{person}": "person.changed",
    "POST /system/people": "person.changed", "POST /system/people/{person}/roles": "person.changed",
    "POST /api/v1/break-glass": "break_glass.used", "POST /system/break-glass": "break_glass.used",
    "PUT /api/v1/teams": "team.changed", "POST /team/edit": "team.changed",
    # A new use case
    "POST /api/v1/drafts": "project.created", "POST /api/v1/drafts/{draft}/files": "project.created", "POST /projects/new": "project.created", "POST /drafts/{draft}/files": "project.created",
    **{f"POST {root}/drafts/{{draft}}/{what}": "project.created" for root in ("", API) for what in ("save", "create", "discard")},
    # Data
    "POST /api/v1/projects/{name}/versions/approve": "dataset.approved", "POST /projects/{name}/data/approve": "dataset.approved",
    "POST /api/v1/projects/{name}/proposals": "rows.proposed", "POST /projects/{name}/data/proposals": "rows.proposed",
    "POST /api/v1/projects/{name}/proposals/{proposal}/accept": "rows.accepted", "POST /projects/{name}/data/proposals/{proposal}/accept": "rows.accepted",
    # Work
    "POST /projects/{name}/data/start": KIND, "POST /projects/{name}/runs": KIND, "POST /api/v1/projects/{name}/runs": KIND,
    "POST /runs/{id}/stop": KIND, "POST /api/v1/runs/{id}/stop": KIND,
    "POST /projects/{name}/responsible/run": "responsible.measured", "POST /projects/{name}/responsible/canaries": "responsible.measured", "POST /projects/{name}/live/release": "release.made",
    # Review
    "POST /api/v1/queues": "queue.opened", "POST /projects/{name}/review": "queue.opened",
    "POST /api/v1/queues/{id}/close": "queue.closed", "POST /review/{id}/close": "queue.closed",
    "POST /api/v1/queues/{id}/corrections": "rows.proposed", "POST /review/{id}/corrections": "rows.proposed",
    **{f"POST /api/v1/queues/{{id}}/{what}": "opinion.given" for what in ("claim", "ahead", "opinions", "skip", "release", "undo")},
    **{f"POST /review/{{id}}/{what}": "opinion.given" for what in ("take", "ahead", "answer", "skip", "undo", "release")},
    "POST /api/v1/queues/{id}/disputes": "opinion.settled",
    **{f"POST /review/{{id}}/disputes/{what}": "opinion.settled" for what in ("take", "answer", "skip", "undo")},
    # Responsible AI, yes or no
    "POST /api/v1/projects/{name}/responsible/waivers": "responsible.waived", "POST /projects/{name}/responsible/waive": "responsible.waived",
    "PUT /api/v1/projects/{name}/policy": "policy.fixed", "POST /projects/{name}/policy": "policy.fixed",
    "POST /api/v1/projects/{name}/approvals": "approval.signed", "POST /projects/{name}/sign": "approval.signed",
    "POST /api/v1/projects/{name}/acceptance": "acceptance.decided", "POST /projects/{name}/accept": "acceptance.decided",
    "POST /api/v1/projects/{name}/acceptance/send-back": "acceptance.decided", "POST /projects/{name}/send-back": "acceptance.decided",
    # Releases, names, keys, feedback
    "POST /api/v1/projects/{name}/releases": "release.made",
    "POST /api/v1/releases/{release}/retirement": "release.retired", "POST /registry/{release}/retire": "release.retired",
    "PUT /api/v1/aliases/{alias:path}": "alias.set", "POST /registry/{release}/alias": "alias.set",
    "POST /api/v1/aliases/rollback/{alias:path}": "alias.set", **{f"POST /aliases/{what}/{{alias:path}}": "alias.set" for what in ("set", "rollback", "remove")},
    **{f"POST {root}/consumers{what}": "key.changed" for root in ("", API) for what in ("", "/revoke/{key}")},
    **{f"POST {root}/feedback/{{id}}/triage": "feedback.triaged" for root in ("", API)},
    **{f"POST {root}/feedback/propose": "rows.proposed" for root in ("", API)},
    **{f"POST {root}/models/{what}/{{alias:path}}": "model.tried" for root in ("", API) for what in ("try", "feedback")}, "POST /models/stream/{alias:path}": "model.tried",
}
"""Act by method and path."""

READS: dict[str, str] = {"/system/machine": "machine", "/feedback": "feedback", "/feedback/{id}": "feedback"}
"""What not everybody may read, by the path of a page and its JSON twin. Parts of other pages stand in `roles.READS` alone."""


def guard(address: str, function: Callable[[WebRequest], Any]) -> Callable[[WebRequest], Any]:
    """The function, reached only by those whose role permits the act that this address stands for, or what it lets one read."""
    method, _, path = address.partition(" ")
    what = READS.get(path.removeprefix(API), "") if method == "GET" else ""
    act = OF.get(address, "")
    if what:

        @wraps(function)
        def read(ask: WebRequest) -> Any:
            permissions.require_read(ask.workspace, what)
            return function(ask)

        return read
    if act not in roles.ACTS and act != KIND:
        return function

    @wraps(function)
    def guarded(ask: WebRequest) -> Any:
        if "name" in ask.path:
            _ = ask.project  # what is not there, or not to be seen, is not found before it is not allowed
        if act != KIND:
            permissions.require(ask.workspace, act)
        return function(ask)

    return guarded
