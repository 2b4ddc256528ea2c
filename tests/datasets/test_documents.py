"""Folders, archives, pages and rows as documents; broken and hostile ones among them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from whytune.datasets.documents import DocumentSpec, read_corpus
from whytune.datasets.evidence import group_by_evidence, link_evidence
from whytune.datasets.markup import html_text
from whytune.errors import DataError
from whytune.records.data import Document, Example, Origin

PAGE = "<html><head><title>Fees</title><style>p{}</style></head><body><nav>Home</nav><h1>Fees &amp; costs</h1><p>A <b>card</b> costs 5.</p>"
PAGE += "<ul><li>one</li><li>two</li></ul><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><script>x()</script>"


def pdf(*pages: str) -> bytes:
    """A small PDF, written by hand."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", ""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {len(objects) + 2} 0 R/Resources<</Font<</F1 "
                       "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>")  # fmt: skip
        objects.append(f"<</Length {len(stream)}>>\nstream\n{stream}\nendstream")
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>"
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    tail = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(out)}\n%%EOF"
    return out + tail.encode()


def word(folder: Path) -> bytes:
    import docx

    document = docx.Document()
    document.add_heading("Travel", level=1)
    document.add_paragraph("Book early.")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Train", "first"
    document.save(str(folder / "x.docx"))
    return (folder / "x.docx").read_bytes()


def test_a_folder_of_everything(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    (folder / "hr").mkdir(parents=True)
    (folder / "hr" / "pay.md").write_text("---\ntitle: Pay rules\n---\n# Pay\n\nMonthly.\n")
    (folder / "fees.html").write_text(PAGE)
    (folder / "note.txt").write_bytes("café".encode("cp1252"))
    (folder / "two.pdf").write_bytes(pdf("First page", "Second page"))
    (folder / "broken.pdf").write_bytes(pdf("x")[:60])
    (folder / "empty.txt").write_text("  ")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden").write_text("no")
    (folder / "again.txt").write_bytes("café".encode())
    (folder / "travel.docx").write_bytes(word(tmp_path))
    corpus = read_corpus([folder], DocumentSpec(access={"hr": ("hr",)}))
    by_name = {Path(document.origin.file).name: document for document in corpus.documents}
    assert set(by_name) == {"pay.md", "fees.html", "note.txt", "two.pdf", "travel.docx", "again.txt"}
    assert by_name["pay.md"].title == "Pay rules"
    assert by_name["pay.md"].access == ("hr",)
    assert by_name["fees.html"].access == ()
    assert by_name["fees.html"].title == "Fees"
    assert by_name["note.txt"].text == "café"
    paged = by_name["two.pdf"]
    assert [paged.text[start : start + 6] for start in paged.page_starts] == ["First ", "Second"]
    assert by_name["travel.docx"].text == "# Travel\n\nBook early.\n\nTrain | first"
    reasons = {Path(problem.origin.file).name: problem for problem in corpus.problems}
    assert set(reasons) == {"broken.pdf", "empty.txt", "picture.png"}
    assert "not a whole PDF" in reasons["broken.pdf"].detail


def test_html_keeps_its_structure_and_loses_its_scripts() -> None:
    title, text = html_text(PAGE)
    assert title == "Fees"
    assert text == "# Fees & costs\n\nA card costs 5.\n\n- one\n- two\n\na | b\n1 | 2"


def test_rows_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("Team,Name,Born\nPBKS,Kagiso Rabada,1995\nPBKS,Raj Bawa,\n,,\nx\n")
    corpus = read_corpus([tmp_path / "p.csv"])
    assert [(document.title, document.text) for document in corpus.documents] == [
        ("Kagiso Rabada", "Team: PBKS.\nName: Kagiso Rabada.\nBorn: 1995."),
        ("Raj Bawa", "Team: PBKS.\nName: Raj Bawa."),
    ]
    assert [document.origin.line for document in corpus.documents] == [2, 3]
    assert [problem.origin.line for problem in corpus.problems] == [5]
    with pytest.raises(DataError) as raised:
        read_corpus([tmp_path / "p.csv"], DocumentSpec(title="Nme"))
    assert "did you mean 'Name'" in raised.value.problems[0]


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_and_what_they_try(tmp_path: Path, kind: str) -> None:
    files = {
        "hr/a.md": b"# A\n\nalpha",
        "../../evil.txt": b"evil",
        "/root.txt": b"evil",
        "inner.zip": b"PK",
        "__MACOSX/a.md": b"x",
        "p.pdf": pdf("Hello"),
    }
    path = (zipped if kind == "zip" else tarred)(tmp_path / f"x.{kind}", files)
    corpus = read_corpus([path], DocumentSpec(access={"hr": ("hr",)}))
    assert [(document.title, document.access) for document in corpus.documents] == [("A", ("hr",)), ("p", ())]
    assert corpus.documents[0].origin.file == f"{path}!/hr/a.md"
    why = {problem.origin.file.split("!/", 1)[1]: problem.detail for problem in corpus.problems}
    wanted = {
        "../../evil.txt": "its name leaves the archive",
        "/root.txt": "its name leaves the archive",
        "inner.zip": "an archive within an archive",
    }
    assert why == (wanted if kind == "zip" else {**wanted, "link.txt": "a link"})
    assert not (tmp_path.parent / "evil.txt").exists()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused_and_the_folder_goes_on(tmp_path: Path, kind: str) -> None:
    bomb = (zipped if kind == "zip" else tarred)(tmp_path / f"bomb.{kind}", {"a.txt": b" " * (40 << 20)})
    with pytest.raises(DataError, match="bomb"):
        read_corpus([bomb])
    (tmp_path / "fine.txt").write_text("fine")
    corpus = read_corpus([tmp_path])
    assert [document.text for document in corpus.documents] == ["fine"]
    assert "bomb" in corpus.problems[0].detail


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
def test_a_broken_archive(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x1f\x8b\x08nonsense" * 40)
    with pytest.raises(DataError, match=r"not a whole archive|cannot be read"):
        read_corpus([path])


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No document"):
        read_corpus([tmp_path])
    with pytest.raises(DataError) as raised:
        read_corpus([tmp_path / "no", tmp_path / "none"])
    assert len(raised.value.problems) == 2


def player(name: str, text: str) -> Document:
    return Document(
        title=name, text=f"Name: {name}.\n{text}", origin=Origin(source="0", file="p.csv", line=2)
    )


def asked(question: str, answer: str, *evidence: str) -> Example:
    return Example.of(question, answer, origin=Origin(source="0", file="q.csv", line=2), evidence=evidence)


def test_evidence_needs_the_title_and_the_facts() -> None:
    rabada, bawa = (
        player("Kagiso Rabada", "MatchPlayed: 50.\nTeam: PBKS."),
        player("Raj Bawa", "MatchPlayed: 50.\nTeam: PBKS."),
    )
    examples = [
        asked("How many matches has Kagiso Rabada played?", "Kagiso Rabada has played 50 matches."),
        asked("What is Raj Bawa's team?", "Raj Bawa plays for PBKS."),
        asked("How many matches has Kagiso Rabada played?", "He has played 51 matches."),
        asked("Who played 50 matches?", "Somebody of PBKS."),
        asked("Has Raj Bawa played?", "Yes."),
        asked("Anything?", "Nothing.", "raj bawa", "No Such Page"),
    ]
    linked = link_evidence(examples, [rabada, bawa])
    assert [example.evidence for example in linked.examples] == [
        (rabada.id,),
        (bawa.id,),
        (),
        (),
        (),
        (bawa.id,),
    ]
    assert (linked.declared, linked.found, linked.unknown) == (1, 2, ("No Such Page",))
    assert linked.examples[0].id != examples[0].id
    groups = [example.group for example in group_by_evidence(linked.examples)]
    assert groups == [rabada.id, bawa.id, "", "", "", bawa.id]
