"""Find data: look through folders and archives, and say what lies there and what it may serve. Nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from whytune.checks.personal import scan
from whytune.datasets import finding
from whytune.jobs.progress import Progress, Silent
from whytune.records.found import FoundFile


def find(paths: Sequence[Path], progress: Progress | None = None) -> list[FoundFile]:
    """What lies at these paths. Raises DataError for paths that are not there."""
    progress = progress or Silent()
    progress.phase("looking", 0, "files")
    return list(finding.find(paths, scan, progress.advance))
