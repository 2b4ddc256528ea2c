"""Files and folders kept by the hash of their bytes: source files, media, adapters.

A folder's digest is the sha256 of its sorted (relative name, sha256) pairs, so it does not depend on times, order or
permissions. Everything is checked once a process before it is handed out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from whytune.errors import NotFoundError, StoreError, TamperedError
from whytune.records.record import canonical_json, digest, short
from whytune.store.failures import told
from whytune.store.files import aside, copy_hashed, file_digest, is_digest, placed, settle, settle_folder

RESTORE = "restore the .whytune folder from a backup, or run the step that wrote it again"


class Blobs:
    """The blobs and folders of one store."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[Path, tuple[tuple[str, int, int], ...]] = {}

    def put(self, source: Path | bytes) -> str:
        """Keep a file or some bytes; gives their sha256. On the disk when this returns."""
        with aside(self._root, "keep a file") as made:
            if isinstance(source, bytes):
                made.write_bytes(source)
                name = digest(source)
            else:
                name = copy_hashed(source, made)
            settle(made, self._blob(name))
        return name

    def path(self, name: str) -> Path:
        """The file of that digest, checked."""
        path = self._blob(name)
        with told("read a kept file", path):
            if not path.is_file():
                raise NotFoundError(
                    f"There is no file {short(name)} in the store", where=str(path), next=RESTORE
                )
            state = _state([path])
            if self._seen.get(path) != state and file_digest(path) != name:
                raise TamperedError(
                    f"The kept file {short(name)} is not what was written", where=str(path), next=RESTORE
                )
            self._seen[path] = state
        return path

    def put_folder(self, source: Path) -> str:
        """Keep a folder with everything below it; gives its digest. Links and special files are refused."""
        if not source.is_dir():
            raise NotFoundError(
                "There is no folder to keep", where=str(source), next="name an existing folder"
            )
        with told("read a folder", source):
            files, odd = _walk(source)
        if odd:
            raise StoreError(
                "The folder holds links or special files, which cannot be kept",
                where=str(source),
                next="replace them by the files they stand for",
                problems=odd,
            )
        with aside(self._root, "keep a folder") as made:
            made.mkdir()
            pairs = []
            for name in files:
                target = made / name
                target.parent.mkdir(parents=True, exist_ok=True)
                pairs.append((name, copy_hashed(source / name, target)))
                target.chmod(0o444)
            whole = _folder_digest(pairs)
            target = self._folder(whole)
            if not settle_folder(made, target):
                # It is kept already; better to hear now than later that the kept one was damaged.
                self.folder(whole)
        return whole

    def folder(self, name: str) -> Path:
        """The folder of that digest, checked: every file there is, and none beside them."""
        path = self._folder(name)
        with told("read a kept folder", path):
            if not path.is_dir():
                raise NotFoundError(
                    f"There is no folder {short(name)} in the store", where=str(path), next=RESTORE
                )
            files, odd = _walk(path)
            state = _state([path / file for file in files])
            if odd or self._seen.get(path) != state:
                if odd or _folder_digest([(file, file_digest(path / file)) for file in files]) != name:
                    raise TamperedError(
                        f"The kept folder {short(name)} is not what was written",
                        where=str(path),
                        next=RESTORE,
                    )
                self._seen[path] = state
        return path

    def check(self, name: str) -> None:
        """Read what is kept under that digest, file or folder, and recompute it. Raises TamperedError."""
        self._seen.clear()
        if self._blob(name).exists():
            self.path(name)
        else:
            self.folder(name)

    def digests(self) -> Iterator[str]:
        """Digests of all blobs and folders there are."""
        for kind in ("blobs", "folders"):
            yield from (path.name for path in (self._root / kind).glob("*/*"))

    def files(self) -> Iterator[tuple[str, Path]]:
        """(digest, path) of every kept file, those of kept folders under the folder's digest."""
        for kind in ("blobs", "folders"):
            for path in sorted((self._root / kind).glob("*/*")):
                yield from ((path.name, file) for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file())

    def _blob(self, name: str) -> Path:
        return placed(self._root / "blobs", _safe(name))

    def _folder(self, name: str) -> Path:
        return placed(self._root / "folders", _safe(name))


def _safe(name: str) -> str:
    if not is_digest(name):
        raise NotFoundError(f"{name!r} is not a digest", next="take the digest from the record that names it")
    return name


def _state(files: list[Path]) -> tuple[tuple[str, int, int], ...]:
    stats = [(str(file), file.stat()) for file in files]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _walk(folder: Path) -> tuple[list[str], list[str]]:
    """(relative names of the files, sorted; what is neither a file nor a folder). Links are not followed."""
    files: list[str] = []
    odd: list[str] = []
    waiting = [folder]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            name = Path(entry.path).relative_to(folder).as_posix()
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                files.append(name)
            else:
                odd.append(name)
    return sorted(files), sorted(odd)


def _folder_digest(pairs: list[tuple[str, str]]) -> str:
    return digest(canonical_json(sorted(pairs)))
