"""Long work gives way, and what it starts with it."""

from __future__ import annotations

import subprocess
import sys

from whytune.jobs.precedence import AUTOGROUP, GENTLE

WORK = """
import os, subprocess, sys
from whytune.jobs.precedence import give_way
before = os.nice(0)
give_way()
inner = subprocess.run([sys.executable, "-c", "import os; print(os.nice(0))"], capture_output=True, text=True)
print(before, os.nice(0), inner.stdout)
"""


def test_a_process_gives_way_with_all_that_it_starts() -> None:
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True, start_new_session=True)
    before, own, inner = map(int, done.stdout.split())
    assert own == inner == min(19, before + GENTLE)


def test_its_session_gives_way_too_where_sessions_share_the_processor() -> None:
    work = f"from whytune.jobs.precedence import give_way; give_way(); print(open({str(AUTOGROUP)!r}).read())"
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=False, start_new_session=True)
    # Where the kernel knows no such sessions there is nothing to read, and nothing went wrong before.
    assert f"nice {GENTLE}" in done.stdout if AUTOGROUP.exists() else "FileNotFoundError" in done.stderr
