"""The ledger: who did what, newest last, by pages."""

from __future__ import annotations

from typing import Any

from whytune.errors import UsageError
from whytune.web.handling import WebRequest, route

MOST = 1_000


def listed(ask: WebRequest) -> Any:
    """Events of one project or of all; `after` a number, at most `limit`."""
    problems, numbers = [], {"after": 0, "limit": 100}
    for name, text in (("after", ask.query.get("after", "0")), ("limit", ask.query.get("limit", "100"))):
        if text.isdecimal() and len(text) < 10:
            numbers[name] = int(text)
        else:
            problems.append(f"{name}={text[:20]!r} is not a whole number")
    if not 1 <= numbers["limit"] <= MOST:
        problems.append(f"limit={numbers['limit']}: choose 1 to {MOST}")
    if problems:
        raise UsageError("The page cannot be shown", problems=problems, next="GET /api/v1/events?after=0&limit=100")
    found = [event for event in ask.workspace.events(ask.query.get("project")) if event.number > numbers["after"]][: numbers["limit"]]
    return {"events": found, "next": found[-1].number if len(found) == numbers["limit"] else None}


routes = [route("GET", "/api/v1/events", listed)]
