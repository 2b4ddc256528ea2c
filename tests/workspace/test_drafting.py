"""Use cases from uploaded files: what is guessed, what is refused, and that nothing typed or uploaded is lost or leaks."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.living import handbook, tickets

from whytune.errors import NotAllowedError, NotFoundError, RefusedError, SettingsError, UsageError
from whytune.records.drafted import SetupDraft
from whytune.settings import Settings
from whytune.workspace import config, drafting, reading, wishes
from whytune.workspace.workspace import Workspace


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "room"
    folder.mkdir()
    with_store = Workspace.open(folder, settings=Settings(person="ann"), create=True)
    yield with_store
    with_store.store.close()


def upload(tmp_path: Path, data: bytes | str) -> Path:
    path = tmp_path / "sent"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def rows(tmp_path: Path) -> tuple[str, Path]:
    return "tickets.csv", tickets(tmp_path / "sent.csv")


def zipped(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


def test_from_an_upload_to_a_project(room: Workspace, tmp_path: Path) -> None:
    draft = drafting.begin(room, [rows(tmp_path)])
    assert draft.problems == ()
    assert draft.look is not None
    assert (draft.wishes["name"], draft.wishes["task"], draft.look.input, draft.look.target) == ("tickets", "categorization", "text", "category")
    assert drafting.drafts(room) == [draft]
    draft = drafting.save(room, draft.id, {"name": "Support", "bar": "0,7", "purpose": 'to "sort"\nmail', "triage.no_egress": "yes", "private": "yes"}, {})
    project = drafting.create(room, draft.id)
    file = config.read(room.root / "Support")
    assert (file.acceptance.bar, file.purpose, file.circumstances.no_egress, file.circumstances.citations) == (0.7, 'to "sort"\nmail', True, None)
    assert (file.data.from_, file.access.private, file.access.people) == (("data/tickets.csv",), True, ("ann",))
    assert [event.act for event in room.events("Support")] == ["project.created"]
    assert reading.spec(project.file, project.folder).paths == (room.root / "Support" / "data" / "tickets.csv",)
    assert drafting.drafts(room) == []
    assert not (room.store.folder / drafting.FOLDER / draft.id).exists()


def test_every_mistake_is_told_at_once_and_kept(room: Workspace, tmp_path: Path) -> None:
    draft = drafting.begin(room, [rows(tmp_path)])
    typed = {
        "name": "../x", "task": "magic", "metric": "luck", "bar": "high", "margin": "0", "format": "word", "base": "folder:/etc", "limit": "1.5",
        "owners.legal": "bell\a", "triage.erasure": "maybe", "purpose": "x" * 3000,
    }  # fmt: skip
    draft = drafting.save(room, draft.id, typed, {})
    assert {name: draft.wishes[name] for name in typed} == typed
    for word in ("name", "task", "bar", "margin", "format", "model", "limit", "owners.legal", "triage.erasure", "purpose"):
        assert any(word in problem for problem in draft.problems), word
    assert draft.look is not None, "the guess is shown whatever else is wrong"
    with pytest.raises(SettingsError) as refused:
        drafting.create(room, draft.id)
    assert refused.value.problems == draft.problems
    assert [path.name for path in room.root.iterdir()] == [".whytune"]
    mended = drafting.save(room, draft.id, {**wishes.first(room, draft.files), "base": "folder:.."}, {})
    assert len(mended.problems) == 1, "a folder outside the workspace stays refused"
    assert drafting.save(room, draft.id, {"base": "endpoint:http://127.0.0.1:1"}, {}).problems == ("model_name: an endpoint needs the name of its model",)


def test_a_name_that_is_taken_is_refused_in_any_spelling(room: Workspace, tmp_path: Path) -> None:
    drafting.create(room, drafting.begin(room, [rows(tmp_path)]).id)
    again = drafting.begin(room, [rows(tmp_path)])
    assert again.wishes["name"] == "tickets-2"
    for name in ("tickets", "TICKETS", "new", ".whytune", "a/b", ""):
        assert drafting.save(room, again.id, {"name": name}, {}).problems, name
    (room.root / "later").mkdir()
    assert "later" in drafting.save(room, again.id, {"name": "Later"}, {}).problems[0]


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("../../etc/passwd", "passwd"), ("C:\\data\\Täst 1.csv", "Täst 1.csv"), (".bashrc", "bashrc"), ("-rf.csv", "rf.csv"), ("", "upload"), ("...", "upload"),
        ("a\x00b\u202e.csv", "ab.csv"), ("x" * 300 + ".jsonl", "x" * 80 + ".jsonl"), ("a;$(rm)`.csv", "a__(rm)_.csv"), ("．．／x.csv", "x.csv"),
        ("Whytune.toml", "uploaded-Whytune.toml"),
    ],
)  # fmt: skip
def test_names_of_files_are_cleaned(given: str, clean: str) -> None:
    assert drafting.clean_name(given) == clean


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("tool.csv", b"MZ\x90\x00" + bytes(100), "program"), ("empty.csv", b"", "empty"), ("photo.jsonl", b"\x89PNG\r\n" + bytes(50), "PNG"), ("noise.csv", bytes(range(256)) * 40, "binary"),
        ("bomb.zip", zipped({"a.txt": bytes(30 << 20)}), "zip bomb"), ("broken.zip", b"PK\x03\x04 and no more", "whole archive"), ("x.tar.gz", gzip.compress(b"no tar", mtime=0), "whole archive"),
        ("bad.parquet", b"PAR1 and no more", "arquet"), ("odd.xyz", b"words", "no reader"), ("deep.json", b"[" * 100_000, "nothing"),
    ],
)  # fmt: skip
def test_hostile_uploads_are_named_and_not_used(room: Workspace, tmp_path: Path, name: str, data: bytes, why: str) -> None:
    draft = drafting.begin(room, [(name, upload(tmp_path, data))])
    assert draft.problems
    told = " ".join((*draft.problems, *(found.why for file in draft.files for found in file.found)))
    assert str(tmp_path) not in told
    if why != "nothing":
        assert why in told
    with pytest.raises(SettingsError):
        drafting.create(room, draft.id)


def test_members_that_leave_an_archive_stay_in_it(room: Workspace, tmp_path: Path) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name in ("../../out.csv", "/abs.csv", "fine/rows.csv"):
            info = tarfile.TarInfo(name)
            data = (tmp_path / "t.csv").read_bytes() if (tmp_path / "t.csv").exists() else tickets(tmp_path / "t.csv").read_bytes()
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    draft = drafting.begin(room, [("pack.tar", upload(tmp_path, held.getvalue()))])
    assert [(file.name, file.use) for file in draft.files] == [("pack.tar", "left_out"), ("rows.csv", "rows")]
    project = drafting.create(room, draft.id)
    assert sorted(path.name for path in (project.folder / "data").iterdir()) == ["rows.csv"]
    assert not list(tmp_path.parent.glob("**/out.csv"))


def test_an_uploaded_project_file_makes_no_project(room: Workspace, tmp_path: Path) -> None:
    rogue = tmp_path / "rogue"
    rogue.write_text('name = "rogue"\ntask = "qna"\n[acceptance]\nmetric = "facts"\nbar = 0.1\nmargin = 0.1\n', "utf-8")
    draft = drafting.begin(room, [rows(tmp_path), ("whytune.toml", rogue)])
    drafting.create(room, drafting.save(room, draft.id, {}, {draft.files[1].id: "documents"}).id)
    assert [project.name for project in room.projects()] == ["tickets"]


def test_documents_come_along_and_uses_can_be_changed(room: Workspace, tmp_path: Path) -> None:
    questions, documents = handbook(tmp_path)
    pack = zipped({path.name: path.read_bytes() for path in documents.iterdir()})
    draft = drafting.begin(room, [("q.jsonl", questions), ("handbook.zip", upload(tmp_path, pack))])
    assert [file.use for file in draft.files] == ["rows", "documents"]
    more = tmp_path / "more"
    more.write_text("# Not needed", "utf-8")
    draft = drafting.add(room, draft.id, [("Q.JSONL", more)])
    assert draft.files[2].name == "Q-2.JSONL"
    draft = drafting.save(room, draft.id, {"task": "qna", "evidence": "source"}, {draft.files[2].id: "left_out"})
    assert draft.problems == ()
    project = drafting.create(room, draft.id)
    assert (project.file.data.documents, project.file.data.evidence) == (("data/handbook.zip",), "source")
    assert not (project.folder / "data" / "Q-2.JSONL").exists()


def test_a_draft_is_one_persons_own(room: Workspace, tmp_path: Path) -> None:
    room.add_person("ann", ("business_owner",))
    admin = room.as_person("ann")
    admin.add_person("bo", ("data_scientist",))
    admin.add_person("eve", ("auditor",))
    draft = drafting.begin(admin, [rows(tmp_path)])
    bo = room.as_person("bo")
    for act in (lambda: drafting.named(bo, draft.id), lambda: drafting.create(bo, draft.id), lambda: drafting.discard(bo, draft.id), lambda: drafting.save(bo, draft.id, {}, {})):
        with pytest.raises(NotFoundError):
            act()
    assert drafting.drafts(bo) == []
    with pytest.raises(NotAllowedError):
        drafting.begin(room.as_person("eve"), [rows(tmp_path)])
    with pytest.raises(NotFoundError):
        drafting.named(admin, "../../etc")
    assert any("ghost" in problem for problem in drafting.save(admin, draft.id, {"owners.legal": "ghost"}, {}).problems)
    drafting.discard(admin, draft.id)
    assert not (room.store.folder / drafting.FOLDER / draft.id).exists()


def test_limits_and_old_drafts(room: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="cannot be taken"):
        drafting.begin(room, [])
    monkeypatch.setattr(drafting, "MOST_BYTES", 100)
    with pytest.raises(UsageError) as large:
        drafting.begin(room, [rows(tmp_path)])
    assert "GiB" in large.value.problems[0]
    assert not list((room.store.folder / drafting.FOLDER).glob("*/*"))
    monkeypatch.undo()
    monkeypatch.setattr(drafting, "MOST_DRAFTS", 1)
    draft = drafting.begin(room, [rows(tmp_path)])
    with pytest.raises(RefusedError):
        drafting.begin(room, [rows(tmp_path)])
    old = (datetime.now(UTC) - drafting.KEPT - timedelta(hours=1)).isoformat()
    room.store.drafts.keep(draft.model_copy(update={"changed": old}))
    assert drafting.begin(room, [rows(tmp_path)]).id != draft.id
    assert not (room.store.folder / drafting.FOLDER / draft.id).exists()
    with pytest.raises(UsageError):
        drafting.save(room, drafting.drafts(room)[0].id, {"nonsense": "x"}, {})


def test_what_a_killed_attempt_left_does_not_stand_in_the_way(room: Workspace, tmp_path: Path) -> None:
    draft = drafting.begin(room, [rows(tmp_path)])
    (room.store.folder / drafting.FOLDER / draft.id / drafting.PROJECT / config.FILE).write_text("half", "utf-8")
    assert drafting.create(room, draft.id).name == "tickets"


def test_a_draft_reads_back_as_it_was_written(room: Workspace, tmp_path: Path) -> None:
    draft = drafting.begin(room, [rows(tmp_path)])
    assert SetupDraft.model_validate(json.loads(draft.model_dump_json())) == draft == room.store.drafts.find(draft.id, "ann")
