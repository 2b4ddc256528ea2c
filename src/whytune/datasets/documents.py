"""Folders, archives and tables in, documents out: text, Markdown, HTML, PDF, Word, and one document a row.

A file that cannot be read becomes a Removal with its reason and the others go on. Order is by name, so that the same
folder gives the same documents on every machine.

Example: the row `Name=Kagiso Rabada, Type=Bowler` becomes a document titled `Kagiso Rabada` with the text
`Name: Kagiso Rabada.` and `Type: Bowler.` on two lines.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from whytune.datasets import archives, markup, office, rowdocuments
from whytune.datasets.encoding import decode
from whytune.datasets.spec import named
from whytune.errors import DataError
from whytune.jobs.progress import Progress, Silent
from whytune.records.data import Document, Origin, Removal, Source
from whytune.text import printable

TEXT_ENDINGS = (".txt", ".text", ".md", ".markdown", ".rst", ".log")
HTML_ENDINGS = (".html", ".htm", ".xhtml")
_READ = (*TEXT_ENDINGS, *HTML_ENDINGS, ".pdf", ".docx", *rowdocuments.ENDINGS)
MOST_BYTES = 256 << 20
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*\n", re.DOTALL)


@dataclass(frozen=True)
class DocumentSpec:
    """What is known about documents beforehand.

    access: the labels that readers of a top folder need, by its name (`{"hr": ("hr",)}`). title and text name columns
    of a table; guessed where empty.
    """

    owner: str = ""
    access: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    encoding: str = ""
    title: str = ""
    text: str = ""
    root: Path | None = None
    """See `ReadSpec.root`."""


@dataclass(frozen=True)
class Corpus:
    """Documents of several paths, what could not be read, and the files."""

    documents: list[Document]
    problems: list[Removal]
    sources: tuple[Source, ...]


def read_corpus(
    paths: Sequence[Path], spec: DocumentSpec | None = None, progress: Progress | None = None
) -> Corpus:
    """Every document of the paths, each once. Raises DataError where none comes out, or a path is not there."""
    progress = progress or Silent()
    missing = [f"{path} does not exist" for path in paths if not path.exists()]
    if missing or not paths:
        raise DataError(
            "The documents cannot be read",
            problems=missing or ["no path was named"],
            next="give files or folders that are there",
        )
    documents: dict[str, Document] = {}
    problems: list[Removal] = []
    counts: dict[tuple[str, str], list[int]] = {}
    progress.phase("reading documents", 0, "documents")
    for path in paths:
        for found in read_documents(path, spec):
            outer = found.origin.file.split("!/", 1)[0]
            count = counts.setdefault((outer, found.origin.source), [0, 0])
            if isinstance(found, Removal):
                problems.append(found)
                count[1] += 1
            elif found.id in documents:
                problems.append(
                    Removal(
                        reason="exact_duplicate", origin=found.origin, witness=found.id,
                        detail=f"the same as {documents[found.id].origin.file}",
                    )
                )  # fmt: skip
            else:
                documents[found.id] = found
                count[0] += 1
            progress.advance()
    if not documents:
        raise DataError(
            f"No document could be read from {', '.join(map(str, paths))}",
            problems=[f"{p.origin.file}: {p.detail}" for p in problems[:10]] or ["there are no files"],
            next=f"give files that end in {', '.join(_READ)} or an archive of them",
        )
    sources = tuple(
        Source(
            file=file, sha256=sha, bytes=_kept(file, spec).stat().st_size, format=Path(file).suffix.lstrip(".").lower() or "text",
            encoding="", rows=0, documents=made, unreadable=lost,
        )
        for (file, sha), (made, lost) in counts.items()
    )  # fmt: skip
    return Corpus(list(documents.values()), problems, sources)


def _kept(file: str, spec: DocumentSpec | None) -> Path:
    return spec.root / file if spec and spec.root else Path(file)


def read_documents(path: Path, spec: DocumentSpec | None = None) -> Iterator[Document | Removal]:
    """Documents of one file, folder or archive, in order of their names."""
    spec = spec or DocumentSpec()
    if path.is_dir():
        for file in _files(path):
            shown = PurePosixPath(file.relative_to(path).as_posix())
            top = shown.parts[0] if len(shown.parts) > 1 else ""
            if file.is_symlink() and not file.resolve().is_relative_to(path.resolve()):
                yield _removal(named(file, spec.root), "", "a symbolic link out of the folder")
                continue
            try:
                yield from _file(file, top, spec)
            except DataError as error:
                if "whytune[documents]" in error.next:
                    raise
                yield _removal(named(file, spec.root), "", " ".join((error.what, *error.problems)))
        return
    if not path.exists():
        raise DataError(f"{path} does not exist", next="give a file or folder that is there")
    yield from _file(path, "", spec)


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not archives.hidden(name))
        for name in sorted(names):
            if not archives.hidden(name):
                yield Path(where) / name


def _removal(file: str, sha: str, why: str) -> Removal:
    return Removal(reason="unreadable", origin=Origin(source=sha, file=file), detail=why)


def _file(path: Path, top: str, spec: DocumentSpec) -> Iterator[Document | Removal]:
    if path.suffix.lower() in rowdocuments.ENDINGS:
        for row in rowdocuments.row_documents(path, spec.title, spec.text, spec.encoding, named(path, spec.root)):
            if isinstance(row, Removal):
                yield row
            else:
                yield Document(
                    title=row.title,
                    text=row.text,
                    owner=spec.owner,
                    access=spec.access.get(top, ()),
                    origin=row.origin,
                )
        return
    sha = _sha(path)
    if archives.is_archive(path.name):
        for member in archives.members(path):
            shown = f"{named(path, spec.root)}!/{member.name}"
            if isinstance(member, archives.Skipped):
                yield _removal(shown, sha, member.why)
                continue
            parts = PurePosixPath(member.name).parts
            yield _document(
                member.name,
                member.data,
                Origin(source=sha, file=shown),
                parts[0] if len(parts) > 1 else "",
                spec,
            )
        return
    if path.stat().st_size > MOST_BYTES:
        yield _removal(named(path, spec.root), sha, f"larger than {MOST_BYTES >> 20} MiB")
        return
    yield _document(path.name, path.read_bytes(), Origin(source=sha, file=named(path, spec.root)), top, spec)


def _sha(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}", next="check its permissions"
        ) from error


def _document(name: str, data: bytes, origin: Origin, top: str, spec: DocumentSpec) -> Document | Removal:
    ending = PurePosixPath(name.lower()).suffix
    try:
        content = _content(ending, data, spec)
    except office.BrokenFile as broken:
        return Removal(reason="unreadable", origin=origin, detail=str(broken))
    except DataError as error:
        if "whytune[documents]" in error.next:
            raise
        return Removal(reason="unreadable", origin=origin, detail=error.what)
    if not content.text.strip():
        return Removal(reason="empty", origin=origin, detail="holds no text")
    return Document(
        title=printable(content.title) or PurePosixPath(name).stem,
        text=content.text,
        owner=spec.owner,
        access=spec.access.get(top, ()),
        page_starts=content.page_starts,
        origin=origin,
    )


def _content(ending: str, data: bytes, spec: DocumentSpec) -> office.Content:
    if ending == ".pdf" or data.startswith(b"%PDF-"):
        return office.pdf_content(data)
    if ending == ".docx":
        return office.word_content(data)
    if ending in HTML_ENDINGS:
        title, text = markup.html_text(_plain(decode(data, spec.encoding or markup.declared_encoding(data))))
        return office.Content(title or _heading(text), text)
    if ending in TEXT_ENDINGS or not ending:
        text = _plain(decode(data, spec.encoding))
        return _markdown(text) if ending in (".md", ".markdown") else office.Content("", text)
    raise office.BrokenFile(
        f"no reader for {ending} files"
        if ending not in rowdocuments.ENDINGS
        else "a table inside an archive: unpack it"
    )


def _plain(text: str) -> str:
    text = printable(text.lstrip("\ufeff")).replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "")


def _markdown(text: str) -> office.Content:
    """Markdown stays as it is; front matter leaves, but may name the title."""
    title = ""
    front = _FRONT_MATTER.match(text)
    if front:
        named = re.search(r"(?m)^title:\s*[\"']?(.+?)[\"']?\s*$", front.group(1))
        title = named.group(1) if named else ""
        text = text[front.end() :]
    return office.Content(title or _heading(text), text.strip("\n"))


def _heading(text: str) -> str:
    found = re.search(r"(?m)^#{1,2}\s+(.+?)\s*#*$", text)
    return found.group(1).strip() if found else ""
