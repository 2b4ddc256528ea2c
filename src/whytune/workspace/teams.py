"""Teams in the store: the table in force, what people declare of themselves, the gaps of a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from whytune.errors import NotAllowedError, UsageError
from whytune.records.release import Policy
from whytune.records.team import Skills, TeamGap, TeamTable
from whytune.workspace import duties, lately, people, team_table
from whytune.workspace import gaps as gap_rules

if TYPE_CHECKING:
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

LONGEST, MOST = 80, 50
"""Letters of a skill, and how many one person may declare."""


def table(workspace: Workspace) -> TeamTable:
    """The table in force: the last one that was recorded, or the one that comes with whytune."""
    return next(reversed(lately.standing(workspace.store, TeamTable)), None) or team_table.default()


def as_text(workspace: Workspace) -> str:
    """The table in force as text that `edit` reads."""
    return team_table.write(table(workspace))


def edit(workspace: Workspace, text: str, where: str = "") -> TeamTable:
    """Put another table in force. Raises UsageError with every mistake of the text."""
    made = team_table.read(text, where)
    before = table(workspace)
    if made.id != before.id:
        with workspace.act("team.changed") as act:
            act.facts.update(branches=str(len(made.branches)), duties=str(len(made.duties)))
            act.write(made)
    return made


def declare(workspace: Workspace, name: str, *, functions: Sequence[str] = (), skills: Sequence[str] = (), domains: Sequence[str] = (), years: float = 0.0) -> Skills:
    """Record what a person says of themself; it replaces what they said before. An admin may do it for others."""
    actor = workspace.person
    if not actor.solo:
        people.find(workspace, name)
        if actor.name != name and "admin" not in actor.roles:
            raise NotAllowedError(f"{actor.name} may not declare for {name}", next=f"ask {name}, or an admin")
    elif name != actor.name:
        raise UsageError(f"{name!r} is not a person of this workspace", next=f"whytune user add {name} --role ROLE, or declare for {actor.name}")
    known = team_table.functions(table(workspace))
    problems = [f"there is no function {one!r}; there are: {', '.join(known)}" for one in functions if one not in known]
    problems += [f"{one[:40]!r}: 1 to {LONGEST} letters" for one in (*skills, *domains) if not 1 <= len(one.strip()) <= LONGEST]
    if len(skills) + len(domains) > MOST:
        problems.append(f"{len(skills) + len(domains)} skills and domains; at most {MOST}")
    if not 0 <= years <= 80:
        problems.append(f"{years:g} years: 0 to 80")
    if problems:
        raise UsageError("That cannot be declared", problems=problems, next=f"whytune team declare {name} --function F --skill S --domain D --years N")
    with workspace.act("skills.declared") as act:
        return act.write(
            Skills(
                person=name, functions=tuple(dict.fromkeys(functions)), skills=tuple(dict.fromkeys(one.strip() for one in skills)),
                domains=tuple(dict.fromkeys(one.strip() for one in domains)), years=years,
            )
        )  # fmt: skip


def declared(workspace: Workspace) -> dict[str, Skills]:
    """What each person said last."""
    return {each.person: each for each in lately.standing(workspace.store, Skills)}


def gaps(project: Project) -> tuple[TeamGap, ...]:
    """What this project's team lacks. Empty for a person alone, who holds every duty and is stamped so."""
    workspace = project.workspace
    everybody = workspace.people()
    if not everybody:
        return ()
    made = [adapter.id for adapter in project.adapters]
    if dataset := project.latest_dataset:
        made.append(dataset.id)
    chart, policy = table(workspace), project.newest(Policy)
    if policy is not None:
        chart = chart.model_copy(update={"signatures": policy.signatures})  # the project's own policy says more than the chart
    return gap_rules.find(gap_rules.Team(chart, everybody, declared(workspace), duties.authors(workspace, made) if made else {}))


def gaps_of_all(workspace: Workspace) -> tuple[TeamGap, ...]:
    """What everybody here together lacks, whatever the use case: who made what is not looked at."""
    everybody = workspace.people()
    return gap_rules.find(gap_rules.Team(table(workspace), everybody, declared(workspace))) if everybody else ()


def hints(project: Project, stage: str) -> list[str]:
    """For `whytune status`: the gaps of this stage, every duty that nobody can fill, every conflict, every broken glass.

    An empty stage means that a run has no step left: then what comes after it is near, and all its gaps are told.
    """
    near = (stage,) if stage else team_table.LATER
    shown = [gap for gap in gaps(project) if gap.stage in near or gap.kind in ("duty", "conflict")]
    glass = [f"{each.person} broke the glass: {each.role} until {each.until[:16]}Z: {each.reason}" for each in people.open_glass(project.workspace)]
    return [*glass, *(f"team: {line}" for line in said(shown))]


def said(found: Sequence[TeamGap], stage: str = "") -> list[str]:
    """Lines for a reader: the stage that needs it, the box, what is missing."""
    return [f"{gap.stage} ({gap.box}): {gap.sentence}" for gap in found if stage in ("", gap.stage)]
