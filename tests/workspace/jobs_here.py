"""Jobs done by the test's own process as they are begun: what they come to is the same, and no interpreter starts for it."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from whytune.errors import WhytuneError
from whytune.records.job import Job
from whytune.workspace import working
from whytune.workspace.workspace import Workspace


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, until the test's end."""

    def perform(workspace: Workspace, job: Job, descriptor: int) -> None:
        with suppress(WhytuneError, KeyboardInterrupt):  # kept with the job
            working.perform(workspace, job.id, os.dup(descriptor))

    monkeypatch.setattr(working, "_spawn", perform)
