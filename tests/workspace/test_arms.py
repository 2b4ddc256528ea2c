"""The arms differ only in what they are said to differ in, and shots come from the training rows alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from whytune.records.candidate import Adapter, Base, Recipe
from whytune.records.data import Certificate, Dataset, Example, Origin, SplitPlan
from whytune.records.project import AcceptanceRule
from whytune.tasks import TASKS
from whytune.workspace.arms import Makings, shots
from whytune.workspace.config import ProjectFile

ORIGIN = Origin(source="0" * 64, file="rows.csv")


def makings(index: str = "") -> Makings:
    file = ProjectFile(name="p", task="categorization", acceptance=AcceptanceRule(metric="accuracy", bar=0.7, margin=0.05))
    seal = Certificate(same_group=0, exact=0, near=0, purged=0, pairs_verified=0, components=1, method="none")
    made = Dataset(
        project="p", number=1, task="categorization", sources=(), plan=SplitPlan(), counts={"train": 4, "dev": 2, "test": 2},
        removed={}, labels=("a", "b"), certificate=seal, rows="", removals="",
    )  # fmt: skip
    base = Base(name="m", source="folder", location="/nowhere", digest="0")
    return Makings(file, TASKS["categorization"], base, made, index)


def rows(count: int) -> list[Example]:
    return [Example.of(f"text {number}", "ab"[number % 2], origin=ORIGIN) for number in range(count)]


@given(count=st.integers(1, 12), wanted=st.integers(1, 8), seed=st.integers(0, 5))
def test_shots_are_different_training_rows_and_cover_the_targets(count: int, wanted: int, seed: int) -> None:
    train = rows(count)
    chosen = shots(train, wanted, seed)
    assert len(chosen) == len(set(chosen)) == min(count, wanted)
    targets = {row.id: row.target_text for row in train}
    assert len({targets[each] for each in chosen}) == min(len(set(targets.values())), len(chosen))
    assert chosen == shots(list(reversed(train)), wanted, seed)


def test_each_candidate_is_the_arm_it_is_made_for() -> None:
    made = makings("index:1")
    adapter = Adapter(
        base=made.base.id, recipe=Recipe(), dataset=made.dataset.id, prompt=made.tuned_prompt.id, digest="0", rows=4,
        trained_tokens=1, tokens=1, seconds=1.0, dtype="float32", best_step=1, curve=(),
    )  # fmt: skip
    with_search = adapter.model_copy(update={"retrieval": made.retrieval})
    assert with_search.id != adapter.id
    arms = [made.plain(), *made.few_shot(rows(4)), made.full_context(), made.rag(), made.oracle(), made.tuned(adapter), made.tuned(with_search)]
    assert [each.arm for each in arms] == ["prompt", "few_shot", "few_shot", "full_context", "rag", "oracle", "tuned", "tuned_rag"]
    assert len({each.id for each in arms}) == len(arms)
    assert "a, b" in made.prompt.system
    assert "a, b" not in made.tuned_prompt.system
