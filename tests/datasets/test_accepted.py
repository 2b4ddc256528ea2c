"""How accepted rows join those of the files: in whose place, on which side, and what leaves."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datasets.test_split import FREE, LABELS

from whytune.datasets.accepted import Taken, merge
from whytune.datasets.split import Earlier, build, verify
from whytune.records.data import Example, Origin, SplitName, SplitPlan
from whytune.records.proposal import ProposedRow
from whytune.tasks import task_named

WORDS = ("amber", "basil", "cobalt", "daisy", "ember", "fern", "granite", "hazel", "indigo", "jasper")


def row(number: int, target: str = "yes", group: str = "", evidence: tuple[str, ...] = ()) -> Example:
    text = " ".join(WORDS[(number * k + k * k) % 10] for k in (1, 3, 7)) + f" number {number * 37}"
    return Example.of(text, target, origin=Origin(source="s", file="f", line=number), group=group, evidence=evidence)


def taken(kind: str, *rows: ProposedRow) -> Taken:
    return Taken("proposal:ab", "pack", kind, rows)  # type: ignore[arg-type]


def test_a_mended_row_takes_all_rows_that_say_the_same_with_it() -> None:
    old = [row(1, "a"), row(1, "a"), row(2, "b")]
    found = merge(old, [taken("edits", ProposedRow(input=old[0].input_text, target="c", origin_id=old[0].id))], LABELS, (), {old[0].id: "test"})
    assert [example.target_text for example in found.examples] == ["c", "b"]
    assert [removal.reason for removal in found.removals] == ["replaced", "replaced"]
    assert found.assigned[found.examples[0].id] == "test"


def test_a_first_version_of_templates_alone_has_its_own_test_set() -> None:
    rows = [ProposedRow(input=row(n).input_text, target="yes") for n in range(60)]
    assert not merge([], [taken("template", *rows)], FREE, (), None).train_side
    assert len(merge([], [taken("synthesis", *rows)], FREE, (), None).train_side) == 60
    assert len(merge([row(100)], [taken("template", *rows)], FREE, (), None).train_side) == 60


def test_a_row_of_a_sealed_document_leaves() -> None:
    asked = row(1, evidence=("document:1",))
    before: dict[str, SplitName] = {asked.id: "test"}
    new = [ProposedRow(input="who is it", target="me", evidence=("document:1",)), ProposedRow(input="who else", target="you", evidence=("document:2",))]
    found = merge([asked], [taken("template", *new)], FREE, (), before)
    assert [example.input_text for example in found.examples] == [asked.input_text, "who else"]
    assert [(removal.reason, removal.origin.line) for removal in found.removals] == [("leak", 1)]


def test_extraction_answers_get_the_fields_of_the_dataset() -> None:
    rows = [ProposedRow(input="to Bonn", target='{"city":"Bonn"}'), ProposedRow(input="to Ulm", target='{"town":"Ulm"}'), ProposedRow(input="x", target="Ulm")]
    found = merge([], [taken("manual", *rows)], task_named("extraction"), ("city", "day"), None)
    assert [example.target_text for example in found.examples] == ['{"city":"Bonn","day":null}']
    assert [removal.reason for removal in found.removals] == ["unreadable", "unreadable"]


def test_rows_kept_from_test_take_no_place_in_it_and_are_not_sampled_out() -> None:
    old = [row(n, f"label {n % 2}") for n in range(100)]
    first = build(old, SplitPlan(limit=60), LABELS)
    before = {example.id: split for example, split in first.rows}
    new = [row(n, f"label {n % 2}") for n in range(200, 400)]
    held = Earlier(before, frozenset(example.id for example in new))
    second = build([*(example for example, _ in first.rows), *new], SplitPlan(limit=60), LABELS, previous=held)
    assert second.counts["test"] == first.counts["test"]
    assert {example.id for example in second.of("test")} == {example.id for example in first.of("test")}
    assert len(second.rows) == 260
    grown = {name: second.counts[name] - first.counts[name] for name in ("train", "dev")}  # type: ignore[index]
    assert 3 <= grown["train"] / grown["dev"] <= 5, "train and dev keep their proportion"


def test_a_new_row_of_a_test_rows_group_leaves() -> None:
    old = [row(n, f"label {n % 2}", group=f"group {n}") for n in range(60)]
    first = build(old, SplitPlan(), LABELS)
    asked = first.of("test")[0]
    new = row(500, "label 0", group=asked.group)
    held = Earlier({example.id: split for example, split in first.rows}, frozenset({new.id}))
    second = build([*old, new], SplitPlan(), LABELS, previous=held)
    assert new.id not in {example.id for example, _ in second.rows}
    assert [(removal.reason, removal.witness) for removal in second.removals] == [("leak", asked.id)]


@settings(max_examples=6)
@given(st.lists(st.tuples(st.integers(0, 80), st.sampled_from(["", "please", "now"]), st.integers(0, 2), st.sampled_from(["", "group 1", "group 4", "other"])), min_size=1, max_size=25), st.sampled_from(["template", "synthesis", "feedback", "manual"]))
def test_whatever_is_accepted_the_test_set_stays_as_it_was(rows: list[tuple[int, str, int, str]], kind: str) -> None:
    old = [row(n, f"label {n % 3}", group=f"group {n % 7}" if n % 2 else "") for n in range(70)]
    first = build(old, SplitPlan(), LABELS)
    before = {example.id: split for example, split in first.rows}
    new = [ProposedRow(input=f"{row(n).input_text} {more}".strip(), target=f"label {label}", group=group) for n, more, label, group in rows]
    merged = merge([example for example, _ in first.rows], [taken(kind, *new)], LABELS, (), before)
    second = build(merged.examples, SplitPlan(), LABELS, previous=Earlier(merged.assigned, merged.train_side))
    after = {example.id: split for example, split in second.rows}
    assert {example.id for example in second.of("test")} <= {example.id for example in first.of("test")}
    assert all(after.get(id, split) == split for id, split in before.items())
    assert verify(second.rows, SplitPlan()) == {"group": 0, "exact": 0, "near": 0}
    gone = {removal.origin.line for removal in [*second.removals, *merged.removals] if removal.origin.file == "proposal:ab"}
    kept = {example.origin.line for example, _ in second.rows if example.origin.file == "proposal:ab"}
    assert gone | kept == set(range(1, len(new) + 1)), "every accepted row is in the version or a removal with its reason"
