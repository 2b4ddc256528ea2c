"""A new use case from uploaded files: kept as a draft until every mistake is mended, then one rename makes it a project.

    draft = begin(workspace, [("tickets.csv", Path("/tmp/upload"))])
    draft = save(workspace, draft.id, {"name": "tickets", "bar": "0.7"}, {})
    project = create(workspace, draft.id)

Files lie below `.whytune/drafts/ID/project/data`, where only the draft's own person reaches them. Nothing of a draft is
in the ledger; `project.created` is its first line there.
"""

from __future__ import annotations

import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from whytune.datasets import archives, linerows
from whytune.datasets.finding import ROW_ENDINGS
from whytune.errors import (
    DataError,
    NotFoundError,
    RefusedError,
    SettingsError,
    StoreError,
    UsageError,
)
from whytune.records.drafted import USES, DraftFile, DraftLook, FileUse, SetupDraft
from whytune.records.found import FoundFile
from whytune.workspace import config, finding, roles, wishes
from whytune.workspace.setup import register
from whytune.workspace.writing import write_whole

if TYPE_CHECKING:
    from whytune.workspace.project import Project
    from whytune.workspace.setup import NewProject
    from whytune.workspace.workspace import Workspace

FOLDER, PROJECT, ASIDE = "drafts", "project", "left_out"
MOST_DRAFTS, MOST_FILES, MOST_LISTED = 20, 100, 20
MOST_BYTES = 4 << 30
"""All files of one draft together."""
KEPT = timedelta(days=30)
"""A draft that nobody touched for so long is gone."""
_SAFE = re.compile(r"[^\w.() -]")


def begin(workspace: Workspace, uploads: Sequence[tuple[str, Path]]) -> SetupDraft:
    """A draft from uploaded files, given as (name, where it lies now); they are moved. Raises with everything that is wrong."""
    roles.check(workspace.person, "project.created")
    _sweep(workspace)
    name = workspace.person.name
    if len(workspace.store.drafts.of(name)) >= MOST_DRAFTS:
        raise RefusedError(f"{name} has {MOST_DRAFTS} drafts already", next="finish one of them, or throw one away")
    now = _now()
    draft = SetupDraft(id=secrets.token_hex(16), person=name, created=now, changed=now, files=(), wishes={})
    try:
        draft = _with(workspace, draft, uploads)
    except BaseException:
        shutil.rmtree(_place(workspace, draft.id), ignore_errors=True)
        raise
    return _keep(workspace, draft.model_copy(update={"wishes": wishes.first(workspace, draft.files)}))


def drafts(workspace: Workspace) -> list[SetupDraft]:
    """Those of whoever asks, the one last changed first."""
    return workspace.store.drafts.of(workspace.person.name)


def named(workspace: Workspace, id: str) -> SetupDraft:
    """One's own draft of that id. Raises NotFoundError, also for somebody else's."""
    found = workspace.store.drafts.find(id, workspace.person.name)
    if found is None or not (_place(workspace, found.id) / PROJECT).is_dir():
        raise NotFoundError("There is no such draft of yours", next="whytune web: Use cases, New use case")
    return found


def add(workspace: Workspace, id: str, uploads: Sequence[tuple[str, Path]]) -> SetupDraft:
    """More files for a draft."""
    roles.check(workspace.person, "project.created")
    with workspace.store.lock(f"draft.{id}"):
        return _keep(workspace, _with(workspace, named(workspace, id), uploads))


def save(workspace: Workspace, id: str, typed: Mapping[str, str], uses: Mapping[str, str]) -> SetupDraft:
    """Keep what was typed, as it was typed, and look at the data again. uses: a file's id and what it is for.

    Raises UsageError only for what no page offers; mistakes of the person are kept in the draft, as its problems.
    """
    roles.check(workspace.person, "project.created")
    problems = [f"{name}: not a field here" for name in typed if name not in wishes.FIELDS]
    problems += [f"use of a file: {use[:40]!r}; choose one of {', '.join(USES)}" for use in uses.values() if use not in USES]
    if problems:
        raise UsageError("The draft cannot be kept like this", problems=problems, next="open the page again and send it from there")
    with workspace.store.lock(f"draft.{id}"):
        draft = named(workspace, id)
        files = tuple(file.model_copy(update={"use": uses.get(file.id, file.use)}) for file in draft.files)
        return _keep(workspace, draft.model_copy(update={"files": files, "wishes": {**draft.wishes, **typed}}))


def check(workspace: Workspace, id: str) -> tuple[SetupDraft, str]:
    """The draft, and the name under which it would be created. Raises SettingsError with all that can be told at a glance."""
    roles.check(workspace.person, "project.created")
    with workspace.store.lock(f"draft.{id}"):
        draft = named(workspace, id)
        return draft, _understood(workspace, draft, _settled(workspace, draft)).file.name


def create(workspace: Workspace, id: str, read: Callable[[Project], None] = lambda _: None) -> Project:
    """The project, with the files that are used in its `data` folder. Raises SettingsError with all that stands in its way.

    read: is handed the project while it is still a draft, to read its data. What it raises leaves it a draft, which
    keeps everything that was typed and uploaded, and the mistakes.
    """
    from whytune.workspace.project import Project

    roles.check(workspace.person, "project.created")
    with workspace.store.lock(f"draft.{id}"):
        draft = named(workspace, id)
        place = _settled(workspace, draft)
        made = _understood(workspace, draft, place)
        target = workspace.root / made.file.name
        _write(made, place)
        try:
            read(Project(workspace, place))
        except BaseException as error:
            (place / config.FILE).unlink(missing_ok=True)
            if isinstance(error, DataError):
                raise _refused(workspace, draft, place, error) from error
            raise
        try:
            place.rename(target)
        except OSError as error:
            raise StoreError(f"The folder of {made.file.name} cannot be made: {error.strerror}", next="choose another name, and create it again") from error
        project = register(workspace, target)
        _forget(workspace, id)
        return project


def discard(workspace: Workspace, id: str) -> SetupDraft:
    """Throw a draft away, with its files."""
    with workspace.store.lock(f"draft.{id}"):
        draft = named(workspace, id)
        _forget(workspace, id)
        return draft


def clean_name(given: str) -> str:
    """A file's name as it may stand on a disk: no folder, nothing invisible, no leading dot, not long."""
    last = unicodedata.normalize("NFKC", given).replace("\\", "/").rpartition("/")[2]
    plain = _SAFE.sub("_", "".join(sign for sign in last if sign.isprintable())).strip(" ").lstrip(".-")
    if plain.casefold() == config.FILE:
        plain = f"uploaded-{plain}"  # in a folder below the workspace, a file of that name is a project
    stem, dot, ending = plain.rpartition(".")
    if not dot:
        return plain[:80] or "upload"
    return f"{stem[:80] or 'upload'}.{ending[:12]}"


# Files


def _with(workspace: Workspace, draft: SetupDraft, uploads: Sequence[tuple[str, Path]]) -> SetupDraft:
    """The draft with these files moved to it and looked at."""
    size = sum(file.bytes for file in draft.files) + sum(path.stat().st_size for _, path in uploads)
    problems = [] if uploads else ["no file came: choose one or more"]
    if len(draft.files) + len(uploads) > MOST_FILES:
        problems.append(f"{len(draft.files) + len(uploads)} files; at most {MOST_FILES} (pack documents into one archive)")
    if size > MOST_BYTES:
        problems.append(f"{size / 2**30:.1f} GiB in all; at most {MOST_BYTES >> 30} GiB")
    if problems:
        raise UsageError("These files cannot be taken", problems=problems, next="choose other files and send them")
    folder = _place(workspace, draft.id) / PROJECT / wishes.DATA
    folder.mkdir(parents=True, exist_ok=True)
    folder.parent.parent.chmod(0o700)
    taken = {file.name.casefold() for file in draft.files}
    kept: list[Path] = []
    for given, path in uploads:
        target = folder / _free(clean_name(given), taken)
        shutil.move(path, target)
        kept.append(target)
    for path in [path for path in kept if archives.is_archive(path.name)]:
        kept += _unpacked(path, folder, taken, MOST_FILES - len(draft.files) - len(kept))
    found = {path: _found(path) for path in kept}
    fitting = any(one.kind == "rows" and _read_itself(path) for path, looked in found.items() for one in looked)
    files = tuple(
        DraftFile(id=secrets.token_hex(4), name=path.name, bytes=path.stat().st_size, use=_use(path, looked, folder, fitting), found=tuple(looked[:MOST_LISTED]), more=max(0, len(looked) - MOST_LISTED))
        for path, looked in found.items()
    )
    return draft.model_copy(update={"files": (*draft.files, *files)})


def _read_itself(path: Path) -> bool:
    """Whether a file is itself read, rather than what is packed in it."""
    return not archives.is_archive(path.name)


def _found(path: Path) -> list[FoundFile]:
    """What lies in it, named without where it stands on this machine."""
    prefix = f"{path.parent}/"
    return [
        one.model_copy(update={"file": one.file.replace(prefix, ""), "why": one.why.replace(prefix, ""), "licence": one.licence})
        for one in finding.find([path])
    ]


def _unpacked(path: Path, folder: Path, taken: set[str], most: int) -> list[Path]:
    """Tables of an archive that can be learnt from, as files of their own: an archive itself is read for documents only."""
    fitting = {one.file.partition("!/")[2] for one in _found(path) if one.kind == "rows"}
    made: list[Path] = []
    for member in archives.members(path) if fitting else ():
        if isinstance(member, archives.Member) and member.name in fitting and PurePosixPath(member.name).suffix.lower() in ROW_ENDINGS and len(made) < most:
            target = folder / _free(clean_name(member.name), taken)
            target.write_bytes(member.data)
            made.append(target)
    return made


def _use(path: Path, found: Sequence[FoundFile], folder: Path, fitting: bool) -> FileUse:
    """What a file is for, before anybody said so."""
    kinds = {one.kind for one in found}
    for other in folder.iterdir():
        labels, mapping = linerows.neighbours(other) if other.suffix.lower() == ".txt" else (None, None)
        if path == labels:
            return "labels"
        if path == mapping:
            return "names"
    if not _read_itself(path):
        return "documents" if kinds & {"document", "table"} else "left_out"
    if "rows" in kinds or ("table" in kinds and not fitting):
        return "rows"
    return "documents" if kinds & {"document", "table"} else "left_out"


def _free(name: str, taken: set[str]) -> str:
    """The name, numbered where it is taken already; it is taken from now on."""
    stem, dot, ending = name.rpartition(".")
    candidates = [name, *(f"{stem or ending}-{number}{dot}{ending if stem else ''}" for number in range(2, 1_000))]
    chosen = next(one for one in candidates if one.casefold() not in taken)
    taken.add(chosen.casefold())
    return chosen


# The draft


def _keep(workspace: Workspace, draft: SetupDraft) -> SetupDraft:
    """Look at the data as things stand, and write the draft down."""
    made, problems = wishes.understood(workspace, draft.wishes, draft.files, _settled(workspace, draft))
    look = draft.look
    if made is not None and made.guesses:
        first = made.guesses[0]
        same = {name: getattr(first, name) for name in ("format", "shape", "encoding", "columns", "input", "target", "group", "confidence", "reasons", "preview")}
        look = DraftLook(file=Path(first.file).name, **same)
    elif made is None:
        look = None
    kept = draft.model_copy(update={"look": look, "problems": tuple(problems), "changed": _now()})
    workspace.store.drafts.keep(kept)
    return kept


def _understood(workspace: Workspace, draft: SetupDraft, place: Path) -> NewProject:
    made, problems = wishes.understood(workspace, draft.wishes, draft.files, place)
    if made is None or problems:
        workspace.store.drafts.keep(draft.model_copy(update={"problems": tuple(problems)}))
        raise SettingsError("This use case cannot be started yet", problems=problems, next="mend these fields; everything you typed is kept")
    return made


def _refused(workspace: Workspace, draft: SetupDraft, place: Path, error: DataError) -> DataError:
    """What was wrong in the files, without where they lie on this machine; the draft keeps it."""
    what, *problems = (wishes.without(line, place, workspace.root) for line in (error.what, *error.problems))
    workspace.store.drafts.keep(draft.model_copy(update={"problems": tuple(problems) or (what,)}))
    return DataError(what, where=wishes.without(error.where, place, workspace.root), problems=problems, next="mend the columns or the files in the draft: everything you typed and uploaded is kept there")


def _settled(workspace: Workspace, draft: SetupDraft) -> Path:
    """The folder that is to become the project, with those files in it that are used: a reader looks at what lies beside a file too."""
    place = _place(workspace, draft.id)
    project = place / PROJECT
    for file in draft.files:
        used, unused = project / wishes.DATA / file.name, place / ASIDE / file.name
        wrong, right = (used, unused) if file.use == "left_out" else (unused, used)
        if wrong.exists():
            right.parent.mkdir(parents=True, exist_ok=True)
            wrong.rename(right)
    (project / config.FILE).unlink(missing_ok=True)  # of an attempt that was cut short
    return project


def _write(made: NewProject, folder: Path) -> None:
    """Its file, read back before anything stands on it."""
    write_whole(folder / config.FILE, config.write(made.file))
    try:
        same = config.read(folder) == made.file
    except SettingsError as error:
        (folder / config.FILE).unlink()
        raise SettingsError("This use case cannot be written down", problems=error.problems or (error.what,), next="mend these fields, and create it again") from error
    if not same:
        (folder / config.FILE).unlink()
        raise SettingsError("This use case cannot be written down as it was typed", next="leave out unusual characters, and create it again")


def _forget(workspace: Workspace, id: str) -> None:
    workspace.store.drafts.drop(id)
    shutil.rmtree(_place(workspace, id), ignore_errors=True)  # what stays is swept with the old ones


def _sweep(workspace: Workspace) -> None:
    """Remove what nobody touched for a long time, and folders whose draft is gone."""
    for id in workspace.store.drafts.stale((datetime.now(UTC) - KEPT).isoformat()):
        _forget(workspace, id)


def _place(workspace: Workspace, id: str) -> Path:
    if not re.fullmatch(r"[0-9a-f]{32}", id):
        raise NotFoundError("There is no such draft of yours", next="whytune web: Use cases, New use case")
    return workspace.store.folder / FOLDER / id


def _now() -> str:
    return datetime.now(UTC).isoformat()
