"""Runs whytune commands in this process and kills it, as SIGKILL does, just before the n-th time that it writes to the disk.

    python -m tests.killed_at FOLDER N erase person@example.org --reason "request 17"

What it watches is Python's own calls of the system and of SQLite, by `sys.setprofile`; the product knows nothing of it.
N = 0 kills nothing and prints how many writes there were.
"""

from __future__ import annotations

import os
import posix
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from tests.cli.living import environment

ROOT = Path(__file__).resolve().parents[1]
FILES = frozenset({"fsync", "replace", "rename", "unlink", "rmdir", "mkdir"})
"""Calls of the system."""
ROWS = frozenset({"commit", "executemany"})
"""Calls of SQLite."""
RAW = ("commits.py", "database.py")
"""Files of the store that speak SQL without SQLAlchemy: each of their statements counts."""


class Killer:
    """Counts writes; at the n-th the process is gone."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    def __call__(self, frame: FrameType, event: str, given: Any) -> None:
        if event != "c_call":
            return
        name, owner = getattr(given, "__name__", ""), getattr(given, "__self__", None)
        if (name in FILES and owner is posix) or name in ROWS or (name == "execute" and frame.f_code.co_filename.endswith(RAW)):
            self.seen += 1
            if self.seen == self.at:
                os.kill(os.getpid(), signal.SIGKILL)


def typed(at: int, words: list[str]) -> tuple[int, int]:
    """(exit code, writes) of one command."""
    from whytune.cli import app

    killer = Killer(at)
    sys.setprofile(killer)
    try:
        app.run(words)
    except SystemExit as left:
        return int(left.code or 0), killer.seen
    finally:
        sys.setprofile(None)
    return 0, killer.seen


def killed(folder: Path, at: int, *words: str, **more: str) -> tuple[int, int]:
    """(exit code, writes) of the command in a process of its own; -9 and 0 where it was killed."""
    command = [sys.executable, "-m", "tests.killed_at", str(folder), str(at), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment(**more))
    assert "Traceback" not in done.stderr, done.stderr
    counted = re.findall(r"^writes (\d+)$", done.stdout, re.MULTILINE)
    return done.returncode, int(counted[-1]) if counted else 0


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    code, writes = typed(int(sys.argv[2]), sys.argv[3:])
    print(f"writes {writes}")
    sys.exit(code)
