"""`whytune user | team | web` as typed: what is said, the exit codes, and that no password is asked for without a terminal."""

from __future__ import annotations

import io
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from tests.cli.living import environment

from whytune.cli import app as app_module
from whytune.records.ledger import Person
from whytune.settings import Settings
from whytune.store import accounts as accounts_module
from whytune.workspace.workspace import Workspace

GOOD = "correct horse battery"
# Built once: putting all commands together takes a tenth of a second each time.
COMMAND = typer.main.get_command(app_module.app)
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", "WHYTUNE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(app_module, "app", COMMAND)
    monkeypatch.chdir(tmp_path)
    Workspace.open(tmp_path, settings=Settings(person="root"), create=True).store.close()

    def typed(*arguments: str, person: str = "", token: str = "", typing: str = "") -> tuple[int, str, str]:
        monkeypatch.setenv("WHYTUNE_PERSON", person) if person else monkeypatch.delenv("WHYTUNE_PERSON", raising=False)
        monkeypatch.setenv("WHYTUNE_TOKEN", token) if token else monkeypatch.delenv("WHYTUNE_TOKEN", raising=False)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typing))
        with pytest.raises(SystemExit) as left:
            app_module.run(list(arguments))
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return typed


def test_words_that_are_no_text_are_refused_before_anything_is_done(typed: Typed, tmp_path: Path) -> None:
    typed("user", "add", "ada", "--role", "admin")
    for arguments in (("user", "break-glass", "--reason", "the server is down \udcff", "--hours", "1"), ("user", "token", "ada", "--label", "\udcff")):
        code, out, err = typed(*arguments, person="ada")
        assert (code, out, "not UTF-8" in err, "next: " in err) == (2, "", True, True)
    assert typed("projects", person="b\udcff")[0] == 2
    (tmp_path / "rows\udcff.csv").write_text("text,label\na,b\n", "utf-8")
    assert typed("init", "desk", "--task", "categorization", "--from", "rows\udcff.csv", person="ada")[0] == 2
    assert not (tmp_path / "desk").exists()


def test_from_one_person_alone_to_people_with_roles(typed: Typed) -> None:
    assert "is alone and holds every role" in typed("user", "list")[1]
    code, out, _ = typed("user", "add", "ada", "--role", "business_owner")
    assert (code, out.splitlines()[0]) == (0, "ada: business_owner, admin")
    assert out.rstrip().endswith("next: export WHYTUNE_PERSON=ada, then: whytune user add NAME --role ROLE")
    assert typed("user", "add", "bo", "--role", "tester", person="ada")[0] == 0
    assert typed("user", "role", "bo", "--add", "legal", person="ada")[1].splitlines()[0] == "bo: tester, legal"
    code, _, err = typed("user", "role", "ada", "--add", "tester", person="ada")
    assert (code, "may not change their own roles" in err) == (4, True)
    assert typed("user", "role", "bo", "--add", "king", person="ada")[0] == 2
    assert typed("user", "role", "bo", person="ada")[0] == 2
    assert typed("user", "add", "cy", "--role", "legal", person="bo")[0] == 4
    found = json.loads(typed("user", "list", "--json", person="bo")[1])
    assert (found["schema"], [person["name"] for person in found["people"]]) == ("whytune.people/1", ["ada", "bo"])


def test_a_password_a_token_and_what_they_open(typed: Typed) -> None:
    typed("user", "add", "ada", "--role", "business_owner")
    code, _, err = typed("user", "password", "ada", person="ada")
    assert (code, "there is no terminal to ask at" in err) == (2, True)
    assert typed("user", "password", "ada", "--stdin", person="ada", typing=f"{GOOD}\n")[0] == 0
    code, _, err = typed("user", "add", "bo", "--role", "tester", person="ada")
    assert (code, "the name alone is not enough" in err) == (4, True)
    code, _, err = typed("user", "token", "ada", "--stdin", typing="wrong password\n")
    assert (code, GOOD in err) == (4, False)
    made = json.loads(typed("user", "token", "ada", "--stdin", "--label", "laptop", "--json", typing=f"{GOOD}\n")[1])["token"]
    assert typed("user", "add", "bo", "--role", "tester", token=made)[0] == 0
    assert made not in typed("user", "tokens", token=made)[1]
    (note,) = json.loads(typed("user", "tokens", "--json", token=made)[1])["tokens"]
    assert note["label"] == "laptop"
    assert typed("user", "password", "ada", "--stdin", typing=f"{GOOD}\nanother good one\n")[0] == 0
    assert typed("user", "revoke", note["id"], token=made)[0] == 0
    assert typed("user", "list", token=made)[0] == 0  # reading asks for nobody
    assert typed("user", "add", "cy", "--role", "tester", token=made)[0] == 4


def test_the_table_of_teams_is_shown_edited_and_filled(typed: Typed, tmp_path: Path) -> None:
    text = typed("team", "show", "--toml")[1]
    (tmp_path / "team.toml").write_text(text.replace("Chief AI Officer", "Head of AI"), "utf-8")
    assert typed("team", "edit", "team.toml")[0] == 0
    assert typed("team", "show")[1].startswith("Head of AI\n")
    assert typed("team", "edit", "-", typing='head = "x"\ncolour = 1\n')[0] == 2
    assert typed("team", "edit", "nowhere.toml")[0] == 2
    raci = typed("team", "raci")[1]
    assert "  A  Architects/Technical Architects" in raci
    typed("user", "add", "ada", "--role", "business_owner")
    assert typed("team", "declare", "ada", "--function", "Business/Product Owners", "--skill", "use case analysis", "--years", "5", person="ada")[0] == 0
    assert re.search(r"Product Owners +business_owner +ada\n", typed("team", "show")[1])
    assert typed("team", "declare", "bo", person="ada")[0] == 5


def test_gaps_of_a_project_and_a_broken_glass_in_its_status(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,b\n", "utf-8")
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "whytune.toml").write_text('name = "support"\ntask = "categorization"\n[data]\nfrom = ["../rows.csv"]\n[acceptance]\nmetric = "accuracy"\nbar = 0.8\nmargin = 0.05\n', "utf-8")
    assert "one person alone holds every duty" in typed("team", "gaps", "support")[1]
    typed("user", "add", "ada", "--role", "business_owner")
    found: dict[str, Any] = json.loads(typed("team", "gaps", "support", "--json", person="ada")[1])
    assert {"kind": "duty", "stage": "test", "box": "Validation, test, evaluation, leaderboard", "sentence": "nobody is tester, so nobody can do it"} in found["gaps"]
    assert typed("user", "break-glass", "--reason", "oh", person="ada")[0] == 2
    assert typed("user", "break-glass", "--reason", "the server is down", person="ada")[0] == 0
    assert "! ada broke the glass: operator until" in typed("status", "support", person="ada")[1]
    assert "nobody is tester" in typed("next", "support", person="ada")[1]


def test_the_server_refuses_an_address_that_others_reach(typed: Typed) -> None:
    code, _, err = typed("web", "--host", "0.0.0.0")
    assert (code, "can be reached from elsewhere" in err) == (4, True)


def test_a_port_that_is_taken_is_said_before_anybody_is_made(typed: Typed, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        code, out, err = typed("web", "--port", str(port))
    assert (code, out) == (7, "")
    assert f"Cannot listen on 127.0.0.1:{port}" in err
    assert re.search(r"next: whytune web --port \d+", err)
    with Workspace.open(tmp_path, settings=Settings(person="root")).store as store:
        assert store.list(Person) == []


@pytest.mark.slow
def test_the_server_serves_and_stops(tmp_path: Path) -> None:
    Workspace.open(tmp_path, settings=Settings(person="root"), create=True).store.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "whytune", "web", "--alone", "--port", str(port)], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for _ in range(150):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/projects", timeout=5)
                break
            except httpx.TransportError:
                assert server.poll() is None, server.stdout.read() if server.stdout else ""
                time.sleep(0.2)
        assert answer.json()["projects"] == []
        assert httpx.get(f"http://localhost:{port}/api/v1/projects", headers={"Host": "evil.example"}, timeout=5).status_code == 403
    finally:
        server.terminate()
        said, _ = server.communicate(timeout=20)
    assert "Traceback" not in said
