"""The whole store: opening, what cannot be opened, full and read-only disks, kill -9 in the middle of writing."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.store.conftest import ANNA, rule
from tests.store.test_records import tamper

from whytune.errors import LockedError, StoreError
from whytune.records.project import AcceptanceRule
from whytune.store import database
from whytune.store.store import Store


def test_a_store_is_made_once_and_opened_again(folder: Path) -> None:
    with pytest.raises(StoreError, match="no whytune store"):
        Store.open(folder)
    assert not folder.exists()
    for _ in range(2):
        with Store.open(folder, create=True) as store:
            store.put(rule())
    with Store.open(folder) as store:
        assert store.list(AcceptanceRule) == [rule()]
        assert store.disk_use()["database"] > 0


@pytest.mark.parametrize("create", [True, False])
def test_what_is_not_a_store_is_refused(folder: Path, create: bool) -> None:
    folder.mkdir()
    (folder / "store.db").write_bytes(b"this is no database at all, but long enough to look like one" * 20)
    with pytest.raises(StoreError, match="not a SQLite database"):
        Store.open(folder, create=create)
    (folder / "store.db").unlink()
    other = sqlite3.connect(folder / "store.db")
    other.execute("CREATE TABLE theirs(x)")
    other.close()
    with pytest.raises(StoreError, match="not a whytune store"):
        Store.open(folder, create=create)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="a file stands where"):
        Store.open(tmp_path / "file" / ".whytune", create=True)


def test_a_newer_schema_is_refused(store: Store, folder: Path) -> None:
    tamper(folder, "UPDATE whytune SET value = '99' WHERE name = 'schema'")
    with pytest.raises(StoreError, match="newer whytune") as caught:
        Store.open(folder)
    assert "upgrade" in caught.value.next


def test_a_damaged_database_is_named(folder: Path) -> None:
    with Store.open(folder, create=True) as store:
        store.put(*(rule(f"m{n}") for n in range(300)))
    file = folder / "store.db"
    content = bytearray(file.read_bytes())
    content[4096:] = bytes(random.Random(1).randbytes(len(content) - 4096))
    file.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"), Store.open(folder) as store:
        store.list(AcceptanceRule)


def test_a_database_that_stays_busy_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_SETTINGS", (*database._SETTINGS, "PRAGMA busy_timeout=50"))
    with Store.open(folder, create=True) as store:
        other = sqlite3.connect(folder / "store.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError, match="kept the database busy"):
            store.put(rule())
        other.execute("ROLLBACK")
        other.close()
        store.put(rule())


def test_what_a_killed_process_left_is_swept_after_a_day(folder: Path) -> None:
    with Store.open(folder, create=True):
        pass
    (folder / "temporary").mkdir()
    old, new = folder / "temporary" / "old", folder / "temporary" / "new"
    for path in (old, new):
        path.mkdir()
        (path / "part").write_text("x")
    os.utime(old, (time.time() - 90_000,) * 2)
    with Store.open(folder):
        assert not old.exists()
        assert new.exists()


FILL = """
import os, resource, sys
from pathlib import Path
from whytune.errors import StoreError
from whytune.records.ledger import Person
from whytune.records.project import AcceptanceRule
from whytune.store.store import Store
person = Person(name="anna", roles=(), solo=True)
with Store.open(Path(sys.argv[1])) as store:
    if sys.argv[2] != "0":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        for n in range(100_000):
            rule = AcceptanceRule(metric=f"{n} " + "x" * 2000, bar=0.5, margin=0.1)
            if sys.argv[3] == "acts":
                store.append_event("act", "p", person, records=(rule,))
            elif sys.argv[3] == "packs":
                store.put_pack(({"n": n, "m": m, "t": os.urandom(100).hex()} for m in range(20_000)), "rows")
            else:
                store.put_blob(os.urandom(3_000_000))
            print(n, flush=True)
    except StoreError as error:
        print(error, file=sys.stderr)
        sys.exit(7)
"""


def fill(folder: Path, limit: int, what: str) -> tuple[int, str]:
    """(acts acknowledged, what was said) of a process that writes until the disk is full."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(folder), str(limit), what],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    return len(done.stdout.split()), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("what", ["acts", "packs", "blobs"])
def test_a_full_disk_loses_nothing_acknowledged(folder: Path, what: str) -> None:
    # No file may grow beyond a limit: the system refuses the write as a full disk does.
    with Store.open(folder, create=True):
        pass
    acknowledged, said = fill(folder, 1_000_000, what)
    assert "full" in said or "largest permitted" in said
    assert "next: free some space" in said
    with Store.open(folder) as store:
        assert store.verify().problems == []
        if what == "acts":
            assert acknowledged > 10
            assert store.verify().events == acknowledged
        assert store.disk_use()["temporary"] == 0
        store.put(rule())
        assert store.list(AcceptanceRule)[-1] == rule()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["acts", "packs"])
def test_a_really_full_disk(tmp_path: Path, what: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root; the file-size limit above is tested everywhere")
    try:
        with Store.open(disk / "s", create=True):
            pass
        acknowledged, said = fill(disk / "s", 0, what)
        assert "the disk is full" in said
        (room := disk / "s" / "packs").exists() and [path.unlink() for path in list(room.glob("*/*"))[:1]]
        with Store.open(disk / "s") as store:
            assert store.verify().problems == []
            assert store.verify().events == (acknowledged if what == "acts" else 0)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_read_only_file_system_is_said(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with Store.open(disk, create=True):
        pass
    bind = ["mount", "--bind", str(disk), str(disk)]
    if subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("a read-only mount needs root; the read-only database below is tested everywhere")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)
        with pytest.raises(StoreError, match=r"read-only|cannot be written|cannot be opened") as caught:
            Store.open(disk)
        assert "writable" in caught.value.next
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_database_that_refuses_writing_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(folder, create=True):
        pass
    monkeypatch.setattr(database, "_SETTINGS", (*database._SETTINGS, "PRAGMA query_only=ON"))
    with Store.open(folder) as store, pytest.raises(StoreError, match="cannot be written") as caught:
        store.put(rule())
    assert "writable" in caught.value.next


WRITE = """
import sys
from pathlib import Path
from whytune.records.data import Passage
from whytune.records.ledger import Person
from whytune.records.project import AcceptanceRule
from whytune.store.store import Store
person = Person(name="anna", roles=(), solo=True)
with Store.open(Path(sys.argv[1]), create=True) as store:
    print("open", flush=True)
    for n in range(int(sys.argv[2]), 10_000_000):
        pack = store.put_pack(({"n": n, "m": m} for m in range(500)), "rows")
        rule = AcceptanceRule(metric=str(n), bar=0.5, margin=0.1)
        event = store.append_event("act", "p", person, wrote=(pack,), records=(rule,))
        store.passages.build(f"index {n}", [Passage(document="d", title="", text=f"word {m}", start=0, end=1) for m in range(50)])
        print(n, event.id, pack, flush=True)
"""


@pytest.mark.slow
def test_kill_9_anywhere_loses_nothing_acknowledged(folder: Path) -> None:
    chance = random.Random(5)
    acknowledged: list[tuple[int, str, str]] = []
    for _ in range(6):
        start = acknowledged[-1][0] + 1000 if acknowledged else 0
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(folder), str(start)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        said = "".join(writer.stdout.readline() for _ in range(chance.randint(0, 4)))
        time.sleep(chance.uniform(0, 0.03))
        writer.send_signal(signal.SIGKILL)
        said += writer.communicate()[0]
        # The last line may itself be cut.
        lines = [line.split() for line in said.split("\n")[:-1]]
        acknowledged += [(int(number), event, pack) for number, event, pack in lines]
        with Store.open(folder) as store:
            report = store.verify(acknowledged[-1][1] if acknowledged else "")
            assert report.problems == []
            events = {event.id for event in store.events()}
            rules = {each.metric for each in store.list(AcceptanceRule, "p")}
            for number, event, pack in acknowledged:
                assert event in events
                assert str(number) in rules
                assert store.passages.has(f"index {number}")
                assert len(store.passages.search(f"index {number}", "word", 99)) == 50
                assert sum(1 for _ in store.read_pack(pack)) == 500
            store.append_event("after", "p", ANNA)
    assert len(acknowledged) > 5
