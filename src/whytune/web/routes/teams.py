"""Teams: branches, functions and duties, as a table that the workspace can edit."""

from __future__ import annotations

from typing import Any

from whytune.web.handling import WebRequest, route
from whytune.workspace import teams


def shown(ask: WebRequest) -> Any:
    """The table in force."""
    return {"team": teams.table(ask.workspace), "text": teams.as_text(ask.workspace)}


def edited(ask: WebRequest) -> Any:
    """A new table, from the same text that `whytune team show --toml` prints."""
    (text,) = ask.take(text=str)
    return teams.edit(ask.workspace, text)


routes = [route("GET", "/api/v1/teams", shown), route("PUT", "/api/v1/teams", edited)]
