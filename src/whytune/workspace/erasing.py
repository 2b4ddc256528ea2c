"""Erases a person or a thing from everything kept, and says which versions, adapters, releases and live names used it.

`survey` looks and changes nothing. `erase` looks the same way, blanks the bytes and only then writes the event, so that
the ledger never says more than was done. What it found is noted in a file before the first byte goes: a run that was
killed is finished by the same command, and its record lists both parts. Weights cannot be blanked: adapters trained on
it are named with a date by which they must be replaced; `whytune run` builds the next version without the rows.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.errors import NotFoundError, UsageError
from whytune.records.data import Passage
from whytune.records.erasure import ErasedIndex, Erasure
from whytune.workspace import proposing, roles, uploads
from whytune.workspace.inside import speaks
from whytune.workspace.subjects import Sought
from whytune.workspace.surveying import Findings, Lost, files, look
from whytune.workspace.writing import write_whole

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

DAYS = 30
"""Days in which adapters that learned from an erased subject are to be replaced."""


def survey(workspace: Workspace, subject: str, project: str = "") -> Findings:
    """Look for a subject everywhere; nothing is changed. project: only what that project keeps, traffic left out."""
    roles.check(workspace.person, "subject.erased")
    key = workspace.project(project).key if project else ""
    return look(workspace.whole(), Sought(subject), key)


def erase(workspace: Workspace, subject: str, reason: str, project: str = "", days: int = DAYS) -> Erasure:
    """Erase a subject, finish what a killed run began, and write it down. Raises NotFoundError where nothing speaks of it."""
    roles.check(workspace.person, "subject.erased")
    key = workspace.project(project).key if project else ""
    workspace = workspace.whole()  # a person is erased from what is private too
    sought = Sought(subject)
    if not reason.strip() or sought.in_text(reason):
        raise UsageError(
            "A reason is needed, and it must not name the subject: it stays in the ledger",
            next='add for example --reason "request of 2 May, number 17"',
        )
    store = workspace.store
    name = store.keyed_hash(sought.text)
    with ExitStack() as held:
        for one in workspace.projects():
            held.enter_context(store.lock(one.key))
        journal = store.erasing.note(name)
        written = _written(workspace, name, journal)
        found = _joined(look(workspace, sought, key), journal)
        if written and not found.anything:
            return written
        if not found.anything:
            raise NotFoundError("Nothing that is kept speaks of this subject", next="try other spellings: whytune erase OTHER --dry-run")
        write_whole(journal, _spelled(found, before=len(_of(workspace, name))))
        folded = _blank(workspace, sought, found, everywhere=not key)
        made = Erasure(
            subject=name, project=key, person=workspace.person.name, reason=reason.strip(),
            when=datetime.now(UTC).isoformat(timespec="seconds"), rows=tuple(sorted(found.rows)), documents=tuple(sorted(found.documents)),
            packs=found.packs, indexes=tuple(ErasedIndex(index=index, passages=gone) for index, gone in sorted(found.indexes.items())),
            records=tuple(sorted(found.records)), answers=len(found.answers), traffic=tuple(sorted(found.traffic)), opinions=len(found.opinions),
            runs=tuple(sorted(found.runs)), said=len(found.said), drafts=len(found.drafts),
            datasets=found.datasets, adapters=found.adapters, candidates=found.candidates, releases=found.releases, aliases=found.aliases,
            retrain_by=(date.today() + timedelta(days=days)).isoformat() if found.adapters else "",
            left=(*store.erasing.left(sought.in_json), *_left_said(workspace, sought, found, folded)),
        )  # fmt: skip
        with workspace.act("subject.erased", project=key, read=[*found.datasets, *found.adapters]) as act:
            act.facts.update(rows=str(len(made.rows)), documents=str(len(made.documents)), releases=str(len(made.releases)), retrain_by=made.retrain_by)
            act.write(made)
        store.erasing.fold()
        _done(journal)
    return made


def erasures(workspace: Workspace) -> list[dict[str, str]]:
    """What was erased so far, oldest first, without a word about whom."""
    return [
        {
            "when": made.when, "by": made.person, "rows": str(len(made.rows)), "documents": str(len(made.documents)),
            "releases": str(len(made.releases)), "retrain_by": made.retrain_by, "reason": made.reason,
        }
        for made in workspace.store.list(Erasure)
    ]  # fmt: skip


def _blank(workspace: Workspace, sought: Sought, found: Findings, *, everywhere: bool) -> bool:
    """Take the bytes away; whether the database's log is empty. Everything here may be done again where a killed run stopped."""
    store, erasing = workspace.store, workspace.store.erasing
    for pack in found.packs:
        erasing.blank_rows(pack, Lost(sought, found.rows, found.opinions, erasing.kind(pack)))
    for index, gone in found.indexes.items():
        erasing.take_out(index, _Among(frozenset(gone)))
    if everywhere:
        store.traffic.erase(sought.given, sought.in_text)
        for id in sorted(found.drafts):
            uploads.empty(workspace, id)
    erasing.unsay(found.said)
    store.queues.blank(sorted(found.opinions))
    erasing.forget_answers(found.answers)
    erasing.blank_records(found.records)
    for run in erasing.runs():
        if run.name in found.runs:
            erasing.drop_run(run)
    for project in workspace.projects():
        proposing.refresh(project)  # the files that people read proposed rows in
    erasing.rewrite()
    return erasing.fold()


@dataclass(frozen=True)
class _Among:
    """Whether a passage is one of these."""

    ids: frozenset[str]

    def __call__(self, passage: Passage) -> bool:
        return passage.id in self.ids


def _left_said(workspace: Workspace, sought: Sought, found: Findings, folded: bool) -> list[str]:
    erasing = workspace.store.erasing
    beside = len(list(files(workspace, sought)))
    said = [f"{beside} file{'s' if beside > 1 else ''} of the projects, outside the store"] if beside else []
    if found.unread:
        said.append(f"{found.unread} uploaded file{'s' if found.unread > 1 else ''} of use cases that are not created yet, which no reader opens: ask whoever uploaded them")
    if not folded:
        said.append("the database's log, which another process holds open: stop it and run the same command once more")
    if waiting := erasing.unfinished():
        said.append(f"{waiting} unfinished file{'s' if waiting > 1 else ''} of processes that are at work")
    kept = dict.fromkeys(digest for digest, path in erasing.kept_files() if speaks(path, sought))
    said += [f"kept file {digest}, a part of what names it, such as a release" for digest in kept]
    return said + [f"pack {pack}, written by an earlier whytune: make it again with `whytune run`, then remove its file" for pack in found.old_packs]


def _spelled(found: Findings, before: int) -> str:
    """before: how many erasures of the subject are written down already; one more, and this one is done."""
    plain = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in found.__dict__.items() if name not in ("files", "old_packs", "same_group", "unread")}
    return json.dumps({**plain, "before": before})


def _written(workspace: Workspace, subject: str, journal: Path) -> Erasure | None:
    """The record of a run that was killed between its event and the removal of its note; the note goes now."""
    if not journal.is_file():
        return None
    made = _of(workspace, subject)
    if len(made) <= json.loads(journal.read_text("utf-8")).get("before", len(made)):
        return None
    workspace.store.erasing.fold()
    _done(journal)
    return made[-1]


def _done(journal: Path) -> None:
    for half in journal.parent.glob(f".{journal.name}.*"):  # of a run that was killed while it wrote its note
        half.unlink()
    journal.unlink()


def _of(workspace: Workspace, subject: str) -> list[Erasure]:
    return [made for made in workspace.store.list(Erasure) if made.subject == subject]


def _joined(found: Findings, journal: Path) -> Findings:
    """With what a killed run had found: some of that is blank by now, and it must be accounted for all the same."""
    if not journal.is_file():
        return found
    held = json.loads(journal.read_text("utf-8"))

    def both(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*held[name], *getattr(found, name))))

    return replace(
        found,
        rows=found.rows | set(held["rows"]), trained=found.trained | set(held["trained"]), documents=found.documents | set(held["documents"]),
        packs={pack: max(held["packs"].get(pack, 0), found.packs.get(pack, 0)) for pack in sorted({*held["packs"], *found.packs})},
        indexes={index: tuple(dict.fromkeys((*held["indexes"].get(index, ()), *found.indexes.get(index, ())))) for index in sorted({*held["indexes"], *found.indexes})},
        records=found.records | set(held["records"]), answers=found.answers | {(one, two) for one, two in held["answers"]},
        runs=found.runs | set(held["runs"]), said=found.said | set(held.get("said", ())), drafts=found.drafts | set(held.get("drafts", ())), traffic=found.traffic | set(held["traffic"]), opinions=found.opinions | {(one, two) for one, two in held["opinions"]},
        datasets=both("datasets"), adapters=both("adapters"), candidates=both("candidates"), releases=both("releases"), aliases=both("aliases"),
    )  # fmt: skip
