"""The same files and settings make the same dataset wherever they stand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.test_first_steps import rows, whytune

__all__ = ["rows"]


@pytest.mark.slow
def test_a_dataset_is_the_same_in_another_folder(rows: Path, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "cards.md").write_text("# Cards\n\nA card is sent within nine days.\n", "utf-8")
    found = []
    for name in ("one", "two"):
        place = tmp_path / name
        place.mkdir()
        shutil.copy(rows, place)
        shutil.copytree(tmp_path / "pages", place / "pages")
        whytune("init", "desk", "--task", "categorization", "--from", "rows.csv", "--documents", "pages", cwd=place)
        found.append(json.loads(whytune("data", "show", "desk", "--json", cwd=place).stdout))
    assert found[0]["id"] == found[1]["id"]
    assert [source["file"] for source in found[0]["dataset"]["sources"]] == ["../rows.csv", "../pages/cards.md"]
