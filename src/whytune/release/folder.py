"""A release as a folder that others can take away and check: manifest, signature, card, datasheet, bill of materials, adapter.

    write(release, contents, adapter_folder, target)
    verify(target, check)      # every file's digest computed again; says what is not in the folder

The base model and the passages are named by digest and are not copied: the base is had from its maker, and passages may
be readable by some people only.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from whytune.errors import NotFoundError, StoreError, UsageError
from whytune.records.record import canonical_json
from whytune.records.release import Manifest, Release
from whytune.release.digests import file_digest, file_digests

RELEASE, ADAPTER = "release.json", "adapter"
Check = Callable[[str, bytes, bytes], bool]
"""(public key in hexadecimal, message, signature) to whether they fit."""


@dataclass(frozen=True)
class Verified:
    """What looking at a folder found. No problems: it is what was signed by `public_key`."""

    release: Release | None
    public_key: str
    problems: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()
    """What the release needs and the folder does not hold, by digest."""

    @property
    def whole(self) -> bool:
        """Whether nothing differs."""
        return not self.problems


def message(manifest: Manifest) -> bytes:
    """The bytes that are signed."""
    return canonical_json(manifest.model_dump(mode="json")).encode()


def fits(release: Release, check: Check) -> bool:
    """Whether the signature is over this manifest."""
    try:
        signature = bytes.fromhex(release.signature)
    except ValueError:
        return False
    return check(release.public_key, message(release.manifest), signature)


def write(release: Release, contents: Mapping[str, bytes], adapter: Path | None, target: Path) -> list[str]:
    """Write the folder; it must not be there yet or be empty. Gives the names written."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder", next="name a folder that is not there yet")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (target / name).write_bytes(content)
        if adapter is not None:
            shutil.copytree(adapter, target / ADAPTER, copy_function=shutil.copyfile)
        # Last: a folder with this file is a whole one.
        (target / RELEASE).write_text(json.dumps(release.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise StoreError(f"The release cannot be written: {error.strerror or error}", where=str(target), next="name a place with enough space that you may write to") from error
    return sorted([*contents, RELEASE, *(f"{ADAPTER}/{name}" for name in (file_digests(adapter) if adapter else ()))])


def verify(folder: Path, check: Check, key: str = "") -> Verified:
    """Look at an exported release. key: the public key it should be signed with, known from elsewhere."""
    path = folder / RELEASE
    if not path.is_file():
        raise NotFoundError(f"There is no {RELEASE} in {folder}", next="whytune release export makes such a folder")
    try:
        release = Release.model_validate_json(path.read_bytes())
    except ValidationError as error:
        return Verified(None, "", (f"{RELEASE} cannot be read: {error.error_count()} fields do not fit",))
    problems = [] if fits(release, check) else ["the signature does not fit the manifest"]
    if key and key.lower() != release.public_key:
        problems.append(f"it is signed with the key {release.public_key}, not with {key}")
    manifest = release.manifest
    for name in ("project", "number", "candidate", "arm", "dataset", "acceptance", "solo"):
        if getattr(release, name) != getattr(manifest, name):
            problems.append(f"{name} of the release is not the one that was signed")
    wanted = dict(manifest.files)
    if manifest.adapter:
        wanted |= {f"{ADAPTER}/{name}": kept for name, kept in manifest.adapter.files.items()}
    problems += _differing(folder, wanted)
    elsewhere = [f"base model {manifest.base.name} ({manifest.base.source}), digest {manifest.base.digest}"]
    if manifest.index:
        elsewhere.append(f"index of {manifest.index.passages:,} passages, digest {manifest.index.content}")
    return Verified(release, release.public_key, tuple(problems), tuple(elsewhere))


def _differing(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    problems = []
    outside = [name for name in wanted if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts]
    problems += [f"{name}: leads out of the folder" for name in outside]
    links = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink()]
    problems += [f"{name}: a link, which no release holds" for name in sorted(links)]
    for name, kept in wanted.items():
        path = folder / name
        if name in outside or name in links:
            continue
        if not path.is_file():
            problems.append(f"{name}: missing")
        elif file_digest(path) != kept:
            problems.append(f"{name}: not what was signed")
    beside = file_digests(folder).keys() - wanted.keys() - {RELEASE}
    problems += [f"{name}: is there and was not signed" for name in sorted(beside)]
    return problems
