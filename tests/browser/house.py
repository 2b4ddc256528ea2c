"""A workspace with everything in it, made by the commands that people type; a tiny random model really answers and learns.

`built(folder)` takes about half a minute. What is in it:

    support    categorization, tuned arm won, rows and pairs reviewed, responsible-AI report, accepted, released (support/1),
               alias `champion`, consumer `desk`, one feedback triaged and proposed, one new; one round of a rubric open;
               rows that `creator` proposed wait for a second person. Some rows hold HTML and script.
    handbook   questions over documents: two dataset versions, a round about rows open, nothing measured
    fresh      begun, nothing run
    flawed     its dataset fails its checks

People are named for what they do: admin, and `ROLES`. Each has the password `PASSWORD` and a token.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.cli.living import WORDS, environment, handbook
from tests.tiny import build

ROLES = {
    "owner": "business_owner", "architect": "architect", "creator": "data_creator", "second": "data_creator", "scientist": "data_scientist",
    "tester": "tester", "rai": "responsible_ai", "legal": "legal", "operator": "operator", "success": "customer_success", "auditor": "auditor",
}  # fmt: skip
"""The people beside `admin`, and the role of each."""
PASSWORD = "a long enough password"
TOKENS = "tokens.json"
QUICK = {"WHYTUNE_DTYPE": "float32", "WHYTUNE_THREADS": "1"}
TRAINING = {"epochs": "10.0", "rank": "8", "alpha": "32", "batch_size": "16", "max_length": "512", "checkpoints": "2", "dtype": '"float32"', "learning_rate": "0.01"}
HOSTILE = (
    "<script>document.title='owned'</script>", "<img src=x onerror=document.title='owned'>", "\"><b onmouseover=alert(1)>bold</b>",
    "{{ 7*7 }} ${7*7} <!-- -->", "</td></table><h1>owned</h1>", "javascript:alert(1) [x](javascript:alert(1))",
)  # fmt: skip
"""Put into some inputs: a page that shows rows must show it as text."""


@dataclass(frozen=True)
class House:
    """A built workspace: its folder, and each person's token."""

    folder: Path
    tokens: dict[str, str]

    def __call__(self, person: str, *arguments: str, code: int | None = 0) -> str:
        """The command as that person types it in a process of its own; gives what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "whytune", *arguments], cwd=self.folder, capture_output=True, text=True, check=False,
            env=environment(**QUICK, WHYTUNE_PERSON=person, **({"WHYTUNE_TOKEN": self.tokens[person]} if person in self.tokens else {})),
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert code is None or done.returncode == code, f"{person}: {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def told(self, person: str, *arguments: str, code: int | None = 0) -> dict[str, Any]:
        """What the command says as JSON."""
        found: dict[str, Any] = json.loads(self(person, *arguments, "--json", code=code))
        return found


def built(folder: Path) -> House:
    """Make it all in this folder."""
    house = House(folder, {})
    model = build(folder / "tiny")
    _files(folder)
    with _typing(folder) as typed:
        base = ("--model", f"folder:{model}", "--yes")
        typed("admin", "init", "support", "--task", "categorization", "--from", "messages.csv", "--bar", "0.5", "--triage", "may_train=yes", "--purpose", "Sort what customers write, <b>by topic</b>", *base)
        typed("admin", "init", "handbook", "--task", "qna", "--from", "questions.jsonl", "--documents", "handbook-files", "--evidence", "source", "--bar", "0.3", "--purpose", "Answer questions of staff", *base)
        typed("admin", "init", "fresh", "--task", "sentiment", "--from", "messages.csv", "--bar", "0.6", "--purpose", "Not begun yet", *base)
        typed("admin", "init", "flawed", "--task", "categorization", "--from", "flawed.csv", "--bar", "0.6", "--purpose", "Its data cannot be used as it is", *base)
        typed("admin", "user", "add", "admin", "--role", "admin")
        for name, role in ROLES.items():
            typed("admin", "user", "add", name, "--role", role)
        support = folder / "support"
        _own(support)
        edit(support / "whytune.toml", **TRAINING, train="0.4", dev="0.2", test="0.4", use='["prompt", "few_shot", "tuned"]', hybrid='"off"')
        edit(folder / "handbook" / "whytune.toml", hybrid='"off"')
        typed("owner", "policy", "init", "support")
        edit(
            support / "policy.toml", evidence='["test", "responsible", "human_evaluation", "row_review", "dataset_approval"]', smallest="30", double_rated="5",
            most_bad_rows="0.3", conclusions='["better", "tie", "not_proven"]', statuses='["PASS", "WAIVED", "NOT PROVEN", "NOT RUN"]', probes="[]", licences="[]",
        )  # fmt: skip
        typed("owner", "policy", "fix", "support")
        for name in ("support", "handbook", "flawed"):
            typed("owner", "run", name, "--until", "usecase")
            typed("creator", "run", name, "--until", "check", code=3 if name == "flawed" else 0)
        typed("creator", "data", "propose", "handbook", "more.jsonl", "--reason", "asked for by readers")
        typed("second", "data", "accept", "handbook", "--all")
        typed("creator", "run", "handbook", "--until", "check")
    house("scientist", "run", "support", "--until", "train")
    house("tester", "run", "support")
    _judged(folder)
    house("rai", "responsible", "run", "support", "--quick", code=None)
    with _typing(folder) as typed:
        _accepted(folder, typed)
        secret = json.loads(typed("operator", "key", "add", "desk", "--json"))["secret"]
        for name in (*ROLES, "admin"):
            # From then on the name alone opens nothing.
            typed(name, "user", "password", name, "--stdin", keys=f"{PASSWORD}\n")
            house.tokens[name] = json.loads(typed(name, "user", "token", name, "--stdin", "--json", keys=f"{PASSWORD}\n"))["token"]
    _consumed(folder, secret, house)
    # Of a workspace that is thrown away, for the tests that act at the terminal; written last: a folder without it is not whole.
    (folder / TOKENS).write_text(json.dumps(house.tokens), "utf-8")
    return house


def edit(file: Path, **values: str) -> None:
    """Set keys of a TOML file, as a person does with an editor."""
    text = file.read_text("utf-8")
    for key, value in values.items():
        text, changed = re.subn(rf"(?m)^(# )?{key} = .*$", lambda _, line=f"{key} = {value}": line, text, count=1)
        assert changed, key
    file.write_text(text, "utf-8")


@contextlib.contextmanager
def serving(folder: Path, *command: str, ready: str = "/healthz", person: str = "", **more: str) -> Iterator[str]:
    """`whytune web` or `whytune serve` of a workspace on a free port of this machine, in a process of its own; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / f"{command[0]}-{port}.log"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "whytune", *command, "--port", str(port)], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env=environment(**QUICK, **({"WHYTUNE_PERSON": person} if person else {}), **more),
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):
            if process.poll() is not None:
                raise AssertionError(f"{' '.join(command)}: exit {process.returncode}\n{log.read_text('utf-8')}")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(address + ready, timeout=5).status_code == 200:
                    break
            time.sleep(0.05)
        else:
            raise AssertionError(f"{' '.join(command)} did not come up\n{log.read_text('utf-8')}")
        yield address
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def _typing(folder: Path) -> Iterator[Any]:
    """Commands that load no model, typed in this process: a start of the interpreter for each would take most of the time."""
    import typer

    from whytune.cli import app

    before, place, usual_app = dict(os.environ), Path.cwd(), app.app
    app.app = typer.main.get_command(usual_app)  # type: ignore[assignment]  # built once, not for each command
    os.chdir(folder)

    def typed(person: str, *arguments: str, code: int | None = 0, keys: str = "") -> str:
        read, write = os.pipe()
        os.write(write, keys.encode())
        os.close(write)
        # A plain string cannot stand in for standard input: the reading of keys asks for its file descriptor.
        with os.fdopen(read, encoding="utf-8") as stdin:
            usual, sys.stdin = sys.stdin, stdin
            os.environ["WHYTUNE_PERSON"] = person
            out, err = io.StringIO(), io.StringIO()
            left: int | str | None = None
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    app.run(list(arguments))
            except SystemExit as end:
                left = end.code
            finally:
                sys.stdin = usual
        assert code is None or left == code, f"{person}: {' '.join(arguments)}: exit {left}\n{out.getvalue()}{err.getvalue()}"
        return out.getvalue()

    try:
        for key in [key for key in os.environ if key.startswith("WHYTUNE_")]:
            del os.environ[key]
        os.environ.update(environment(**QUICK))
        yield typed
    finally:
        app.app = usual_app
        os.chdir(place)
        os.environ.clear()
        os.environ.update(before)


def _files(folder: Path) -> None:
    """The sources of the four projects."""
    lines = ["text,category"]
    for number in range(220):
        # Three of four are about delays. The model learns to read the last word; a prompt alone does not bring it to that.
        label = "delay" if number % 4 else ("loss", "refund")[number // 4 % 2]
        some = " ".join(WORDS[(number * k + k * k) % len(WORDS)] for k in (1, 7, 11, 13))
        hostile = HOSTILE[number // 9 % len(HOSTILE)] + " " if number % 9 == 0 else ""
        lines.append(f'"{hostile.replace(chr(34), chr(34) * 2)}{some} {number * 37} about {label}",{label}')
    (folder / "messages.csv").write_text("\n".join(lines) + "\n", "utf-8")
    flawed = ["text,category"] + [f"{WORDS[n % 30]} {WORDS[n * 7 % 30]} {n * 31} is late,{'other' if n == 40 else 'delay'}" for n in range(80)]
    (folder / "flawed.csv").write_text("\n".join(flawed) + "\n", "utf-8")
    questions, documents = handbook(folder)
    documents.rename(folder / "handbook-files")
    assert questions.name == "questions.jsonl"
    more = [{"input": f"What is on floor {n} of the house in Basel, {WORDS[n]}?", "target": f"the {WORDS[n + 1]} room"} for n in range(8)]
    (folder / "more.jsonl").write_text("\n".join(map(json.dumps, more)) + "\n", "utf-8")
    (folder / "asked.jsonl").write_text("\n".join(json.dumps({"input": f"{WORDS[n]} number {n * 41} has been lost, {HOSTILE[n % 6]}", "target": "loss"}) for n in range(6)) + "\n", "utf-8")


def _own(project: Path) -> None:
    file = project / "whytune.toml"
    text, changed = re.subn(r"(?m)^(\[owners\].*)$", r'\1\nbusiness_owner = "owner"\ndata_creator = "creator"\ntester = "tester"', file.read_text("utf-8"), count=1)
    assert changed
    file.write_text(text, "utf-8")


def _judged(folder: Path) -> None:
    """People read rows, and judge pairs blind: the answer that is on file wins."""
    from whytune.workspace import reviewing
    from whytune.workspace.workspace import Workspace

    with _typing(folder) as typed:
        typed("creator", "review", "open", "support", "--rows", "--sample", "24", "--overlap", "0.3", "--gold", "0", "--repeats", "0")
        for person in ("tester", "success", "legal"):
            typed(person, "review", "support", keys="y\n" * 60)
        typed("tester", "review", "close", "support", "--early")
        typed("tester", "data", "approve", "support", "--reason", "24 rows read, none bad")
        typed("tester", "review", "open", "support", "--pairs", "prompt", "tuned", "--votes", "0", "--gold", "0", "--repeats", "0", "--overlap", "1.0", "--split", "test")
        with contextlib.closing(Workspace.open(folder).store) as store:
            for person in ("success", "legal"):
                room = Workspace(folder, store, Workspace.open(folder).settings).as_person(person)
                given = 0
                while (found := reviewing.next_question(room.project("support")))[1]:
                    round, question = found
                    wanted = question.input.strip().rpartition("about ")[2]
                    left, other = (text.strip() == wanted for _, text in question.texts)
                    given += 1
                    round.answer(question.token, f"{person}-{given}", "tie" if left and other else "a" if left else "b" if other else "both_bad")
        typed("tester", "review", "close", "support", "--early", code=None)  # 6 where it is not proven whom they prefer
        typed("tester", "review", "open", "support", "--rubric", "tuned", "--sample", "12", "--gold", "0", "--repeats", "0", "--split", "test")
        typed("creator", "review", "open", "handbook", "--rows", "--sample", "20", "--gold", "0", "--repeats", "0")


def _accepted(folder: Path, typed: Any) -> None:
    """Failures are waived by name and date, three people sign, the owner accepts; released under a name."""
    from datetime import UTC, datetime, timedelta

    statuses = json.loads(typed("auditor", "responsible", "show", "support", "--json", code=None))["statuses"]
    soon = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
    for dimension in sorted(name for name, status in statuses.items() if status == "FAIL"):
        typed("legal", "responsible", "waive", "support", dimension, "--reason", "a tiny model, for staff only", "--until", soon)
    for person, role in (("owner", "business_owner"), ("rai", "responsible_ai"), ("tester", "tester")):
        typed(person, "sign", "support", "--role", role, "--reason", "read the evidence")
    typed("owner", "accept", "support")
    typed("operator", "release", "make", "support")
    typed("operator", "alias", "set", "champion", "support/1", "--reason", "first release")
    typed("creator", "data", "propose", "support", "asked.jsonl", "--reason", "rows that customers asked for")


def _consumed(folder: Path, secret: str, house: House) -> None:
    """A consumer asks twice and says what was wrong; one of the two is looked at and proposed as a row."""
    who = {"authorization": f"Bearer {secret}"}
    with serving(folder, "serve", ready="/readyz", person="operator", WHYTUNE_TOKEN=house.tokens["operator"]) as address, httpx.Client(base_url=address, headers=who, timeout=60) as client:
        for text in ("where is my parcel 4711, it was to come on Monday", f"I want my money back {HOSTILE[0]}"):
            asked = {"model": "champion", "messages": [{"role": "user", "content": text}], "metadata": {"consent": "yes"}}
            answer = client.post("/v1/chat/completions", json=asked).raise_for_status().json()
            said = {"response_id": answer["id"], "rating": "down", "correction": "refund", "consent": True, "question": text, "comment": f"wrong {HOSTILE[1]}"}
            client.post("/v1/feedback", json=said).raise_for_status()
    first = house.told("success", "feedback", "list")["feedback"][0]
    house("success", "feedback", "triage", first["id"], "--useful", "--reason", "a clear correction")
    house("success", "feedback", "propose", "support", first["id"])


if __name__ == "__main__":
    place = Path(sys.argv[1]).resolve()
    place.mkdir(parents=True)
    built(place)
