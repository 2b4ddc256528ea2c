"""The drill: a person out of rows, documents, passages, answers, records and traffic; everything else stays proven."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sample_decision import typical
from tests.store.test_records import tamper

from whytune.errors import NotAllowedError, NotFoundError, UsageError
from whytune.jobs.progress import Silent
from whytune.records.candidate import Adapter, Base, Candidate, Prompt, Recipe, Retrieval
from whytune.records.content import Message
from whytune.records.data import Document
from whytune.records.decision import Decision, Shown
from whytune.records.erasure import Erasure
from whytune.records.evidence import Answer, Score, Trial
from whytune.records.project import AcceptanceRule
from whytune.records.release import AliasMove, BoundBase, BoundEngine, Manifest, Release
from whytune.records.served import Dialogue, Feedback, Response
from whytune.settings import Settings
from whytune.store import database
from whytune.workspace import checkpoints, config, creating, erasing
from whytune.workspace.creating import SplitRow
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

WHO = "zoe.quill@example.org"
WORDS = ("card", "loan", "door", "lamp", "rain", "fish", "gold", "moon", "salt", "tree", "wind", "book", "snow", "bread")


def files(folder: Path) -> None:
    """60 rows, of which two speak of her; three documents, of which one does."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(60):
        some = " ".join(WORDS[(number * k + k * k) % len(WORDS)] for k in (1, 3, 5, 9))
        who = f" from {WHO.upper()}" if number in (7, 31) else ""
        lines.append({"question": f"{some} {number * 37}{who}?", "answer": f"{some} {number}", "source": f"d{number % 3}.md"})
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    (folder / "docs").mkdir()
    for number in range(3):
        who = f"Ask {WHO}, she knows." if number == 1 else "Ask anybody."
        (folder / "docs" / f"d{number}.md").write_text(f"# Part {number}\n\nThe {WORDS[number]} room is on floor {number}. {who}\n", "utf-8")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that has come all the way to a live release; each test gets a copy."""
    root = tmp_path_factory.mktemp("template")
    project = begun(root)
    (root / "made.json").write_text(json.dumps(live(project)))
    project.workspace.store.close()
    return root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Workspace.open(tmp_path, settings=Settings(person="ada")).project("desk")


def lived(project: Project) -> dict[str, str]:
    """The ids that matter."""
    made: dict[str, str] = json.loads((project.workspace.root / "made.json").read_text())
    return made


def begun(root: Path) -> Project:
    folder = root / "desk"
    files(folder)
    file = config.ProjectFile.model_validate(
        {
            "name": "desk", "task": "qna", "acceptance": AcceptanceRule(metric="facts", bar=0.5, margin=0.1), "retrieval": {"hybrid": "off"},
            "data": {"from": ["rows.jsonl"], "input": "question", "target": "answer", "evidence": "source", "documents": ["docs"]},
        }
    )  # fmt: skip
    (folder / config.FILE).write_text(config.write(file), "utf-8")
    return Workspace.open(root, settings=Settings(person="ada"), create=True).project("desk")


def live(project: Project) -> dict[str, str]:
    store = project.workspace.store
    made = creating.dataset(project, Silent())
    index = creating.index(project, made, Silent())
    rows = list(store.read_pack(made.rows, SplitRow))
    base = Base(name="m", source="folder", location="/nowhere", digest="0" * 64)
    prompt = Prompt(system="Answer.")
    adapter = Adapter(
        base=base.id, recipe=Recipe(), dataset=made.id, prompt=prompt.id, digest="1" * 64, rows=30, trained_tokens=1, tokens=1, seconds=1.0,
        dtype="float32", best_step=1, curve=(),
    )  # fmt: skip
    tuned = Candidate(base=base.id, prompt=prompt, adapter=adapter.id)
    plain = Candidate(base=base.id, prompt=prompt)
    rag = Candidate(base=base.id, prompt=prompt, retrieval=Retrieval(index=index))
    answers = [
        Answer(candidate=tuned.id, item=row.example.id, text=f"about {place}", tokens_in=1, tokens_computed=1, tokens_out=1, seconds=0.1)
        for place, row in enumerate(rows)
    ]
    answers[0] = answers[0].model_copy(update={"text": f"You should ask {WHO}."})
    store.put_answers(answers)
    scores = [Score(item=row.example.id, value=1.0) for row in rows]
    said = typical()
    trial = Trial(
        project="desk", candidate=tuned.id, arm="tuned", dataset=made.id, split="dev", primary=said.arms[0].primary, outcomes={},
        spending=said.arms[0].spending, answers=store.put_pack(answers, "answers"), scores=store.put_pack(scores, "scores"),
    )  # fmt: skip
    shown = Shown(item=rows[0].example.id, input=f"Who is {WHO}?", target="her", answers=(), why="quoted")
    decision = said.model_copy(update={"project": "desk", "examples": (shown,)})
    releases = [release(candidate, made.id) for candidate in (tuned, plain, rag)]
    moves = [AliasMove(name=name, number=1, release=one.id, before="", how="set", reason="r", person="ada") for name, one in zip(("champion", "plain", "search"), releases, strict=True)]
    with project.act("decision.made") as act:
        for record in (base, adapter, tuned, plain, rag, trial, decision, *releases, *moves):
            act.write(record)
    asked = Dialogue(asked=(Message.of("user", f"mail to {WHO}"),), answer="done")
    store.traffic.record([(Response(id="r1", release=releases[0].id, project="desk", alias="champion", consumer="shop", key="k", conversation="c1", when="2026-01-01", kept=True), asked)])
    store.traffic.add_feedback(Feedback(id="f1", response="r1", consumer="shop", conversation="c1", when="2026-01-01", rating="down", consent=True, comment=f"{WHO} was wrong"))
    return {
        "dataset": made.id, "index": index, "adapter": adapter.id, "decision": decision.id, "trial": trial.id, "answers": trial.answers, "scores": trial.scores,
        "rows": made.rows, "documents": made.documents, "tuned": releases[0].id, "plain": releases[1].id, "rag": releases[2].id,
    }  # fmt: skip


def release(candidate: Candidate, dataset: str) -> Release:
    manifest = Manifest(
        project="desk", number=1, task="qna", purpose="", arm=candidate.arm, candidate=candidate.id,
        base=BoundBase(id="b", name="m", source="folder", digest="0" * 64), adapter=None, index=None, prompt="p",
        engine=BoundEngine(name="transformers", versions={}, dtype="float32", decoding={}), dataset=dataset, rows="", policy="", decision="",
        acceptance="", evidence=(), approvals=(), solo=True, files={}, ledger_head="", made="2026-01-01T00:00:00+00:00", by="ada",
    )  # fmt: skip
    return Release(project="desk", number=1, candidate=candidate.id, arm=candidate.arm, dataset=dataset, acceptance="", solo=True, manifest=manifest, public_key="", signature="")


def speaks(project: Project) -> list[str]:
    """Every place of the store in which her address still stands, whatever the case: files byte for byte, packs row by row."""
    store, found = project.workspace.store, []
    for path in store.folder.rglob("*"):
        if path.is_file() and WHO.encode() in path.read_bytes().lower():
            found.append(path.name)
    for pack in store.erasing.packs():
        found += [pack for _, line in store.erasing.lines(pack) if WHO in line.lower()]
    return found


def test_the_drill(project: Project, tmp_path: Path) -> None:
    store, made = project.workspace.store, lived(project)
    anchor = tmp_path / "anchor.jsonl"
    checkpoints.checkpoint(project.workspace, anchor)
    hers = {row.example.id for row in store.read_pack(made["rows"], SplitRow) if WHO in row.example.input_text.lower()}
    assert len(hers) == 2
    assert speaks(project)
    before = store.head()
    quoting, finished, other = (store.folder / "runs" / name for name in ("quotes", "finished", "going"))
    for run, file, text in ((quoting, "run.json", f'{{"sample": "{WHO}"}}'), (finished, "done.json", "{}"), (other, "run.json", "{}")):
        run.mkdir(parents=True)
        (run / file).write_text(text)
    found = erasing.survey(project.workspace, WHO)
    assert store.head() == before
    assert found.rows == hers
    assert (len(found.documents), found.aliases) == (1, ("champion", "search"))
    assert {"desk/rows.jsonl", "desk/docs/d1.md"} <= set(found.files)

    done = erasing.erase(project.workspace, f"  {WHO.title()} ", "request 17 of 2 May", days=10)
    assert speaks(project) == []
    assert set(done.rows) == hers
    assert done.datasets == (made["dataset"],)
    assert done.adapters == (made["adapter"],)
    assert done.retrain_by
    assert set(done.releases) == {made["tuned"], made["rag"]}
    assert done.aliases == ("champion", "search")
    assert done.records == (made["decision"],)
    assert done.runs == ("finished", "quotes")
    assert [run.name for run in store.erasing.runs()] == ["going"]
    assert set(done.traffic) == {"r1", "f1"}
    assert len(done.indexes) == 1
    assert not [place for place in done.left if "table" in place]
    assert WHO not in done.model_dump_json().lower()
    assert store.keyed_hash(WHO) == done.subject

    # The version goes on without the rows, under its old name; so do answers, scores and the index.
    left = list(store.read_pack(made["rows"], SplitRow))
    assert {row.example.id for row in left}.isdisjoint(hers)
    assert len(left) + 2 == sum(project.dataset.counts.values())
    assert (store.erased_rows(made["rows"]), store.erased_rows(made["answers"]), store.erased_rows(made["scores"])) == (2, 3, 2)
    assert len(list(store.read_pack(made["documents"], Document))) == 2
    assert store.passages.search(made["index"], "ask lamp loan door floor room", 10)
    assert not [hit for hit in store.passages.search(made["index"], "zoe quill", 10) if "zoe" in hit.passage.text.lower()]
    assert len(store.answers(store.get(Trial, made["trial"]).candidate, [*hers, left[0].example.id])) <= 1
    with pytest.raises(NotFoundError, match="erased"):
        store.get(Decision, made["decision"])
    assert project.decision is None
    audit = checkpoints.audit(project.workspace, anchor=anchor, deep=True)
    assert audit.problems == ()

    # The next version is built from the same files, without her, and names what it left out.
    again = creating.dataset(project, Silent())
    assert (again.number, again.parent) == (2, made["dataset"])
    assert again.removed["erased"] == 2
    assert {row.example.id for row in store.read_pack(again.rows, SplitRow)}.isdisjoint(hers)
    assert speaks(project) == []
    assert creating.dataset(project, Silent()).id == again.id
    splits = {row.example.id: row.split for row in left}
    assert all(splits[row.example.id] == row.split for row in store.read_pack(again.rows, SplitRow))
    with pytest.raises(NotFoundError, match="Nothing that is kept"):
        erasing.erase(project.workspace, WHO, "once more")


def test_the_same_rows_put_again_do_not_come_back(project: Project) -> None:
    store, made = project.workspace.store, lived(project)
    rows = list(store.read_pack(made["rows"], SplitRow))
    erasing.erase(project.workspace, WHO, "request 17")
    assert store.put_pack(rows, "rows") == made["rows"]
    assert speaks(project) == []


@pytest.mark.parametrize(
    ("step", "after"), [("blank_rows", True), ("take_out", True), ("forget_answers", False), ("blank_records", True), ("append_event", True)]
)
def test_an_erasure_that_was_cut_off_is_finished_by_the_same_command(project: Project, monkeypatch: pytest.MonkeyPatch, step: str, after: bool) -> None:
    store, made = project.workspace.store, lived(project)
    whole = erasing.survey(project.workspace, WHO)
    place = store if step == "append_event" else store.erasing
    true: Callable[..., object] = getattr(place, step)

    def killed(*given: object, **named: object) -> object:
        if after:
            true(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, step, killed)
        with pytest.raises(KeyboardInterrupt):
            erasing.erase(project.workspace, WHO, "request 17")
    done = erasing.erase(project.workspace, WHO, "request 17")
    assert (set(done.rows), done.packs, set(done.records), set(done.traffic)) == (whole.rows, whole.packs, set(whole.records), set(whole.traffic))
    assert (done.adapters, done.aliases, done.answers) == (whole.adapters, whole.aliases, len(whole.answers))
    assert speaks(project) == []
    assert store.erased_rows(made["rows"]) == 2
    assert checkpoints.audit(project.workspace, deep=True).problems == ()
    assert len(store.list(Erasure)) == 1
    assert not list((store.folder / "erasing").glob("*"))


def test_a_row_blanked_by_hand_is_seen(project: Project) -> None:
    store, made = project.workspace.store, lived(project)
    store.erasing.blank_rows(made["rows"], lambda _, line: WHO in line.lower())
    assert not checkpoints.audit(project.workspace).problems
    (problem,) = checkpoints.audit(project.workspace, deep=True).problems
    assert "2 rows are blank" in problem


def test_a_record_blanked_by_hand_is_seen(project: Project) -> None:
    made = lived(project)
    project.workspace.store.erasing.blank_records([made["decision"]])
    assert any("no erasure" in problem for problem in checkpoints.audit(project.workspace).problems)
    forged = Erasure(subject="0" * 64, person="ada", reason="r", when="2026-01-01", records=(made["decision"],))
    project.workspace.store.put(forged)
    assert any("no erasure" in problem for problem in checkpoints.audit(project.workspace).problems), "one that no event wrote vouches for nothing"


def test_the_tables_are_guarded_again_afterwards(project: Project) -> None:
    lived(project)
    erasing.erase(project.workspace, WHO, "request 17")
    with sqlite3.connect(project.workspace.store.folder / "store.db") as opened, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        opened.execute("UPDATE records SET content = 'x'")
    opened.close()


def test_a_damaged_pack_is_found_by_a_deep_audit(project: Project) -> None:
    made = lived(project)
    path = next(project.workspace.store.folder.glob(f"packs/*/{made['rows']}.parquet"))
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    assert any(made["rows"] in problem for problem in checkpoints.audit(project.workspace, deep=True).problems)
    tamper(project.workspace.store.folder, "UPDATE records SET content = '' WHERE kind = 'trial'")
    assert any("no erasure" in problem for problem in checkpoints.audit(project.workspace).problems)


def test_one_projects_erasure_leaves_the_others(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other"
    files(other)
    (other / config.FILE).write_text((project.folder / config.FILE).read_text("utf-8").replace('name = "desk"', 'name = "other"'), "utf-8")
    second = project.workspace.project("other")
    lived(project)
    (other / "rows.jsonl").write_text((other / "rows.jsonl").read_text("utf-8") + '{"question": "one more of its own", "answer": "yes", "source": ""}\n', "utf-8")
    (other / "docs" / "d2.md").write_text(f"# Another part\n\n{WHO} wrote it.\n", "utf-8")
    theirs = creating.dataset(second, Silent())
    index = creating.index(second, theirs, Silent())
    done = erasing.erase(project.workspace, WHO, "request 17", "desk")
    assert done.project == "desk"
    assert theirs.id not in done.datasets
    assert done.traffic == ()
    store = project.workspace.store
    assert (store.erased_rows(theirs.rows), store.erased_rows(theirs.documents), store.passages.open(index).erased) == (0, 0, 0)


def test_who_may_and_what_must_be_said(project: Project) -> None:
    lived(project)
    with pytest.raises(UsageError, match="reason is needed"):
        erasing.erase(project.workspace, WHO, " ")
    with pytest.raises(UsageError, match="must not name"):
        erasing.erase(project.workspace, WHO, f"{WHO} asked")
    with pytest.raises(NotFoundError, match="Nothing that is kept"):
        erasing.erase(project.workspace, "nobody@example.org", "request 18")
    project.workspace.add_person("ada", ["admin"])
    project.workspace.add_person("bea", ["data_scientist"])
    bea = Workspace.open(project.workspace.root, settings=Settings(person="bea"))
    with pytest.raises(NotAllowedError):
        erasing.survey(bea, WHO)
    with pytest.raises(NotAllowedError):
        erasing.erase(bea, WHO, "request 17")


def test_feedback_is_erased_by_the_id_of_its_response(project: Project) -> None:
    lived(project)
    store = project.workspace.store
    store.traffic.add_feedback(Feedback(id="feedback-77", response="r-other", consumer="shop", conversation="conv-9", when="2026-01-01", rating="up", consent=True, comment="thanks"))
    done = erasing.erase(project.workspace, "conv-9", "request 19")
    assert done.traffic == ("feedback-77",)
    assert store.traffic.feedback("feedback-77").comment == ""
    assert store.traffic.feedback("f1").comment != ""


def test_what_could_not_be_reached_is_said(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = lived(project)
    monkeypatch.setattr(database, "_SETTINGS", (*database._SETTINGS, "PRAGMA busy_timeout=50"))
    project = Workspace.open(tmp_path, settings=Settings(person="ada")).project("desk")
    store = project.workspace.store
    store.put_blob(f"A card that thanks {WHO}.".encode())
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "notes.md").write_text(f"by {WHO}")
    kept = store.put_folder(tmp_path / "pages")
    (store.folder / "temporary").mkdir(exist_ok=True)
    (store.folder / "temporary" / "other").write_text("half a file")
    with sqlite3.connect(store.folder / "store.db") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchall()
        done = erasing.erase(project.workspace, WHO, "request 17")
    reader.close()
    left = " | ".join(done.left)
    for said in ("2 files of the projects", "log, which another process holds", "1 unfinished file", f"kept file {kept}"):
        assert said in left
    assert len([place for place in done.left if "kept file" in place]) == 2
    assert made["rows"] in done.packs
