"""Files inside zip and tar archives, read in memory and never unpacked to disk.

Nothing is believed that an archive says of itself: what comes out is counted while it comes out. Names that leave the
archive, links, devices, encrypted files and archives within archives are skipped with their reason.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from whytune.errors import DataError

MOST_FILES = 20_000
MOST_BYTES = 1 << 30
"""All files of an archive together, unpacked."""
MOST_BYTES_OF_A_FILE = 64 << 20
MOST_RATIO = 200
"""Unpacked to packed; text reaches 20, and a file of blanks 1,000."""
_RATIO_COUNTS_FROM = 8 << 20
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_NESTED = (*ENDINGS, ".gz", ".bz2", ".xz", ".7z", ".rar", ".jar")


class Member(NamedTuple):
    """A file of an archive."""

    name: str
    data: bytes


class Skipped(NamedTuple):
    """A file that is not read, and why."""

    name: str
    why: str


def is_archive(name: str) -> bool:
    """By its ending."""
    return name.lower().endswith(ENDINGS)


def members(path: Path) -> Iterator[Member | Skipped]:
    """The files of an archive. Raises DataError for one that is broken, or would burst what memory is for."""
    try:
        yield from _zip(path) if path.name.lower().endswith(".zip") else _tar(path)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        EOFError,
        lzma.LZMAError,
        RuntimeError,
    ) as error:
        raise DataError(f"{path} is not a whole archive: {error}", next="pack or copy it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}", next="pack or copy it again") from error
    except ValueError as error:  # zipfile raises it for offsets and names that cannot be
        raise DataError(f"{path} is not a whole archive: {error}", next="pack or copy it again") from error


def _too_much(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} is refused: {what}",
        next="unpack what is needed yourself and name the folder",
        where="archive limits",
    )


def _why_not(name: str) -> str:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or ":" in (pure.parts[0] if pure.parts else ""):
        return "its name leaves the archive"
    if name.lower().endswith(_NESTED):
        return "an archive within an archive"
    return ""


def hidden(name: str) -> bool:
    """Files of the operating system and of editors, which nobody means."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(
        (part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts
    ) or (bool(parts) and parts[-1] in ("Thumbs.db", "desktop.ini"))


def _zip(path: Path) -> Iterator[Member | Skipped]:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and not hidden(info.filename)]
        if len(infos) > MOST_FILES:
            raise _too_much(path, f"it holds {len(infos):,} files; at most {MOST_FILES:,} are read")
        declared = sum(info.file_size for info in infos)
        if declared > MOST_BYTES:
            raise _too_much(
                path, f"it unpacks to {declared / 2**30:.1f} GiB; at most {MOST_BYTES >> 30} GiB are read"
            )
        packed = path.stat().st_size
        if declared > _RATIO_COUNTS_FROM and declared > MOST_RATIO * max(packed, 1):
            raise _too_much(
                path, f"it unpacks to {declared // max(packed, 1):,} times its size, as a zip bomb does"
            )
        total = 0
        for info in sorted(infos, key=lambda info: info.filename):
            why = _why_not(info.filename)
            if (info.external_attr >> 16) & 0o170000 == 0o120000:
                why = "a symbolic link"
            elif info.flag_bits & 1:
                why = why or "encrypted"
            elif info.file_size > MOST_BYTES_OF_A_FILE:
                why = why or f"larger than {MOST_BYTES_OF_A_FILE >> 20} MiB"
            if why:
                yield Skipped(info.filename, why)
                continue
            try:
                with archive.open(info) as file:
                    data = file.read(min(MOST_BYTES_OF_A_FILE, info.file_size) + 1)
            except (
                zipfile.BadZipFile,
                EOFError,
                RuntimeError,
                OSError,
                ValueError,
            ) as error:
                yield Skipped(info.filename, f"broken inside the archive: {error}")
                continue
            except Exception as error:
                if type(error).__module__ != "zlib":
                    raise
                yield Skipped(info.filename, f"broken inside the archive: {error}")
                continue
            total += len(data)
            if len(data) > info.file_size or total > MOST_BYTES:
                raise _too_much(path, "more comes out of it than it says")
            yield Member(info.filename, data)


class _Counted(io.RawIOBase):
    """What comes out of a packed stream; refuses when it is too much, whoever asks for it."""

    def __init__(self, inner: io.BufferedIOBase, path: Path) -> None:
        self._inner, self._path, self._total = inner, path, 0
        self._packed = path.stat().st_size

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes."""
        if size < 0 or size > 2 * MOST_BYTES_OF_A_FILE:
            raise _too_much(self._path, "one of its files is too large")
        data = self._inner.read(size)
        self._total += len(data)
        if self._total > MOST_BYTES:
            raise _too_much(self._path, f"it unpacks to more than {MOST_BYTES >> 30} GiB")
        if self._total > _RATIO_COUNTS_FROM and self._total > MOST_RATIO * max(self._packed, 1):
            raise _too_much(
                self._path, f"it unpacks to more than {MOST_RATIO} times its size, as a zip bomb does"
            )
        return data


def _unpacked(path: Path) -> io.BufferedIOBase:
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if head.startswith(b"BZh"):
        return bz2.open(path)
    if head.startswith(b"\xfd7zXZ\x00"):
        return lzma.open(path)
    return path.open("rb")


def _tar(path: Path) -> Iterator[Member | Skipped]:
    with _unpacked(path) as raw, tarfile.open(fileobj=_Counted(raw, path), mode="r|") as archive:
        count = 0
        for info in archive:
            if info.isdir() or hidden(info.name):
                continue
            count += 1
            if count > MOST_FILES:
                raise _too_much(path, f"it holds more than {MOST_FILES:,} files")
            why = _why_not(info.name)
            if info.issym() or info.islnk():
                why = "a link"
            elif not info.isfile():
                why = "not a file"
            elif info.size > MOST_BYTES_OF_A_FILE:
                why = why or f"larger than {MOST_BYTES_OF_A_FILE >> 20} MiB"
            file = None if why else archive.extractfile(info)
            if file is None:
                yield Skipped(info.name, why or "not a file")
            else:
                yield Member(info.name, file.read())
