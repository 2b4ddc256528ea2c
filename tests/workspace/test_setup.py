"""A new project whose beginning was cut off, and files that are somebody's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.living import tickets

from whytune.errors import UsageError
from whytune.workspace import config, setup
from whytune.workspace.workspace import Workspace


def asked(folder: Path) -> dict[str, Any]:
    return {
        "name": "desk", "task": "categorization", "purpose": "",
        "data": {"from": [str(folder / "rows.csv")], "input": "text", "target": "category", "documents": [], "labels_file": "", "mapping_file": ""},
        "acceptance": {"metric": "", "bar": 0.5, "margin": 0.05},
    }  # fmt: skip


def test_a_beginning_cut_off_before_its_line_in_the_ledger_is_gone_on_with(tmp_path: Path) -> None:
    tickets(tmp_path / "rows.csv")
    Workspace.open(tmp_path, create=True).store.close()
    drafted = setup.draft(asked(tmp_path), tmp_path / "desk")
    drafted.folder.mkdir()
    (drafted.folder / config.FILE).write_text(config.write(drafted.file), "utf-8")
    made = setup.create(setup.draft(asked(tmp_path), tmp_path / "desk"))
    assert [event.act for event in made.workspace.events("desk")] == ["project.created"]
    with pytest.raises(UsageError, match="is there already"):
        setup.draft(asked(tmp_path), tmp_path / "desk")
    made.workspace.store.close()


def test_a_file_that_somebody_wrote_is_not_written_over(tmp_path: Path) -> None:
    tickets(tmp_path / "rows.csv")
    drafted = setup.draft(asked(tmp_path), tmp_path / "desk")
    drafted.folder.mkdir()
    (drafted.folder / config.FILE).write_text(config.write(drafted.file) + "# mine\n", "utf-8")
    with pytest.raises(UsageError, match="is there already"):
        setup.draft(asked(tmp_path), tmp_path / "desk")
