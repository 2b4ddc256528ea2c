"""The project lock: one process at a time, the other is named, death sets it free."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from whytune.errors import LockedError
from whytune.store.locks import lock_file, locked

HOLD = """
import sys, time
from pathlib import Path
from whytune.store.locks import locked
with locked(Path(sys.argv[1]), "p"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_refused_and_told_who_and_since_when(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError) as caught, locked(tmp_path, "p"):
            pass
        assert f"process {holder.pid}, since 20" in caught.value.what
        assert f"kill {holder.pid}" in caught.value.next
        with locked(tmp_path, "another"):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with locked(tmp_path, "p"):
        pass


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with locked(tmp_path, "p"), pytest.raises(LockedError, match="This process"), locked(tmp_path, "p"):
        pass
    with locked(tmp_path, "p"):
        pass


def test_an_error_inside_sets_it_free(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path, "p"):
        raise RuntimeError
    with locked(tmp_path, "p"):
        pass


def wait_forever() -> None:
    signal.pause()


def test_a_forked_worker_does_not_keep_it(tmp_path: Path) -> None:
    # pytest-xdist runs tests in a thread-free worker; fork is what data loaders do.
    with locked(tmp_path, "p"):
        child = multiprocessing.get_context("fork").Process(target=wait_forever)
        child.start()
    try:
        with locked(tmp_path, "p"):
            pass
    finally:
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()


@pytest.mark.parametrize("name", ["../../etc/x", "", "a/b", "a" * 500, "Süß", ".", "create"])
def test_any_name_is_a_file_below_the_folder(tmp_path: Path, name: str) -> None:
    assert lock_file(tmp_path, name).parent == tmp_path
    with locked(tmp_path, name):
        assert [path.parent for path in tmp_path.iterdir()] == [tmp_path]
    assert lock_file(tmp_path, name) != lock_file(tmp_path, name + "x")
