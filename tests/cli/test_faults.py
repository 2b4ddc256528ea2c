"""Kills, interrupts, two processes, a full disk, a folder that cannot be written: nothing acknowledged is lost, and the same command goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.living import change, environment, start, tickets, whytune
from tests.cli.test_whole_flow import answers, ledger, proven

import whytune as api
from whytune.records.candidate import Adapter, Candidate
from whytune.records.evidence import Trial

WATCHED = (
    "reading", "near-duplicates", "preparing the base model", "answering: Prompt", "answering: Few-shot", "loading the base model",
    "training", "proving the adapter", "answering: Tuned",
)  # fmt: skip
"""Phases in which the process is killed, as it names them itself."""


def launched(cwd: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "whytune", *arguments]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


def wait_for(process: subprocess.Popen[str], phase: str) -> bool:
    """Read on until the process names the phase; False where it ended before."""
    assert process.stderr is not None
    return any(line.startswith(phase) for line in process.stderr)


def outcome(room: Path) -> dict[str, Any]:
    """What a run comes to, without what a clock gives."""
    project = api.open(room).project("desk")
    trials = [(t.arm, t.split, t.primary.value, t.primary.n) for t in project.records(Trial)]
    # An adapter's record holds how long it trained, so the tuned candidate's id is another one: arms are compared by name.
    arms = {candidate.id: (candidate.arm, "" if candidate.adapter else candidate.id) for candidate in project.records(Candidate)}
    given = [(*arms.get(candidate, ("not chosen", candidate)), item) for candidate, item in answers(room)]
    return {
        "trials": sorted(trials), "adapters": [adapter.digest for adapter in project.records(Adapter)],
        "answers": sorted(given), "dataset": project.dataset.id, "verdict": project.decision.verdict.code if project.decision else "",
    }  # fmt: skip


def prepared(room: Path, model: Path) -> Path:
    room.mkdir(exist_ok=True)
    start(room, model, "--from", str(tickets(room / "rows.csv", 150)), "--bar", "0.3", epochs="3.0", checkpoints="3", batch_size="8")
    return room


@pytest.mark.deep
def test_killed_again_and_again_it_ends_where_an_undisturbed_run_ends(tiny_model: Path, tmp_path: Path) -> None:
    # One after the other in the same place: where a file lies is part of a row's origin, so of the dataset's hash.
    calm = prepared(tmp_path / "room", tiny_model)
    whytune("run", "desk", cwd=calm)
    calm = calm.rename(tmp_path / "calm")
    rough = prepared(tmp_path / "room", tiny_model)
    chance, kills, seen = random.Random(5), 0, set[tuple[str, str]]()
    for phase in WATCHED:
        process = launched(rough, "run", "desk")
        try:
            if wait_for(process, phase):
                time.sleep(chance.uniform(0, 0.4))
        finally:
            process.kill()
            process.communicate()
        kills += process.returncode == -signal.SIGKILL
        assert seen <= answers(rough), "an answer that was kept is lost"
        seen = answers(rough)
    assert kills >= 7, "most kills hit a process that was at work"
    whytune("run", "desk", cwd=rough)
    proven(rough)
    assert outcome(rough) == outcome(calm)
    assert [event["act"] for event in ledger(rough)] == [event["act"] for event in ledger(calm)]


@pytest.mark.deep
def test_an_interrupt_says_that_nothing_is_lost_and_how_to_go_on(tiny_model: Path, tmp_path: Path) -> None:
    room = prepared(tmp_path / "room", tiny_model)
    # Long enough that a busy machine does not end the training before the signal is sent.
    change(room / "desk", epochs="12.0")
    for phase in ("near-duplicates", "training"):
        process = launched(room, "run", "desk")
        assert wait_for(process, phase)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        # A shell says 130 to both: Python dies of the signal itself where it met it while running code from a string.
        assert process.returncode in (130, -signal.SIGINT), said
        assert "Traceback" not in said
        assert "run the same command again" in said
        assert said.count("run the same command again") == 1
    whytune("run", "desk", cwd=room)
    proven(room)


@pytest.mark.slow
def test_a_second_process_on_the_same_project_is_told_who_works_on_it(tiny_model: Path, tmp_path: Path) -> None:
    room = prepared(tmp_path / "room", tiny_model)
    first = launched(room, "run", "desk")
    try:
        assert wait_for(first, "preparing")
        done = whytune("run", "desk", cwd=room, code=1)
        assert "is being worked on by" in done.stderr
        assert "next: wait" in done.stderr
        # Reading needs no lock.
        whytune("status", "desk", cwd=room)
        whytune("audit", "verify", cwd=room)
    finally:
        first.kill()
        first.communicate()
    whytune("run", "desk", "--until", "triage", cwd=room)


def freed(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def may_mount(folder: Path) -> bool:
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    freed(folder)
    return True


@pytest.mark.slow
def test_a_report_into_a_folder_that_cannot_be_written(tiny_model: Path, tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    start(room, tiny_model, "--from", str(tickets(room / "rows.csv", 90)), use='["prompt"]')
    whytune("run", "desk", cwd=room)
    shut = tmp_path / "shut"
    if may_mount(shut):
        # The superuser may write where permissions say no, but not where the file system does.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", str(shut)], check=True)
    else:
        shut.chmod(0o500)
    try:
        if os.access(shut, os.W_OK):
            pytest.skip("this user writes everywhere and may not mount")
        done = whytune("report", "desk", "-o", str(shut / "report.html"), cwd=room, code=1)
        assert str(shut / "report.html") in done.stderr
        assert "next: " in done.stderr
        assert not list(shut.iterdir())
    finally:
        freed(shut)
        shut.chmod(0o700)
    whytune("report", "desk", "-o", str(shut / "report.html"), cwd=room)


@pytest.mark.deep
def test_a_full_disk_is_a_clear_error_and_the_run_goes_on_once_there_is_space(tiny_model: Path, tmp_path: Path) -> None:
    if not may_mount(tmp_path / "probe"):
        pytest.skip("only a user who may mount a small file system can fill one")
    room = tmp_path / "small"
    room.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(room)], check=True)
    try:
        prepared(room, tiny_model)
        for phase, space in (("data", 60_000), ("decide", 300_000)):
            block = room / "block"
            free = shutil.disk_usage(room).free
            block.write_bytes(b"\0" * max(0, free - space))
            done = whytune("run", "desk", "--until", phase, cwd=room, code=None)
            if done.returncode:
                assert done.returncode == 1, done.stderr
                assert "full" in done.stderr
                assert "next: " in done.stderr
            given = answers(room)
            block.unlink()
            whytune("run", "desk", "--until", phase, cwd=room)
            assert given <= answers(room)
        proven(room)
    finally:
        freed(room)
