"""A file appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from whytune.errors import StoreError


def write_whole(path: Path, text: str) -> None:
    """Write to a file beside it, flush to disk, then take its name. Raises StoreError where that cannot be."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be removed
            beside.unlink(missing_ok=True)
        raise StoreError(f"Cannot write {path}: {error.strerror}", where=str(path.resolve()), next="free some space or choose another place with -o") from error
