"""A mark goes in through every door of a workspace; after the erasure no byte and no row below `.whytune` holds it."""

from __future__ import annotations

import io
import json
import random
import shutil
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pytest
from docx import Document as Word
from pyarrow import parquet
from tests.workspace.test_erasing import WHO, begun, live

from whytune.errors import NotFoundError
from whytune.records.data import Document
from whytune.records.evidence import Answer
from whytune.records.job import Job, JobFailure, JobPoint
from whytune.records.proposal import AcceptedRows
from whytune.records.review import Opinion
from whytune.records.served import Feedback
from whytune.settings import Settings
from whytune.store.store import Store
from whytune.workspace import checkpoints, drafting, erasing, inside, proposing, uploads
from whytune.workspace.creating import SplitRow
from whytune.workspace.project import Project
from whytune.workspace.subjects import Sought
from whytune.workspace.workspace import Workspace

MARK = WHO.encode()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    project = begun(root)
    (root / "made.json").write_text(json.dumps(live(project)))
    project.workspace.store.close()
    return root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    opened = Workspace.open(tmp_path, settings=Settings(person="ada")).project("desk")
    yield opened
    opened.workspace.store.close()


def csv(*rows: str) -> bytes:
    lines = [f"number {n} of many letters,{'ab'[n % 2]}" for n in range(30)]
    return "\n".join(["text,category", *lines, *rows]).encode()


def zipped(name: str, data: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return held.getvalue()


def word(text: str) -> bytes:
    held, page = io.BytesIO(), Word()
    page.add_paragraph(text)
    page.save(held)
    return held.getvalue()


def table(text: str) -> bytes:
    held = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": [text, "other"], "category": ["a", "b"]}), held)
    return held.getvalue()


UPLOADS = {
    "plain.csv": csv(f"{WHO} wrote,a"),
    "packed.zip": zipped("notes/one.md", f"# Note\n\nAsk {WHO}.".encode()),
    "letter.docx": word(f"Dear {WHO.upper()}"),
    "rows.parquet": table(f"by {WHO}"),
    "wide.csv": csv(f"{WHO} wrote,a").decode().encode("utf-16"),
}


def drafted(workspace: Workspace, tmp_path: Path, **files: bytes) -> str:
    sent = []
    for number, (name, data) in enumerate(files.items()):
        path = tmp_path / f"sent-{number}"
        path.write_bytes(data)
        sent.append((name, path))
    return drafting.begin(workspace, sent).id


@pytest.mark.parametrize("name", UPLOADS)
def test_an_upload_that_speaks_of_the_subject_goes_and_its_owner_reads_why(project: Project, tmp_path: Path, name: str) -> None:
    workspace = project.workspace
    workspace.add_person("ada", ["admin"])
    workspace.add_person("bea", ["business_owner", "architect"])
    bea = Workspace.open(workspace.root, settings=Settings(person="bea"))
    hers = drafted(bea, tmp_path, **{"other.csv": csv(), name: UPLOADS[name]})
    silent = drafted(bea, tmp_path, **{"other.csv": csv()})
    before = drafting.named(bea, silent)
    done = erasing.erase(workspace, WHO, "request 17")
    assert done.drafts == 1
    assert not [file for file in (workspace.store.folder / drafting.FOLDER / hers).rglob("*") if file.is_file()]
    emptied = drafting.named(bea, hers)
    assert (emptied.files, emptied.look) == ((), None)
    assert "somebody who was erased" in emptied.problems[0]
    assert WHO not in emptied.model_dump_json().lower()
    assert drafting.named(bea, silent) == before
    # It can be gone on with: clean files, uploaded again.
    path = tmp_path / "clean"
    path.write_bytes(csv())
    assert [file.name for file in drafting.add(bea, hers, [("clean.csv", path)]).files] == ["clean.csv"]
    bea.store.close()


def test_typed_fields_and_folders_without_a_draft_are_looked_at_too(project: Project, tmp_path: Path) -> None:
    workspace = project.workspace
    typed = drafted(workspace, tmp_path, **{"other.csv": csv()})
    drafting.save(workspace, typed, {"purpose": f"answers to {WHO}"}, {})
    owned = drafted(workspace, tmp_path, **{"other.csv": csv()})
    drafting.save(workspace, owned, {"owners.legal": WHO}, {})
    orphan = workspace.store.folder / drafting.FOLDER / ("0" * 32) / drafting.PROJECT
    orphan.mkdir(parents=True)
    (orphan / "left.txt").write_text(f"{WHO}\n")
    odd = drafted(workspace, tmp_path, **{"sound.ogg": b"OggS\0\0" + bytes(range(256))})
    found = erasing.survey(workspace, WHO)
    assert found.drafts == {typed, "0" * 32}
    assert found.unread == 1
    done = erasing.erase(workspace, WHO, "request 17")
    assert not orphan.exists()
    assert any("1 uploaded file of use cases" in place for place in done.left)
    assert drafting.named(workspace, odd).files
    assert drafting.named(workspace, owned).wishes["owners.legal"] == WHO, "who answers for a use case is no content about somebody"


def test_a_subject_across_two_pieces_of_a_large_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "CHUNK", 64)
    monkeypatch.setattr(inside, "OVERLAP", 32)
    path = tmp_path / "large.txt"
    for before in range(40, 80):
        path.write_text(f"{'x' * before} Anna\nMuster and more\n" * 3)
        assert inside.speaks(path, Sought("anna muster"))
        path.write_text(f"{'x' * before} Anna\nMusterfrau and more\n" * 3)
        assert not inside.speaks(path, Sought("anna muster"))
    path.write_text('{"who": "Anna\\nMuster"}\n')
    assert inside.speaks(path, Sought("anna muster"))


def every_door(project: Project, tmp_path: Path) -> None:
    """Beside rows, documents, index, answers, decision and traffic, which the template holds: all else that takes a text."""
    workspace, store = project.workspace, project.workspace.store
    drafted(workspace, tmp_path, **UPLOADS)
    # Proposed rows, open and accepted (what a model makes comes in as the same kind of pack).
    lines = [{"input": f"where does {WHO} live?", "target": "there"}, {"input": "and where is the moon?", "target": f"above {WHO}"}]
    proposed = proposing.propose(project, "manual", lines)
    kept = store.put_pack(store.read_pack(proposed.rows), "accepted rows")
    with project.act("rows.accepted") as act:
        act.write(AcceptedRows(project=project.key, proposal=proposed.id, kind="manual", author="ada", person="bea", solo=False, rows=kept, count=2, refused=0, dataset=""))
    # What reviewers wrote, in the queue and as a pack.
    hers = next(row.example.id for row in store.read_pack(project.dataset.rows, SplitRow) if WHO in row.example.input_text.lower())
    note = Opinion(client="c1", queue="queue:1", item="1", person="bea", turn="first", verdict="wrong", note=f"{WHO} is real", edits=(("target", f"call {WHO}"),))
    with store._database.writing("test") as connection:
        from whytune.store import opinions

        opinions.add(connection, note, True, datetime.now(UTC).timestamp())
    # Probes' answers about her row that do not name her: they go with the row.
    about = {"side": "candidate", "candidate": "candidate:1", "probe": "p", "variant": "v", "source": hers, "item": "example:" + "f" * 64, "text": "made of her row", "error": ""}
    store.put_pack([about], "responsible answers")
    # Jobs: words, points, output; forms: where they led and what was said.
    job = Job(id="0123456789ab", project=project.key, kind="run", arguments={}, person="ada", state="waiting", created="2026-01-01")
    descriptor = store.jobs.begin(job)
    store.jobs.take_up(job.id, descriptor)
    store.jobs.note(job.id, {"phase": f"reading {WHO}", "done": 1, "total": 2, "unit": "rows", "left": None, "note": f"row of {WHO}"}, [JobPoint(seq=1, when="2026-01-01", kind="log", values={"text": f"odd row: {WHO}"})])
    store.jobs.settle(job.id, "failed", error=JobFailure(code="data", what=f"cannot read {WHO}", where="", problems=(f"line 3: {WHO}",), next=""))
    store.jobs.folder.mkdir(exist_ok=True)
    (store.jobs.folder / f"{job.id}.log").write_text(f"Traceback: {WHO}\n")
    store.jobs.release(job.id, descriptor)
    store.submissions.begin("once-1", "ada", "mark")
    store.submissions.finish("once-1", f"/search?q={WHO}", f"Kept: {WHO}")
    # Feedback by her spelling, with odd spaces.
    store.traffic.add_feedback(Feedback(id="f9", response="r9", consumer="shop", conversation="c9", when="2026-01-01", rating="down", consent=True, correction=f"({WHO.upper()})", reason=f"told by {WHO}"))
    run = store.folder / "runs" / "half"
    run.mkdir(parents=True)
    (run / "rows.jsonl").write_text(json.dumps({"text": f"mail {WHO}"}) + "\n")
    drafting.discard(workspace, drafted(workspace, tmp_path, **{"gone.csv": UPLOADS["plain.csv"]}))


def found(store_folder: Path, project: Project) -> list[str]:
    """Every place that still holds the mark: bytes, unpacked bytes, rows."""
    places = [str(path.relative_to(store_folder)) for path in store_folder.rglob("*") if path.is_file() and MARK in path.read_bytes().lower()]
    places += [str(path) for path in (store_folder / drafting.FOLDER).rglob("*") if path.is_file() and inside.holds(path, Sought(WHO))]
    erasing_part = project.workspace.store.erasing
    places += [f"{erasing_part.kind(pack)} {pack}" for pack in erasing_part.packs() if any(WHO in line.lower() for _, line in erasing_part.lines(pack))]
    return places


def test_nothing_below_the_store_holds_the_mark_afterwards(project: Project, tmp_path: Path) -> None:
    store = project.workspace.store
    every_door(project, tmp_path)
    kinds = {store.erasing.kind(pack) for pack in store.erasing.packs() if any(WHO in line.lower() for _, line in store.erasing.lines(pack))}
    assert {"rows", "documents", "answers", "proposed rows", "accepted rows"} <= kinds
    assert len(found(store.folder, project)) > 8
    done = erasing.erase(project.workspace, WHO, "request 17")
    assert (done.said, done.drafts, done.opinions) == (2, 1, 1)
    assert found(store.folder, project) == []
    assert not [place for place in done.left if "table" in place], done.left
    # What was made of her row without naming her is gone too, and what was left can be read.
    assert not [line for pack in store.erasing.packs() for _, line in store.erasing.lines(pack) if "made of her row" in line]
    job = store.jobs.one("0123456789ab")
    assert (job.state, job.error, job.note, store.jobs.points(job.id)) == ("failed", None, "", [])
    assert store.submissions.found("once-1", "ada")
    assert len(list(store.read_pack(project.dataset.documents, Document))) == 2
    assert checkpoints.audit(project.workspace, deep=True).problems == ()
    with pytest.raises(NotFoundError, match="Nothing that is kept"):
        erasing.erase(project.workspace, WHO, "request 17")


def test_an_erasure_of_a_draft_alone_cut_off_is_written_down_once_more(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note of the second one is not taken for the first one's, though both found no row."""
    who = "max.frost@example.org"
    for number in (1, 2):
        drafted(project.workspace, tmp_path, **{"plain.csv": csv(f"{who},a")})
        if number == 2:
            with monkeypatch.context() as patched:
                patched.setattr(project.workspace.store.erasing, "left", lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))
                with pytest.raises(KeyboardInterrupt):
                    erasing.erase(project.workspace, who, f"request {number}")
        assert erasing.erase(project.workspace, who, f"request {number}").drafts == 1
    assert [made["reason"] for made in erasing.erasures(project.workspace)] == ["request 1", "request 2"]


def test_traffic_is_found_as_a_whole_word_whatever_the_spacing(project: Project) -> None:
    traffic = project.workspace.store.traffic
    for id, comment in (("a", "Anna   MUSTER wrote"), ("b", "Joanna Mustermann wrote")):
        traffic.add_feedback(Feedback(id=id, response=f"r{id}", consumer="shop", conversation="c", when="2026-01-01", rating="up", consent=True, comment=comment))
    assert erasing.erase(project.workspace, "anna muster", "request 3").traffic == ("a",)
    assert traffic.feedback("b").comment


def test_no_page_keeps_a_copy_of_a_row_that_moved_to_another(tmp_path: Path) -> None:
    """SQLite zeroes what it deletes, but pages that are joined keep old copies: with this seed, 15 of them stayed."""
    with Store.open(tmp_path / "pages", create=True) as store:
        chance, answers = random.Random(9), []
        for number in range(400):
            text = ("max.frost " if number % 10 < 8 else "other ") * chance.randint(1, 25)
            answers.append(Answer(candidate="candidate:1", item=f"{chance.random():.12f}", text=text, tokens_in=1, tokens_computed=1, tokens_out=1, seconds=0.1))
        for start in range(0, 400, 8):
            store.put_answers(answers[start : start + 8])
        store.erasing.forget_answers([(answer.candidate, answer.item) for answer in answers if "max" in answer.text])
        store.erasing.rewrite()
        assert store.erasing.fold()
        assert b"max.frost" not in (store.folder / "store.db").read_bytes()


def test_what_a_draft_held_is_not_left_in_freed_pages(project: Project, tmp_path: Path) -> None:
    store, mark = project.workspace.store, b"max.frost@example.org"
    id = drafted(project.workspace, tmp_path, **{"plain.csv": csv()})
    drafting.save(project.workspace, id, {"purpose": " ".join(f"about {mark.decode()} {n}" for n in range(40))}, {})
    store.erasing.fold()
    assert mark in (store.folder / "store.db").read_bytes()
    uploads.empty(project.workspace, id)
    store.erasing.fold()
    assert mark not in (store.folder / "store.db").read_bytes()
    assert [row.id for row in store.drafts.all()] == [id]
