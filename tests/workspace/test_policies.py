"""policy.toml: written with comments, read back the same, every mistake told at once, numbered, in force only once fixed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from whytune.errors import NotFoundError, SettingsError, UsageError
from whytune.records.ledger import Event
from whytune.records.release import Policy
from whytune.settings import Settings
from whytune.workspace import policies
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without data: a policy needs none."""
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "whytune.toml").write_text('name = "desk"\ntask = "qna"\n[acceptance]\nmetric = "facts"\nbar = 0.5\nmargin = 0.05\n', "utf-8")
    return Project(Workspace.open(tmp_path, settings=Settings(person="root"), create=True), folder)


def edit(project: Project, old: str, new: str) -> None:
    path = project.folder / policies.FILE
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_what_is_written_reads_back_and_says_what_each_key_is(project: Project) -> None:
    path = policies.init(project)
    assert policies.read(project) == Policy(project="desk", number=1, solo=True)
    text = path.read_text("utf-8")
    assert tomllib.loads(text).keys() == Policy.model_fields.keys() - {"project", "number"}
    assert all("   # " in line for line in text.splitlines() if " = " in line and not line.startswith("#"))
    with pytest.raises(UsageError, match="is there already"):
        policies.init(project)


def test_a_policy_counts_once_it_is_fixed_and_changes_get_a_new_number(project: Project) -> None:
    with pytest.raises(NotFoundError, match="No policy is fixed"):
        policies.fixed(project)
    policies.init(project, solo=False)
    first = policies.fix(project)
    assert policies.fix(project) == first == policies.fixed(project)
    edit(project, "smallest = 100", "smallest = 50")
    with pytest.raises(UsageError, match="is not policy 1"):
        policies.fixed(project)
    second = policies.fix(project)
    assert (second.number, second.test.smallest) == (2, 50)
    edit(project, "smallest = 50", "smallest = 100")
    third = policies.fix(project)
    assert third.number == 3, "an old policy put back is in force from now on, not from then"
    assert third.id != first.id
    events: list[Event] = [event for event in project.events() if event.act == "policy.fixed"]
    assert [event.wrote for event in events] == [(first.id,), (second.id,), (third.id,)]


def test_every_mistake_is_told_at_once_with_its_line(project: Project) -> None:
    policies.init(project)
    path = project.folder / policies.FILE
    edit(project, 'signatures = ["business_owner", "responsible_ai", "tester"]', 'signatures = ["boss", "auditor", "tester", "tester"]')
    edit(project, "smallest = 100", "smalest = 0\nsmallest = 0")
    edit(project, '# privacy = ["PASS"]', 'privacy = ["MAYBE"]\nkindness = ["PASS"]')
    edit(project, 'conclusions = ["better", "tie"]', 'conclusions = ["worse"]')
    edit(project, 'probes = ["canaries"]', 'probes = ["canary", "golden"]')
    with pytest.raises(SettingsError) as told:
        policies.read(project)
    problems = "\n".join(told.value.problems)
    for word in ("'boss'", "auditor does not sign", "named twice", "smallest = 0", "did you mean smallest", "MAYBE", "'kindness'", "'worse' cannot be let through", "did you mean canaries?", "no probe is named 'golden'; there are: slices"):
        assert word in problems
    assert all(problem.startswith("line ") for problem in told.value.problems)
    path.write_text("solo = [", "utf-8")
    with pytest.raises(SettingsError, match="cannot be read"):
        policies.read(project)
    path.write_text("project = 'x'\nsignatures = []\n", "utf-8")
    with pytest.raises(SettingsError) as empty:
        policies.read(project)
    assert len(empty.value.problems) == 2


def test_numbering_knows_the_newest_by_content() -> None:
    one = Policy(project="desk", number=1)
    other: Any = one.model_copy(update={"solo": True})
    assert policies.numbered(one, []) == one
    assert policies.numbered(one, [one]) is one
    assert policies.numbered(other, [one]).number == 2
    assert policies.numbered(one, [one, policies.numbered(other, [one])]).number == 3
