"""One writer a project: a file lock that dies with its process and says who holds it.

The lock is the kernel's (flock), not the file's existence: after kill -9 it is free at once, and a file left behind
means nothing. It guards work that must not run twice at the same time; the database guards itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from whytune.errors import LockedError
from whytune.records.record import digest
from whytune.store.failures import told

_held: set[int] = set()


def _let_go_in_child() -> None:
    # A forked worker shares the lock; without this it would outlive the parent's death.
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


def lock_file(folder: Path, name: str) -> Path:
    """Where the lock of that name lives. Any name is safe: what a file name cannot hold is replaced and a hash added."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", name)[:60]
    return folder / (f"{plain}.lock" if plain == name else f"{plain}.{digest(name)[:12]}.lock")


@contextmanager
def locked(folder: Path, name: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of that name. Raises LockedError after `wait` seconds, naming the process that has it and since when."""
    path = lock_file(folder, name)
    with told(f"lock {name!r}", path):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, path, name, wait)
        _held.add(descriptor)
        with told(f"lock {name!r}", path):
            holder = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        if descriptor in _held:
            _held.discard(descriptor)
            os.ftruncate(descriptor, 0)
        os.close(descriptor)


def hold(folder: Path, name: str) -> int:
    """Take the lock of that name and give its descriptor, for handing it to a new process. Raises LockedError.

    The lock belongs to the open file: it is held until the last process that has it is gone, or lets it go.
    """
    path = lock_file(folder, name)
    with told(f"lock {name!r}", path):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, path, name, 0.0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def adopt(descriptor: int) -> None:
    """Own a lock that was handed over: processes started from here do not inherit it."""
    os.set_inheritable(descriptor, False)
    _held.add(descriptor)


def let_go(descriptor: int) -> None:
    """End a lock that `hold` took or `adopt` owns."""
    _held.discard(descriptor)
    os.close(descriptor)


def is_held(folder: Path, name: str) -> bool:
    """Whether some living process has the lock of that name. Asking takes nothing from anybody."""
    try:
        check_free(folder, name)
    except LockedError:
        return True
    return False


def check_free(folder: Path, name: str) -> None:
    """Raise LockedError, as `locked` would, where a living process has the lock of that name."""
    path = lock_file(folder, name)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        # Shared, so that two who ask at once do not take one another for the holder; whoever takes the lock in this
        # instant finds no holder named in the file, and tries again.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 1000, 0).decode("utf-8", "replace")
        raise LockedError(_who(name, holder), where=str(path), next=_what_now(holder)) from None
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, name: str, wait: float) -> None:
    until = time.monotonic() + wait
    tries = 0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(descriptor, 1000, 0).decode("utf-8", "replace")
            tries += 1
            # A holder that took the lock an instant ago has not written its name yet.
            if time.monotonic() < until or (not holder and tries < 20):
                time.sleep(0.02)
                continue
        raise LockedError(_who(name, holder), where=str(path), next=_what_now(holder))


def _read(holder: str) -> tuple[int, str]:
    try:
        content = json.loads(holder)
        return int(content["pid"]), str(content["since"])
    except (ValueError, KeyError, TypeError):
        return 0, ""


def _who(name: str, holder: str) -> str:
    pid, since = _read(holder)
    if pid == os.getpid():
        return f"This process ({pid}) is already working on {name!r}, since {since}"
    who = f"process {pid}, since {since}" if pid else "another process"
    return f"{name!r} is being worked on by {who}"


def _what_now(holder: str) -> str:
    pid, _ = _read(holder)
    if pid and pid != os.getpid():
        return f"wait until it is done, or stop it with `kill {pid}`; then run the same command again"
    return "wait until it is done, then run the same command again"
