"""Looks for a subject everywhere: what speaks of it, what was made from it, and which releases are live on that.

It changes nothing; `erasing` takes away what is found here. Ids and counts come out, never a text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.records.candidate import Adapter, Candidate
from whytune.records.data import Dataset
from whytune.records.release import Release
from whytune.records.review import Queue, ReviewItem
from whytune.workspace import uploads
from whytune.workspace.creating import SplitRow
from whytune.workspace.inside import speaks
from whytune.workspace.reading import located
from whytune.workspace.subjects import Sought

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

QUOTING = ("decision", "responsible", "document", "example", "passage", "acceptance")
"""Kinds of record that quote rows and can be made again; what speaks of the subject elsewhere is named instead."""
ABOUT_ROWS = ("answers", "scores", "edits", "responsible answers", "proposed rows", "accepted rows")
"""Kinds of pack whose rows were made from examples: they go with the example that they name."""
_EXAMPLE = re.compile(r"example:[0-9a-f]{64}")


@dataclass(frozen=True)
class Findings:
    """What speaks of a subject, and what was made from it; ids and counts only."""

    rows: frozenset[str] = frozenset()
    trained: frozenset[str] = frozenset()
    """Those of the rows that stood in train or dev."""
    documents: frozenset[str] = frozenset()
    packs: dict[str, int] = field(default_factory=dict)
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    records: frozenset[str] = frozenset()
    answers: frozenset[tuple[str, str]] = frozenset()
    traffic: frozenset[str] = frozenset()
    opinions: frozenset[tuple[str, str]] = frozenset()
    datasets: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    runs: frozenset[str] = frozenset()
    """Folders of training runs that quote it, or that hold weights that learned from it; what came of them is kept apart."""
    said: frozenset[str] = frozenset()
    """Jobs and forms whose words speak of it."""
    drafts: frozenset[str] = frozenset()
    """Use cases that are not created yet, whose uploads or fields speak of it."""
    unread: int = 0
    """Uploaded files of such use cases that no reader opens: nobody can say whether they speak of it."""
    files: tuple[str, ...] = ()
    """Files beside the store that speak of it: they are their owner's to clean."""
    old_packs: tuple[str, ...] = ()
    """Packs that speak of it and were written by an earlier whytune: single rows cannot be taken from them."""
    same_group: int = 0
    """Rows that share a group with an erased one and do not speak of the subject themselves; they stay."""

    @property
    def anything(self) -> bool:
        """Whether there is something to erase."""
        return bool(self.packs or self.indexes or self.records or self.answers or self.traffic or self.opinions or self.runs or self.said or self.drafts)


def look(workspace: Workspace, sought: Sought, project: str) -> Findings:
    """Everything that speaks of the subject. project: the key of one whose things alone are looked at, or empty."""
    erasing = workspace.store.erasing
    mine = erasing.named_by(project) | _index_digests(workspace, project) if project else None
    packs = [pack for pack in erasing.packs() if mine is None or pack in mine]
    kinds = {pack: erasing.kind(pack) for pack in packs}
    hits: Counter[str] = Counter()
    rows: set[str] = set()
    trained: set[str] = set()
    documents: set[str] = set()
    groups: Counter[str] = Counter()
    erased_groups: Counter[str] = Counter()
    for pack in packs:
        for id, line in erasing.lines(pack):
            if sought.in_json(line):
                hits[pack] += 1
                if kinds[pack] == "rows":
                    row = SplitRow.model_validate_json(line)
                    rows.add(row.example.id)
                    erased_groups[row.example.group] += 1
                    if row.split != "test":
                        trained.add(row.example.id)
                elif kinds[pack] == "documents":
                    documents.add(id)
            elif kinds[pack] == "rows":
                groups[json.loads(line)["example"]["group"]] += 1
    probed: set[tuple[str, str]] = set()
    opinions = frozenset([*erasing.written_about(sought.in_json), *_asked_about(workspace, rows)])
    for pack in packs:
        lost = Lost(sought, frozenset(rows), opinions, kinds[pack])
        if lost.derived:
            gone = [line for _, line in erasing.lines(pack) if lost("", line)]
            hits[pack] = len(gone)
            if kinds[pack] == "responsible answers":
                probed.update((told["candidate"], told["item"]) for told in map(json.loads, gone))
    everywhere = mine is None
    found = Findings(
        rows=frozenset(rows), trained=frozenset(trained), documents=frozenset(documents), packs={pack: n for pack, n in sorted(hits.items()) if n and erasing.can_blank(pack)},
        old_packs=tuple(pack for pack, n in sorted(hits.items()) if n and not erasing.can_blank(pack)),
        indexes=dict(_passages(workspace, sought, documents, mine)),
        records=frozenset(one.id for one in erasing.quoting(sought.in_json, project) if one.kind in QUOTING),
        answers=frozenset(key for key in erasing.answers([*rows, *(item for _, item in probed)], sought.in_json)),
        opinions=opinions, said=frozenset(erasing.said(sought.in_json, project)),
        files=tuple(files(workspace, sought)), same_group=sum(n for group, n in groups.items() if group and group in erased_groups),
    )  # fmt: skip
    if everywhere:
        traffic = workspace.store.traffic.find(sought.given, sought.in_text)
        uploaded = uploads.look(workspace, sought)
        found = replace(found, traffic=frozenset((*traffic.responses, *traffic.feedback)), drafts=uploaded.speaking, unread=uploaded.unread)
    return _lineage(workspace, sought, found)


def _index_digests(workspace: Workspace, project: str) -> set[str]:
    """Indexes that stand for a project's documents, whether or not a candidate names them yet."""
    acts = (event for event in workspace.events(project) if event.act == "index.built")
    return {event.facts.get("index", "").partition(":")[2] for event in acts}


def _lineage(workspace: Workspace, sought: Sought, found: Findings) -> Findings:
    """Which versions held it, which adapters learned from it, which candidates and releases use those."""
    from whytune.workspace import releasing

    store = workspace.store
    spoke = {*found.packs, *found.old_packs}
    held = [made for made in store.list(Dataset) if {made.rows, made.removals, made.documents} & spoke]
    learned = {made.id: made for made in held if made.rows in spoke and found.trained}
    read = {made.id for made in held if made.documents in spoke}
    adapters = [one.id for one in store.list(Adapter) if one.dataset in learned or (one.retrieval and one.dataset in read)]
    candidates = [
        one.id
        for one in store.list(Candidate)
        if one.adapter in adapters
        or (one.retrieval and one.retrieval.index in found.indexes)
        or found.rows & set(one.prompt.shots)
        or (one.prompt.nearest and one.prompt.pool in learned)
    ]
    releases = [one.id for one in store.list(Release) if one.candidate in candidates]
    aliases = [name for name, release in releasing.aliases(workspace).items() if release in releases]
    runs = frozenset(run.name for run in store.erasing.runs() if (adapters and (run / "done.json").exists()) or _quotes(run, sought))
    return replace(
        found, runs=runs, datasets=tuple(made.id for made in held), adapters=tuple(adapters), candidates=tuple(candidates),
        releases=tuple(releases), aliases=tuple(sorted(aliases)),
    )  # fmt: skip


@dataclass(frozen=True)
class Lost:
    """Whether a row of a pack goes: it speaks of the subject, or is about a row that does."""

    sought: Sought
    rows: frozenset[str]
    opinions: frozenset[tuple[str, str]]
    kind: str

    @property
    def derived(self) -> bool:
        """Whether rows of such a pack may go because of what they are about."""
        return (self.kind in ABOUT_ROWS and bool(self.rows)) or (self.kind == "opinions" and bool(self.opinions))

    def __call__(self, _: str, line: str) -> bool:
        if self.sought.in_json(line):
            return True
        if self.kind == "opinions" and self.opinions:
            said = json.loads(line)
            # A bare verdict says nothing about anybody; what a reviewer wrote may.
            return bool(said["edits"] or said["note"]) and (said["queue"], said["item"]) in self.opinions
        return self.derived and _about(line, self.rows)


def _about(line: str, rows: frozenset[str] | set[str]) -> bool:
    return any(id in rows for id in _EXAMPLE.findall(line))


def _passages(
    workspace: Workspace, sought: Sought, documents: set[str], mine: set[str] | None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for index in workspace.store.erasing.indexes():
        if mine is not None and index.partition(":")[2] not in mine:
            continue
        gone = tuple(
            passage.id
            for passage in workspace.store.erasing.passages(index)
            if passage.document in documents or sought.in_text(passage.text) or sought.in_text(passage.title)
        )
        if gone:
            yield index, gone


def _asked_about(workspace: Workspace, rows: set[str]) -> Iterator[tuple[str, str]]:
    for queue in workspace.store.list(Queue) if rows else ():
        for item in workspace.store.read_pack(queue.items, ReviewItem):
            if item.example in rows or item.stand_in in rows:
                yield queue.id, item.key


def files(workspace: Workspace, sought: Sought) -> Iterator[str]:
    """Sources, proposals and reports that speak of the subject, in the projects' folders and wherever their data lies."""
    places: dict[Path, None] = {}
    for project in workspace.projects():
        named = [located(project.folder, name) for name in (*project.file.data.from_, *project.file.data.documents)]
        for place in (project.folder, *named):
            places.update(dict.fromkeys([place] if place.is_file() else sorted(place.rglob("*"))))
    for path in dict.fromkeys(place.resolve() for place in places if not place.is_symlink()):
        if path.is_file() and speaks(path, sought):
            yield str(path.relative_to(workspace.root)) if path.is_relative_to(workspace.root) else str(path)


def _quotes(run: Path, sought: Sought) -> bool:
    return any(speaks(path, sought) for path in run.rglob("*") if path.is_file())
