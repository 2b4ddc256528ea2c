"""Turns of many short writers: threads line up, processes look again every moment, nobody starves.

SQLite lets a waiting writer sleep ever longer, up to a tenth of a second, and whoever comes just then goes first: with
fifty people some would wait for seconds. It guards nothing (the database guards itself): where the turn does not come
within a while, the writer goes on and the database decides.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from whytune.store.failures import told

PATIENCE = 10.0
LOOK_AGAIN = (0.0005, 0.003)
"""Seconds between two looks, drawn at random so that no process is always a little late."""


class Turns:
    """One file that whoever writes holds for a moment; it is free at once when its process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = threading.Lock()
        self._descriptor, self._process = -1, 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Be the one who writes now."""
        with self._line:
            descriptor = self._open()
            until = time.monotonic() + PATIENCE
            while not _free(descriptor) and time.monotonic() < until:
                time.sleep(random.uniform(*LOOK_AGAIN))
            try:
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the file back."""
        if self._descriptor >= 0 and self._process == os.getpid():
            os.close(self._descriptor)
        self._descriptor = -1

    def _open(self) -> int:
        # A forked process shares what its parent opened, lock and all: it needs a file of its own.
        if self._descriptor < 0 or self._process != os.getpid():
            with told("take a turn at writing", self._path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._process = os.getpid()
        return self._descriptor


def _free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
