"""A whole life of a project on the command line, on a tiny random model: what it answers is nonsense, what is kept is not."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.living import bookings, change, environment, handbook, start, tickets, told, whytune

import whytune as api
from whytune.records.evidence import Protocol
from whytune.records.project import AcceptanceRule

pytestmark = pytest.mark.slow
SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "decision.schema.json"
NO = {"NONE_ACCEPTABLE", "CANNOT_PAY", "BLOCKED", "INVALID_TEST", "FIX_RETRIEVAL_FIRST", "FIX_LABELS_FIRST", "FIX_FORMAT_FIRST"}


def ledger(room: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(room / ".whytune" / "store.db") as database:
        found = database.execute("SELECT content FROM events ORDER BY number").fetchall()
    database.close()
    return [json.loads(content) for (content,) in found]


def answers(room: Path) -> set[tuple[str, str]]:
    with sqlite3.connect(room / ".whytune" / "store.db") as database:
        found = database.execute("SELECT candidate, item FROM answers").fetchall()
    database.close()
    assert len(found) == len(set(found)), "an answer stands twice"
    return set(found)


def proven(room: Path) -> dict[str, Any]:
    """Everything that must hold wherever a project has been walked to its end; gives the decision."""
    import jsonschema  # takes seconds, and every process of the tests reads this file

    done = whytune("decide", "desk", "--json", cwd=room, code=None)
    decision: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(decision, json.loads(SCHEMA.read_text("utf-8")))
    code = decision["verdict"]["code"]
    assert done.returncode == (3 if code in NO else 6 if code == "INCONCLUSIVE" else 0)
    status = told("status", "desk", cwd=room)["projects"][0]
    assert {step["state"] for step in status["steps"]} <= {"done", "skipped"}
    assert status["next"] == "whytune report desk -o report.html"
    assert "problem" not in whytune("audit", "verify", cwd=room).stdout
    fixed = api.open(room).project("desk").latest(Protocol)
    compared = told("compare", "desk", cwd=room)
    assert compared["looks"] == len(fixed.arms) == len(compared["trials"]), "each arm looks at the test set once"
    assert [trial["arm"] for trial in compared["trials"]] == list(fixed.arms)
    return decision


def sealed(room: Path) -> None:
    """No row of the test set is in anything that training read or wrote."""
    project = api.open(room).project("desk")
    from whytune.workspace.creating import examples_of

    test = examples_of(project, project.dataset, "test")
    train = {example.id for example in examples_of(project, project.dataset, "train")}
    assert test
    assert not train & {example.id for example in test}
    files = [path for path in (room / ".whytune" / "runs").rglob("*") if path.is_file()]
    assert project.adapters
    assert project.adapters[0].rows + project.adapters[0].rows_dropped == len(train)
    assert files, "training leaves its journal"
    for path in files:
        content = path.read_bytes()
        for example in test:
            assert example.input_text.encode() not in content
            assert example.id.encode() not in content


@pytest.fixture(scope="module")
def walked(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A categorization project with a verdict; not to be changed."""
    room = tmp_path_factory.mktemp("walked")
    start(room, tiny_model, "--from", str(tickets(room / "rows.csv")), "--bar", "0.3")
    done = whytune("run", "desk", cwd=room)
    assert done.stdout.rstrip().endswith("next: whytune report desk -o report.html")
    return room


@pytest.fixture
def room(walked: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    shutil.copytree(walked, tmp_path / "room")
    return tmp_path / "room"


def test_categorization_from_rows_to_a_page(walked: Path, tmp_path: Path) -> None:
    decision = proven(walked)
    assert {arm["arm"] for arm in decision["arms"]} == {"prompt", "few_shot", "tuned"}
    sealed(walked)
    for name, sign in (("page.html", "<!doctype html>"), ("page.md", "# "), ("page.json", "{")):
        whytune("report", "desk", "-o", str(tmp_path / name), cwd=walked)
        text = (tmp_path / name).read_text("utf-8")
        assert text.lower().startswith(sign)
        assert decision["verdict"]["headline"] in text
    assert not list(tmp_path.glob(".page*")), "nothing half-written is left"


def test_running_again_changes_nothing_and_loads_no_model(walked: Path) -> None:
    held = {path.relative_to(walked) for path in (walked / ".whytune").rglob("*") if path.is_file() and path.suffix not in (".db-wal", ".db-shm")}
    events, given = ledger(walked), answers(walked)
    script = (
        "import sys, whytune.cli.app as door\n"
        "try: door.run(['run', 'desk'])\n"
        "except SystemExit as end: print([name for name in ('torch', 'transformers', 'trl') if name in sys.modules], end.code)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=walked, capture_output=True, text=True, check=True, env=environment())
    assert done.stdout.rstrip().endswith("[] 0")
    assert ledger(walked) == events
    assert answers(walked) == given
    now = {path.relative_to(walked) for path in (walked / ".whytune").rglob("*") if path.is_file() and path.suffix not in (".db-wal", ".db-shm")}
    assert {path for path in now if not path.name.startswith("store.db")} == {path for path in held if not path.name.startswith("store.db")}


@pytest.mark.parametrize(("bar", "code"), [("0.01", 0), pytest.param("0.99", 3, marks=pytest.mark.slow)])
def test_another_bar_is_a_new_visible_rule_and_needs_no_new_answer(room: Path, bar: str, code: int) -> None:
    given, before = answers(room), len(ledger(room))
    looks = told("compare", "desk", cwd=room)["looks"]
    change(room / "desk", bar=bar)
    whytune("decide", "desk", cwd=room, code=code)
    assert answers(room) == given
    added = ledger(room)[before:]
    acts = [event["act"] for event in added]
    assert acts[0] == "usecase.fixed"
    assert "protocol.fixed" in acts
    assert acts[-1] == "decision.made"
    assert "test.opened" not in acts
    assert [rule.bar for rule in api.open(room).project("desk").records(AcceptanceRule)] == [0.3, float(bar)]
    assert told("compare", "desk", cwd=room)["looks"] == looks


@pytest.mark.slow
def test_back_to_the_rule_before_is_a_third_visible_step(room: Path) -> None:
    given, before = answers(room), len(ledger(room))
    for bar, code in (("0.99", 3), ("0.3", 6)):
        change(room / "desk", bar=bar)
        whytune("decide", "desk", cwd=room, code=code)
    assert answers(room) == given
    assert [event["act"] for event in ledger(room)[before:]].count("usecase.fixed") == 2
    assert told("decide", "desk", cwd=room, code=6)["rule"]["bar"] == 0.3


@pytest.mark.slow
def test_another_seed_is_another_version_of_the_dataset(room: Path) -> None:
    first = told("data", "show", "desk", cwd=room)
    change(room / "desk", seed="99")
    second = told("data", "show", "desk", cwd=room)
    assert second["dataset"]["number"] == 2
    assert second["dataset"]["parent"] == first["id"]
    steps = told("status", "desk", cwd=room)["projects"][0]["steps"]
    assert [step["state"] for step in steps][:3] == ["done", "done", "ready"], "what was measured on the old version is not this version's"
    assert "problem" not in whytune("audit", "verify", cwd=room).stdout


@pytest.fixture(scope="module")
def roomy_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with room for a small handbook in its context."""
    folder = tmp_path_factory.mktemp("roomy") / "model"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 4096}), "utf-8")
    return folder


@pytest.mark.slow
def test_questions_over_documents(roomy_model: Path, tmp_path: Path) -> None:
    questions, documents = handbook(tmp_path, rows=120)
    start(tmp_path, roomy_model, "--from", str(questions), "--documents", str(documents), "--evidence", "source", task="qna", max_length="4096", test="0.25", train="0.6")
    done = whytune("run", "desk", cwd=tmp_path)
    assert "Oracle context" in done.stderr
    decision = proven(tmp_path)
    assert {arm["arm"] for arm in decision["arms"]} == {"prompt", "few_shot", "full_context", "rag", "tuned", "tuned_rag"}
    assert len([event for event in ledger(tmp_path) if event["act"] == "index.built"]) == 1
    assert len([event for event in ledger(tmp_path) if event["act"] == "adapter.trained"]) == 2
    sealed(tmp_path)


@pytest.mark.slow
def test_extraction_by_a_schema(tiny_model: Path, tmp_path: Path) -> None:
    start(tmp_path, tiny_model, "--from", str(bookings(tmp_path / "rows.jsonl", 120)), task="extraction")
    whytune("run", "desk", cwd=tmp_path)
    decision = proven(tmp_path)
    assert {arm["arm"] for arm in decision["arms"]} == {"prompt", "few_shot", "tuned"}
    assert told("data", "show", "desk", cwd=tmp_path)["dataset"]["fields"] == ["place", "time"]
    sealed(tmp_path)
