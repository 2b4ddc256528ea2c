"""Packs: rows come back in order, the name depends on the rows alone, a changed pack is refused."""

from __future__ import annotations

import json
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
    leaves = [
        digest(f'{{"detail":"","item":"{row.item}","outcome":"scored","value":{row.value}}}') for row in rows
    ]
    assert store.put_pack(rows, "scores") == digest(
        'whytune.pack/2 "scores"\n' + "".join(f" {leaf}\n" for leaf in leaves)
    )


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


def people(count: int = 20) -> list[dict[str, object]]:
    return [{"n": n, "who": "zoe" if n in (3, 11) else f"p{n}"} for n in range(count)]


def hers(_: str, line: str) -> bool:
    return '"zoe"' in line


def test_erased_rows_are_gone_and_the_name_still_fits(store: Store, folder: Path) -> None:
    kept = store.put_pack(people(), "people")
    assert store.erasing.blank_rows(kept, hers) == 2
    with Store.open(folder) as other:
        for where in (store, other):
            assert list(where.read_pack(kept)) == [row for row in people() if row["who"] != "zoe"]
            assert where.erased_rows(kept) == 2
            assert [line for _, line in where.erasing.lines(kept) if "zoe" in line] == []
    assert store.erasing.blank_rows(kept, hers) == 0
    assert store.erasing.blank_rows(kept, lambda _, line: '"p4"' in line) == 1
    assert store.erased_rows(kept) == 3
    assert Packs(store.folder).kind(kept) == "people"


def test_anyone_can_recompute_the_name_of_a_pack_that_gave_up_rows(store: Store) -> None:
    from pyarrow import parquet

    kept = store.put_pack(people(), "people")
    store.erasing.blank_rows(kept, hers)
    rows = parquet.read_table(Packs(store.folder).path(kept)).to_pylist()
    leaves = [digest(row["row"]) if row["row"] is not None else row["leaf"] for row in rows]
    assert kept == digest('whytune.pack/2 "people"\n' + "".join(f"{row['id']} {leaf}\n" for row, leaf in zip(rows, leaves, strict=True)))
    assert [row["leaf"] is None for row in rows] == [row["row"] is not None for row in rows]


def test_records_keep_their_ids_when_a_neighbour_is_erased(store: Store) -> None:
    rows = [Example.of(f"question {n}", "yes", origin=origin) for n in range(5)]
    kept = store.put_pack(rows, "examples")
    store.erasing.blank_rows(kept, lambda id, _: id == rows[2].id)
    assert [row.id for row in store.read_pack(kept, Example)] == [row.id for row in (*rows[:2], *rows[3:])]


def test_the_same_rows_put_again_stay_erased_but_a_damaged_pack_is_made_good(store: Store) -> None:
    kept = store.put_pack(people(), "people")
    store.erasing.blank_rows(kept, hers)
    assert store.put_pack(people(), "people") == kept
    assert store.erased_rows(kept) == 2
    path = Packs(store.folder).path(kept)
    path.unlink()
    path.write_bytes(b"rubbish")
    assert store.put_pack(people(), "people") == kept
    assert store.erased_rows(kept) == 0


def rewritten(path: Path, change: object) -> None:
    """What a forger can do to the file: write the three columns anew."""
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(path)
    rows = table.to_pylist()
    change(rows)  # type: ignore[operator]
    path.unlink()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=table.schema), path)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[3].update(row='{"n":3,"who":"eve"}', leaf=None),
        lambda rows: rows[3].update(leaf=digest("another")),
        lambda rows: rows[3].update(leaf=None),
        lambda rows: rows[3].update(leaf="x"),
        lambda rows: rows[0].update(leaf=digest(rows[0]["row"])),
        lambda rows: rows.pop(3),
        lambda rows: rows[4].update(row='{"n":4,"who":"eve"}'),
    ],
)
def test_a_pack_that_gave_up_rows_is_guarded_as_before(store: Store, change: object) -> None:
    kept = store.put_pack(people(), "people")
    store.erasing.blank_rows(kept, hers)
    rewritten(Packs(store.folder).path(kept), change)
    with pytest.raises(TamperedError):
        next(store.read_pack(kept))


def test_a_pack_of_the_first_format_is_read_and_keeps_its_rows(store: Store) -> None:
    import pyarrow
    from pyarrow import parquet

    lines = ['{"n":1,"who":"zoe"}', '{"n":2,"who":"p2"}']
    name = digest('whytune.pack/1 "people"\n' + "".join(f" {line}\n" for line in lines))
    path = Packs(store.folder).path(name)
    path.parent.mkdir(parents=True)
    text = pyarrow.string()
    schema = pyarrow.schema([("id", text), ("row", text)], metadata={"format": "whytune.pack/1", "kind": "people"})
    parquet.write_table(pyarrow.table([["", ""], lines], schema=schema), path)
    assert list(store.read_pack(name)) == [{"n": 1, "who": "zoe"}, {"n": 2, "who": "p2"}]
    assert (store.erased_rows(name), store.erasing.can_blank(name)) == (0, False)
    assert store.erasing.blank_rows(name, lambda _, line: "nobody" in line) == 0
    with pytest.raises(StoreError, match="earlier whytune"):
        store.erasing.blank_rows(name, hers)
    assert len(list(store.read_pack(name))) == 2
    path.unlink()
    parquet.write_table(pyarrow.table([["", ""], lines[::-1]], schema=schema), path)
    with pytest.raises(TamperedError):
        store.read_pack(name)


@settings(max_examples=20, deadline=None)
@given(st.lists(plain, max_size=12), st.sets(st.integers(0, 11)))
def test_whatever_is_erased_the_rest_stays(rows: list[dict[str, object]], gone: set[int]) -> None:
    with tempfile.TemporaryDirectory() as place:
        kept = Packs(Path(place)).put(iter([{"at": at, "row": row} for at, row in enumerate(rows)]), "rows")
        lost = Packs(Path(place)).redact(kept, lambda _, line: json.loads(line)["at"] in gone)
        assert lost == len(gone & set(range(len(rows))))
        assert [row["row"] for row in Packs(Path(place)).read(kept)] == [row for at, row in enumerate(rows) if at not in gone]
