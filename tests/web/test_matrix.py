"""Every role, every act, every door: what `roles.ACTS` permits is permitted by pages, API, workspace and command line, and nothing else.

An address that changes something and does not stand in `acts.OF` fails here; so does an act that no code asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from whytune.errors import NotAllowedError
from whytune.records.ledger import ROLES
from whytune.settings import Settings
from whytune.store import accounts as accounts_module
from whytune.web import acts, app
from whytune.web.app import make_app
from whytune.web.handling import Address
from whytune.workspace import people, permissions, roles, teams, working
from whytune.workspace.workspace import Workspace

SOURCE = Path(roles.__file__).parents[1]
HERE = "http://127.0.0.1:8765"
PROJECT = 'name = "support"\ntask = "categorization"\n[data]\nfrom = ["rows.csv"]\n[acceptance]\nmetric = "accuracy"\nbar = 0.8\nmargin = 0.05\n'
UNTOLD = {"ledger.checkpointed", "subject.erased", "usecase.fixed", "dataset.created", "index.built", "triage.done", "base.chosen", "power.said", "dev.measured", "adapter.trained",
          "protocol.fixed", "test.opened", "trial.measured", "decision.made", "model.chosen", "forgetting.measured", "release.mirrored", "feedback.received", "dataset.checked"}  # fmt: skip
"""Acts without an address of their own: done by work of some kind, by the endpoint, or at the terminal alone."""


def changing() -> list[tuple[str, Route]]:
    """Every address that may change something, by method and path."""
    every: list[Route] = [one for noun in (*app.NOUNS, *app.PAGES) for one in noun.routes]
    return [(f"{method} {one.path}", one) for one in every for method in sorted((one.methods or set()) - {"GET", "HEAD", "OPTIONS"})]


def test_every_address_that_changes_something_stands_for_an_act() -> None:
    there = {address for address, _ in changing()}
    assert there - set(acts.OF) == set(), "these addresses stand for no act: add them to web/acts.py"
    assert set(acts.OF) - there == set(), "these addresses are gone: take them out of web/acts.py"
    assert set(acts.OF.values()) <= {*roles.ACTS, acts.OWN, acts.NOBODY, acts.KIND}
    assert set(roles.ACTS) - set(acts.OF.values()) == UNTOLD


def test_every_address_that_changes_something_goes_through_the_frame() -> None:
    """A form proves its second secret there and JSON its content type; an address made in another way would have neither."""
    for address, one in changing():
        assert isinstance(one, Address), address
        assert one.face in ("json", "form", "upload") or acts.OF[address] == acts.NOBODY, address


def test_no_page_that_is_looked_at_changes_anything() -> None:
    """GET addresses are made by `page`, `route` or `file`, never with another method beside."""
    for noun in (*app.NOUNS, *app.PAGES):
        for one in noun.routes:
            methods = (one.methods or set()) - {"HEAD"}
            assert len(methods) == 1, one.path


ASKED = re.compile(r"\b(?:act|once|check|require|append_event)\((?:[^\"()]|\([^()]*\))*\"([a-z_]+\.[a-z_]+)\"")
"""An act in a call that asks for it."""


def _asked() -> set[str]:
    found = {*working.STEP_ACTS.values(), *working.KIND_ACTS.values()}
    for path in (SOURCE / "workspace").glob("*.py"):
        found |= set(ASKED.findall(path.read_text("utf-8")))
    return found


def test_every_act_is_asked_for_and_every_act_asked_for_is_in_the_table() -> None:
    assert set(roles.ACTS) ^ _asked() == set()


def test_nothing_is_written_but_by_an_act() -> None:
    """One place writes to the ledger, and it asks for the role first."""
    writing = {path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if re.search(r"append_events?\(|\bstore\.put\(", path.read_text("utf-8"))}
    assert {path for path in writing if path.parts[0] != "store"} == {Path("workspace/workspace.py")}


def nothing_is_run(*_: Any) -> None:
    """Whoever is let through to start work gets as far as its process, and no further here."""
    raise OSError("no process in this test")


def everybody_else(permitted: tuple[str, ...]) -> str:
    """The name of the person who holds every role but these."""
    return "but " + " ".join("".join(word[:2] for word in role.split("_")) for role in permitted)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts_module, "COST", 2**4)
        patch.setattr(working, "_spawn", nothing_is_run)
        for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
            patch.delenv(name, raising=False)
        place = tmp_path_factory.mktemp("matrix")
        with Workspace.open(place, settings=Settings(person="admin"), create=True).store as store:
            room = Workspace(place, store, Settings(person="admin"))
            (place / "support").mkdir()
            (place / "support" / "whytune.toml").write_text(PROJECT, "utf-8")
            people.add(room, "chief", ["admin"])
            chief = room.as_person("chief")
            for role in ROLES:
                people.add(chief, role, [role])
            for permitted in sorted({*roles.ACTS.values(), *roles.READS.values()}):
                if rest := [role for role in ROLES if role not in permitted]:
                    people.add(chief, everybody_else(permitted), rest)
            yield room


class Doors:
    """The workspace's addresses, entered by anybody: as a token over the API, as a session in a form."""

    def __init__(self, room: Workspace, web: TestClient) -> None:
        self.room = room
        self.web = web
        self.tokens: dict[str, str] = {}
        self.sessions: dict[str, tuple[str, str]] = {}
        self.sent = 0

    def __call__(self, person: str, address: str, one: Route, **body: str) -> tuple[int, dict[str, Any]]:
        """(status, error) of a request to an address; an empty one gets nothing done by whoever may do the act either."""
        from whytune.web.auth import csrf_of

        accounts = self.room.store.accounts
        method, _, path = address.partition(" ")
        path = re.sub(r"\{name\}", "support", re.sub(r"\{(?!name)\w+(:path)?\}", "nothing", path))
        self.sent += 1
        if isinstance(one, Address) and one.face == "form":
            if person not in self.sessions:
                secret = accounts.open_session(person).secret
                self.sessions[person] = (secret, csrf_of(secret))
            secret, csrf = self.sessions[person]
            answer = self.web.post(path, data={"_csrf": csrf, "_once": f"{self.sent:032x}", **body}, headers={"cookie": f"whytune_session={secret}", "accept": "application/json"})
        else:
            if person not in self.tokens:
                self.tokens[person] = accounts.make_token(person)
            how: dict[str, Any] = {"data": {"nothing": ""}} if isinstance(one, Address) and one.face == "upload" else {"json": body}
            answer = self.web.request(method, path, **how, headers={"authorization": f"Bearer {self.tokens[person]}"})
        told = answer.json() if answer.headers.get("content-type", "").startswith("application/json") else {}
        return answer.status_code, told if isinstance(told, dict) else {}


@pytest.fixture(scope="module")
def doors(room: Workspace) -> Iterator[Doors]:
    with TestClient(make_app(room.root), base_url=HERE, client=("127.0.0.1", 1), follow_redirects=False, raise_server_exceptions=False) as web:
        yield Doors(room, web)


def refused_by_role(answer: tuple[int, dict[str, Any]]) -> bool:
    status, told = answer
    return status == 403 and bool(re.search(r"may not do '", str(told.get("what", ""))))


def guarded() -> list[tuple[str, Route, str]]:
    return [(address, one, acts.OF[address]) for address, one in changing() if acts.OF.get(address) in roles.ACTS]


def test_at_every_address_whoever_lacks_the_role_is_refused_before_anything_else(room: Workspace, doors: Doors) -> None:
    """A person of all the other roles is refused, so each of these roles is: roles only ever add."""
    events, wrong = len(room.events()), []
    for address, one, act in guarded():
        if not set(ROLES) - set(roles.ACTS[act]):
            continue
        status, told = doors(everybody_else(roles.ACTS[act]), address, one)
        if not refused_by_role((status, told)):
            wrong.append(f"{address} ({act}): {status} {told.get('what')}")
        elif not set(roles.ACTS[act]) <= {role for role in ROLES if role in told["next"]}:
            wrong.append(f"{address} ({act}): it does not say who may: {told['next']}")
    assert not wrong, "\n".join(wrong)
    assert len(room.events()) == events, "what was refused left something behind"


@pytest.mark.parametrize(("kind", "act"), [*working.KIND_ACTS.items(), ("run", "usecase.fixed")])
def test_work_takes_the_role_of_its_kind_at_both_doors(room: Workspace, doors: Doors, kind: str, act: str) -> None:
    starting = [(address, one) for address, one in changing() if acts.OF[address] == acts.KIND and address.endswith("/runs")]
    assert len(starting) == 2
    before = working.jobs(room.as_person("auditor"))[1]
    for address, one in starting:
        answer = doors(everybody_else(roles.ACTS[act]), address, one, kind=kind)
        assert refused_by_role(answer), (address, answer)
    assert working.jobs(room.as_person("auditor"))[1] == before


@pytest.mark.slow
def test_at_every_address_every_single_role(room: Workspace, doors: Doors) -> None:
    wrong = []
    for address, one, act in guarded():
        for role in ROLES:
            refused = refused_by_role(doors(role, address, one))
            if refused == (role in roles.ACTS[act]):
                wrong.append(f"{address} ({act}): {role} is {'refused' if refused else 'let through'}")
    assert not wrong, "\n".join(wrong)


def looked_at() -> list[tuple[str, Route]]:
    """Every page and its JSON twin, every address that is only read; a welcome link opens its page by itself."""
    every: list[Route] = [one for noun in (*app.NOUNS, *app.PAGES) for one in noun.routes]
    return [(f"GET {one.path}", one) for one in every if "GET" in (one.methods or set()) and one.path != "/welcome"]


def refused_to_read(answer: tuple[int, dict[str, Any]]) -> bool:
    return answer[0] == 403 and "may not read '" in str(answer[1].get("what", ""))


def read_of(address: str) -> str:
    return acts.READS.get(address.removeprefix("GET ").removeprefix(acts.API), "")


def test_what_not_everybody_may_read_is_told_so_at_every_door(room: Workspace, doors: Doors) -> None:
    there = {address for address, _ in looked_at()}
    for path, what in acts.READS.items():
        assert {f"GET {path}", f"GET {acts.API}{path}"} <= there
        for address in (f"GET {path}", f"GET {acts.API}{path}"):
            one = next(each for name, each in looked_at() if name == address)
            answer = doors(everybody_else(roles.READS[what]), address, one)
            assert refused_to_read(answer), (address, answer)
            assert set(roles.READS[what]) <= {role for role in ROLES if role in answer[1]["next"]}
            assert not refused_to_read(doors(roles.READS[what][0], address, one)), address


@pytest.mark.slow
def test_every_page_and_every_single_role(room: Workspace, doors: Doors) -> None:
    """Everybody reads everything that the table does not name; what it names is read by its roles alone."""
    wrong = []
    for address, one in looked_at():
        what = read_of(address)
        for role in ROLES:
            status, told = doors(role, address, one)
            refused = refused_to_read((status, told))
            if refused == (not what or role in roles.READS[what]) or (status == 403 and not refused and "may not do" not in str(told)):
                wrong.append(f"{address}: {role} is {'refused' if refused else 'let through'}, {status}")
            if status >= 500:
                wrong.append(f"{address}: {role}: {status}")
    assert not wrong, "\n".join(wrong)


def test_parts_of_pages_follow_the_same_table(room: Workspace, doors: Doors) -> None:
    system = next(one for address, one in looked_at() if address == "GET /api/v1/system")
    for role in ROLES:
        told = doors(role, "GET /api/v1/system", system)[1]
        assert told["sees_machine"] == (role in roles.READS["machine"]), role
        assert {line["what"]: tuple(line["roles"]) for line in told["reads"]} == roles.READS
        assert (len({note["person"] for note in told["sessions"]}) <= 1) or role in roles.READS["accounts"]


def test_the_functions_and_the_terminal_ask_the_same_table(room: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from whytune.cli.app import run

    monkeypatch.chdir(room.root)
    for what, command in (("machine", ("doctor",)), ("feedback", ("feedback", "list")), ("feedback", ("feedback", "show", "fb_nothing"))):
        name = everybody_else(roles.READS[what])
        monkeypatch.setenv("WHYTUNE_PERSON", name)
        room.store.accounts.shut_out(name)
        with pytest.raises(SystemExit) as left:
            run(list(command))
        assert (command, left.value.code, f"may not read {what!r}" in capsys.readouterr().err) == (command, 4, True)
    for role in ROLES:
        for what, permitted in roles.READS.items():
            assert permissions.may_read(room.as_person(role), what).allowed == (role in permitted)


def test_in_the_workspace_every_role_and_every_act(room: Workspace) -> None:
    """The floor under every door, the command line's too: `Workspace.act` and the words said before a button is pressed."""
    wrong = []
    for role in ROLES:
        acting = room.as_person(role)
        for act, permitted in roles.ACTS.items():
            try:
                with acting.act(act):
                    raise _ReachedError
            except _ReachedError:
                through = True
            except NotAllowedError:
                through = False
            if through != (role in permitted):
                wrong.append(f"{role}, {act}: {'let through' if through else 'refused'}")
    assert not wrong, "\n".join(wrong)


def test_a_button_says_the_same_before_it_is_pressed_and_who_may(room: Workspace) -> None:
    for act, permitted in roles.ACTS.items():
        assert permissions.may(room.as_person(permitted[0]), act).allowed
        if set(permitted) != set(ROLES):
            told = permissions.may(room.as_person(everybody_else(permitted)), act)
            assert not told.allowed
            assert told.reason
            assert set(permitted) <= set(told.who)


class _ReachedError(Exception):
    """The block of an act was reached; nothing is written."""


COMMANDS: dict[str, Sequence[str]] = {
    "person.changed": ("user", "add", "new", "--role", "tester"), "team.changed": ("team", "edit", "team.toml"), "break_glass.used": ("user", "break-glass", "--reason", "the server is down"),
    "project.created": ("init", "fresh", "--task", "categorization", "--from", "rows.csv"), "usecase.fixed": ("run", "support", "--until", "usecase"),
    "ledger.checkpointed": ("audit", "checkpoint"), "subject.erased": ("erase", "somebody@example.org", "--reason", "request 17"),
    "key.changed": ("key", "add", "shop"),
}  # fmt: skip
"""A command for acts that a fresh project can be asked for; the others' commands find nothing to act on before a role matters."""


@pytest.mark.parametrize("act", sorted(COMMANDS))
def test_at_the_terminal_whoever_lacks_the_role_is_refused(room: Workspace, act: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from whytune.cli.app import run

    (room.root / "rows.csv").write_text("text,label\na,b\nc,d\n", "utf-8")
    (room.root / "support" / "rows.csv").write_text("text,label\na,b\nc,d\n", "utf-8")
    (room.root / "team.toml").write_text(teams.as_text(room.as_person("chief")).replace("Chief AI Officer", "Somebody else"), "utf-8")
    monkeypatch.chdir(room.root)
    name = everybody_else(roles.ACTS[act])
    monkeypatch.setenv("WHYTUNE_PERSON", name)
    room.store.accounts.shut_out(name)  # nobody's name alone is enough who has a token; the tests over HTTP may have made one
    events = len(room.events())
    with pytest.raises(SystemExit) as left:
        run(list(COMMANDS[act]))
    told = capsys.readouterr().err
    assert (left.value.code, "may not do" in told) == (4, True), told
    assert len(room.events()) == events
