"""Dataset versions side by side: the list of them, what parts two of them, and who approved which.

A version's test rows stay sealed here too: how many came, left or changed is told, never what they say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whytune.errors import NotFoundError, RefusedError
from whytune.records.data import SPLITS, Dataset, Validation
from whytune.records.ledger import Event
from whytune.records.proposal import DatasetApproval
from whytune.records.record import short
from whytune.records.review import RowReview
from whytune.workspace.duties import check_signature

if TYPE_CHECKING:
    from whytune.workspace.project import Project

APPROVERS = ("tester", "data_creator", "legal", "responsible_ai")
Key = tuple[str, ...]


@dataclass(frozen=True)
class Version:
    """One version and how far it came: draft, validated (no check failed), approved (by somebody who wrote none of it)."""

    dataset: Dataset
    state: str
    when: str
    person: str
    approvals: tuple[DatasetApproval, ...]


@dataclass(frozen=True)
class Change:
    """One row that differs. what: added, removed, moved (to another split) or answered (differently)."""

    what: str
    split: str
    input: str
    before: str
    after: str
    origin: str


@dataclass(frozen=True)
class VersionDiff:
    """What parts two versions: counts by what happened and split, of all rows; and rows of train and dev to look at."""

    first: Dataset
    second: Dataset
    counts: dict[str, dict[str, int]]
    unchanged: int
    changes: list[Change]


def versions(project: Project) -> list[Version]:
    """Every version, oldest first."""
    made = list({one.id: one for one in project.records(Dataset)}.values())
    checked = {one.dataset: one for one in project.records(Validation)}
    approved = project.records(DatasetApproval)
    wrote: dict[str, Event] = {id: event for event in project.events() for id in event.wrote if event.act == "dataset.created"}
    found = []
    for one in made:
        own = tuple(approval for approval in approved if approval.dataset == one.id)
        state = "approved" if own else "validated" if one.id in checked and checked[one.id].passed else "checks failed" if one.id in checked else "draft"
        event = wrote.get(one.id)
        found.append(Version(one, state, event.when if event else "", event.person if event else "", own))
    return found


def numbered(project: Project, name: str) -> Dataset:
    """The version of that number (`2` or `v2`) or that beginning of an id."""
    made = list({one.id: one for one in project.records(Dataset)}.values())
    digits = name.rpartition(":")[2].removeprefix("v")
    by_number = [one for one in made if str(one.number) == digits]
    fitting = by_number[-1:] or [one for one in made if len(digits) >= 6 and one.id.rpartition(":")[2].startswith(digits)]
    if len(fitting) != 1:
        listed = ", ".join(f"v{one.number}" for one in made) or "none yet"
        raise NotFoundError(f"There is no version {name!r}", where=f"there are: {listed}", next=f"whytune data versions {project.name}")
    return fitting[0]


def diff(project: Project, first: Dataset, second: Dataset, shown: int = 20) -> VersionDiff:
    """Rows that came, left, moved between splits or have another answer."""
    before, after, unchanged = _differing(project, first, second)
    by_input: dict[Key, Key] = {key[:-1]: key for key in before if key not in after}
    counts: dict[str, dict[str, int]] = {what: {} for what in ("added", "removed", "moved", "answered")}
    changes: list[Change] = []
    told: dict[str, int] = {}

    def note(what: str, key: Key, row: Mapping[str, Any], old: str) -> None:
        split = str(row["split"])
        counts[what][split] = counts[what].get(split, 0) + 1
        if split != "test" and old != "test" and told.get(what, 0) < shown:
            told[what] = told.get(what, 0) + 1
            origin = row["example"]["origin"]
            where = f"{origin['file']}:{origin['line'] or '?'}"
            changes.append(Change(what, split, key[-2], old, "" if what == "removed" else split if what == "moved" else key[-1], where))

    answered: set[Key] = set()
    for key, row in after.items():
        if key in before:
            if before[key]["split"] != row["split"]:
                note("moved", key, row, str(before[key]["split"]))
        elif (old := by_input.get(key[:-1])) is not None and old not in answered:
            answered.add(old)
            note("answered", key, row, old[-1] if before[old]["split"] != "test" else "test")
        else:
            note("added", key, row, "")
    for key, row in before.items():
        if key not in after and key not in answered:
            note("removed", key, row, key[-1])
    unchanged += sum(1 for key, row in after.items() if key in before and before[key]["split"] == row["split"])
    return VersionDiff(first, second, counts, unchanged, changes)


Rows = dict[Key, dict[str, Any]]


def _differing(project: Project, first: Dataset, second: Dataset) -> tuple[Rows, Rows, int]:
    """Rows of each version that do not stand in the other as they are, by what they say; and how many do.

    Only these are parsed: most rows of two versions are the same, line by line.
    """
    lines = [{_bare(line): line for line in project.workspace.store.pack_lines(made.rows)} for made in (first, second)]
    same = lines[0].keys() & lines[1].keys()
    parsed: list[Rows] = []
    for held in lines:
        rows = [json.loads(line) for bare, line in held.items() if bare not in same]
        parsed.append({_key(row["example"]): row for row in rows})
    return parsed[0], parsed[1], len(same)


def _bare(line: str) -> str:
    """A row's line without where it came from: the same row may stand on another line of its file.

    Quotation marks within texts are escaped, so these marks can only be the row's own.
    """
    head, found, rest = line.partition(',"origin":{')
    _, end, tail = rest.rpartition('},"tags":[')
    return f"{head}{end}{tail}" if found and end else line


def _key(example: Mapping[str, Any]) -> Key:
    return (*_texts(example), "".join(part.get("text", part.get("blob", "")) for part in example["target"]))


def _texts(example: Mapping[str, Any]) -> Iterator[str]:
    for message in example["messages"]:
        yield "".join(part.get("text", part.get("blob", "")) for part in message["parts"])


def approve(project: Project, role: str = "", reason: str = "") -> DatasetApproval:
    """Say that the newest version may be used. Whoever wrote rows of it may not, unless alone in the workspace."""
    made = project.dataset
    validation = next((one for one in reversed(project.records(Validation)) if one.dataset == made.id), None)
    if validation is None:
        raise RefusedError(f"v{made.number} has not been checked", next=f"whytune data check {project.name}")
    if not validation.passed:
        failed = [f"{one.check}: {one.message}" for one in validation.findings if one.status == "fail"]
        raise RefusedError(f"v{made.number} does not pass its checks", problems=failed, next=f"mend the data, then: whytune data check {project.name}")
    person = project.workspace.person
    roles = [role] if role else [one for one in APPROVERS if one in person.roles] or [APPROVERS[0]]
    signed = [one for one in project.records(DatasetApproval) if one.dataset == made.id]
    if any(one.person == person.name for one in signed):
        raise RefusedError(f"{person.name} approved {short(made.id)} already", next=f"whytune data versions {project.name}")
    check_signature(project.workspace, project, person, roles[0], [made.id], signed, policy_solo=True)
    reviews = tuple(one.id for one in project.records(RowReview) if one.dataset == made.id)
    approval = DatasetApproval(
        project=project.key, dataset=made.id, person=person.name, role=roles[0], validation=validation.id, reviews=reviews, reason=reason, solo=person.solo,
    )  # fmt: skip
    with project.act("dataset.approved", read=[made.id, validation.id, *reviews]) as act:
        act.facts.update(role=approval.role, reviews=str(len(reviews)), counts=", ".join(f"{split} {made.counts.get(split, 0)}" for split in SPLITS))
        return act.write(approval)
