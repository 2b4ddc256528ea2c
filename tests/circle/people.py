"""People of every role in one workspace, each acting through the command line or over HTTP under their own name."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cli.living import environment

ROLES = {
    "owner": "business_owner", "creator": "data_creator", "second": "data_creator", "scientist": "data_scientist", "tester": "tester",
    "rai": "responsible_ai", "legal": "legal", "operator": "operator", "success": "customer_success", "auditor": "auditor",
}  # fmt: skip
PLACE = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("WHYTUNE_CASES", PLACE.parent / "shared" / "cases"))


def case(name: str) -> Path:
    """A file of the public data sets. Where it is absent the test is skipped."""
    path = CASES / name
    if not path.exists():
        pytest.skip(f"{name} is not among the data sets at WHYTUNE_CASES")
    return path


class Circle:
    """One workspace and its people. `circle("tester", "run", "support")` is that person typing that command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokens: dict[str, str] = {}

    def __call__(self, person: str, *arguments: str, code: int | None = 0, typed: str = "") -> str:
        """The command's standard output; its exit code is checked."""
        done = subprocess.run(
            [sys.executable, "-m", "whytune", *arguments], cwd=self.folder, input=typed or None, capture_output=True, text=True, check=False,
            env=environment(WHYTUNE_PERSON=person, **({"WHYTUNE_TOKEN": self.tokens[person]} if person in self.tokens else {})),
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert code is None or done.returncode == code, f"{person}: {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if done.returncode else "")

    def told(self, person: str, *arguments: str, code: int | None = 0) -> dict[str, Any]:
        """What the command says as JSON."""
        text = self(person, *arguments, "--json", code=code)
        found: dict[str, Any] = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
        return found

    def hire(self) -> None:
        """The first person becomes admin and brings in everybody else."""
        self("admin", "user", "add", "admin", "--role", "admin")
        for name, role in ROLES.items():
            self("admin", "user", "add", name, "--role", role)

    def edit(self, file: Path, **values: str) -> None:
        """Set keys of a TOML file, as a person does with an editor."""
        text = file.read_text("utf-8")
        for key, value in values.items():
            text, changed = re.subn(rf"(?m)^(# )?{key} = .*$", f"{key} = {value}", text, count=1)
            assert changed, key
        file.write_text(text, "utf-8")

    def own(self, project: Path) -> None:
        """Name who answers for the use case."""
        file = project / "whytune.toml"
        text = file.read_text("utf-8")
        file.write_text(re.sub(r"(?m)^(\[owners\].*)$", r'\1\nbusiness_owner = "owner"\ndata_creator = "creator"\ntester = "tester"', text, count=1), "utf-8")

    @contextlib.contextmanager
    def door(self, *command: str, ready: str) -> Iterator[str]:
        """A server of this workspace in a process of its own; gives its address."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "whytune", *command, "--port", str(port)], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, env=environment(WHYTUNE_PERSON="operator"),
        )  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                if process.poll() is not None:
                    raise AssertionError(f"{' '.join(command)}: exit {process.returncode}\n{process.stderr.read() if process.stderr else ''}")
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(address + ready, timeout=5).status_code == 200:
                        break
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            process.wait(30)
            if process.stderr:
                process.stderr.close()

    def vote(self, address: str, person: str, queue: str, right: dict[str, str]) -> int:
        """Judge pairs over HTTP until there is none left: the answer that is right wins; gives the number of opinions."""
        # From now on the name alone no longer lets anybody in as this person, at the terminal either.
        self.tokens[person] = self.told("admin", "user", "token", person)["token"]
        given = 0
        with httpx.Client(base_url=address, headers={"authorization": f"Bearer {self.tokens[person]}"}, timeout=60) as client:
            while question := client.post(f"/api/v1/queues/{queue}/claim").raise_for_status().json()["question"]:
                wanted = right[question["input"].strip()]
                left, other = (text.strip() == wanted for _, text in question["texts"])
                verdict = "tie" if left and other else "a" if left else "b" if other else "both_bad"
                given += 1
                said = {"token": question["token"], "client_id": f"{person}-{given}", "verdict": verdict}
                client.post(f"/api/v1/queues/{queue}/opinions", json=said).raise_for_status()
        return given
