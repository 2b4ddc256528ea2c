"""What a use case lacks in people: a duty nobody can fill, a branch or skill that is missing, one person in conflicting duties.

Pure: tables and people in, gaps out, in the order of the stages that need them. It blocks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from whytune.records.ledger import Person
from whytune.records.team import BoxDuty, Skills, TeamGap, TeamTable
from whytune.workspace.team_table import STAGES

MAKERS = ("data_creator", "data_scientist")
"""Roles whose holders make what others sign for."""


@dataclass(frozen=True)
class Team:
    """Who there is. authors: person to the acts by which they made something in this project already."""

    table: TeamTable
    people: Sequence[Person]
    skills: Mapping[str, Skills] = field(default_factory=dict)
    authors: Mapping[str, Iterable[str]] = field(default_factory=dict)


def find(team: Team) -> tuple[TeamGap, ...]:
    """Every gap; first those of the stage that comes first."""
    found: list[TeamGap] = []
    for duty in team.table.duties:
        found += _of_duty(duty, team)
    found += [*_branches(team), *_domains(team), *_conflicts(team)]
    return tuple(sorted(found, key=lambda gap: STAGES.index(gap.stage)))


def _of_duty(duty: BoxDuty, team: Team) -> list[TeamGap]:
    active = {person.name for person in team.people if person.roles}
    found = []

    def gap(kind: str, sentence: str) -> None:
        found.append(TeamGap.model_validate({"kind": kind, "stage": duty.stage, "box": duty.box, "sentence": sentence}))

    if duty.roles and not any(set(person.roles) & set(duty.roles) for person in team.people):
        gap("duty", f"nobody is {' or '.join(duty.roles)}, so nobody can do it")
    declared = [each for name, each in team.skills.items() if name in active]
    missing = [skill for skill in duty.skills if not any(_has(skill, each.skills) for each in declared)]
    if missing:
        gap("skill", f"nobody has declared: {', '.join(missing)}")
    if duty.years:
        most = max((each.years for each in declared if set(each.functions) & set(duty.responsible)), default=None)
        if most is None or most < duty.years:
            has = "nobody of " + ", ".join(duty.responsible) + " is declared" if most is None else f"the most experienced has {most:g}"
            gap("experience", f"{duty.years:g} years of experience are asked for; {has}")
    return found


def _branches(team: Team) -> list[TeamGap]:
    active = {person.name for person in team.people if person.roles}
    filled = {function.partition("/")[0] for name, each in team.skills.items() if name in active for function in each.functions}
    found = []
    for branch in team.table.branches:
        first = next((d for d in _by_stage(team.table) if any(f.startswith(f"{branch.name}/") for f in (*d.responsible, *d.accountable))), None)
        if branch.name not in filled and first:
            found.append(TeamGap(kind="branch", stage=first.stage, box=first.box, sentence=f"nobody of {branch.name} is declared"))
    return found


def _domains(team: Team) -> list[TeamGap]:
    active = {person.name for person in team.people if person.roles}
    missing = [domain for domain in team.table.domains if not any(_has(domain, each.domains) for name, each in team.skills.items() if name in active)]
    first = next(iter(_by_stage(team.table)), None)
    return [TeamGap(kind="domain", stage=first.stage, box=first.box, sentence=f"nobody has declared knowledge of: {', '.join(missing)}")] if missing and first else []


def _conflicts(team: Team) -> list[TeamGap]:
    """Signatures that cannot all be given by different people of whom none made it."""
    table = team.table
    if not table.signatures:
        return []
    last = next((d for d in table.duties if d.stage == "accept"), table.duties[-1] if table.duties else None)
    if last is None:
        return []
    found = []
    holders = {role: [person.name for person in team.people if role in person.roles] for role in table.signatures}
    for role, names in holders.items():
        if not names:
            found.append(f"nobody is {role}, whose signature is needed")
        elif all(name in team.authors for name in names):
            found.append(f"{', '.join(names)} would have to sign as {role}, but made part of it ({', '.join(sorted({act for name in names for act in team.authors[name]}))})")
        elif not team.authors and all(_makes(team, name) for name in names):
            found.append(f"{', '.join(names)} would have to sign as {role}, and holds a maker's role too: whoever makes it may not sign for it")
    free = {role: [name for name in names if name not in team.authors] for role, names in holders.items()}
    if all(free.values()) and (left := _unmatched(free)):
        found.append(f"one person may not give two signatures: {', '.join(sorted({name for role in left for name in free[role]}))} would have to sign as {' and as '.join(left)}")
    return [TeamGap(kind="conflict", stage=last.stage, box=last.box, sentence=sentence) for sentence in found]


def _unmatched(free: Mapping[str, Sequence[str]]) -> list[str]:
    """Roles that share too few people; empty where each role can be signed by another person."""
    given: dict[str, str] = {}

    def place(role: str, tried: set[str]) -> bool:
        for name in free[role]:
            if name not in tried:
                tried.add(name)
                if name not in given or place(given[name], tried):
                    given[name] = role
                    return True
        return False

    for role in free:
        tried: set[str] = set()
        if not place(role, tried):
            return sorted({role, *(given[name] for name in tried if name in given)})
    return []


def _by_stage(table: TeamTable) -> list[BoxDuty]:
    return sorted(table.duties, key=lambda duty: STAGES.index(duty.stage))


def _roles(team: Team, name: str) -> set[str]:
    return next((set(person.roles) for person in team.people if person.name == name), set())


def _makes(team: Team, name: str) -> bool:
    return bool(_roles(team, name) & set(MAKERS))


def _has(wanted: str, declared: Sequence[str]) -> bool:
    return wanted.casefold().strip() in {one.casefold().strip() for one in declared}
