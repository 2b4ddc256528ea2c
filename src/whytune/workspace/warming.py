"""What the first pages after a start ask for, read before anybody asks.

Records of every use case, and the cases of those that were worked on last: with much history that takes seconds, and
whoever comes first would wait for them. It only fills memory that the pages would fill themselves, and changes nothing.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from whytune.errors import WhytuneError
from whytune.records.evidence import Trial
from whytune.workspace import cases, comparing, held, portfolio, ranking

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

MOST = 50_000
"""Answers that are read ahead, those of the use cases worked on last; the rest is read when it is asked for."""


def warm(workspace: Workspace, stop: threading.Event) -> None:
    """Read it, until it is read or `stop` is set."""
    room = held.looking(workspace).whole()
    # What is wrong somewhere is told by the pages that show it, to whoever opens them.
    with suppress(WhytuneError):
        portfolio.portfolio(room)
    left = MOST
    for one in sorted(room.held, key=lambda each: -room.shelf.last.get(each.key, 0)):
        with suppress(WhytuneError):
            left -= sum(trial.primary.n for trial in one.records(Trial) if trial.split == "test")
            if stop.is_set() or left < 0:
                return
            if one.trials("test"):
                comparing.compared(one)
                cases.cases(one, cases.CaseQuestion())
                ranking.boards(room, str(one.folder))
