"""`whytune audit`, `erase` and `leaderboard` as they are typed, in this process: what they say, as words and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.cli.living import start, tickets
from tests.cli.living import told as said
from tests.cli.living import whytune as typed
from tests.store.test_records import tamper

from whytune.cli import app as cli

WHO = "zoe.quill@example.org"
Type = Callable[..., str]


@pytest.fixture(scope="module")
def built() -> Any:
    """The commands, put together once: for each call anew it takes longer than what they do."""
    return typer.main.get_command(cli.app)


@pytest.fixture
def whytune(built: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Type:
    """The command in a project of 60 rows, two of which speak of her; gives what it says."""
    lines = ["text,category"]
    for number in range(60):
        who = f" {WHO}" if number in (4, 40) else ""
        lines.append(f"{number * 7919:x} {number * 104729:x} {number * 1299709:x}{who},{'ab'[number % 2]}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    monkeypatch.setattr(cli, "app", built)
    monkeypatch.chdir(tmp_path)
    for name in ("WHYTUNE_HOME", "WHYTUNE_PERSON", "WHYTUNE_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def typed(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.run(list(words))
        told = capsys.readouterr()
        assert left.value.code == code, told.out + told.err
        return told.out + (told.err if code else "")

    typed("init", "desk", "--task", "categorization", "--from", "rows.csv", "--yes")
    typed("data", "show", "desk")
    return typed


def told(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_checkpoints_on_the_command_line(whytune: Type, tmp_path: Path) -> None:
    anchor = str(tmp_path / "anchor.jsonl")
    assert "next: whytune audit checkpoint --anchor FILE" in whytune("audit", "verify")
    assert "public key" in whytune("audit", "checkpoint", "--anchor", anchor)
    made = told(whytune("audit", "checkpoint", "--anchor", anchor, "--json"))["checkpoint"]
    found = told(whytune("audit", "verify", "--anchor", anchor, "--key", made["public_key"], "--deep", "--json"))
    assert (found["problems"], found["checkpoints"], found["anchored"], found["unanchored"]) == ([], 2, made["number"], 1)
    assert "rest on the chain alone" in whytune("audit", "verify", "--anchor", anchor)
    assert f"wrote {found['events']} events" in whytune("audit", "export", "-o", "events.jsonl")
    assert len(Path("events.jsonl").read_text().splitlines()) == found["events"]
    assert "ledger.checkpointed" in whytune("audit", "log")
    tamper(tmp_path / ".whytune", f"DELETE FROM events WHERE number >= {made['number']}")
    assert "cut off" in whytune("audit", "verify", "--anchor", anchor, code=1)
    assert "is not signed" in whytune("audit", "checkpoint", "--anchor", anchor, code=1)


def test_an_erasure_on_the_command_line(whytune: Type) -> None:
    assert "nothing was erased" in whytune("erase", "--list")
    assert "Who or what" in whytune("erase", code=2)
    looked = whytune("erase", WHO, "--dry-run")
    assert "2 rows" in looked
    assert "rows.csv: speaks of it, and is yours to clean" in looked
    assert told(whytune("erase", WHO, "--dry-run", "--json"))["packs"]
    assert "reason is needed" in whytune("erase", WHO, code=2)
    done = whytune("erase", WHO, "--reason", "request 17")
    assert "2 rows" in done
    assert "versions: dataset:" in done
    assert WHO not in whytune("erase", "--list", "--json")
    assert "request 17" in whytune("erase", "--list")
    assert "Nothing that is kept" in whytune("erase", WHO, "--reason", "request 17", code=5)
    assert "every hash fits" in whytune("audit", "verify", "--deep")
    shown = whytune("data", "show", "desk", "--removed")
    assert "desk v2" in shown
    assert "erased 2" in shown


def test_a_board_without_trials(whytune: Type) -> None:
    assert "nothing is measured on test yet" in whytune("leaderboard", "desk")
    assert told(whytune("leaderboard", "--json"))["boards"] == []
    assert "no board" in whytune("leaderboard", "desk", "--split", "train", code=2)
    assert "whytune run desk" in whytune("retrieval", "desk", code=5)
    whytune("leaderboard", "desk", "-o", "board.html")
    assert "<h1>Leaderboard</h1>" in Path("board.html").read_text("utf-8")


@pytest.mark.deep
def test_a_project_goes_on_after_an_erasure(tiny_model: Path, tmp_path: Path) -> None:
    """Walked to a verdict, a person erased, walked again: a new version, a new adapter, a new decision; all of it proven."""
    rows = tickets(tmp_path / "rows.csv", 90)
    text = rows.read_text("utf-8").splitlines()
    rows.write_text("\n".join(f"{line.split(' about')[0]} {WHO} about{line.split(' about')[1]}" if at in (5, 20, 33, 61) else line for at, line in enumerate(text)) + "\n", "utf-8")
    start(tmp_path, tiny_model, "--from", str(rows), "--bar", "0.01", quick=True, use='["prompt", "tuned"]')
    typed("run", "desk", cwd=tmp_path)
    anchor = str(tmp_path / "anchor.jsonl")
    typed("audit", "checkpoint", "--anchor", anchor, cwd=tmp_path)
    erased = said("erase", WHO, "--reason", "request 17", cwd=tmp_path)["erasure"]
    assert len(erased["rows"]) == 4
    assert len(erased["adapters"]) == 1
    assert erased["retrain_by"]
    typed("run", "desk", cwd=tmp_path)
    shown = said("data", "show", "desk", cwd=tmp_path)
    assert shown["dataset"]["number"] == 2
    assert shown["dataset"]["removed"]["erased"] == 4
    new, old = said("leaderboard", "desk", cwd=tmp_path)["boards"]
    assert (new["number"], new["newest"], old["number"]) == (2, True, 1)
    assert {line["state"] for board in (new, old) for line in board["lines"]} == {"compared"}
    assert [line["replace_by"] for line in new["lines"]] == ["", ""]
    assert sorted(bool(line["replace_by"]) for line in old["lines"]) == [False, True]
    audit = said("audit", "verify", "--anchor", anchor, "--deep", cwd=tmp_path)
    assert audit["problems"] == []
    for path in (tmp_path / ".whytune").rglob("*"):
        assert not path.is_file() or WHO.encode() not in path.read_bytes()
