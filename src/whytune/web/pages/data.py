"""The data of a use case in the browser: sources, versions, what the checks found, rows, what was left out, documents, proposals.

Rows of the test set are never shown here: how many there are, and who looked, is all that is told.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from whytune.errors import NotFoundError, UsageError
from whytune.records.data import Dataset
from whytune.records.record import short
from whytune.web import paging
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest
from whytune.workspace import dataroom, held, packed, permissions, proposing, roles, versions, working
from whytune.workspace.project import Project

ROOM = "/projects/{name}/data"
CHOICES = 200
"""Rows of a proposal that can be chosen one by one; of a larger one all are accepted, or a file says which."""
DIFFERING = 2_000
"""Rows of each kind that can be looked through; the counts are of all."""
QUERY = 200
"""Letters of a search."""
LISTED = 50
"""Sources on one page: of many documents, each is one."""
WHATS = ("added", "removed", "moved", "answered")


def overview(ask: WebRequest) -> Any:
    """The sources and what was left out of them, the newest version with its splits and findings, every version before."""
    project = held.project(ask.project)
    made = project.latest_dataset
    waiting = proposing.open_ones(project)
    every, wanted = versions.versions(project)[::-1], paging.beside(ask.query, "versions", 20)
    told = {
        "project": project.name, "task": project.file.task, "folder": project.folder.name, "from": project.file.data.from_, "documents_from": project.file.data.documents,
        "versions": [_listed(one, before) for one, before in wanted.cut(list(zip_longest(every, every[1:])))], "versions_page": wanted.of(len(every)), "reading": dataroom.next_reading(project),
        "working": [one for one in working.jobs(ask.workspace, project.name, 0, 5)[0] if one.live],
        "proposals": {"open": len(waiting), "rows": sum(one.count for one in waiting)}, "newest": None,
    }  # fmt: skip
    return {**told, "newest": _version(ask, project, made)} if made else told


def version(ask: WebRequest) -> Any:
    """One version: what it was made from, its splits, what was left out, what the checks found."""
    project = held.project(ask.project)
    return {"project": project.name, **_version(ask, project, versions.numbered(project, ask.path["version"]))}


def parted(ask: WebRequest) -> Any:
    """What parts two versions, `one` and `two`: counts of all rows, and the rows of train and dev; those of test stay sealed."""
    project, wanted = held.project(ask.project), paging.asked(ask.query)
    listed = [one.dataset for one in versions.versions(project)]
    if not listed:
        raise NotFoundError(f"{project.name} has no version yet", next=f"whytune data show {project.name}")
    first = versions.numbered(project, ask.query["one"]) if ask.query.get("one") else listed[max(0, len(listed) - 2)]
    second = versions.numbered(project, ask.query["two"]) if ask.query.get("two") else listed[-1]
    what = _one_of(ask.query.get("what", ""), "what", WHATS)
    store = project.workspace.store
    # From page to page the same two versions are looked at: only the last pair is held, until something is erased or happens.
    stamp = (first.id, second.id, store.erased_rows(first.rows), store.erased_rows(second.rows))
    found = project.worked_out("diff", stamp, lambda: versions.diff(project, first, second, DIFFERING))
    changes = [change for change in found.changes if what in ("", change.what)]
    return {
        "project": project.name, "first": first.id, "second": second.id, "numbers": [first.number, second.number], "versions": [one.number for one in listed],
        "unchanged": found.unchanged, "counts": found.counts, "what": what, "changes": wanted.cut(changes), "page": wanted.of(len(changes)),
        "all_listed": max((sum(one.values()) for one in found.counts.values()), default=0) <= DIFFERING,
        "page_cli": f"whytune data diff {project.name} v{first.number} v{second.number}", "plans": [first.plan, second.plan], "sources": [[one.file for one in made.sources] for made in (first, second)],
    }  # fmt: skip


def findings(ask: WebRequest) -> Any:
    """Every finding of the checks, the gravest first, with rows of train and dev that it is about."""
    project = held.project(ask.project)
    made = _asked_version(ask, project)
    validation, shown = dataroom.findings(project, made)
    return {
        "project": project.name, "number": made.number, "dataset": made.id, "newest": made.id == project.dataset.id,
        "passed": validation.passed if validation else None, "validation": validation, "findings": shown, "reading": dataroom.next_reading(project),
    }  # fmt: skip


def rows(ask: WebRequest) -> Any:
    """Rows of train and dev, those that say `q`; of the test set only the number."""
    project, wanted = held.project(ask.project), paging.asked(ask.query)
    made = _asked_version(ask, project)
    split, query = _one_of(ask.query.get("split", ""), "split", (*dataroom.OPEN_SPLITS, "test")), _query(ask)
    splits = () if split == "test" else tuple(one for one in dataroom.OPEN_SPLITS if split in ("", one))
    found = packed.rows(project.workspace.store, made.rows, splits, query, offset=wanted.offset, limit=wanted.per)
    return {
        "project": project.name, "number": made.number, "dataset": made.id, "counts": made.counts, "split": split, "q": query, "sealed": split == "test",
        "rows": [{"id": row.example.id, "split": row.split, **row.example.model_dump(mode="json"), "input": row.example.input_text, "answer": row.example.target_text} for row in found.rows],
        "page": wanted.of(found.total), "looks": project.looks,
    }  # fmt: skip


def removals(ask: WebRequest) -> Any:
    """Source rows that are not in the dataset, with file, line and reason."""
    project, wanted = held.project(ask.project), paging.asked(ask.query)
    made = _asked_version(ask, project)
    reason, file = _one_of(ask.query.get("reason", ""), "reason", tuple(made.removed)), ask.query.get("file", "")
    total, found = dataroom.removals(project, made, reason=reason, file=file, offset=wanted.offset, limit=wanted.per)
    return {
        "project": project.name, "number": made.number, "dataset": made.id, "reasons": made.removed, "reason": reason, "file": file,
        "files": sorted({source.file for source in made.sources}), "removals": found, "page": wanted.of(total),
    }  # fmt: skip


def documents(ask: WebRequest) -> Any:
    """Documents of a version, those that say `q`, and the passages that a search by its words finds."""
    project, wanted = held.project(ask.project), paging.asked(ask.query)
    made, query = _asked_version(ask, project), _query(ask)
    found = dataroom.documents(project, made, query)
    passages = dataroom.passages(project, made, query) if query else []
    return {
        "project": project.name, "number": made.number, "dataset": made.id, "q": query, "documents": wanted.cut(found), "page": wanted.of(len(found)),
        "passages": passages or [], "indexed": passages is not None, "any": bool(made.documents),
    }  # fmt: skip


def document(ask: WebRequest) -> Any:
    """A document as it was read, and the passages into which it is cut."""
    project = held.project(ask.project)
    made = _asked_version(ask, project)
    found, passages = dataroom.document(project, made, ask.path["document"])
    return {"project": project.name, "number": made.number, "document": found, "passages": passages}


def proposals(ask: WebRequest) -> Any:
    """Rows that people proposed, the newest first: open, accepted or replaced."""
    project, wanted = held.project(ask.project), paging.asked(ask.query)
    state = _one_of(ask.query.get("state", ""), "state", ("open", "accepted", "replaced"))
    found = [one for one in dataroom.proposal_lines(project) if state in ("", one["state"])]
    return {
        "project": project.name, "state": state, "proposals": wanted.cut(found), "page": wanted.of(len(found)),
        "may": {"propose": permissions.may(ask.workspace, "rows.proposed"), "read": permissions.may(ask.workspace, "rows.accepted")},
        "reasons": proposing.REASONS, "fields": [project.task.input_field, project.task.target_field],
    }  # fmt: skip


def proposal(ask: WebRequest) -> Any:
    """What a proposal's rows say, for those who may accept rows and for its author."""
    project, wanted = held.project(ask.project), paging.asked(ask.query)
    found = proposing.named(project, ask.path["proposal"])
    person = ask.workspace.person
    if person.name != found.person:
        permissions.require_read(ask.workspace, "proposed rows")
    line = next(one for one in dataroom.proposal_lines(project) if one["proposal"].id == found.id)
    few = found.count <= CHOICES
    page_of = paging.Page(1, CHOICES) if few else wanted
    total, every = dataroom.proposed_rows(project, found, page_of.offset, page_of.per)
    shown = [{"number": number, "key": row.key, **row.model_dump(mode="json")} for number, row in enumerate(every, start=page_of.offset + 1)]
    return {
        "project": project.name, **line, "rows": shown, "page": page_of.of(total), "choosable": few and line["state"] == "open",
        "may": {"accept": dataroom.may_accept(project, found)}, "reasons": proposing.REASONS, "erased": found.count - total,
    }  # fmt: skip


# Acts


def approved(ask: WebRequest) -> Any:
    """The newest version may be used, says whoever asks, who read the one named by `seen`."""
    role, reason, seen = ask.take(role_=str, reason_=str, seen_=str)
    return dataroom.approve_seen(ask.project, seen, role, reason)


def accepted(ask: WebRequest) -> Any:
    """Rows of a proposal enter the next version: all of them, or those of the keys in `rows`."""
    keys, every, _ = ask.take(rows_=list, every_=bool, choosing_=bool)
    project = ask.project
    found = proposing.named(project, ask.path["proposal"])
    if not keys and not every:
        raise UsageError("No row is chosen", next="tick the rows that may enter the next version, or accept all of them")
    return proposing.accept(project, found, None if every else keys)


def proposed(ask: WebRequest) -> Any:
    """One row typed by whoever asks, or the rows of a JSON lines file."""
    said, answer, note, reason, _ = ask.take(input_=str, target_=str, note_=str, reason_=str, upload_=str)
    upload = ask.files.get("upload")
    project = ask.project
    roles.check(ask.workspace.person, "rows.proposed")
    given = [row.model_dump() for row in proposing.read_rows(upload.path)] if upload else []
    if said.strip() or answer.strip():
        given.append({"input": said, "target": answer, "note": note})
    if not given:
        raise UsageError("There is no row to propose", next="type what is asked and what should be answered, or choose a JSON lines file")
    return proposing.propose(project, "manual", given, [reason] if reason.strip() else [])


def started(ask: WebRequest) -> Any:
    """Read the sources, make a version of them where they changed, and check it: as a job."""
    ask.take()
    project = ask.project
    until = dataroom.next_reading(project).until
    return working.start(ask.workspace, project.name, "check" if until == "check" else "run", {} if until == "check" else {"until": until})


# Parts


def _version(ask: WebRequest, project: Project, made: Dataset) -> dict[str, Any]:
    validation, found = dataroom.checked(project, made)
    state = next(one for one in versions.versions(project) if one.dataset.id == made.id)
    newest = made.id == project.dataset.id
    looks, wanted = dataroom.looks(project, made), paging.beside(ask.query, "looks", 20)
    lines = sorted(dataroom.sources(project, made), key=lambda line: (not line.source.rows, not line.left_out))
    return {
        "dataset": {"id": made.id, **made.model_dump(mode="json", exclude={"sources"})}, "number": made.number, "state": state.state, "when": state.when, "person": state.person, "newest": newest,
        "sources": lines[:LISTED], "more_sources": len(lines[LISTED:]), "validation": validation.id if validation else None, "passed": validation.passed if validation else None,
        "findings": found, "looks": wanted.cut(looks), "looks_page": wanted.of(len(looks)), "erased": project.workspace.store.erased_rows(made.rows),
        "documents": sum(source.documents for source in made.sources),
        "approval": dataroom.approval_state(project, made) if newest else {"given": state.approvals, "may": None, "reviews": 0},
        "approvers": [role for role in versions.APPROVERS if role in project.workspace.person.roles],
    }  # fmt: skip


def _listed(one: versions.Version, before: versions.Version | None) -> dict[str, Any]:
    made = one.dataset
    told = {"id": made.id, **made.model_dump(mode="json", include={"number", "parent", "counts", "removed"})}
    return {"dataset": told, "state": one.state, "when": one.when, "person": one.person, "approvals": one.approvals, "before": before.dataset.number if before else None}


def _asked_version(ask: WebRequest, project: Project) -> Dataset:
    name = ask.query.get("version", "")
    return versions.numbered(project, name) if name else project.dataset


def _one_of(said: str, name: str, known: tuple[str, ...]) -> str:
    if said and said not in known:
        raise UsageError(f"{name} = {said[:40]!r} is not one of {', '.join(known) or 'none'}", next=f"leave {name} out, or choose one of these")
    return said


def _query(ask: WebRequest) -> str:
    said = ask.query.get("q", "").strip()
    if len(said) > QUERY:
        raise UsageError(f"A search of {len(said):,} letters", next=f"look for {QUERY} letters at most")
    return said


def _job(_: WebRequest, result: Any) -> str:
    return f"/runs/{result.id}"


def _proposal(ask: WebRequest, result: Any) -> str:
    return f"/projects/{ask.project.name}/data/proposals/{short(result.id).rpartition(':')[2]}"


def _told_proposed(_: WebRequest, result: Any) -> str:
    left = sum(result.left_out.values())
    return f"{result.count:,} rows proposed" + (f", {left:,} left out" if left else "") + ". Another person accepts them."


def _told_accepted(_: WebRequest, result: Any) -> str:
    return f"{result.count:,} rows accepted, {result.refused:,} not. Read the data again to make the next version." + (" Not independently accepted: you work here alone." if result.solo else "")


routes = [
    *page(ROOM, overview, "data.html.j2", title="Data", tab="data", cli="whytune data show {name}"),
    *page(ROOM + "/versions/{version}", version, "data_version.html.j2", title="Version", tab="data", cli="whytune data versions {name}"),
    *page(ROOM + "/diff", parted, "data_diff.html.j2", title="Two versions", tab="data", cli="whytune data diff {name} v1 v2"),
    *page(ROOM + "/findings", findings, "data_findings.html.j2", title="Findings", tab="data", cli="whytune data check {name}"),
    *page(ROOM + "/rows", rows, "data_rows.html.j2", title="Rows", tab="data", cli="whytune data show {name} --rows 50"),
    *page(ROOM + "/removals", removals, "data_removals.html.j2", title="Left out", tab="data", cli="whytune data show {name} --removed"),
    *page(ROOM + "/documents", documents, "data_documents.html.j2", title="Documents", tab="data", cli="whytune data show {name}"),
    *page(ROOM + "/documents/{document}", document, "data_document.html.j2", title="Document", tab="data", cli="whytune data show {name}"),
    *page(ROOM + "/proposals", proposals, "data_proposals.html.j2", title="Proposals", tab="data", cli="whytune data proposals {name}"),
    *page(ROOM + "/proposals/{proposal}", proposal, "data_proposal.html.j2", title="Proposal", tab="data", cli="whytune data proposals {name}"),
    *form(ROOM + "/approve", approved, back=ROOM, said="Approved."),
    *form(ROOM + "/start", started, back=_job, said="Started: you may close this page, the work goes on."),
    *form(ROOM + "/proposals", proposed, back=_proposal, said=_told_proposed),
    *form(ROOM + "/proposals/{proposal}/accept", accepted, back=ROOM + "/proposals", said=_told_accepted),
]
