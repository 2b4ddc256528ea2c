"""What was served: how much each release answered, and how well that went. Counts only; read from operational tables.

    answered(workspace, "2026-11-15T00:00:00+00:00")["release:..."].requests
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whytune.store.traffic import Answered
    from whytune.workspace.workspace import Workspace


def answered(workspace: Workspace, since: str) -> dict[str, Answered]:
    """Release id to what it answered since a time (UTC, ISO 8601); releases that answered nothing are left out."""
    return workspace.store.traffic.answered(since)
