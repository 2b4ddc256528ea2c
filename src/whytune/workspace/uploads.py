"""Looks for a subject in use cases that are not created yet, and empties those that speak of it.

A draft is emptied whole, files and typed fields, and its owner finds in it why; their own copy is theirs to clean. Files
that no reader opens are counted, never taken for silent.

    for id in look(workspace, Sought("person@example.org")).speaking:
        empty(workspace, id)
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from whytune.records.drafted import SetupDraft
from whytune.workspace import wishes
from whytune.workspace.drafting import FOLDER, PROJECT
from whytune.workspace.inside import holds

if TYPE_CHECKING:
    from whytune.workspace.subjects import Sought
    from whytune.workspace.workspace import Workspace

PATIENCE = 10.0
"""Seconds to wait for a page that is just keeping a draft."""
WORD = "emptied on {day}: its files or fields held data of somebody who was erased. Take that out of your own copy, then upload it again"


@dataclass(frozen=True)
class Uploads:
    """Drafts that speak of a subject, by id, and how many files could not be looked into."""

    speaking: frozenset[str] = frozenset()
    unread: int = 0


def look(workspace: Workspace, sought: Sought) -> Uploads:
    """Every draft of everybody, and folders that a killed process left without one."""
    speaking = {draft.id for draft in workspace.store.drafts.all() if _says(draft, sought)}
    unread = 0
    for place in (workspace.store.folder / FOLDER).glob("*"):
        found = [True if sought.in_text(path.name) else holds(path, sought) for path in sorted(place.rglob("*")) if path.is_file()]
        unread += found.count(None)
        if True in found:
            speaking.add(place.name)
    return Uploads(frozenset(speaking), unread)


def empty(workspace: Workspace, id: str) -> None:
    """Remove all that was uploaded and typed, and leave a word to its owner. May be done again where it was cut short."""
    store = workspace.store
    with store.lock(f"draft.{id}", wait=PATIENCE):
        place = store.folder / FOLDER / id
        if place.is_dir():
            shutil.rmtree(place)
        draft = next((one for one in store.drafts.all() if one.id == id), None)
        if draft is None:
            return  # thrown away meanwhile, or by a process that was killed before its files were gone
        (place / PROJECT / wishes.DATA).mkdir(parents=True)
        place.chmod(0o700)
        now = datetime.now(UTC).isoformat()
        word = WORD.format(day=now[:10])
        store.drafts.keep(SetupDraft(id=id, person=draft.person, created=draft.created, changed=now, files=(), wishes=wishes.blank(), problems=(word,)))


def _says(draft: SetupDraft, sought: Sought) -> bool:
    """Whether its content does; who it belongs to and who will answer for it is no content."""
    content = draft.model_dump(mode="json", exclude={"id", "person", "created", "changed"})
    content["wishes"] = {name: typed for name, typed in draft.wishes.items() if name not in wishes.OWNERS}
    return sought.in_json(json.dumps(content, ensure_ascii=False))
