"""The map of a use case: the flowchart with every box as it stands, and who acts next."""

from __future__ import annotations

import dataclasses
from typing import Any

from whytune.records.data import Dataset
from whytune.web.frame import page
from whytune.web.handling import WebRequest
from whytune.web.linking import box_link
from whytune.workspace import held, mapping, my_tasks, proposing, teams


def shown(ask: WebRequest) -> Any:
    """Where a use case stands: every box of the flowchart with state, owner and evidence, who acts next, what its team lacks."""
    project = held.project(ask.project)
    boxes = mapping.boxes(project)
    file, decision = project.file, project.decision
    lines = [_line(project.name, box) for box in boxes]
    due = [_line(project.name, box) for box in mapping.due(boxes)]
    gaps = project.worked_out("gaps", "", lambda: teams.gaps(project))
    newest = project.newest(Dataset)
    return {
        "project": project.name, "task": file.task, "purpose": file.purpose, "owners": file.owners, "rule": file.acceptance, "budget": file.budget,
        "currency": file.prices.currency, "private": file.access.private, "stage": mapping.stage(boxes), "boxes": lines, "due": due,
        "working": [line for line in lines if line["job"]], "verdict": decision.verdict if decision else None, "version": newest.number if newest else None,
        "hints": [*teams.said([gap for gap in gaps if gap.kind in ("duty", "conflict")]), *proposing.hints(project)],
    }  # fmt: skip


def _line(project: str, box: mapping.BoxState) -> dict[str, Any]:
    return {**dataclasses.asdict(box), "what": my_tasks.title(box), "link": box_link(project, box)}


routes = [*page("/projects/{name}/map", shown, "map.html.j2", title="Map", tab="map", cli="whytune map {name}")]
