"""`whytune.toml`: read back what was written, and tell every mistake at once with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.errors import NotFoundError, SettingsError
from whytune.records.project import AcceptanceRule, Circumstances
from whytune.tasks import TASKS
from whytune.workspace import config
from whytune.workspace.config import DataSection, ModelSection, ProjectFile

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
files = st.builds(
    ProjectFile,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    purpose=words,
    task=st.just("qna"),
    owners=st.dictionaries(st.sampled_from(["business_owner", "tester"]), words),
    acceptance=st.builds(AcceptanceRule, metric=st.just("facts"), bar=st.floats(0, 1), margin=st.floats(0.001, 1), confidence=st.just(0.95)),
    data=st.builds(DataSection, **{"from": st.lists(words, max_size=3).map(tuple)}, input=words, documents=st.lists(words, max_size=2).map(tuple)),
    circumstances=st.builds(Circumstances, citations=st.none() | st.booleans(), may_train=st.none() | st.booleans()),
    model=st.builds(ModelSection, base=st.sampled_from(["bundled", "folder:x"]), name=words),
)


@given(file=files)
def test_what_is_written_reads_back_the_same(file: ProjectFile, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("p")
    (folder / config.FILE).write_text(config.write(file), "utf-8")
    assert config.read(folder) == file


@pytest.mark.parametrize("task", TASKS)
def test_every_task_starts_with_its_own_metric(task: str, tmp_path: Path) -> None:
    file = ProjectFile(name="p", task=task, acceptance=AcceptanceRule(metric=TASKS[task].metric, bar=0.5, margin=0.05))
    (tmp_path / config.FILE).write_text(config.write(file), "utf-8")
    assert config.read(tmp_path).acceptance.metric == TASKS[task].metric


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / config.FILE).write_text(
        'name = "p"\ntask = "categorisation"\n[acceptance]\nmetric = "accuracy"\nbarr = 0.7\nbar = 1.5\nmargin = 0.05\n'
        '[split]\ntrain = 0.9\n[owners]\nboss = "x"\n[trainig]\nrank = 4\n', "utf-8"
    )  # fmt: skip
    with pytest.raises(SettingsError) as caught:
        config.read(tmp_path)
    told = "\n".join(caught.value.problems)
    for piece in ("line 2: task = 'categorisation'", "line 5: unknown key acceptance.barr; did you mean bar?", "line 6: acceptance.bar = 1.5", "split shares", "no role is named 'boss'", "unknown key trainig; did you mean training?"):
        assert piece in told


def test_a_missing_or_broken_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no whytune.toml"):
        config.read(tmp_path)
    (tmp_path / config.FILE).write_text("name = ", "utf-8")
    with pytest.raises(SettingsError, match="cannot be read"):
        config.read(tmp_path)
