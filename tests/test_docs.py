"""The reference pages name everything there is, the example of `whytune.toml` is complete, and links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from whytune import errors, settings
from whytune.checks.registry import CHECKS
from whytune.evaluation.scorers import SCORERS
from whytune.records.data import Removal
from whytune.records.decision import VerdictCode
from whytune.records.ledger import ROLES
from whytune.responsible.limits import PROBES
from whytune.tasks import TASKS
from whytune.workspace import config

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def codes() -> set[str]:
    found = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.WhytuneError)]
    return {error.code for error in found}


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("settings.md", set(settings.NAMES) | {settings.PREFIX + name.upper() for name in settings.NAMES} | set(ROLES)),
        ("tasks-and-scorers.md", set(TASKS) | set(SCORERS)),
        ("checks.md", set(CHECKS)),
        ("probes.md", set(PROBES)),
        ("verdicts.md", set(get_args(VerdictCode))),
        ("exit-codes.md", codes()),
        ("import-formats.md", set(get_args(Removal.model_fields["reason"].annotation))),
    ],
)
def test_a_reference_page_names_everything(page: str, words: set[str]) -> None:
    text = (REFERENCE / page).read_text("utf-8")
    assert {word for word in words if f"`{word}`" not in text} == set()


def test_scorers_are_described_as_they_are() -> None:
    text = (REFERENCE / "tasks-and-scorers.md").read_text("utf-8")
    rows = {cells[1].strip("` "): cells for line in text.splitlines() if (cells := line.split("|")) and len(cells) == 5}
    assert {scorer.name: rows[scorer.name][3].strip() for scorer in SCORERS.values()} == {s.name: s.better for s in SCORERS.values()}
    table = {cells[1].strip("` "): cells for line in text.splitlines() if (cells := line.split("|")) and len(cells) == 7}
    for task in TASKS.values():
        assert table[task.name][3].strip("` ") == task.metric
        assert re.findall(r"`(\w+)`", table[task.name][4]) == list(task.beside)


def test_the_example_project_file_is_valid_and_complete(tmp_path: Path) -> None:
    text = (REFERENCE / "whytune-toml.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example
    (tmp_path / config.FILE).write_text(example.group(1), "utf-8")
    config.read(tmp_path)
    lacking = []
    raw: dict[str, Any] = tomllib.loads(example.group(1))
    for name, field in config.ProjectFile.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {})
        given = raw.get(name, {})
        lacking += [name] if name not in raw else []
        lacking += [f"{name}.{key}" for key, sub in inner.items() if (sub.alias or key) not in given]
    assert lacking == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for target in LINK.findall(page.read_text("utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            dead.append(target)
        elif anchor:
            heads = {re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in HEADING.findall(there.read_text("utf-8"))}
            dead += [target] if anchor not in heads else []
    assert not dead


def test_every_page_of_the_docs_is_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    linked = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in LINK.findall(index)}
    assert {named(page) for page in PAGES if "docs" in page.parts and page.name != "index.md" and page.resolve() not in linked} == set()
