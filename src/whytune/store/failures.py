"""What the disk and the database say, in words of the one error tree.

It decides nothing and retries nothing. Example: SQLite's `database or disk is full` and the system's ENOSPC both
become a StoreError that names the folder and says to free space and run the same command again.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from whytune.errors import LockedError, StoreError

AGAIN = "then run the same command again: what was acknowledged before is kept"
FULL = f"free some space (`whytune doctor` shows what the store takes), {AGAIN}"
READ_ONLY = "make the folder writable, or copy the .whytune folder to a place where it is and work there"
DAMAGED = "restore the .whytune folder from a backup; keep the damaged one, its packs and blobs are checked one by one"

_BY_ERRNO: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", FULL),
    errno.EDQUOT: ("the disk quota is used up", FULL),
    errno.EFBIG: ("the largest permitted file size is reached", FULL),
    errno.EROFS: ("the file system is read-only", READ_ONLY),
    errno.EACCES: ("this user may not do that there", READ_ONLY),
    errno.EPERM: ("this user may not do that there", READ_ONLY),
    errno.ENOTDIR: (
        "a file stands where a folder should be",
        "move that file away, or choose another folder",
    ),
    errno.EMFILE: ("too many files are open", f"raise the limit (`ulimit -n`), {AGAIN}"),
}
# SQLite's own words; the first that occurs in the message counts.
_BY_WORDS: tuple[tuple[str, str, str], ...] = (
    ("disk is full", "the disk is full", FULL),
    ("readonly", "the database cannot be written", READ_ONLY),
    ("read-only", "the database cannot be written", READ_ONLY),
    ("unable to open", "the database file cannot be opened", READ_ONLY),
    ("not a database", "the file is not a SQLite database", DAMAGED),
    ("malformed", "the database file is damaged", DAMAGED),
    ("disk i/o error", "the disk refused to read or write (it may be full)", FULL),
    ("append-only", "records and events are only ever added", "add a new record instead of changing one"),
)


def explain(error: BaseException, doing: str, where: Path | str) -> StoreError:
    """The StoreError for what went wrong while `doing` something to `where`."""
    root = getattr(error, "orig", None) or error
    if isinstance(root, OSError) and root.errno in _BY_ERRNO:
        why, next_step = _BY_ERRNO[root.errno]
        return StoreError(f"Could not {doing}: {why}", where=str(where), next=next_step)
    words = str(root).lower()
    if "locked" in words or "busy" in words:
        return LockedError(
            f"Could not {doing}: another process kept the database busy",
            where=str(where),
            next="wait until it is done (`whytune status` names it), " + AGAIN,
        )
    for sign, why, next_step in _BY_WORDS:
        if sign in words:
            return StoreError(f"Could not {doing}: {why}", where=str(where), next=next_step)
    reason = str(root) or type(root).__name__
    return StoreError(
        f"Could not {doing}: {reason}", where=str(where), next="run `whytune doctor` to check the store"
    )


@contextmanager
def told(doing: str, where: Path | str) -> Iterator[None]:
    """Failures of disk and database inside the block come out as StoreError."""
    try:
        yield
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise explain(error, doing, where) from error
