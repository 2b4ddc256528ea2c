"""The command line as a user meets it, in a process of its own: from a file to a checked dataset, without a model."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

WORDS = ["card", "loan", "rate", "door", "lamp", "rain", "fish", "gold", "moon", "salt", "tree", "wind", "book", "snow"]


def whytune(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "whytune", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    lines = ["text,category"]
    for number in range(120):
        some = [WORDS[(number * k + k * k) % 14] for k in (1, 3, 5, 9)]
        lines.append(f"the {' '.join(some)} number {number} is {'late' if number % 2 else 'lost'},{'delay' if number % 2 else 'loss'}")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines), "utf-8")
    return path


@pytest.mark.slow
def test_from_a_file_to_a_checked_dataset(rows: Path, tmp_path: Path) -> None:
    done = whytune("init", "support", "--task", "categorization", "--from", "rows.csv", "--bar", "0.75", cwd=tmp_path)
    assert "input = text, target = category" in done.stdout
    assert done.stdout.rstrip().endswith("next: whytune run support")
    shown = json.loads(whytune("data", "show", "support", "--json", cwd=tmp_path).stdout)
    assert shown["schema"] == "whytune.dataset/1"
    counts, removed = shown["dataset"]["counts"], shown["dataset"]["removed"]
    assert sum(counts.values()) + sum(removed.values()) == 120
    assert len(shown["removals"]) == sum(removed.values())
    assert all(split != "test" for split, _ in shown["rows"])
    findings = json.loads(whytune("data", "check", "support", "--json", cwd=tmp_path).stdout)
    assert findings["passed"]
    status = json.loads(whytune("status", "--json", cwd=tmp_path).stdout)["projects"][0]
    assert [step["state"] for step in status["steps"][:4]] == ["done", "done", "done", "ready"]
    assert whytune("audit", "verify", cwd=tmp_path).stdout.startswith("4 events")


@pytest.mark.slow
def test_the_same_data_makes_no_second_version_and_changed_data_keeps_its_test_rows(rows: Path, tmp_path: Path) -> None:
    whytune("init", "support", "--task", "categorization", "--from", "rows.csv", cwd=tmp_path)
    first = json.loads(whytune("data", "show", "support", "--json", cwd=tmp_path).stdout)
    assert json.loads(whytune("data", "show", "support", "--json", cwd=tmp_path).stdout)["id"] == first["id"]
    with rows.open("a", encoding="utf-8") as file:
        file.write("\nmy parcel is somewhere between two towns,loss\nnobody has come to the gate today,delay\n")
    second = json.loads(whytune("data", "show", "support", "--json", cwd=tmp_path).stdout)
    assert second["dataset"]["number"] == 2
    assert second["dataset"]["parent"] == first["id"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["init", "x", "--task", "poetry", "--from", "rows.csv"], 5, "There is no task named 'poetry'"),
        (["init", "x", "--task", "categorization", "--from", "none.csv"], 1, "does not exist"),
        (["init", "x", "--task", "categorization", "--from", "rows.csv", "--input", "txt"], 1, "text"),
        (["init", "x", "--task", "categorization", "--from", "rows.csv", "--bar", "75"], 2, "acceptance.bar = 75"),
        (["init", "x", "--task", "categorization", "--from", "rows.csv", "--metric", "bleu"], 2, "not scored for categorization"),
        (["init"], 2, "Missing argument"),
        (["run", "nothing"], 5, "There is no workspace"),
        (["explain", "inconclusve"], 5, "inconclusive"),
        (["no-such-command"], 2, "No such command"),
    ],
)  # fmt: skip
def test_bad_input_is_a_clear_error(rows: Path, tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    done = whytune(*arguments, cwd=tmp_path, code=code)
    assert words in done.stderr
    assert not (tmp_path / "x").exists(), "nothing is written for a project that cannot be started"


def test_errors_are_machine_readable_where_asked(tmp_path: Path) -> None:
    told = json.loads(whytune("status", "--json", cwd=tmp_path, code=5).stdout)
    assert told["schema"] == "whytune.error/1"
    assert told["code"] == "not-found"
    assert told["next"]


@pytest.mark.slow
def test_a_tampered_ledger_is_noticed(rows: Path, tmp_path: Path) -> None:
    import sqlite3

    whytune("init", "support", "--task", "categorization", "--from", "rows.csv", cwd=tmp_path)
    whytune("data", "show", "support", cwd=tmp_path)
    with sqlite3.connect(tmp_path / ".whytune" / "store.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        table = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%event%'").fetchone()[0]
        database.execute(f"DELETE FROM {table} WHERE rowid = 2")
    assert "not what was written" in whytune("audit", "verify", cwd=tmp_path, code=1).stderr


def test_dry_run_writes_nothing(rows: Path, tmp_path: Path) -> None:
    whytune("init", "support", "--task", "categorization", "--from", "rows.csv", "--dry-run", cwd=tmp_path)
    assert not (tmp_path / "support").exists()
    assert not (tmp_path / ".whytune").exists()


@pytest.mark.slow
def test_two_processes_on_one_project(rows: Path, tmp_path: Path) -> None:
    whytune("init", "support", "--task", "categorization", "--from", "rows.csv", cwd=tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", "import whytune, time\np = whytune.open().project('support')\nwith p.workspace.store.lock(p.key):\n    print('held', flush=True)\n    time.sleep(60)"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        done = whytune("data", "show", "support", cwd=tmp_path, code=1)
        assert str(holder.pid) in done.stderr
    finally:
        holder.kill()
        holder.communicate()
    whytune("data", "show", "support", cwd=tmp_path)


def test_triage_is_asked_for_at_a_terminal(rows: Path, tmp_path: Path) -> None:
    """Six questions; what is no answer is asked again; Enter leaves one open, and what was given as a flag is not asked."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "whytune", "init", "support", "--task", "categorization", "--from", "rows.csv", "--triage", "no_egress=yes"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=there, stdout=there, stderr=there) as process:
        os.close(there)
        os.write(here, b"perhaps\nn\n\ny\n\n\n")
        said = b""
        while True:
            try:
                said += os.read(here, 4096)
            except OSError:  # the other end is closed
                break
        assert process.wait(60) == 0, said.decode()
    os.close(here)
    assert said.count(b"not known yet") == 6, said.decode()  # five questions, one asked twice
    known = tomllib.loads((tmp_path / "support" / "whytune.toml").read_text("utf-8"))["circumstances"]
    assert known == {"no_egress": True, "citations": False, "per_user_rights": True}


def test_triage_answers_that_cannot_be_read_are_told_at_once(rows: Path, tmp_path: Path) -> None:
    done = whytune("init", "support", "--task", "categorization", "--from", "rows.csv", "--triage", "egress=yes", "--triage", "citations=maybe", cwd=tmp_path, code=2)
    assert "'egress=yes': no question is named 'egress'" in done.stderr
    assert "'citations=maybe': answer yes or no" in done.stderr
    assert not (tmp_path / "support").exists()
