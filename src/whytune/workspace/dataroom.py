"""The data of a use case, as its pages show it: what was read, what was left out and why, what the checks found, what a row says.

Rows of the test set stay sealed here too: their number is told, never what they say.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from whytune.errors import NotFoundError, RefusedError
from whytune.records.data import (
    Dataset,
    Document,
    Finding,
    Passage,
    Removal,
    Source,
    SplitName,
    Validation,
)
from whytune.records.project import UseCase
from whytune.records.proposal import AcceptedRows, DatasetApproval, Proposal, ProposedRow
from whytune.records.record import short
from whytune.records.review import RowReview
from whytune.workspace import duties, packed, proposing, roles, versions
from whytune.workspace.creating import SplitRow, index_id
from whytune.workspace.permissions import Permission, may

if TYPE_CHECKING:
    from whytune.workspace.project import Project

OPEN_SPLITS: tuple[SplitName, ...] = ("train", "dev")
"""What may be read; test is sealed."""


@dataclass(frozen=True)
class SourceLine:
    """A source, and how many of its rows are not in the dataset, by reason."""

    source: Source
    left_out: dict[str, int]
    proposal: Proposal | None = None
    """Where it is not a file but rows that people accepted."""


@dataclass(frozen=True)
class FindingShown:
    """A finding with the rows that it is about; those of test are only counted."""

    finding: Finding
    rows: list[SplitRow]
    sealed: int
    gone: int
    """Rows that were erased since, or whose version is another."""


@dataclass(frozen=True)
class DocumentLine:
    """A document in the list; readable: whether who asks may see what it says."""

    id: str
    title: str
    file: str
    letters: int
    access: tuple[str, ...]
    readable: bool


@dataclass(frozen=True)
class PassageHit:
    """A passage that a question found, and how well it fits."""

    passage: Passage
    score: float


def sources(project: Project, made: Dataset) -> list[SourceLine]:
    """Every source of a version, with what was left out of it."""
    lost: dict[str, Counter[str]] = {}
    for (file, reason), count in removed(project, made).items():
        lost.setdefault(file.partition("!/")[0], Counter())[reason] += count  # what lies in an archive counts for the archive
    proposals = {one.id: one for one in project.records(Proposal)}
    return [SourceLine(source, dict(sorted(lost.get(source.file, {}).items())), proposals.get(source.file)) for source in made.sources]


def removed(project: Project, made: Dataset) -> dict[tuple[str, str], int]:
    """How many rows of which file were left out for which reason."""

    def count(lines: Iterator[str]) -> Counter[tuple[str, str]]:
        return Counter((row["origin"]["file"], row["reason"]) for row in map(json.loads, lines))

    return dict(packed.summed(project.workspace.store, made.removals, "removed", count))


def removals(project: Project, made: Dataset, *, reason: str = "", file: str = "", offset: int = 0, limit: int = 50) -> tuple[int, list[Removal]]:
    """How many were left out like this, and one page of them."""
    total, found = 0, []
    spelled = f'"reason":{json.dumps(reason)}' if reason else ""
    for line in packed.lines(project.workspace.store, made.removals):
        if spelled not in line or (file and json.loads(line)["origin"]["file"].partition("!/")[0] != file):
            continue
        if offset <= total < offset + limit:
            found.append(Removal.model_validate_json(line))
        total += 1
    return total, found


def checked(project: Project, made: Dataset) -> tuple[Validation | None, list[Finding]]:
    """What the checks found in a version, the gravest first."""
    validation = next((one for one in reversed(project.records(Validation)) if one.dataset == made.id), None)
    order = {"fail": 0, "warn": 1, "pass": 2}
    return validation, sorted(validation.findings, key=lambda one: order[one.status]) if validation else []


def findings(project: Project, made: Dataset) -> tuple[Validation | None, list[FindingShown]]:
    """The same, with rows to look at."""
    validation, found = checked(project, made)
    wanted = {id for finding in found for id in finding.rows}
    known = packed.summed(project.workspace.store, made.rows, validation.id, lambda lines: packed.of_ids(lines, wanted)) if validation else {}
    shown = []
    for finding in found:
        there = [known[id] for id in finding.rows if id in known]
        open_rows = [row for row in there if row.split != "test"]
        shown.append(FindingShown(finding, open_rows, len(there) - len(open_rows), len(finding.rows) - len(there)))
    return validation, shown


def looks(project: Project, made: Dataset) -> list[dict[str, str]]:
    """Every opening of the sealed test set: when, by whom, for which candidate."""
    when = {id: event.when for event in project.events() for id in event.wrote if event.act == "test.opened"}
    return [
        {"number": str(look.number), "when": when.get(look.id, ""), "person": look.person, "candidate": look.candidate}
        for look in project.looks_at(made)
    ]  # fmt: skip


# Documents


def documents(project: Project, made: Dataset, query: str = "") -> list[DocumentLine]:
    """Documents of a version by title: all, or those whose title, file or text says `query`. A text that who asks may not read is not searched."""
    if not made.documents:
        return []

    def listed(lines: Iterator[str]) -> list[tuple[int, DocumentLine]]:
        found = []
        for place, line in enumerate(lines):
            one = Document.model_validate_json(line)
            found.append((place, DocumentLine(one.id, one.title, one.origin.file, len(one.text), one.access, readable=not one.access)))
        return sorted(found, key=lambda pair: (pair[1].title.casefold(), pair[1].id))

    store, all_of_them = project.workspace.store, reads_all(project)
    known = [(place, replace(one, readable=one.readable or all_of_them)) for place, one in packed.summed(store, made.documents, "documents", listed)]
    if not query:
        return [one for _, one in known]
    sought, saying = query.casefold(), packed.saying(store, made.documents, query)
    return [one for place, one in known if sought in one.title.casefold() or sought in one.file.casefold() or (one.readable and place in saying)]


def document(project: Project, made: Dataset, name: str) -> tuple[Document, list[Passage]]:
    """A document by its id or how that begins, and the passages into which it is cut. Raises NotFoundError."""
    from whytune.answering.retrieval.passages import cut

    digits = name.rpartition(":")[2]
    fitting = [one for one in documents(project, made) if len(digits) >= 8 and one.id.rpartition(":")[2].startswith(digits)]
    if len(fitting) != 1:
        raise NotFoundError(f"There is no document {short(name)!r} in v{made.number}", next="the list of documents has the address of each")
    if not fitting[0].readable:
        raise NotFoundError(f"{fitting[0].title!r} may only be read by {', '.join(fitting[0].access)}", next=f"ask somebody who is {' or '.join(roles.READS['restricted documents'])}")
    found = next(one for one in project.workspace.store.read_pack(made.documents, Document) if one.id == fitting[0].id)
    how = project.file.retrieval
    return found, cut(found, words=how.words, overlap=how.overlap)


def passages(project: Project, made: Dataset, question: str, k: int = 20) -> list[PassageHit] | None:
    """The passages that a search by words finds, best first; None where no index was built yet."""
    if not made.documents:
        return []
    identity, indexes = index_id(made, project.file.retrieval), project.workspace.store.passages
    if not indexes.has(identity):
        return None
    access = {label for one in documents(project, made) for label in one.access} if reads_all(project) else set()
    return [PassageHit(found.passage, found.score) for found in indexes.search(identity, question, k, access)]


def reads_all(project: Project) -> bool:
    """Whether who asks may read documents that are not for everybody."""
    return roles.reads(project.workspace.person, "restricted documents")


# Reading the sources


@dataclass(frozen=True)
class NextReading:
    """What reading the sources would do now: up to which step, whether who asks may, and why it is worth it."""

    until: str
    may: Permission
    fixed: bool
    """Whether the use case was written down, as it must be before any data is looked at."""
    waiting: int
    """Rows that were accepted since the newest version was made."""


def next_reading(project: Project) -> NextReading:
    """The use case is fixed by its owner, then the data is read and checked; who holds both roles does it at once."""
    known, made = project.workspace.store.latest(UseCase, project.key), project.latest_dataset
    fixed = known is not None and known.id == project.file.usecase.id
    create, fix = may(project.workspace, "dataset.created"), may(project.workspace, "usecase.fixed")
    taken = project.records(AcceptedRows)
    used = set(json.loads(made.reading.get("accepted", "[]"))) if made else set()
    waiting = sum(one.count for one in taken if one.id not in used)
    if fixed:
        return NextReading("check", create, fixed, waiting)
    return NextReading("check" if fix.allowed and create.allowed else "usecase", fix, fixed, waiting)


# Approval


def approval_state(project: Project, made: Dataset) -> dict[str, Any]:
    """Who approved the newest version, and whether who asks may."""
    given = [one for one in project.records(DatasetApproval) if one.dataset == made.id]
    return {"given": given, "may": may_approve(project, made, given), "reviews": sum(1 for one in project.records(RowReview) if one.dataset == made.id)}


def may_approve(project: Project, made: Dataset, given: Sequence[DatasetApproval]) -> Permission:
    """Roles first, then what stands in the way of this person and this version."""
    allowed = may(project.workspace, "dataset.approved")
    if not allowed.allowed:
        return allowed
    validation, _ = checked(project, made)
    if validation is None or not validation.passed:
        return Permission(False, f"v{made.number} has not passed its checks")
    person = project.workspace.person
    if any(one.person == person.name for one in given):
        return Permission(False, "You approved it already")
    return allowed if person.solo else _may_sign(project, made, given)


def _may_sign(project: Project, made: Dataset, given: Sequence[DatasetApproval]) -> Permission:
    """By the duties: whoever wrote rows of it does not approve it. In one of the roles that somebody holds is enough."""
    item, person = duties.item_of(project.workspace, [made.id]), project.workspace.person
    barred = [item.reasons(person.name, role, given) for role in versions.APPROVERS if role in person.roles]
    if not all(barred):
        return Permission(True)
    who = {name for role in versions.APPROVERS for name in item.who_may(role, given)}
    return Permission(False, "; ".join(barred[0]), tuple(sorted(who)))


def approve_seen(project: Project, seen: str, role: str = "", reason: str = "") -> DatasetApproval:
    """Approve the newest version, where it is the one that was read. Raises RefusedError where another came since."""
    if seen and seen != project.dataset.id:
        made = project.dataset
        raise RefusedError(f"What you read has changed: v{made.number} is the newest version now", next=f"read it, then approve it: whytune data diff {project.name} v{made.number - 1} v{made.number}")
    return versions.approve(project, role, reason)


# Proposals


def proposal_lines(project: Project) -> list[dict[str, Any]]:
    """Every proposal, the newest first: open, accepted (by whom) or replaced."""
    taken = {one.proposal: one for one in project.records(AcceptedRows)}
    waiting = {one.id for one in proposing.open_ones(project)}
    when = {id: event.when for event in project.events() for id in event.wrote if event.act in ("rows.proposed", "rows.accepted")}
    found = list({one.id: one for one in project.records(Proposal)}.values())
    return [
        {
            "proposal": one, "state": "accepted" if one.id in taken else "open" if one.id in waiting else "replaced",
            "accepted": taken.get(one.id), "when": when.get(one.id, ""), "accepted_when": when.get(taken[one.id].id, "") if one.id in taken else "",
        }
        for one in reversed(found)
    ]  # fmt: skip


def proposed_rows(project: Project, proposal: Proposal, offset: int, limit: int) -> tuple[int, list[ProposedRow]]:
    """How many rows a proposal has today, and one page of them."""
    lines = list(packed.lines(project.workspace.store, proposal.rows))
    return len(lines), [ProposedRow.model_validate_json(line) for line in lines[offset : offset + limit]]


def may_accept(project: Project, proposal: Proposal) -> Permission:
    """Whether who asks may accept it: the role, and not their own rows."""
    allowed = may(project.workspace, "rows.accepted")
    person = project.workspace.person
    authors = proposing.authors_of(project, proposal)
    if allowed.allowed and person.name in authors and not person.solo:
        others = tuple(sorted(one.name for one in project.workspace.people() if set(one.roles) & set(roles.ACTS["rows.accepted"]) and one.name not in authors))
        return Permission(False, "You wrote these rows, and nobody accepts their own", others)
    return allowed
