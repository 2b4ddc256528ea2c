"""`whytune data ...` as people type it: find, draft, create, accept, compare, approve; a killed synthesis; the cricket table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.living import environment, told, whytune
from tests.workspace.author_server import writing
from tests.workspace.desks import desk

CRICKET = Path(os.environ.get("WHYTUNE_CASES") or Path(__file__).parents[3] / "shared" / "cases") / "cricket"


@pytest.mark.slow
def test_from_a_table_to_an_approved_version(tmp_path: Path) -> None:
    room = desk(tmp_path).workspace.root
    table = tmp_path / "players.csv"
    table.write_text("Name,Team,Wickets\n" + "".join(f"Player {name},{team},{n * 3 + 1}\n" for n, (name, team) in enumerate((f"{a}{b}", c) for a in "ABCDE" for b, c in (("x", "Reds"), ("y", "Blues")))), "utf-8")
    seen = told("data", "find", str(tmp_path / "players.csv"), cwd=room)
    assert [(one["kind"], one["rows"]) for one in seen["files"]] == [("table", 10)]
    whytune("data", "draft", "--table", str(table), "-o", "t.toml", cwd=room)
    whytune("data", "draft", "--table", str(table), "-o", "t.toml", cwd=room, code=2)
    dry = told("data", "create", "desk", "--table", str(table), "--template", "t.toml", "--dry-run", cwd=room)
    assert dry["rows"] == 20
    made = told("data", "create", "desk", "--table", str(table), "--template", "t.toml", cwd=room)
    assert (made["count"], made["kind"]) == (20, "template")
    lines = Path(made["file"]).read_text("utf-8").splitlines()
    chosen = tmp_path / "chosen.jsonl"
    chosen.write_text("\n".join(lines[:15]), "utf-8")
    whytune("data", "accept", "desk", cwd=room, code=2)
    taken = told("data", "accept", "desk", "--rows", str(chosen), cwd=room)
    assert (taken["count"], taken["refused"], taken["solo"]) == (15, 5, True)
    whytune("data", "accept", "desk", made["id"], "--all", cwd=room, code=3)
    assert whytune("data", "check", "desk", cwd=room).stdout.startswith("  ")
    parted = told("data", "diff", "desk", "1", "2", cwd=room)
    assert sum(parted["counts"]["added"].values()) == 15
    assert "test" not in parted["counts"]["added"]
    assert "not independently approved" in whytune("data", "approve", "desk", cwd=room).stdout
    listed = told("data", "versions", "desk", cwd=room)["versions"]
    assert [(one["number"], one["state"]) for one in listed] == [(1, "draft"), (2, "approved")]
    assert "15 accepted by" in whytune("data", "proposals", "desk", cwd=room).stdout


@pytest.mark.slow
def test_a_synthesis_that_is_killed_loses_no_answer_it_was_given(tmp_path: Path) -> None:
    project = desk(tmp_path)
    room = project.workspace.root
    project.workspace.store.close()
    with writing(delay=0.25) as (url, does):
        command = ["data", "synthesize", "desk", "--endpoint", url, "--model", "tiny", "--per-passage", "1", "--limit", "8"]
        (project.folder / "whytune.toml").write_text((project.folder / "whytune.toml").read_text("utf-8").replace('base = "bundled"', 'base = "bundled"\nconcurrency = 1'), "utf-8")
        process = subprocess.Popen([sys.executable, "-m", "whytune", *command], cwd=room, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while len(does.requests) < 5 and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        before = len(does.requests)
        assert before >= 5
        does.delay = 0
        made = told(*command, cwd=room)
        again = len(does.requests) - before
    assert made["count"] == 8
    # Of what was answered before the kill, at most what waited to be handed over (half a second) is asked again.
    assert again <= 8 - (before - 4)
    rows = [json.loads(line) for line in Path(made["file"]).read_text("utf-8").splitlines()]
    assert len({row["input"] for row in rows}) == 8
    assert not [line for line in whytune("audit", "verify", cwd=room).stdout.splitlines() if "problem" in line]


@pytest.mark.slow
@pytest.mark.skipif(not CRICKET.is_dir(), reason="the cricket case is not there")
def test_the_cricket_table_gives_thousands_of_grounded_rows(tmp_path: Path) -> None:
    table = CRICKET / "IPL_Data.csv"
    whytune("init", "cricket", "--task", "qna", "--from", str(CRICKET / "ipl20rowsoutput.jsonl"), "--documents", str(table), "-y", cwd=tmp_path)
    whytune("data", "draft", "--table", str(table), "-o", "t.toml", cwd=tmp_path)
    (tmp_path / "t.toml").write_text((tmp_path / "t.toml").read_text("utf-8") + '\n[[template]]\nname = "of a team"\nask = ["Who plays for {Team}?"]\nanswer = "{Name} plays for {Team}."\n', "utf-8")
    made = told("data", "create", "cricket", "--table", str(table), "--template", "t.toml", cwd=tmp_path)
    assert made["count"] > 5_000
    assert made["left_out"]["test_document"] > 100
    assert any("ambiguous" in reason or "differently" in reason for reason in made["reasons"]), "a team has many players"
    rows = [json.loads(line) for line in Path(made["file"]).read_text("utf-8").splitlines()]
    assert all(span["quote"] in row["target"] for row in rows for span in row["spans"])
    told("data", "accept", "cricket", "--all", cwd=tmp_path)
    dataset = told("data", "show", "cricket", cwd=tmp_path)["dataset"]
    first = told("data", "versions", "cricket", cwd=tmp_path)["versions"][0]
    assert dataset["counts"]["test"] == first["counts"]["test"]
    assert dataset["counts"]["train"] > 4_000
    assert told("data", "check", "cricket", cwd=tmp_path)["passed"]
