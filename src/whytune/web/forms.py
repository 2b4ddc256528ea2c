"""What a browser's form brings: its fields as text, its files on the disk, both within limits.

Nothing is believed here: a field becomes a number or a list only when the function behind the form asks for one, and a
file's name is only a name. Example: `from_form({"sample": "30"}, "sample", int)` is 30.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from whytune.errors import TooLargeError, UsageError
from whytune.text import printable, unkeepable

MOST_FIELDS, MOST_FILES = 2_000, 50
LARGEST_FIELD = 2_000_000
LARGEST_FORM = 4_000_000
"""Bytes of a form without files."""
LARGEST_UPLOAD = 1_000_000_000
"""Bytes of a form with files."""
DRAINED = 250_000_000
"""Bytes beyond the limit that are still listened to, and let go: a browser shows no answer that comes while it is sending."""
TOO_MUCH = {"Too many files": f"{MOST_FILES} files", "Too many fields": f"{MOST_FIELDS:,} fields", "exceeded maximum size": f"{LARGEST_FIELD:,} bytes in one field"}
"""Which of our limits the reader of forms has met, by the words that it says."""
BACK = "Go back: what you typed is still there"
SECRET = re.compile(r"password|^old$|^again$")
"""Names of fields that are never shown again, whatever went wrong."""
KEPT_FIELD = "_kept"
"""Ids of files that were kept when the form was refused, parted by blanks."""
OWN = ("_csrf", "_once", KEPT_FIELD)
"""Fields that belong to the form itself."""


@dataclass(frozen=True)
class UploadedFile:
    """A file that was sent. name as the browser gave it, without folders; path on this disk until the request is over; size in bytes; digest is the sha256 of what is in it."""

    name: str
    path: Path
    size: int
    digest: str


@dataclass(frozen=True)
class Unreadable:
    """A field that is not what was asked for, and why."""

    why: str


@dataclass
class SentForm:
    """A form: fields (the last value of a name, or all of them as a list where it came more than once), files, and the form's own fields."""

    fields: dict[str, str | list[str]] = field(default_factory=dict)
    files: dict[str, UploadedFile] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)


def field_of(key: str) -> str:
    """The field of the form that a file came in, whatever its number."""
    return key.partition(".")[0]


def from_form(body: Mapping[str, Any], key: str, kind: type) -> Any:
    """The field as this kind; None where it is missing or left empty, Unreadable where it is something else."""
    if kind is dict:
        found = {name.partition(".")[2]: value for name, value in body.items() if name.startswith(f"{key}.")}
        return found or None
    value = body.get(key)
    if kind is list:
        if value is None:
            return None
        lines = value if isinstance(value, list) else value.splitlines()
        return [line.strip() for line in lines if line.strip()]
    if isinstance(value, list):
        value = value[-1]
    if kind is bool:
        return value in ("on", "true", "yes", "1")
    if value is None or kind is str:
        return value
    if not value.strip():
        return None
    try:
        read = kind(value.strip().replace(",", ".") if kind is float else value.strip())
    except ValueError:
        read = None
    if read is None or unkeepable(read):
        return Unreadable(f"must be a {'whole number' if kind is int else 'number'}, not {value[:40]!r}")
    return read


@asynccontextmanager
async def sent(request: Request, most: int = LARGEST_UPLOAD) -> AsyncIterator[SentForm]:
    """The form of a request; its files live while the block does. Raises TooLargeError for one that is too large (`most` with files), UsageError for a broken one."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise UsageError("This address takes a form", next="send it from the page, or use the same address under /api/v1 with JSON")
    limited = Request(request.scope, _limited(request, most if kind == "multipart/form-data" else LARGEST_FORM))
    folder = Path(tempfile.mkdtemp(prefix="whytune-form-"))
    try:
        try:
            read = await limited.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=LARGEST_FIELD)
        except HTTPException as error:
            for sign, limit in TOO_MUCH.items():
                if sign in error.detail:
                    raise TooLargeError(f"The form holds more than {limit}", next=f"send less at once. {BACK}") from error
            raise UsageError("What was sent cannot be read as a form", next=f"send it again from the page. {BACK}") from error
        found = SentForm()
        for name, value in read.multi_items():
            if isinstance(value, UploadFile):
                if value.filename:
                    found.files[free_name(name, found.files)] = await _kept(value, folder, len(found.files))
            elif name in OWN:
                found.own[name] = value
            else:
                # Browsers end lines of a text field with CR LF, whatever was typed. Some charsets spell half a letter.
                _add(found.fields, printable(name), printable(value.replace("\r\n", "\n")))
        await read.close()
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _add(fields: dict[str, str | list[str]], name: str, value: str) -> None:
    known = fields.get(name)
    if known is None:
        fields[name] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        fields[name] = [known, value]


def free_name(name: str, files: Mapping[str, UploadedFile]) -> str:
    """Several files of one field are `upload`, `upload.1`, `upload.2`."""
    number = sum(one == name or one.startswith(f"{name}.") for one in files)
    return f"{name}.{number}" if number else name


async def _kept(file: UploadFile, folder: Path, number: int) -> UploadedFile:
    path, size, seen = folder / str(number), 0, sha256()
    with path.open("wb") as out:
        while part := await file.read(1 << 20):
            out.write(part)
            seen.update(part)
            size += len(part)
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    return UploadedFile("".join(letter for letter in name if letter.isprintable())[:200] or "file", path, size, seen.hexdigest())


def _limited(request: Request, most: int) -> Any:
    """The request's stream, that ends in an error where it brings more than `most` bytes."""
    seen = 0

    async def receive() -> Message:
        nonlocal seen
        message = await request.receive()
        seen += len(message.get("body", b""))
        if seen <= most:
            return message
        while message.get("more_body") and seen <= most + DRAINED:
            message = await request.receive()
            seen += len(message.get("body", b""))
        raise TooLargeError(f"What was sent has more than {most:,} bytes", next=f"send less at once. {BACK}. A larger file is put beside the project and named at the terminal: whytune init NAME --from FILE")

    return receive
