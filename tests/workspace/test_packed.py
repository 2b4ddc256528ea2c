"""Rows found by words, place and id without parsing the rest: the same rows as when everything is parsed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workspace.desks import desk, labelled

from whytune.records.content import Message, TextPart
from whytune.records.data import Example, Origin
from whytune.records.record import canonical_json
from whytune.workspace import packed
from whytune.workspace.creating import SplitRow

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(['},"tags":[', ',"origin":{', ',"split":"test"}', '"', "\\", "\n"])


@settings(max_examples=40, deadline=None)
@given(TEXTS, TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=2), TEXTS)
def test_the_id_of_a_line_is_that_of_its_example(said: str, wanted: str, tags: list[tuple[str, str]], file: str) -> None:
    example = Example(
        messages=(Message.of("system", wanted), Message.of("user", said)), target=(TextPart(text=wanted),), group=said, evidence=(wanted,),
        tags=tuple(tags), origin=Origin(source="0", file=file, line=3),
    )  # fmt: skip
    assert packed.id_of(canonical_json(SplitRow(split="dev", example=example).model_dump(mode="json"))) == example.id


def test_rows_by_words_place_and_id(tmp_path: Path) -> None:
    project = labelled(tmp_path)
    store, pack = project.workspace.store, project.dataset.rows
    every = list(store.read_pack(pack, SplitRow))
    open_rows = [row for row in every if row.split != "test"]
    found = packed.rows(store, pack, ("train", "dev"), offset=10, limit=7)
    assert (found.total, [row.example.id for row in found.rows]) == (len(open_rows), [row.example.id for row in open_rows[10:17]])
    loans = [row for row in open_rows if "LOAN".casefold() in row.example.input_text.casefold()]
    assert packed.rows(store, pack, ("train", "dev"), "LOAN").total == len(loans) > 0
    assert packed.rows(store, pack, ("dev",), "refund").rows == [row for row in open_rows if row.split == "dev" and "refund" in row.example.input_text + row.example.target_text]
    assert packed.rows(store, pack, ("train", "dev"), '"split"').total == 0  # a mark of the line is no word of a row
    wanted = {every[3].example.id, every[-1].example.id, "example:none"}
    assert packed.by_id(store, pack, wanted) == {row.example.id: row for row in every if row.example.id in wanted}
    tested = packed.examples(store, pack, "test")
    assert [(one, one.id) for one in tested] == [(row.example, row.example.id) for row in every if row.split == "test"]
    store.close()


def test_what_was_summed_up_follows_an_erasure(tmp_path: Path) -> None:
    project = desk(tmp_path)
    store, pack = project.workspace.store, project.dataset.rows
    read: list[int] = []

    def count() -> int:
        def counted(lines: object) -> int:
            read.append(1)
            return len(list(lines))  # type: ignore[call-overload]

        made: int = packed.summed(store, pack, "count", counted)
        return made

    assert (count(), count(), len(read)) == (60, 60, 1)
    gone = packed.rows(store, pack, ("train", "dev")).rows[0].example
    store.erasing.blank_rows(pack, lambda id, row: gone.input_text in row)
    assert (count(), len(read)) == (59, 2)
    assert packed.rows(store, pack, ("train", "dev"), gone.input_text).total == 0
    assert packed.by_id(store, pack, {gone.id}) == {}
    store.close()


@pytest.fixture(autouse=True)
def _anew() -> None:
    packed._sums.clear()
    packed._lines.clear()
