"""What came out of a job, where it is shown, and what to do next: read from the records after the work is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from whytune.records.data import Validation
from whytune.records.release import Release

if TYPE_CHECKING:
    from whytune.workspace.project import Project


def outcome(project: Project, kind: str, arguments: Mapping[str, str]) -> dict[str, str]:
    """said, next and link of a job that ended well."""
    home = f"/projects/{quote(project.name, safe='')}"
    status = project.status()
    said, then, link = status.headline, status.next, f"{home}/map"
    if kind == "run" and not arguments.get("until") and project.decision:
        verdict = project.decision.verdict
        said, link = f"{verdict.headline} {verdict.sentence}", f"{home}/decide"
    elif kind == "check" or arguments.get("until") == "check":
        said, link = _checked(project), f"{home}/data/findings"
    elif kind == "train" or arguments.get("until") == "train":
        said, link = _trained(project), f"{home}/runs"
    elif kind == "responsible":
        from whytune.workspace import inspecting

        found = inspecting.report_of(project, arguments.get("arm", ""))
        said = ", ".join(f"{name.replace('_', ' ')} {state}" for name, state in found.statuses(inspecting.waivers(project)).items())
        link = f"{home}/responsible"
    elif kind == "canaries":
        from whytune.workspace import planting

        said, link = planting.sentence(project), f"{home}/responsible#planted"
        then = f"whytune responsible run {project.name}   (it counts them in)"
    elif kind == "forgetting":
        said, link = project.forgetting(arguments.get("arm", "") or "tuned").sentence, f"{home}/runs"
    elif kind == "release":
        release = project.latest(Release)
        said, link = f"Released {release.project}/{release.number}", f"/registry/{quote(release.id, safe='')}"
        then = f"whytune alias set champion {release.project}/{release.number}"
    return {"said": said, "next": then, "link": link}


def _checked(project: Project) -> str:
    found = project.latest(Validation).findings
    counts = {state: sum(one.status == state for one in found) for state in ("pass", "warn", "fail")}
    return "Checks: " + ", ".join(f"{count} {state}" for state, count in counts.items())


def _trained(project: Project) -> str:
    lines = []
    for adapter in project.adapters:
        best = next(look for look in adapter.curve if look.step == adapter.best_step)
        metric = "" if best.dev_metric is None else f", dev {project.file.acceptance.metric} {best.dev_metric:.3f}"
        lines.append(f"adapter {adapter.id[8:18]}: best at step {best.step}, dev loss {best.dev_loss:.3f}{metric}")
    return "; ".join(lines) or "Nothing was trained: the earlier steps say why"
