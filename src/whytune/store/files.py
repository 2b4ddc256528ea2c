"""Files that are there whole or not at all: written aside, flushed to the disk, then renamed.

Nothing else in the store writes a file. What a killed process leaves aside lies in `temporary/` and is swept a day later.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from whytune.store.failures import told

CHUNK = 1 << 20
TEMPORARY = "temporary"
STALE_SECONDS = 86_400.0


def placed(folder: Path, digest: str, suffix: str = "") -> Path:
    """Where content of that digest lives below a folder: `ab/abcdef...`, so that no folder grows without end."""
    return folder / digest[:2] / (digest + suffix)


def is_digest(text: str) -> bool:
    """Whether that is a sha256 in hexadecimal, and so safe as a file name."""
    return len(text) == 64 and all(sign in "0123456789abcdef" for sign in text)


@contextmanager
def aside(root: Path, doing: str) -> Iterator[Path]:
    """A path below `temporary/` for a file or folder in the making; whatever still stands there afterwards is removed."""
    path = root / TEMPORARY / f"{os.getpid()}-{uuid.uuid4().hex}"
    with told(doing, root):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield path
        finally:
            remove(path)


def settle(made: Path, target: Path) -> None:
    """Give a finished file its place: flushed first, so that a name never stands for half a file."""
    made.chmod(0o444)
    flush(made)
    target.parent.mkdir(parents=True, exist_ok=True)
    made.replace(target)
    flush(target.parent)


def settle_folder(made: Path, target: Path) -> bool:
    """Give a finished folder its place in one rename; False where one stands there already."""
    for file in sorted(made.rglob("*")):
        flush(file)
    flush(made)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        made.rename(target)
    except OSError:
        if target.is_dir():
            return False
        raise
    flush(target.parent)
    return True


def flush(path: Path) -> None:
    """Bytes and names of a file or folder are on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_hashed(source: Path, target: Path) -> str:
    """Copy a file and give the sha256 of what was copied."""
    hashed = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK):
            hashed.update(chunk)
            writer.write(chunk)
    return hashed.hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


def remove(path: Path) -> None:
    """Remove a file or a folder with all below it; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep_dead(root: Path) -> None:
    """Remove what processes that are gone left aside, however young it is: its name says whose it was."""
    for path in (root / TEMPORARY).glob("*-*"):
        process = path.name.partition("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            remove(path)


def sweep(root: Path) -> None:
    """Remove what killed processes left aside more than a day ago; younger things may still be in the making."""
    before = time.time() - STALE_SECONDS
    for path in (root / TEMPORARY).glob("*"):
        try:
            old = path.stat().st_mtime < before
        except FileNotFoundError:
            continue
        if old:
            remove(path)
