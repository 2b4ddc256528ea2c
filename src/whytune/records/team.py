"""Who does what in an organisation: branches and their functions, duties for each box of the flowchart, skills, emergencies.

Example: `TeamTable.duties` says that for "Fine-tune train" the data scientists are responsible and the solution
architects accountable, and that somebody must know fine-tuning; `Skills` says who does.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from whytune.records.record import Record, Value


class TeamFunction(Value):
    """A box of the chart of teams. roles: what its people usually hold here."""

    name: str
    roles: tuple[str, ...] = ()


class Branch(Value):
    """A branch of the chart of teams."""

    name: str
    functions: tuple[TeamFunction, ...]


class BoxDuty(Value):
    """One box of the flowchart: who is responsible, accountable, consulted, informed, as `Branch/Function`."""

    box: str
    stage: str
    """The step of `whytune run`, or the stage after it, in which this box is done."""
    roles: tuple[str, ...] = ()
    """Somebody must hold one of these."""
    responsible: tuple[str, ...] = ()
    accountable: tuple[str, ...] = ()
    consulted: tuple[str, ...] = ()
    informed: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    years: float = Field(default=0.0, ge=0, le=80)
    """Years of experience that at least one person in a responsible function should have."""


class TeamTable(Record):
    """The whole chart. signatures: roles whose signatures a release needs, each by another person."""

    KIND: ClassVar[str] = "team"
    head: str
    branches: tuple[Branch, ...]
    duties: tuple[BoxDuty, ...]
    signatures: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    """Fields of knowledge that somebody must have."""


class Skills(Record):
    """What a person says of themself. functions are `Branch/Function`."""

    KIND: ClassVar[str] = "skills"
    person: str
    functions: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    years: float = Field(default=0.0, ge=0, le=80)


class TeamGap(Value):
    """Something a use case lacks, and the stage that needs it."""

    kind: Literal["duty", "conflict", "branch", "skill", "domain", "experience"]
    stage: str
    box: str
    sentence: str


class BreakGlass(Record):
    """An emergency: somebody took the operator's role for a while, and said why."""

    KIND: ClassVar[str] = "breakglass"
    person: str
    role: str
    reason: str
    since: str
    until: str
    """UTC, ISO 8601, to the second."""
