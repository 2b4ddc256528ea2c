"""Files of a form that was refused, kept so that nobody has to choose them twice. Only who sent them gets them back, and only for that form.

    kept = keep(workspace, "ann", "/projects/new", [("upload", "tickets.csv", Path("/tmp/sent"))])
    found(workspace, "/projects/new", [one.id for one in kept])      # as ann; nothing for anybody else

They lie beside the drafts, so an erasure looks into them too. After a day, or when the form was taken, they are gone.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.workspace.drafting import FOLDER, clean_name

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

KEPT = timedelta(hours=24)
MOST_FILES, MOST_BYTES = 50, 2 << 30
"""Of one person, all together; what would be more is not kept, and the form says so."""
_NOTE, _ID = "kept.json", re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class KeptFile:
    """One file: the field of the form it was chosen in, its name as it was sent, where it lies."""

    id: str
    person: str
    form: str
    field: str
    name: str
    path: Path
    size: int


def keep(workspace: Workspace, person: str, form: str, files: Sequence[tuple[str, str, Path]]) -> list[KeptFile]:
    """Take these files, given as (field, name, where it lies now); they are moved. Those beyond the limits stay where they are."""
    sweep(workspace)
    mine = [one for one in _all(workspace) if one.person == person]
    number, size = len(mine), sum(one.size for one in mine)
    made: list[KeptFile] = []
    for field, name, path in files:
        if not path.is_file() or number >= MOST_FILES or size + path.stat().st_size > MOST_BYTES:
            continue
        id = secrets.token_hex(16)
        place = workspace.store.folder / FOLDER / id
        place.mkdir(parents=True, mode=0o700)
        target = place / f"file-{clean_name(name)}"
        shutil.move(path, target)
        note = {"person": person, "form": form, "field": field, "name": name, "when": datetime.now(UTC).isoformat()}
        (place / _NOTE).write_text(json.dumps(note), "utf-8")
        made.append(KeptFile(id, person, form, field, name, target, target.stat().st_size))
        number, size = number + 1, size + made[-1].size
    return made


def found(workspace: Workspace, form: str, ids: Sequence[str]) -> list[KeptFile]:
    """Those of these that whoever asks sent with this form; everything else is not there."""
    person = workspace.person.name
    read = [_read(workspace.store.folder / FOLDER / id) for id in dict.fromkeys(ids) if _ID.fullmatch(id)]
    return [one for one in read if one is not None and (one.person, one.form) == (person, form)]


def drop(workspace: Workspace, kept: Sequence[KeptFile]) -> None:
    """They are not needed any more."""
    for one in kept:
        shutil.rmtree(workspace.store.folder / FOLDER / one.id, ignore_errors=True)  # what stays is swept later


def sweep(workspace: Workspace) -> None:
    """Remove what was kept for longer than a day."""
    oldest = (datetime.now(UTC) - KEPT).timestamp()
    for note in (workspace.store.folder / FOLDER).glob(f"*/{_NOTE}"):
        if note.stat().st_mtime < oldest:
            shutil.rmtree(note.parent, ignore_errors=True)


def _all(workspace: Workspace) -> Iterator[KeptFile]:
    for note in (workspace.store.folder / FOLDER).glob(f"*/{_NOTE}"):
        if one := _read(note.parent):
            yield one


def _read(place: Path) -> KeptFile | None:
    """What is kept there; None where nothing is, or it was erased."""
    try:
        said = json.loads((place / _NOTE).read_text("utf-8"))
        path = place / f"file-{clean_name(said['name'])}"
        return KeptFile(place.name, said["person"], said["form"], said["field"], said["name"], path, path.stat().st_size)
    except FileNotFoundError:
        return None
