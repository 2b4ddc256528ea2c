"""Teams: which branch and function is filled by whom, who acts in each box of the flowchart, and what is missing."""

from __future__ import annotations

from typing import Any

from whytune.web.frame import form, page
from whytune.web.handling import WebRequest, project_named
from whytune.web.routes.teams import edited
from whytune.workspace import permissions, team_table, teams

RACI = (("R", "responsible"), ("A", "accountable"), ("C", "consulted"), ("I", "informed"))


def shown(ask: WebRequest) -> Any:
    """The chart with its people, who acts in each box, and the gaps: of everybody, or of one use case where `?project=` names it."""
    workspace, wanted = ask.workspace, ask.query.get("project", "")
    table, skills = teams.table(workspace), teams.declared(workspace)
    active = {person.name: person for person in workspace.people() if person.roles}
    filled: dict[str, list[str]] = {name: [] for name in team_table.functions(table)}
    for said in skills.values():
        for function in said.functions:
            if function in filled and (said.person in active or not active):
                filled[function].append(said.person)
    chosen = project_named(workspace, wanted) if wanted else None
    return {
        "alone": workspace.person.solo, "head": table.head, "project": chosen.name if chosen else "", "projects": [project.name for project in workspace.projects()],
        "branches": [
            {"name": branch.name, "functions": [{"name": each.name, "roles": each.roles, "people": filled[f"{branch.name}/{each.name}"]} for each in branch.functions]}
            for branch in table.branches
        ],
        "boxes": [
            {"box": duty.box, "stage": duty.stage, "roles": duty.roles, "holders": permissions.who_hold(workspace, duty.roles),
             "duties": [{"letter": letter, "functions": [{"name": name, "people": filled.get(name, [])} for name in getattr(duty, kind)]} for letter, kind in RACI]}
            for duty in table.duties
        ],
        "undeclared": sorted(set(active) - set(skills)), "gaps": teams.gaps(chosen) if chosen else teams.gaps_of_all(workspace),
        "may": {"edit": permissions.may(workspace, "team.changed")},
    }  # fmt: skip


def text(ask: WebRequest) -> Any:
    """The chart as text that can be edited."""
    return {"text": teams.as_text(ask.workspace), "may": {"edit": permissions.may(ask.workspace, "team.changed")}}


routes = [
    *page("/team", shown, "team.html.j2", title="Team", cli="whytune team show"),
    *page("/team/edit", text, "team_edit.html.j2", title="Edit the chart of teams", cli="whytune team show --toml"),
    *form("/team/edit", edited, back="/team", said="The new chart is in force."),
]
