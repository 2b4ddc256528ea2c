"""Rows proposed by one person and accepted by another; what was accepted becomes a source of the next dataset version.

Whatever finds, writes or mends rows (templates, synthesis, feedback, a review's edits, a file) ends here. A row of the
conversation, document or wording of a test row is left out and counted: the test set never trains what it measures.

Example: `propose(project, "feedback", [{"input": "When?", "target": "On Monday.", "group": "conversation 7"}], ["3 consumers"])`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from whytune.errors import DataError, NotAllowedError, NotFoundError, RefusedError
from whytune.records.data import Document, Example
from whytune.records.proposal import AcceptedRows, Proposal, ProposalKind, ProposedRow
from whytune.records.record import short
from whytune.text import clip, normalise
from whytune.workspace import roles
from whytune.workspace.creating import SplitRow
from whytune.workspace.writing import write_whole

if TYPE_CHECKING:
    from whytune.workspace.project import Project

FOLDER = "proposed"
MOST_TOLD = 20
Left = dict[str, int]


def propose(project: Project, kind: ProposalKind, rows: Iterable[Mapping[str, Any]], reasons: Sequence[str] = (), *, instead_of: str = "") -> Proposal:
    """Record rows that wait for a second person, and write them to a file under `proposed/` for people to read.

    A row is a mapping with `input`, `target` and, where known, `group`, `tags`, `evidence`, `spans`, `note`,
    `origin_id`, `provenance`. Raises DataError with every row that cannot be one, RefusedError where none is left.
    """
    taken, left = _sifted(project, kind, _linked(project, _checked((f"row {number}", row) for number, row in enumerate(rows, start=1))))
    if not taken:
        told = [f"{count:,} rows: {REASONS[reason]}" for reason, count in sorted(left.items())]
        raise RefusedError("None of these rows can be proposed", problems=told, next="bring other rows; the test set is never trained on")
    if instead_of:
        instead_of = named(project, instead_of).id
    made = project.latest_dataset
    store = project.workspace.store
    proposal = Proposal(
        project=project.key, kind=kind, person=project.workspace.person.name, dataset=made.id if made else "",
        rows=store.put_pack(taken, "proposed rows"), count=len(taken), left_out=dict(sorted(left.items())), reasons=tuple(reasons), instead_of=instead_of,
    )  # fmt: skip
    if proposal.id not in {known.id for known in project.records(Proposal)}:
        read = [id for id in (proposal.dataset, instead_of) if id]
        with project.act("rows.proposed", read=read) as act:
            act.facts.update(kind=kind, rows=str(proposal.count), left_out=str(sum(left.values())))
            act.write(proposal)
    _write(project, proposal, taken)
    return proposal


def place(project: Project, proposal: Proposal) -> Path:
    """The file in which people read the proposed rows."""
    return project.folder / FOLDER / f"{short(proposal.id).replace(':', '-')}.jsonl"


def refresh(project: Project) -> None:
    """Write the files of open proposals anew from what is kept, and remove those of closed ones: after an erasure, or to tidy up."""
    waiting = {one.id for one in open_ones(project)}
    for proposal in project.records(Proposal):
        if proposal.id in waiting:
            _write(project, proposal, rows_of(project, proposal))
        else:
            place(project, proposal).unlink(missing_ok=True)


def _write(project: Project, proposal: Proposal, rows: Iterable[ProposedRow]) -> None:
    write_whole(place(project, proposal), "".join(json.dumps(_shown(row), ensure_ascii=False) + "\n" for row in rows))


def rows_of(project: Project, proposal: Proposal) -> list[ProposedRow]:
    """The rows of a proposal."""
    return list(project.workspace.store.read_pack(proposal.rows, ProposedRow))


def named(project: Project, name: str) -> Proposal:
    """The proposal of that id, or of that beginning of an id; with no name, the only one that is open."""
    found = project.records(Proposal)
    if not name:
        waiting = open_ones(project)
        if len(waiting) == 1:
            return waiting[0]
        listed = ", ".join(short(one.id) for one in waiting) or "none is open"
        raise NotFoundError("Which proposal?", where=listed, next=f"whytune data proposals {project.name}")
    digits = name.rpartition(":")[2].removeprefix("proposal-").removesuffix(".jsonl")
    fitting = {one.id: one for one in found if digits and one.id.rpartition(":")[2].startswith(digits)}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    listed = ", ".join(short(one.id) for one in (fitting.values() or found)) or "none yet"
    what = f"{len(fitting)} proposals begin" if fitting else "No proposal begins"
    raise NotFoundError(f"{what} with {digits!r}", where=f"there are: {listed}", next=f"whytune data proposals {project.name}")


def open_ones(project: Project) -> list[Proposal]:
    """Proposals that nobody decided about and no other replaced, oldest first."""
    found = project.records(Proposal)
    closed = {one.proposal for one in project.records(AcceptedRows)} | {one.instead_of for one in found}
    return list({one.id: one for one in found if one.id not in closed}.values())


def hints(project: Project) -> list[str]:
    """What waits for a second person."""
    waiting = open_ones(project)
    rows = sum(one.count for one in waiting)
    return [f"{rows:,} proposed rows wait for a second person: whytune data proposals {project.name}"] if waiting else []


def accept(project: Project, proposal: Proposal, chosen: Path | Sequence[str] | None = None) -> AcceptedRows:
    """Take a proposal's rows: all of them, those that stand in a file, or those of these keys. Its author may not, unless alone in the workspace."""
    person, store = project.workspace.person, project.workspace.store
    roles.check(person, "rows.accepted")
    with store.lock(f"{project.key}.proposals"):  # two people at once: the second is told that the first was quicker
        _may_accept(project, proposal)
        rows = rows_of(project, proposal)
        kept = rows if chosen is None else _chosen(rows, chosen) if isinstance(chosen, Path) else _of_keys(rows, chosen)
        made = project.latest_dataset
        accepted = AcceptedRows(
            project=project.key, proposal=proposal.id, kind=proposal.kind, author=proposal.person, person=person.name, solo=person.solo,
            dataset=made.id if made else "", rows=store.put_pack(kept, "accepted rows"), count=len(kept), refused=len(rows) - len(kept),
        )  # fmt: skip
        with project.act("rows.accepted", read=[proposal.id]) as act:
            act.facts.update(kind=proposal.kind, rows=str(accepted.count), refused=str(accepted.refused), author=proposal.person)
            return act.write(accepted)


def authors_of(project: Project, proposal: Proposal) -> set[str]:
    """Everybody who wrote the proposal, or one that it replaced."""
    chain, found = {proposal.id}, {one.id: one for one in project.records(Proposal)}
    at: Proposal | None = proposal
    while at is not None and at.instead_of and at.instead_of not in chain:
        chain.add(at.instead_of)
        at = found.get(at.instead_of)
    return {event.person for event in project.events() if chain & set(event.wrote)} | {found[id].person for id in chain if id in found}


def _may_accept(project: Project, proposal: Proposal) -> None:
    person = project.workspace.person
    done = next((one for one in project.records(AcceptedRows) if one.proposal == proposal.id), None)
    if done:
        raise RefusedError(f"{short(proposal.id)} was accepted already, by {done.person}", next=f"whytune data versions {project.name}")
    later = next((one for one in project.records(Proposal) if one.instead_of == proposal.id), None)
    if later:
        raise RefusedError(f"{short(proposal.id)} was replaced by {short(later.id)}", next=f"whytune data accept {project.name} {short(later.id)} --all")
    if person.name in authors_of(project, proposal) and not person.solo:
        others = [one.name for one in project.workspace.people() if set(one.roles) & {"data_creator", "tester"} and one.name not in authors_of(project, proposal)]
        raise NotAllowedError(
            f"{person.name} wrote these rows, and nobody accepts their own",
            next=f"ask {' or '.join(others)} to accept them" if others else "let an admin give a second person the role data_creator or tester",
        )


def _chosen(rows: Sequence[ProposedRow], file: Path) -> list[ProposedRow]:
    by_key = {row.key: row for row in rows}
    wanted, problems = read_rows(file), []
    kept: dict[str, ProposedRow] = {}
    for number, row in enumerate(wanted, start=1):
        if row.key in by_key:
            kept[row.key] = by_key[row.key]
        else:
            problems.append(f"row {number} is not one of the proposal's: {clip(row.input, 60)!r}")
    if problems or not kept:
        raise DataError(
            "Only rows of the proposal can be accepted", where=str(file), problems=problems[:MOST_TOLD] or ["the file holds no row"],
            next="delete lines of the proposal's file but change none; changed rows are a new proposal: whytune data propose --instead-of",
        )  # fmt: skip
    return list(kept.values())


def _of_keys(rows: Sequence[ProposedRow], keys: Sequence[str]) -> list[ProposedRow]:
    known = {row.key for row in rows}
    problems = [f"{key[:20]!r} is not one of the proposal's rows" for key in keys if key not in known]
    if problems or not keys:
        raise DataError("Only rows of the proposal can be accepted", problems=problems[:MOST_TOLD] or ["no row is chosen"], next="choose the rows that may enter the next version")
    return [row for row in rows if row.key in set(keys)]


def read_rows(file: Path) -> list[ProposedRow]:
    """Rows of a JSON lines file. Raises DataError with every line that is none."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}", next="give a JSON lines file with input and target") from error
    problems: list[str] = []
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(f"line {number}: {error}")
            continue
        if isinstance(value, dict):
            rows.append((f"line {number}", value))
        else:
            problems.append(f"line {number}: not an object")
    return _checked(rows, problems, str(file))


def _checked(rows: Iterable[tuple[str, Mapping[str, Any]]], slips: Sequence[str] = (), where: str = "") -> list[ProposedRow]:
    """The rows, each with the place where it stands, as records; every mistake is told at once, with those found before."""
    made: list[ProposedRow] = []
    problems = list(slips)
    for place, row in rows:
        plain = {name: value for name, value in row.items() if value is not None}
        if isinstance(plain.get("tags"), Mapping):
            plain["tags"] = sorted(plain["tags"].items())
        try:
            one = ProposedRow.model_validate(plain)
        except ValidationError as error:
            problems += [f"{place}: {'.'.join(map(str, slip['loc']))}: {slip['msg']}" for slip in error.errors()]
            continue
        lacking = [name for name in ("input", "target") if not getattr(one, name).strip()]
        problems += [f"{place}: {name} is empty" for name in lacking]
        if not lacking:
            made.append(one)
    if problems:
        more = [f"and {len(problems) - MOST_TOLD:,} more"] if len(problems) > MOST_TOLD else []
        raise DataError("Some rows cannot be proposed", where=where, problems=[*problems[:MOST_TOLD], *more], next="one JSON object a row, with input and target as text; see docs/how-to/create-rows.md")
    return made


def _linked(project: Project, rows: list[ProposedRow]) -> list[ProposedRow]:
    """The rows with the ids of the documents they speak of, where the newest version has documents."""
    made = project.latest_dataset
    if made is None or not made.documents:
        return rows
    from whytune.datasets.accepted import with_evidence

    return with_evidence(rows, list(project.workspace.store.read_pack(made.documents, Document)))


REASONS = {
    "repeated": "said twice in this proposal",
    "test_group": "of a group (a conversation, a customer) whose rows are in the test set",
    "test_input": "the input of a test row",
    "test_document": "its document holds the answer to a test row",
    "known": "already in the dataset, word for word",
    "unknown_row": "meant to mend a row that the dataset does not have",
}


def _sifted(project: Project, kind: ProposalKind, rows: Sequence[ProposedRow]) -> tuple[list[ProposedRow], Left]:
    """Rows that may be proposed, and how many were left out for which reason."""
    groups, inputs, documents, known, ids = _held(project)
    left: Counter[str] = Counter()
    kept: dict[str, ProposedRow] = {}
    for row in rows:
        said = normalise(row.input)
        if row.key in kept:
            left["repeated"] += 1
        elif kind == "edits" and row.origin_id:
            if row.origin_id in ids:
                kept[row.key] = row
            else:
                left["unknown_row"] += 1
        elif row.group and row.group in groups:
            left["test_group"] += 1
        elif said in inputs:
            left["test_input"] += 1
        elif documents & set(row.evidence):
            left["test_document"] += 1
        elif (said, normalise(row.target)) in known:
            left["known"] += 1
        else:
            kept[row.key] = row
    return list(kept.values()), dict(left)


def _held(project: Project) -> tuple[set[str], set[str], set[str], set[tuple[str, str]], set[str]]:
    """Of the newest version: groups, inputs and documents of test; what every row says; every id."""
    groups: set[str] = set()
    inputs: set[str] = set()
    documents: set[str] = set()
    known: set[tuple[str, str]] = set()
    ids: set[str] = set()
    made = project.latest_dataset
    for row in project.workspace.store.read_pack(made.rows, SplitRow) if made else ():
        example: Example = row.example
        said = normalise(example.input_text)
        known.add((said, normalise(example.target_text)))
        ids.add(example.id)
        if row.split == "test":
            inputs.add(said)
            documents.update(example.evidence)
            if example.group:
                groups.add(example.group)
    return groups, inputs, documents, known, ids


def _shown(row: ProposedRow) -> dict[str, Any]:
    """A row as people read it: empty fields left out."""
    return {name: value for name, value in row.model_dump(mode="json").items() if value}
