"""`whytune jobs`: lists, one of them with its log, how to end it; and what the terminal does is a job too."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from whytune.cli import app
from whytune.jobs.progress import Silent
from whytune.workspace import people, working
from whytune.workspace.workspace import Workspace

PROJECT = 'name = "support"\ntask = "categorization"\n[data]\nfrom = ["rows.csv"]\ninput = "text"\ntarget = "category"\n[acceptance]\nmetric = "accuracy"\nbar = 0.8\nmargin = 0.05\n'


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    for name in ("WHYTUNE_HOME", people.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WHYTUNE_PERSON", "ada")
    monkeypatch.chdir(tmp_path)
    room = Workspace.open(tmp_path, create=True)
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "whytune.toml").write_text(PROJECT, "utf-8")
    rows = [f"the {word} {number * 7} did not come,{'late' if number % 2 else 'lost'}" for number, word in enumerate(["card", "loan", "lamp", "fish", "gold", "moon"] * 12)]
    (tmp_path / "support" / "rows.csv").write_text("text,category\n" + "\n".join(rows) + "\n", "utf-8")
    yield room
    room.store.close()


@pytest.fixture
def typed(room: Workspace, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def type_in(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            app.run(list(arguments))
        told = capsys.readouterr()
        assert left.value.code == code, told.out + told.err
        return told.out + (told.err if code else "")

    return type_in


@pytest.mark.slow
def test_what_the_terminal_does_is_a_job(room: Workspace, typed: Callable[..., str]) -> None:
    assert "no job yet" in typed("jobs")
    typed("run", "support", "--until", "data")
    found: dict[str, Any] = json.loads(typed("jobs", "--json"))
    assert (found["schema"], found["total"]) == ("whytune.jobs/1", 1)
    job = found["jobs"][0]
    assert (job["kind"], job["arguments"], job["state"], job["person"]) == ("run", {"until": "data"}, "done", "ada")
    shown = typed("jobs", "show", job["id"])
    assert "reading rows.csv" in shown
    assert "next: whytune run support" in shown
    points = json.loads(typed("jobs", "show", job["id"], "--json"))["points"]
    assert [point["seq"] for point in points] == list(range(1, len(points) + 1))
    listed = typed("jobs", "support", "--limit", "1")
    assert job["id"] in listed
    assert "run until=data" in listed
    typed("run", "support", "--dry-run", "--json")
    assert json.loads(typed("jobs", "--json"))["total"] == 1, "what only says what it would do is none"


@pytest.mark.slow
def test_a_job_is_ended_from_another_terminal(room: Workspace, typed: Callable[..., str]) -> None:
    with working.recorded(room.project("support"), "train", {"how": "all"}, Silent()) as progress:
        id = working.jobs(room)[0][0].id
        assert "is being worked on by ada: train" in typed("run", "support", code=1)
        assert "Nothing is being trained now" in typed("jobs", "stop", id, "--keep-best", code=3)
        progress.phase("training", 10, "steps")
        while working.job(room, id).phase != "training":
            pass  # a thread of its own writes it
        assert "the best weights are kept" in typed("jobs", "stop", id, "--keep-best")
        assert "ada asked it to end training" in typed("jobs", "show", id)
    assert "has ended already: done" in typed("jobs", "stop", id, code=3)
    assert "There is no job 'nothing'" in typed("jobs", "show", "nothing", code=5)


def test_work_is_done_once_by_whoever_it_was_begun_for(room: Workspace, typed: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    people.add(room, "ada", ["business_owner"])
    people.add(room, "bo", ["data_creator"])
    typed("run", "support", "--until", "usecase")
    kept: list[int] = []
    # The work's own process listens to both; this one is only borrowed for it.
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(working, "_spawn", lambda workspace, job, descriptor: kept.append(os.dup(descriptor)))
    job = working.start(room.as_person("bo"), "support", "check")
    try:
        typed("job", "perform", job.id, "--held", str(kept[0]))
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    assert working.job(room, job.id).state == "done"
    assert {event.person for event in room.events("support") if event.act == "dataset.created"} == {"bo"}
    assert "is not waiting to be begun" in typed("job", "perform", job.id, code=3)
