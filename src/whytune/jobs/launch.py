"""Several processes that do one piece of work together, by torchrun: started, listened to, stopped, their end told.

It knows nothing of what they do: it runs a module with one argument and hands over each line that it prints. A signal to
this process is passed on, so that the others can save. Example:
`torchrun("whytune.workspace.worker", "job.json", 2, print).code` is 0 when all went well.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

_LAST_LINES = 8


@dataclass(frozen=True)
class Ended:
    """How the processes ended. signalled: this process was asked to stop; said: the last lines of their complaints."""

    code: int
    signalled: bool
    said: tuple[str, ...]


def torchrun(module: str, argument: str, processes: int, on_line: Callable[[str], None]) -> Ended:
    """Run `python -m module argument` so many times on this machine, as ranks of one group. Returns when all have ended."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
        "--max-restarts", "0", "-m", module, argument,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        # A session of its own: Ctrl-C at the terminal reaches this process alone, which passes it on once.
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True, env=environment, start_new_session=True
        )
        try:
            with _passed_on(running) as asked:
                assert running.stdout is not None
                for line in running.stdout:
                    on_line(line.rstrip("\n"))
                code = running.wait()
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
            if running.stdout is not None:
                running.stdout.close()
        complaints.seek(0)
        lines = [line.strip() for line in complaints.read().splitlines() if line.strip()]
    return Ended(code, asked.is_set(), tuple(lines[-_LAST_LINES:]))


@contextmanager
def _passed_on(running: subprocess.Popen[str]) -> Iterator[threading.Event]:
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # only the main thread may listen to signals
        return

    def heard(number: int, _: FrameType | None) -> None:
        again = asked.is_set()
        asked.set()
        if running.poll() is None:
            if again:
                os.killpg(running.pid, signal.SIGKILL)
            else:
                running.send_signal(signal.SIGTERM)

    before: dict[signal.Signals, Any] = {kind: signal.signal(kind, heard) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
