"""From a verdict to a live release on the command line: alone, tuned with documents, with a tiny model that is really loaded."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from tests.cli.living import change, handbook, start, told, whytune

WHO = {"WHYTUNE_DTYPE": "float32"}


def edit(project: Path, **values: str) -> None:
    """Set keys of policy.toml."""
    path = project / "policy.toml"
    lines = path.read_text("utf-8").splitlines()
    for key, value in values.items():
        assert any(line.startswith(f"{key} = ") for line in lines), key
        lines = [f"{key} = {value}" if line.startswith(f"{key} = ") else line for line in lines]
    path.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture(scope="module")
def room(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with documents, measured with RAG and with a tuned model, and a policy."""
    room = tmp_path_factory.mktemp("room")
    questions, documents = handbook(room, 100)
    start(room, tiny_model, "--from", str(questions), "--documents", str(documents), "--evidence", "source", "--bar", "0.0", task="qna", use='["rag", "tuned_rag"]')
    whytune("run", "desk", cwd=room, **WHO)
    assert "read it, then fix it" in whytune("policy", "init", "desk", cwd=room).stdout
    edit(room / "desk", evidence='["test"]', licences="[]", smallest="10", winner_only="false")
    whytune("policy", "fix", "desk", cwd=room)
    return room


@pytest.mark.deep
def test_a_life_of_two_releases(room: Path, tmp_path: Path) -> None:
    no = whytune("accept", "desk", "--json", cwd=room, code=3)
    assert {o["code"] for o in json.loads(no.stdout)["acceptance"]["objections"]} == {"unsigned"}
    assert "would not be" not in whytune("release", "make", "desk", cwd=room, code=3).stderr
    whytune("sign", "desk", cwd=room, code=2)
    for arm in ("rag", "tuned_rag"):
        for role in ("business_owner", "responsible_ai", "tester"):
            whytune("sign", "desk", "--arm", arm, "--role", role, "--reason", "looked at every figure", cwd=room)
        assert whytune("accept", "desk", "--arm", arm, cwd=room).stdout.startswith("YES: ")
        whytune("release", "make", "desk", cwd=room, **WHO)
    listed = told("release", "list", cwd=room)["releases"]
    assert [(each["release"]["arm"], each["state"]) for each in listed] == [("tuned_rag", "released"), ("rag", "released")]
    assert listed[0]["release"]["manifest"]["adapter"]["files"].keys() >= {"adapter_model.safetensors", "adapter_config.json"}
    assert listed[1]["release"]["manifest"]["adapter"] is None
    assert all(each["release"]["manifest"]["index"]["passages"] == 10 for each in listed)
    whytune("alias", "set", "champion", "desk/1", cwd=room)
    whytune("alias", "set", "champion", "desk/2", "--reason", "better", cwd=room)
    whytune("alias", "rollback", "champion", "--reason", "wrong about floors", cwd=room)
    steps = told("alias", "history", "champion", cwd=room)["steps"]
    assert [(step["how"], step["release"]) for step in steps] == [("set", "desk/1"), ("set", "desk/2"), ("rollback", "desk/1")]
    then = told("alias", "at", "champion", steps[1]["when"], cwd=room)
    assert then["release"] == "desk/2"
    assert len(then["signed"]) == 3
    assert "not independently approved" in whytune("release", "card", "champion", cwd=room).stdout
    for command in (("sheet",), ("bom",)):
        whytune("release", *command, "champion", "-o", str(tmp_path / command[0]), cwd=room)
        assert (tmp_path / command[0]).stat().st_size > 500
    found = whytune("release", "search", "tuned_rag", cwd=room).stdout
    assert "desk/2" in found
    assert "desk/1" not in found.split("next:")[0]
    whytune("release", "export", "desk/2", str(tmp_path / "out"), cwd=room)
    assert "every digest fits" in whytune("release", "verify", str(tmp_path / "out"), cwd=tmp_path).stdout
    (tmp_path / "out" / "adapter" / "adapter_config.json").write_text("{}", "utf-8")
    assert "adapter_config.json: not what was signed" in whytune("release", "verify", str(tmp_path / "out"), cwd=tmp_path, code=1).stderr
    whytune("release", "retire", "desk/2", "--reason", "wrong about floors", cwd=room)
    assert "is retired" in whytune("alias", "set", "champion", "desk/2", cwd=room, code=3).stderr
    whytune("audit", "verify", cwd=room)
    _damage_the_index(room)


def _damage_the_index(room: Path) -> None:
    """A passage is changed on the disk: the release that hands it out is served no more."""
    assert "every digest fits" in whytune("release", "verify", "champion", cwd=room).stdout
    (file,) = [path for path in (room / ".whytune" / "indexes").rglob("*") if path.is_file() and path.read_bytes()[:6] == b"SQLite"]
    file.chmod(0o644)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE passages SET content = replace(content, 'floor', 'cellar')")
    database.close()
    assert "passage index" in whytune("release", "verify", "champion", cwd=room, code=1).stderr
    assert "not what was signed" in whytune("alias", "set", "other", "desk/1", cwd=room, code=1).stderr


@pytest.mark.slow
def test_a_bad_policy_and_bad_names_are_told(room: Path) -> None:
    before = (room / "desk" / "policy.toml").read_text("utf-8")
    edit(room / "desk", evidence='["exam"]', signatures='["boss"]')
    error = whytune("policy", "fix", "desk", cwd=room, code=2).stderr
    assert "exam" in error
    assert "boss" in error
    (room / "desk" / "policy.toml").write_text(before, "utf-8")
    assert "is there already" in whytune("policy", "init", "desk", cwd=room, code=2).stderr
    assert "nothing" not in whytune("policy", "show", "desk", cwd=room).stdout
    for arguments in (("alias", "rollback", "nobody", "--reason", "x"), ("release", "show", "desk/99"), ("alias", "at", "nobody", "2026-01-01")):
        whytune(*arguments, cwd=room, code=5)
    change(room / "desk", bar="0.3")
    assert {o["code"] for o in json.loads(whytune("accept", "desk", "--dry-run", "--json", cwd=room, code=3).stdout)["acceptance"]["objections"]} >= {"stale"}
