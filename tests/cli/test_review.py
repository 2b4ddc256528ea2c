"""The review as a person at a terminal meets it: keys from a pipe and from a real terminal, hostile text, exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.living import environment
from tests.review.desk import PEOPLE, desk, examples, measured, seen_by

from whytune.cli import app
from whytune.cli.terminal import visible
from whytune.records.review import HumanEvaluation, Opinion, Queue
from whytune.workspace import reviewing
from whytune.workspace.project import Project


class Shell:
    """Runs commands in this process, as somebody, with what they type coming from a pipe."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.home, self._capsys, self._patch = home, capsys, patch
        patch.chdir(home)
        patch.delenv("WHYTUNE_HOME", raising=False)

    def __call__(self, *arguments: str, keys: str = "", person: str = "root", code: int = 0) -> str:
        read, write = os.pipe()
        os.write(write, keys.encode())
        os.close(write)
        self._patch.setenv("WHYTUNE_PERSON", person)
        with os.fdopen(read, encoding="utf-8") as stdin:
            self._patch.setattr(sys, "stdin", stdin)
            with pytest.raises(SystemExit) as left:
                app.run(["review", *arguments])
        told = self._capsys.readouterr()
        assert left.value.code == code, told.out + told.err
        return told.out + told.err


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, capsys, monkeypatch)


def opinions(project: Project) -> list[Opinion]:
    return project.workspace.store.queues.opinions(project.records(Queue)[-1].id)


@pytest.mark.slow
def test_a_round_from_opening_to_closing(shell: Shell, tmp_path: Path) -> None:
    project = desk(tmp_path)
    told = shell("open", "desk", "--rows", "--sample", "6", "--gold", "0", "--repeats", "0")
    assert "only one person can be asked" in told
    assert told.rstrip().endswith("next: whytune review desk")
    told = shell("desk", keys="?\ny\nn\nu\ny\ne\n\nmended\nz\nq\n")
    assert "A row is right when" in told
    assert "there is no key 'z'" in told
    assert "3 opinions kept; round 1: 3 of 6 items done, 3 opinions still asked for" in told
    given = opinions(project)
    assert [opinion.verdict for opinion in given] == ["good", "bad", "", "good", "bad"]
    assert given[-1].edits == (("target", "mended"),)
    assert "next: whytune review desk" in shell("close", "desk", code=3)
    told = shell(keys="s\ny\ny\ny\n")
    assert "nothing more for you" in told
    told = shell("close", "desk")
    assert "2 of 6 rows are wrong" in told
    assert "solo: nobody else was asked" in told
    status = json.loads(shell("status", "desk", "--json"))
    assert status["schema"] == "whytune.rounds/1"
    assert status["rounds"][0]["outcome"]["skipped"] == 1
    assert "proposed 1 corrected rows" in shell("propose", "desk")
    assert "no open round" in shell("desk", code=5)


@pytest.mark.slow
def test_pairs_are_shown_without_names_until_the_round_is_closed(shell: Shell, tmp_path: Path) -> None:
    project = desk(tmp_path, count=120, people=PEOPLE)
    for arm, words in (("prompt", "I cannot say"), ("tuned", "it went away")):
        measured(project, arm, lambda row, words=words: f"{words}: {row.input_text}", by="root")
    told = shell("open", "desk", "--pairs", "tuned", "prompt", "--votes", "0", "--overlap", "0", "--gold", "0", "--repeats", "0", person="ann")
    assert "not asked, because they made part of it: dana, root" in told
    count = len(examples(project, "dev"))
    seen = shell("desk", keys="?\nq\n", person="cy")
    assert "[A]" in seen
    assert not any(word in seen.lower() for word in ("tuned", "prompt:", "candidate", "[prompt"))
    at = reviewing.round_named(seen_by(project, "cy"))
    keys = []
    while question := at.take():
        keys.append("a" if question.texts[0][1].startswith("it went") else "b")
        at.answer(question.token, f"c{len(keys)}", keys[-1])
    assert len(keys) == count
    assert set(keys) == {"a", "b"}
    told = shell("close", "desk", person="ann")
    assert "People prefer Tuned to Prompt" in told
    made = project.latest(HumanEvaluation)
    assert made.wins == made.decisive == count
    assert made.candidates[1][:20] in told
    out = tmp_path / "p.jsonl"
    assert f"wrote {count} preferences" in shell("preferences", "desk", "-o", str(out), person="ann")
    assert len(out.read_text("utf-8").splitlines()) == count
    assert "is not asked" in shell("open", "desk", "--labels", person="ann") + shell("desk", person="dana", code=4)


@pytest.mark.slow
def test_adjudication_is_for_those_who_gave_no_opinion(shell: Shell, tmp_path: Path) -> None:
    desk(tmp_path, people=PEOPLE)
    shell("open", "desk", "--rows", "--sample", "2", "--overlap", "1", "--overlap-max", "2", "--gold", "0", "--repeats", "0", person="ann")
    shell("desk", keys="y\ny\n", person="ann")
    shell("desk", keys="n\nn\n", person="bo")
    assert "0 items decided; 2 wait" in shell("adjudicate", "desk", keys="n\n", person="ann")
    assert "2 items decided; 0 wait" in shell("adjudicate", "desk", keys="n\nu\ny\ny\n", person="cy")
    assert "0 of 2 rows are wrong" in shell("close", "desk", person="ann")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("open", "desk"), 2, "asks about one thing"),
        (("open", "desk", "--rows", "--labels"), 2, "asks about one thing"),
        (("open", "desk", "--pairs", "prompt", "rag"), 5, "not measured on the same split"),
        (("open", "desk", "--rows", "--sample", "0", "--overlap", "7"), 2, "a sample of 0 items is none"),
        (("open", "desk", "--rows", "--guideline", "nowhere.txt"), 2, "guideline cannot be read"),
        (("close", "desk"), 5, "no round of review yet"),
        (("nobody",), 5, "no project 'nobody'"),
        (("desk", "--round", "7"), 5, "no round '7'"),
    ],
)
def test_mistakes_are_told_with_what_to_do(shell: Shell, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    desk(tmp_path)
    told = shell(*arguments, code=code)
    assert words in told
    assert "next: " in told


def test_hostile_text_is_spelled_out() -> None:
    assert visible("\x1b[2J\x1b]0;owned\x07 plain\r\u202eevil\u200b\u2028") == "\\x1b[2J\\x1b]0;owned\\x07 plain\\x0d\\u202eevil\\u200b\\u2028"
    assert visible("line\nnext\tمرحبا नमस्ते 👩\u200d🚀") == "line\nnext\tمرحبا नमस्ते 👩\u200d🚀"


def test_hostile_answers_do_not_reach_the_terminal(shell: Shell, tmp_path: Path) -> None:
    project = desk(tmp_path, count=120)
    for arm in ("prompt", "tuned"):
        measured(project, arm, lambda row, arm=arm: f"\x1b[2J\x1b]8;;http://bad\x07{arm} says\x1b]8;;\x07")
    shell("open", "desk", "--pairs", "prompt", "tuned", "--gold", "0")
    told = shell("desk", keys="q\n")
    assert "\\x1b[2J" in told
    assert "\x1b" not in told
    assert "\x07" not in told


_pending = bytearray()


def _until(terminal: int, words: str) -> bytes:
    """Everything shown up to these words; what comes after them is left for the next call."""
    end = time.monotonic() + 20
    while words.encode() not in _pending and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            with contextlib.suppress(OSError):  # the other side has closed
                _pending.extend(os.read(terminal, 65536))
    assert words.encode() in _pending, bytes(_pending)
    cut = _pending.index(words.encode()) + len(words)
    seen = bytes(_pending[:cut])
    del _pending[:cut]
    return seen


@pytest.mark.slow
def test_on_a_terminal_one_key_is_one_verdict(shell: Shell, tmp_path: Path) -> None:
    project = desk(tmp_path)
    shell("open", "desk", "--rows", "--sample", "3", "--gold", "0", "--repeats", "0")
    ours, theirs = pty.openpty()
    command: Any = [sys.executable, "-m", "whytune", "review", "desk"]
    running = subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(WHYTUNE_PERSON="root"), close_fds=True)
    os.close(theirs)
    try:
        for key, shown in ((b"y", "you have judged 1 "), (b"n", "you have judged 2 "), (b"q", "next: ")):
            _until(ours, "quit > ")
            os.write(ours, key)
            told = _until(ours, shown)
        assert running.wait(20) == 0
    finally:
        running.kill()
        running.wait()
        os.close(ours)
    assert re.search(rb"2 opinions kept; round 1: 2 of 3", told)
    assert [opinion.verdict for opinion in opinions(project)] == ["good", "bad"]
