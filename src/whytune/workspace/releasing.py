"""Deployment: which release a name stands for, and a release made ready to run, with every digest looked at again.

    release = live(workspace, "champion")
    ready = load(workspace, release)          # TamperedError where anything is not what was signed
    ready.candidate, ready.base, ready.adapter_folder, ready.dataset.labels, ready.index

Nothing here writes. `registering` makes releases and `aliasing` moves names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.errors import ModelError, NotFoundError, RefusedError, StoreError, TamperedError
from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.data import Dataset, Example
from whytune.records.erasure import Erasure
from whytune.records.record import short
from whytune.records.release import AliasMove, Manifest, Release, Retirement
from whytune.release import digests
from whytune.release import folder as folders
from whytune.tasks import Task, task_named
from whytune.workspace.config import ModelSection

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

SOLO = "not independently approved"
"""Stamped on everything about a release that one person alone signed."""


@dataclass(frozen=True)
class Runnable:
    """A release that was found to be what was signed, and all that is needed to answer with it."""

    release: Release
    candidate: Candidate
    base: Base
    """`location` is where the weights are on this machine now."""
    adapter_folder: Path | None
    adapter_digest: str
    dataset: Dataset
    """Its `labels` and `fields` are what the task's constraint needs."""
    task: Task
    index: str
    """The passage index; empty where the candidate looks nothing up."""
    model: ModelSection
    """How to reach an endpoint; for a local model nothing in it matters."""
    pool: tuple[Example, ...] = ()
    """Training rows that the prompt shows; empty where it shows none."""
    notices: tuple[str, ...] = ()
    """What differs from the day of the release without making it another model: library versions, passages erased since."""

    @property
    def dtype(self) -> str:
        """The numbers' type it was released with."""
        return self.release.manifest.engine.dtype

    @property
    def solo(self) -> bool:
        """Whether one person alone approved it."""
        return self.release.solo


def releases(workspace: Workspace, project: str | None = None) -> list[Release]:
    """Every release that whoever acts may see, oldest first, of one project or of all."""
    return [release for release in workspace.store.list(Release, project) if release.project not in workspace.hidden]


def named(workspace: Workspace, name: str) -> Release:
    """The release of that id, of that beginning of an id, of `PROJECT/NUMBER`, or under that alias."""
    every = releases(workspace)
    if moves := moves_of(workspace, name):
        if moves[-1].release:
            return workspace.store.get(Release, moves[-1].release)
        raise NotFoundError(f"The alias {name!r} stands for nothing any more", next=f"whytune alias history {name}")
    project, _, number = name.rpartition("/")
    wanted = name.removeprefix(f"{Release.KIND}:")
    found = [
        release for release in every
        if (project and release.project == project and str(release.number) == number)
        or (len(wanted) >= 6 and release.id.removeprefix(f"{Release.KIND}:").startswith(wanted))
    ]  # fmt: skip
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{release.project}/{release.number}" for release in every[-8:]) or "none yet"
    raise NotFoundError(
        f"{'No' if not found else 'More than one'} release is named {name!r}", where=f"there are: {there}", next="whytune release list"
    )


def moves_of(workspace: Workspace, alias: str) -> list[AliasMove]:
    """Every move of one alias, oldest first; none where it is a private project's and not to be seen."""
    return [move for move in _moves(workspace) if move.name == alias]


def live(workspace: Workspace, alias: str) -> Release:
    """The release an alias stands for now. Raises NotFoundError."""
    moves = moves_of(workspace, alias)
    if not moves or not moves[-1].release:
        known = ", ".join(sorted(aliases(workspace))) or "none yet"
        raise NotFoundError(f"No release is live as {alias!r}", where=f"aliases: {known}", next=f"whytune alias set {alias} RELEASE")
    return workspace.store.get(Release, moves[-1].release)


def aliases(workspace: Workspace) -> dict[str, str]:
    """Alias to the id of its release, for those that stand for one."""
    last = {move.name: move.release for move in _moves(workspace)}
    return {name: release for name, release in last.items() if release}


def _moves(workspace: Workspace) -> list[AliasMove]:
    moves = workspace.store.list(AliasMove)
    if not workspace.hidden:
        return moves
    unseen = {release.id for release in workspace.store.list(Release) if release.project in workspace.hidden}
    return [move for move in moves if not unseen & {move.release, move.before}]


def retirement(workspace: Workspace, release: Release) -> Retirement | None:
    """Why a release may not be used any more; None where it may."""
    return next((gone for gone in workspace.store.list(Retirement) if gone.release == release.id), None)


def located(workspace: Workspace, project: str, base: Base) -> Base:
    """The base model with today's place of its files: the bundled one unpacked, a moved folder as `whytune.toml` names it."""
    if base.source == "endpoint":
        return base
    if base.source == "bundled":
        from whytune.answering.backends import models

        return base.model_copy(update={"location": models.prepare_bundled(workspace.settings.cache_folder).location})
    if Path(base.location).is_dir():
        return base
    from whytune.workspace import bases

    chosen = workspace.project(project)
    here = bases.resolve(chosen.file.model, chosen.folder, workspace.settings)
    return here if here.id == base.id else base


def load(workspace: Workspace, release: Release) -> Runnable:
    """Everything needed to answer with it, after every digest was computed again. Raises TamperedError with all that differs."""
    gone = retirement(workspace, release)
    if gone is not None:
        raise RefusedError(
            f"Release {release.project}/{release.number} is retired: {gone.reason}", next="whytune release list, and choose another"
        )
    ready, problems = examine(workspace, release)
    if problems or ready is None:
        raise TamperedError(
            f"Release {release.project}/{release.number} is not what was signed", where=release.id, problems=problems,
            next=f"do not serve it; restore what differs from a backup, then: whytune release verify {release.project}/{release.number}",
        )
    return ready


def examine(workspace: Workspace, release: Release) -> tuple[Runnable | None, list[str]]:
    """The release made ready, and everything about it that is not what was signed."""
    from whytune.store.keys import verify

    store, manifest = workspace.store, release.manifest
    problems: list[str] = []
    if not folders.fits(release, verify):
        problems.append("the signature does not fit the manifest")
    for name in ("project", "number", "candidate", "arm", "dataset", "acceptance", "solo"):
        if getattr(release, name) != getattr(manifest, name):
            problems.append(f"{name} of the release is not the one that was signed")
    candidate, dataset = store.get(Candidate, manifest.candidate), store.get(Dataset, manifest.dataset)
    if candidate.prompt.id != manifest.prompt:
        problems.append("the prompt is not the one that was signed")
    base = _base(workspace, release, problems)
    folder, digest = _adapter(workspace, candidate, manifest, problems)
    notices = list(_versions(manifest))
    index = _index(workspace, candidate, manifest, problems, notices)
    for name, kept in manifest.files.items():
        try:
            store.blob_path(kept)
        except (TamperedError, NotFoundError) as error:
            problems.append(f"{name}: {error.what}")
    if dataset.rows != manifest.rows or dataset.documents != manifest.documents:
        problems.append("the dataset is not the one that was signed")
    if base is None:
        return None, problems
    section, pool = ModelSection(), _pool(workspace, candidate, dataset)
    if base.source == "endpoint":
        section = workspace.project(manifest.project).file.model
    ready = Runnable(
        release=release, candidate=candidate, base=base, adapter_folder=folder, adapter_digest=digest, dataset=dataset,
        task=task_named(dataset.task), index=index, model=section, pool=pool, notices=tuple(notices),
    )  # fmt: skip
    return ready, problems


def _base(workspace: Workspace, release: Release, problems: list[str]) -> Base | None:
    """The base model's record with today's place of its files, which are hashed again."""
    bound = release.manifest.base
    base = workspace.store.get(Base, bound.id)
    if base.digest != bound.digest:
        problems.append("the base model is not the one that was signed")
    if base.source == "endpoint":
        return base
    from whytune.answering.backends.folder import folder_digest

    try:
        base = located(workspace, release.project, base)
        place = Path(base.location)
        if not place.is_dir():
            problems.append(f"the base model {base.name} is no longer at {place}")
            return None
        # Without the cache of hashes: a file that was changed and given its old date must be seen.
        if folder_digest(place) != bound.files:
            problems.append(f"the files of the base model {base.name} at {place} are not those of the release")
    except (ModelError, NotFoundError) as error:
        problems.append(f"the base model cannot be looked at: {error.what}")
        return None
    return base


def _adapter(workspace: Workspace, candidate: Candidate, manifest: Manifest, problems: list[str]) -> tuple[Path | None, str]:
    bound = manifest.adapter
    if (candidate.adapter or "") != (bound.id if bound else ""):
        problems.append("the adapter is not the one that was signed")
    if not bound:
        return None, ""
    if workspace.store.get(Adapter, bound.id).digest != bound.digest:
        problems.append("the adapter's files are not those that were signed")
    try:
        return workspace.store.folder_path(bound.digest), bound.digest
    except (TamperedError, NotFoundError) as error:
        problems.append(f"adapter: {error.what}")
        return None, bound.digest


def _index(workspace: Workspace, candidate: Candidate, manifest: Manifest, problems: list[str], notices: list[str]) -> str:
    wanted, bound = candidate.retrieval.index if candidate.retrieval else "", manifest.index
    if wanted != (bound.id if bound else ""):
        problems.append("the passage index is not the one that was signed")
    if not bound:
        return ""
    try:
        index = workspace.store.passages.open(bound.id)
    except (NotFoundError, StoreError) as error:
        problems.append(f"passage index: {error.what}")
        return bound.id
    # An erasure takes passages out of an index for good; the ledger says so, and the release goes on without them.
    erased = {passage for made in workspace.store.list(Erasure) for each in made.indexes if each.index == bound.id for passage in each.passages}
    if index.content != bound.content:
        problems.append(f"the passage index {short(bound.id)} holds other passages than when it was signed")
    elif bound.files and digests.file_digests(index.folder) != bound.files:
        if erased:
            notices.append(f"{len(erased)} of {bound.passages} passages were erased since it was signed")
        else:
            problems.append(f"the files of the passage index {short(bound.id)} are not those that were signed")
    return bound.id


def _pool(workspace: Workspace, candidate: Candidate, dataset: Dataset) -> tuple[Example, ...]:
    if not (candidate.prompt.nearest or candidate.prompt.shots):
        return ()
    from whytune.workspace.creating import SplitRow

    rows = workspace.store.read_pack(dataset.rows, SplitRow)
    return tuple(row.example for row in rows if row.split == "train")


def _versions(manifest: Manifest) -> Sequence[str]:
    now = versions(manifest.engine.versions)
    return [
        f"{name} is {now.get(name) or 'missing'} here and was {then} when this was released"
        for name, then in manifest.engine.versions.items() if now.get(name) != then
    ]  # fmt: skip


def versions(libraries: Sequence[str] | dict[str, str]) -> dict[str, str]:
    """Library to its version here; a missing one is left out."""
    from importlib import metadata

    found = {}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
