"""From bytes on a disk to characters: which encoding, is it text at all, and lines of bounded length.

One pass over the file takes its sha256 and decides the encoding; nothing is held but a chunk. A file that is UTF-8 but
for a few bytes is read as UTF-8 and only the rows that hold those bytes are unreadable; a file whose bytes are rather
those of a Western single-byte encoding is read as cp1252 or latin-1.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from whytune.errors import DataError

CHUNK = 1 << 20
LONGEST_LINE = 16 << 20
"""Characters. A longer line is not a row of a table of texts."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive (or an Excel or Word file)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"%PDF-", "a PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "zstandard"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"RIFF", "sound or video"),
    (b"ID3", "sound"),
    (b"OggS", "sound"),
    (b"GGUF", "a GGUF model"),
)
_BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ESCAPED = re.compile("[\udc80-\udcff]")
_CP1252_HOLES = re.compile(b"[\x81\x8d\x8f\x90\x9d]")
_CONTROL = re.compile(b"[\x01-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True)
class TextFile:
    """A file known to be text (or Parquet): what it is, and how to open it."""

    path: Path
    name: str
    sha256: str
    bytes: int
    encoding: str
    damaged: int = 0
    """Bytes that are not of the encoding; the rows that hold them are unreadable."""
    why: str = ""
    lines: int = 0
    """Ends of lines; 0 where they are not counted."""

    def open(self) -> io.TextIOWrapper:
        """Characters; a byte that is not of the encoding comes out as a lone surrogate (see `damage`)."""
        errors = "surrogateescape" if self.encoding in ("utf-8", "utf-8-sig") else "strict"
        return open(self.path, encoding=self.encoding, errors=errors, newline="")


def examine(path: Path, encoding: str = "", name: str = "") -> TextFile:
    """Reads the file once: digest, size, encoding. Raises DataError where there is nothing, or nothing like text."""
    shown = name or str(path)
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise DataError(f"{shown} is a folder, not a file of rows", next="name the files in it")
        with path.open("rb") as file:
            head = file.read(CHUNK)
            if not head:
                raise DataError(f"{shown} is empty", next="give a file with at least a header and some rows")
            _refuse_binary(head, shown, encoding)
            return _measure(path, shown, size, head, encoding)
    except OSError as error:
        raise DataError(
            f"{shown} cannot be read: {error.strerror or error}", next="check the path and its permissions"
        ) from error


def is_parquet(head: bytes) -> bool:
    """By its magic number."""
    return head[:4] == b"PAR1"


def _refuse_binary(head: bytes, shown: str, encoding: str) -> None:
    if is_parquet(head):
        return
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise DataError(
                f"{shown} is {what}, whatever its name says",
                next="export it as CSV, JSON lines or Parquet; archives and PDF can be given as documents",
            )
    if encoding or any(head.startswith(bom) for bom, _ in _BOMS) or _utf16_without_bom(head):
        return
    sample = head[: 1 << 16]
    if b"\0" in sample or len(_CONTROL.findall(sample)) > max(2, len(sample) // 100):
        raise DataError(f"{shown} is binary, not text", next="export it as CSV, JSON lines or Parquet")


def _utf16_without_bom(head: bytes) -> str:
    sample = head[: 1 << 14]
    if len(sample) < 8:
        return ""
    odd, even = sample[1::2].count(0) / (len(sample) // 2), sample[::2].count(0) / (len(sample) // 2)
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else ""


def _measure(path: Path, shown: str, size: int, head: bytes, encoding: str) -> TextFile:
    bom = next((name for mark, name in _BOMS if head.startswith(mark)), "")
    chosen = encoding or bom or ("binary" if is_parquet(head) else _utf16_without_bom(head))
    if encoding:
        try:
            codecs.lookup(encoding)
            "".encode(encoding)  # a codec such as base64 is known but makes no text
        except (LookupError, UnicodeError, ValueError) as error:
            raise DataError(
                f"There is no text encoding {encoding!r}", next="use utf-8, utf-16, cp1252 or leave it out"
            ) from error
    hasher = hashlib.sha256()
    strict = codecs.getincrementaldecoder(chosen)() if chosen not in ("", "binary", "utf-8-sig") else None
    loose = codecs.getincrementaldecoder("utf-8")("surrogateescape") if chosen in ("", "utf-8-sig") else None
    bad = good = ends = 0
    holes = False
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
            ends += chunk.count(b"\n")
            if strict is not None:
                _strict(strict, chunk, done, shown, chosen)
            elif loose is not None and not chunk.isascii():
                text = loose.decode(chunk)
                escaped = len(_ESCAPED.findall(text))
                bad += escaped
                good += (
                    sum(1 for character in text if character > "\x7f") - escaped if escaped or not good else 0
                )
                holes = holes or bool(_CP1252_HOLES.search(chunk))
            elif loose is not None:
                bad += len(_ESCAPED.findall(loose.decode(chunk)))
            done += len(chunk)
    if loose is not None:
        bad += len(_ESCAPED.findall(loose.decode(b"", True)))
    if strict is not None:
        _strict(strict, b"", done, shown, chosen)
    known = _choose(chosen, bad, good, holes)
    return TextFile(path, shown, hasher.hexdigest(), done, *known, lines=0 if known[0] == "binary" or known[0].startswith(("utf-16", "utf-32")) else ends)


def _choose(chosen: str, bad: int, good: int, holes: bool) -> tuple[str, int, str]:
    if chosen and chosen != "utf-8-sig":
        return chosen, 0, ""
    if chosen == "utf-8-sig":
        return chosen, bad, "begins with the UTF-8 mark"
    if not bad:
        return "utf-8", 0, "every byte is valid UTF-8"
    if good > bad:
        return "utf-8", bad, f"UTF-8 but for {bad:,} bytes; the rows that hold them are not read"
    western = "latin-1" if holes else "cp1252"
    return western, 0, f"not UTF-8; read as {western}, the commonest Western encoding"


def _strict(decoder: codecs.IncrementalDecoder, chunk: bytes, done: int, shown: str, encoding: str) -> None:
    """An empty chunk ends the file."""
    try:
        decoder.decode(chunk, not chunk)
    except UnicodeError as error:
        at = done + (error.start if isinstance(error, UnicodeDecodeError) else 0)
        raise DataError(
            f"{shown} is not {encoding}: {getattr(error, 'reason', error)} near byte {at:,}",
            next="leave the encoding out to have it found, or name another, such as cp1252",
            where=shown,
        ) from error


def damage(text: str) -> str:
    """Why this text cannot be used, or empty: it holds bytes of another encoding, or NUL characters."""
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii():
        found = _ESCAPED.search(text)
        if found:
            return f"holds a byte that is not of the file's encoding (0x{ord(found.group()) - 0xDC00:02x})"
    return ""


def lines(stream: io.TextIOBase) -> Iterator[tuple[int, str | None]]:
    """Lines with their number from 1, line ends kept; None for a line longer than LONGEST_LINE, which is skipped."""
    number = 0
    while True:
        line = stream.readline(LONGEST_LINE)
        if not line:
            return
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(("\n", "\r")):
            while len(rest := stream.readline(LONGEST_LINE)) == LONGEST_LINE and not rest.endswith(
                ("\n", "\r")
            ):
                pass
            yield number, None
        else:
            yield number, line


def decode(data: bytes, encoding: str = "") -> str:
    """Text of a small file that is held in memory. Raises DataError where it is none."""
    _refuse_binary(data, "the file", encoding)
    bom = next((name for mark, name in _BOMS if data.startswith(mark)), "")
    for candidate in filter(None, (encoding, bom, _utf16_without_bom(data), "utf-8", "cp1252")):
        try:
            return data.decode(candidate)
        except (UnicodeError, LookupError):
            continue
    return data.decode("latin-1")
