"""Packs: rows come back in order, the name depends on the rows alone, a changed pack is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whytune.errors import NotFoundError, StoreError, TamperedError
from whytune.records.data import Example, Origin, Removal
from whytune.records.evidence import Score
from whytune.records.record import digest
from whytune.store import packs
from whytune.store.packs import Packs
from whytune.store.store import Store

origin = Origin(source="0" * 64, file="a.csv", line=2)
plain = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(plain, max_size=30))
def test_rows_come_back_as_they_were(rows: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        kept = Packs(Path(place)).put(iter(rows), "rows")
        assert list(Packs(Path(place)).read(kept)) == rows


def test_records_come_back_with_their_ids(store: Store) -> None:
    rows = [Example.of(f"question {n} \0 é 中", "yes", origin=origin) for n in range(packs.GROUP + 3)]
    kept = store.put_pack(rows, "examples")
    back = list(store.read_pack(kept, Example))
    assert back == rows
    assert [row.id for row in back] == [row.id for row in rows]
    assert back[0].model_copy().id == rows[0].id


def test_the_name_is_that_of_the_lines(store: Store) -> None:
    rows = [Score(item="a", value=1.0), Score(item="b", value=0.0)]
    lines = "".join(
        f' {{"detail":"","item":"{row.item}","outcome":"scored","value":{row.value}}}\n' for row in rows
    )
    assert store.put_pack(rows, "scores") == digest(f'whytune.pack/1 "scores"\n{lines}')


def test_the_name_depends_on_rows_order_and_kind_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"a": n} for n in range(10)]
    first = store.put_pack(rows, "rows")
    monkeypatch.setattr(packs, "GROUP", 3)
    assert store.put_pack(rows, "rows") == first
    assert (
        len(
            {
                first,
                store.put_pack(rows[::-1], "rows"),
                store.put_pack(rows, "others"),
                store.put_pack([], "rows"),
            }
        )
        == 4
    )


def test_a_row_that_cannot_be_kept_leaves_nothing(store: Store, folder: Path) -> None:
    for odd in ({"a": float("nan")}, {"a": "\ud800"}, {"a": object()}):
        with pytest.raises(StoreError, match="cannot be kept"):
            store.put_pack([{"a": 1}, odd], "rows")
    assert store.disk_use()["packs"] == store.disk_use()["temporary"] == 0


def test_a_source_that_breaks_leaves_nothing(store: Store) -> None:
    def rows() -> object:
        yield {"a": 1}
        raise KeyError("broken source")

    with pytest.raises(KeyError):
        store.put_pack(rows(), "rows")  # type: ignore[arg-type]
    assert store.disk_use()["packs"] == store.disk_use()["temporary"] == 0


@pytest.mark.parametrize("where", [0.2, 0.5, 0.9])
def test_a_changed_pack_is_refused_before_its_first_row(store: Store, where: float) -> None:
    kept = store.put_pack([{"text": f"row {n} {digest(str(n))}"} for n in range(300)], "rows")
    path = Packs(store.folder).path(kept)
    content = bytearray(path.read_bytes())
    content[int(len(content) * where)] ^= 0xFF
    path.chmod(0o644)
    path.write_bytes(content)
    with pytest.raises(TamperedError):
        next(store.read_pack(kept))


def test_another_pack_under_a_wrong_name_is_refused(store: Store) -> None:
    first, second = (store.put_pack([{"a": n}], "rows") for n in (1, 2))
    path = Packs(store.folder).path
    path(first).unlink()
    path(first).write_bytes(path(second).read_bytes())
    with pytest.raises(TamperedError):
        store.read_pack(first)
    assert store.put_pack([{"a": 1}], "rows") == first
    assert list(store.read_pack(first)) == [{"a": 1}]


@pytest.mark.parametrize("name", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_packs_that_are_not_there(store: Store, name: str) -> None:
    with pytest.raises(NotFoundError):
        store.read_pack(name)


def test_rows_of_another_class_are_named(store: Store) -> None:
    kept = store.put_pack([{"item": "a"}], "rows")
    with pytest.raises(StoreError, match="not a Removal") as caught:
        list(store.read_pack(kept, Removal))
    assert len(caught.value.problems) >= 2
