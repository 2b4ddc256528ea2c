"""After reading ahead the first pages read nothing more; it stops when it is told to, and a broken use case stops nothing."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workspace import compared_desks

from whytune.store.store import Store
from whytune.workspace import cases, comparing, held, portfolio, ranking, warming
from whytune.workspace.cases import CaseQuestion
from whytune.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warming")
    compared_desks.documents(folder).workspace.store.close()
    return folder


@pytest.fixture
def room(made: Path, tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(shutil.copytree(made, tmp_path / "room"))
    yield opened
    opened.store.close()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the reads that cost much."""
    found: list[str] = []

    def counted(name: str) -> None:
        was = getattr(Store, name)

        def reading(self: Store, *given: object, **named: object) -> object:
            found.append(name)
            return was(self, *given, **named)

        monkeypatch.setattr(Store, name, reading)

    for name in ("gather", "read_pack", "pack_lines"):
        counted(name)
    return found


def test_first_pages_read_nothing_more(room: Workspace, read: list[str]) -> None:
    (room.root / "broken").mkdir()
    (room.root / "broken" / "whytune.toml").write_text("name = [", "utf-8")
    warming.warm(room, threading.Event())
    assert {"gather", "read_pack", "pack_lines"} == set(read)
    read.clear()
    project = held.looking(room).project("desk")
    assert len(portfolio.portfolio(room).lines) == 1
    assert comparing.compared(project).arms
    assert cases.cases(project, CaseQuestion(), limit=5).total
    assert ranking.boards(project.workspace, "desk")
    assert read == []


def test_it_stops_when_it_is_told_to(room: Workspace, read: list[str]) -> None:
    stop = threading.Event()
    stop.set()
    warming.warm(room, stop)
    assert set(read) == {"gather"}
