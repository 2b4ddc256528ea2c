"""Data over HTTP: versions and what parts them, findings, approval; proposals, their rows, and their acceptance."""

from __future__ import annotations

from typing import Any

from whytune.errors import UsageError
from whytune.records.proposal import AcceptedRows, Proposal
from whytune.web.handling import WebRequest, route
from whytune.workspace import permissions, proposing, versions

ROOM = "/api/v1/projects/{name}"


def listed(ask: WebRequest) -> Any:
    """Every version, oldest first."""
    return {"versions": [{"state": one.state, "when": one.when, "person": one.person, "approvals": one.approvals, "dataset": one.dataset} for one in versions.versions(ask.project)]}


def findings(ask: WebRequest) -> Any:
    """What the checks found in the newest version that was checked."""
    found = ask.project.validation
    return {"passed": found.passed, "validation": found}


def parted(ask: WebRequest) -> Any:
    """What parts two versions; rows of test stay sealed."""
    project = ask.project
    first, second = (versions.numbered(project, ask.path[name]) for name in ("first", "second"))
    found = versions.diff(project, first, second)
    return {"first": first.id, "second": second.id, "unchanged": found.unchanged, "counts": found.counts, "changes": found.changes}


def approved(ask: WebRequest) -> Any:
    """The newest version may be used, says whoever asks."""
    role, reason = ask.take(role_=str, reason_=str)
    return versions.approve(ask.project, role, reason)


def proposals(ask: WebRequest) -> Any:
    """Every proposal, and which of them wait for a second person."""
    project = ask.project
    return {"proposals": project.records(Proposal), "accepted": project.records(AcceptedRows), "open": [one.id for one in proposing.open_ones(project)]}


def rows(ask: WebRequest) -> Any:
    """What a proposal says, for those who may accept one and for its author."""
    found = proposing.named(ask.project, ask.path["proposal"])
    if ask.workspace.person.name != found.person:
        permissions.require_read(ask.workspace, "proposed rows")
    return {"proposal": found, "rows": [{"number": number, **row.model_dump(mode="json")} for number, row in enumerate(proposing.rows_of(ask.project, found), start=1)]}


def proposed(ask: WebRequest) -> Any:
    """Rows that whoever asks proposes."""
    unknown = set(ask.body) - {"rows", "reasons", "instead_of"}
    given, reasons, instead = ask.body.get("rows"), ask.body.get("reasons", []), ask.body.get("instead_of", "")
    problems = [f"{name}: not a field here; there are: instead_of, reasons, rows" for name in sorted(unknown)]
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        problems.append("rows: must be a list of objects with input and target")
    if not isinstance(reasons, list) or not all(isinstance(reason, str) for reason in reasons):
        problems.append("reasons: must be a list of text")
    if not isinstance(instead, str):
        problems.append("instead_of: must be the id of a proposal")
    if problems or not isinstance(given, list):
        raise UsageError("The request cannot be used", problems=problems, next="mend the JSON body and send it again")
    return proposing.propose(ask.project, "manual", given, reasons, instead_of=instead)


def accepted(ask: WebRequest) -> Any:
    """All rows of a proposal enter the next version, says whoever asks, who did not write them."""
    ask.take()
    return proposing.accept(ask.project, proposing.named(ask.project, ask.path["proposal"]))


routes = [
    route("GET", ROOM + "/versions", listed),
    route("GET", ROOM + "/findings", findings),
    route("GET", ROOM + "/versions/{first}/diff/{second}", parted),
    route("POST", ROOM + "/versions/approve", approved, 201),
    route("GET", ROOM + "/proposals", proposals),
    route("POST", ROOM + "/proposals", proposed, 201),
    route("GET", ROOM + "/proposals/{proposal}", rows),
    route("POST", ROOM + "/proposals/{proposal}/accept", accepted, 201),
]
