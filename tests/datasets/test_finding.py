"""What lies in a folder: formats, rows, the task a file may serve, personal data by kind, licences; nothing is left behind."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tests.cli.living import bookings, handbook, tickets

from whytune.datasets import finding
from whytune.errors import DataError
from whytune.records.found import FoundFile


def kinds(text: str) -> list[str]:
    return ["e-mail"] if "@" in text else []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as people have them."""
    root = tmp_path_factory.mktemp("share")
    tickets(root / "tickets.csv")
    (root / "more").mkdir()
    handbook(root / "more")
    bookings(root / "more" / "bookings.jsonl")
    (root / "LICENSE.txt").write_text("Creative Commons Attribution 4.0 International", "utf-8")
    (root / "players.csv").write_text("Name,Team,Age\nAnn,Reds,30\nBo,Blues,31\nCy,Reds,29\n", "utf-8")
    (root / "mails.jsonl").write_text("".join(json.dumps({"question": f"who is {n}", "answer": f"a{n}@firm.org of house {n}"}) + "\n" for n in range(30)), "utf-8")
    (root / "tweets.csv").write_text("text,label\n" + "".join(f"tweet {n} on matter {n * 7},{('positive', 'negative', 'neutral')[n % 3]}\n" for n in range(60)), "utf-8")
    (root / "photo.png").write_bytes(b"\x89PNG....")
    (root / "broken.csv").write_bytes(bytes(range(256)) * 4)
    (root / "empty.jsonl").write_bytes(b"")
    with zipfile.ZipFile(root / "pack.zip", "w") as archive:
        archive.write(root / "tickets.csv", "inner/tickets.csv")
        archive.writestr("LICENSE", "MIT License. Permission is hereby granted, free of charge")
        archive.writestr("../out.csv", "a,b\n1,2\n")
    return root


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, FoundFile]:
    return {one.file.removeprefix(f"{folder}/"): one for one in finding.find([folder], kinds)}


def test_each_file_is_named_with_what_it_may_serve(found: dict[str, FoundFile]) -> None:
    best = {name: one.fits[0].task for name, one in found.items() if one.fits}
    assert best == {
        "tickets.csv": "categorization", "more/questions.jsonl": "qna", "more/bookings.jsonl": "extraction", "mails.jsonl": "qna", "tweets.csv": "sentiment",
        "pack.zip!/inner/tickets.csv": "categorization",
    }  # fmt: skip
    assert (found["tickets.csv"].rows, found["tickets.csv"].columns, found["tickets.csv"].format) == (90, ("text", "category"), "csv")
    assert (found["players.csv"].kind, found["players.csv"].rows) == ("table", 3)
    assert found["more/handbook/basel.md"].kind == "document"
    fit = found["tickets.csv"].fits[0]
    assert (fit.input, fit.target) == ("text", "category")
    assert len(fit.preview) == 3


def test_what_cannot_be_read_says_why(found: dict[str, FoundFile]) -> None:
    assert {name for name, one in found.items() if one.why} == {"photo.png", "broken.csv", "empty.jsonl", "pack.zip!/../out.csv"}
    assert "binary" in found["broken.csv"].why
    assert "empty" in found["empty.jsonl"].why


def test_personal_data_is_counted_by_kind_and_never_shown(found: dict[str, FoundFile]) -> None:
    assert found["mails.jsonl"].personal == {"e-mail": 30}
    assert found["mails.jsonl"].looked_at == 30
    assert not found["tickets.csv"].personal


def test_the_nearest_licence_is_named(found: dict[str, FoundFile]) -> None:
    assert found["tickets.csv"].licence == "LICENSE.txt: CC BY"
    assert found["more/handbook/basel.md"].licence == "LICENSE.txt: CC BY"
    assert found["LICENSE.txt"].kind == "licence"
    assert found["pack.zip!/LICENSE"].licence == "MIT"


def test_looking_leaves_nothing_behind(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(folder.rglob("*"))
    assert list(finding.find([folder / "pack.zip"], kinds))
    assert sorted(folder.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_paths_that_are_not_there_are_all_told(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        list(finding.find([tmp_path / "a", tmp_path / "b"], kinds))
    assert len(caught.value.problems) == 2
