"""What users get wrong, through the command line: an exit code, words (what, where, next), no traceback, nothing half-written."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.answering.endpoint_server import serving
from tests.cli.living import change, handbook, start, tickets, told, whytune
from tests.cli.test_whole_flow import answers


def csv(*lines: str) -> bytes:
    return "\n".join(("text,category", *lines, "")).encode()


UNREADABLE = {
    "empty": (b"", ("empty",)),
    "only a head": (csv(), ("row",)),
    "a picture named csv": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 40, ("png image",)),
    "a zip named csv": (b"PK\x03\x04\x14\0\0\0\x08\0" + os.urandom(500), ("zip", "binary", "archive", "text")),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_a_dataset_starts_no_project(case: str, tmp_path: Path) -> None:
    content, words = UNREADABLE[case]
    (tmp_path / "rows.csv").write_bytes(content)
    done = whytune("init", "desk", "--task", "categorization", "--from", "rows.csv", cwd=tmp_path, code=1)
    assert "rows.csv" in done.stderr
    assert any(word in done.stderr.lower() for word in words), done.stderr
    assert "next: " in done.stderr
    assert not (tmp_path / "desk").exists()


def test_columns_that_are_not_there_are_told_with_those_that_are(tmp_path: Path) -> None:
    tickets(tmp_path / "rows.csv", 30)
    done = whytune("init", "desk", "--task", "categorization", "--from", "rows.csv", "--input", "txt", "--target", "kind", cwd=tmp_path, code=1)
    for word in ("txt", "kind", "text", "category", "next: "):
        assert word in done.stderr
    assert not (tmp_path / "desk").exists()


REFUSED = {
    "one label only": csv(*(f"message number {n} about {'abcdefghij'[n % 10] * 5} and {n * 7},delay" for n in range(60))),
    "ten rows": csv(*(f"message {n} about {'abcdefghij'[n] * 5},{'delay' if n % 2 else 'loss'}" for n in range(10))),
    "the same row again and again": csv(*("the parcel is late,delay" for _ in range(60))),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED)
def test_rows_that_prove_nothing_are_refused_before_anything_is_spent(case: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(REFUSED[case])
    whytune("init", "desk", "--task", "categorization", "--from", "rows.csv", cwd=tmp_path)
    done = whytune("run", "desk", "--until", "check", cwd=tmp_path, code=None)
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert "next: " in done.stderr
    assert not answers(tmp_path)
    assert whytune("audit", "verify", cwd=tmp_path).stdout


@pytest.mark.slow
def test_rows_that_cannot_be_read_are_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = tickets(tmp_path / "rows.csv", 60).read_bytes()
    (tmp_path / "rows.csv").write_bytes(good + b'a row, with, too, many, cells\nonly one cell\n,delay\nno category,\n')
    whytune("init", "desk", "--task", "categorization", "--from", "rows.csv", cwd=tmp_path)
    shown = told("data", "show", "desk", cwd=tmp_path)
    assert sum(shown["dataset"]["counts"].values()) == 60
    lines = sorted(removal["origin"]["line"] for removal in shown["removals"])
    assert lines == [62, 63, 64, 65]
    listed = whytune("data", "show", "desk", "--removed", cwd=tmp_path).stdout
    assert all(f":{line}" in listed or f"line {line}" in listed for line in lines), listed


@pytest.mark.slow
def test_another_encoding_is_guessed_or_given_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    text = tickets(tmp_path / "rows.csv", 60).read_text("utf-8").replace("about", "über")
    (tmp_path / "rows.csv").write_bytes(text.encode("cp1252"))
    done = whytune("init", "desk", "--task", "categorization", "--from", "rows.csv", cwd=tmp_path)
    assert "1252" in done.stdout or "latin" in done.stdout.lower() or "8859" in done.stdout
    rows = told("data", "show", "desk", cwd=tmp_path)["rows"]
    assert all("über" in example["messages"][-1]["parts"][0]["text"] if "messages" in example else "über" in str(example) for _, example in rows)
    done = whytune("init", "other", "--task", "categorization", "--from", "rows.csv", "--encoding", "utf-8", cwd=tmp_path, code=None)
    if done.returncode == 0:  # told at the latest when the rows are read
        done = whytune("data", "show", "other", cwd=tmp_path, code=1)
    assert "utf-8" in done.stderr.lower()
    assert "next: " in done.stderr
    done = whytune("init", "third", "--task", "categorization", "--from", "rows.csv", "--encoding", "klingon", cwd=tmp_path, code=None)
    assert done.returncode in (1, 2)
    assert "klingon" in done.stderr


@pytest.mark.slow
def test_every_mistake_of_the_project_file_is_told_at_once(tmp_path: Path) -> None:
    tickets(tmp_path / "rows.csv", 60)
    whytune("init", "desk", "--task", "categorization", "--from", "rows.csv", cwd=tmp_path)
    change(tmp_path / "desk", bar="7", margin='0.05\nmargn = 1', epochs='"three"')
    done = whytune("run", "desk", cwd=tmp_path, code=2)
    for words in ("3 mistakes", "unknown key acceptance.margn; did you mean margin?", "acceptance.bar = 7", "training.epochs", "line ", "next: mend"):
        assert words in done.stderr
    (tmp_path / "desk" / "whytune.toml").write_text("name = [", "utf-8")
    assert "whytune.toml cannot be read" in whytune("status", "desk", cwd=tmp_path, code=2).stderr


@pytest.mark.slow
def test_a_model_folder_without_tokenizer(tiny_model: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny_model, bare, ignore=shutil.ignore_patterns("tokenizer*", "special*", "chat*"))
    start(tmp_path, bare, "--from", str(tickets(tmp_path / "rows.csv", 60)))
    done = whytune("run", "desk", cwd=tmp_path, code=1)
    assert "tokenizer" in done.stderr
    assert str(bare) in done.stderr
    change(tmp_path / "desk", base=f'"folder:{tmp_path / "nowhere"}"')
    assert "nowhere" in whytune("run", "desk", cwd=tmp_path, code=None).stderr
    # Once the folder is right the same command goes on.
    change(tmp_path / "desk", base=f'"folder:{tiny_model}"', use='["prompt"]')
    whytune("run", "desk", cwd=tmp_path)


@pytest.mark.slow
def test_broken_and_hostile_documents_are_left_out_with_a_reason(tmp_path: Path) -> None:
    questions, documents = handbook(tmp_path)
    (documents / "broken.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 9 0 R")
    with zipfile.ZipFile(documents / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.txt", b"0" * 300_000_000)
    with tarfile.open(documents / "outside.tar", "w") as archive:
        for name in ("../../escaped.md", "/tmp/whytune-escaped.md"):
            entry = tarfile.TarInfo(name)
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"hello"))
    whytune("init", "desk", "--task", "qna", "--from", str(questions), "--documents", str(documents), cwd=tmp_path)
    shown = told("data", "show", "desk", cwd=tmp_path)
    reasons = {Path(removal["origin"]["file"]).name: removal["reason"] for removal in shown["removals"]}
    listed = str(shown["removals"])
    for name in ("broken.pdf", "bomb", "escaped.md"):
        assert name in listed, reasons
    assert not (tmp_path / "escaped.md").exists()
    assert not (tmp_path.parent / "escaped.md").exists()
    assert not Path("/tmp/whytune-escaped.md").exists()
    assert sum(shown["dataset"]["counts"].values()) == 60


@pytest.mark.slow
@pytest.mark.parametrize("illness", ["html", "choices text"])
def test_an_endpoint_that_answers_nonsense(illness: str, tmp_path: Path) -> None:
    with serving(always=illness) as (url, _):
        start(tmp_path, f"endpoint:{url}", "--model-name", "tiny", "--from", str(tickets(tmp_path / "rows.csv")))
        done = whytune("run", "desk", cwd=tmp_path, code=None)
        assert done.returncode == 7, done.stdout + done.stderr
        assert "next: " in done.stderr
        assert not answers(tmp_path)


@pytest.mark.slow
def test_an_endpoint_that_is_too_slow(tmp_path: Path) -> None:
    with serving(always="slow", slow=1.5) as (url, _):
        start(tmp_path, f"endpoint:{url}", "--model-name", "tiny", "--from", str(tickets(tmp_path / "rows.csv")))
        change(tmp_path / "desk", base=f'"endpoint:{url}"\ntimeout = 0.3')
        done = whytune("run", "desk", cwd=tmp_path, code=7)
        assert "0.3" in done.stderr
        assert "next: " in done.stderr
