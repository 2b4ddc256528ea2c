"""Serving processes: they say that they are there, and whoever falls silent is gone."""

from __future__ import annotations

import json
import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from whytune.errors import StoreError
from whytune.records.served import Announced
from whytune.settings import Settings
from whytune.workspace import endpoints
from whytune.workspace.serving import Gateway
from whytune.workspace.workspace import Workspace


@pytest.fixture
def room(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)


def _ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")


def _put(room: Workspace, name: str, **changes: object) -> None:
    made = Announced(
        id=name, address="http://127.0.0.1:8000/v1", machine=socket.gethostname(), pid=os.getpid(), person="ada", asks_key=False,
        aliases=("champion",), served={"champion": "release:1"}, started=_ago(100), beat=_ago(1),
    )  # fmt: skip
    room.store.endpoints.announce(made.model_copy(update=changes), _ago(86_400 * 7))


def test_a_process_is_known_while_it_serves_and_then_it_has_stopped(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, beaten = Gateway(room, ["champion"]), threading.Event()
    monkeypatch.setattr(endpoints, "BEAT", 0.01)
    beat = room.store.endpoints.beat
    monkeypatch.setattr(room.store.endpoints, "beat", lambda *told: (beat(*told), beaten.set()))
    told: list[BaseException] = []
    with endpoints.announced(gateway, "http://127.0.0.1:9/v1", told.append):
        assert beaten.wait(30)
        (found,) = endpoints.known(room)
        assert (found.state, found.process.address, found.process.pid, found.process.aliases) == ("serving", "http://127.0.0.1:9/v1", os.getpid(), ("champion",))
        assert found.process.served == {}, "an alias that stands for nothing is not served"
    assert endpoints.known(room)[0].state == "stopped"
    assert endpoints.known(room)[0].serves == {}
    assert told == []
    gateway.close()
    room.store.close()


def test_a_store_that_cannot_be_written_is_told_and_stops_nothing(room: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, again = Gateway(room, ["champion"]), threading.Event()
    monkeypatch.setattr(endpoints, "BEAT", 0.01)
    announce, told = room.store.endpoints.announce, list[BaseException]()

    def refused(*given: object) -> None:
        if not told:
            raise StoreError("the disk is full", next="free some space")
        announce(*given)  # type: ignore[arg-type]
        again.set()

    monkeypatch.setattr(room.store.endpoints, "announce", refused)
    with endpoints.announced(gateway, "http://127.0.0.1:9/v1", told.append):
        assert again.wait(30), "the next beat tries again"
        assert endpoints.known(room)[0].state == "serving"
    assert [type(error) for error in told] == [StoreError]
    gateway.close()
    room.store.close()


def test_the_terminal_lists_them(room: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from whytune.cli.app import run

    _put(room, "here")
    room.store.close()
    for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(room.root)
    said = []
    for arguments in (["endpoints", "--json"], ["endpoints"]):
        with pytest.raises(SystemExit) as left:
            run(arguments)
        assert not left.value.code
        said.append(capsys.readouterr().out)
    assert [(each["state"], each["process"]["address"]) for each in json.loads(said[0])["endpoints"]] == [("serving", "http://127.0.0.1:8000/v1")]
    assert "http://127.0.0.1:8000/v1" in said[1]


def test_the_silent_and_the_killed_are_gone(room: Workspace) -> None:
    dead = next(pid for pid in range(4_000_000, 4_194_000) if not Path(f"/proc/{pid}").exists())
    _put(room, "here")
    _put(room, "killed", pid=dead)
    _put(room, "elsewhere", machine="another", pid=dead)
    _put(room, "silent", machine="another", beat=_ago(31))
    _put(room, "left", ended=_ago(5))
    assert {each.process.id: each.state for each in endpoints.known(room)} == {"here": "serving", "killed": "gone", "elsewhere": "serving", "silent": "gone", "left": "stopped"}
    assert endpoints.serving(room, "champion") is not None
    assert endpoints.serving(room, "challenger") is None
    room.store.endpoints.announce(Announced(id="new", address="a", machine="b", pid=1, person="c", asks_key=True, aliases=(), served={}, started=_ago(0), beat=_ago(0)), _ago(10))
    assert {each.process.id for each in endpoints.known(room)} == {"here", "killed", "elsewhere", "left", "new"}, "who was not heard of for long is forgotten"
    room.store.close()
