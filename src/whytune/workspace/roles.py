"""Who may do what: one table for every door. Nobody is exempt, the administrator included."""

from __future__ import annotations

from whytune.errors import NotAllowedError, UsageError
from whytune.records.ledger import ROLES, Person

SCIENCE = ("data_scientist", "architect")
REVIEWERS = ("business_owner", "data_creator", "tester", "responsible_ai", "legal", "customer_success")
"""Who may be asked for an opinion about rows or answers; who trained a candidate is kept out by name, not by role."""
ACTS: dict[str, tuple[str, ...]] = {
    "project.created": ("business_owner", "data_scientist", "data_creator", "architect"),
    "person.changed": ("admin",),
    "usecase.fixed": ("business_owner",),
    "dataset.created": ("data_creator",),
    "dataset.checked": ("data_creator", "tester", *SCIENCE),
    "index.built": ("data_creator", *SCIENCE),
    "triage.done": ("business_owner", *SCIENCE),
    "base.chosen": SCIENCE,
    "power.said": ("tester", *SCIENCE),
    "dev.measured": SCIENCE,
    "adapter.trained": SCIENCE,
    "protocol.fixed": ("tester",),
    "test.opened": ("tester",),
    "trial.measured": ("tester",),
    "decision.made": ("tester", "business_owner"),
    "person.secured": tuple(ROLES),
    "team.changed": ("admin", "architect", "business_owner"),
    "skills.declared": tuple(ROLES),
    "break_glass.used": ("admin", "operator"),
    "queue.opened": ("data_creator", "tester", "responsible_ai", "legal", *SCIENCE),
    "opinion.given": REVIEWERS,
    "opinion.settled": REVIEWERS,
    "queue.closed": ("data_creator", "tester", "responsible_ai", "legal", *SCIENCE),
    "dataset.approved": ("data_creator", "tester", "legal", "responsible_ai"),
    "rows.proposed": ("data_creator", "customer_success"),
    "rows.accepted": ("data_creator", "tester"),
    "model.chosen": SCIENCE,
    "forgetting.measured": ("tester", *SCIENCE),
    "responsible.measured": ("responsible_ai", "tester"),
    "responsible.waived": ("responsible_ai", "legal"),
    "policy.fixed": ("business_owner", "responsible_ai", "legal"),
    "approval.signed": ("business_owner", "responsible_ai", "legal", "tester", "operator"),
    "acceptance.decided": ("business_owner",),
    "release.made": ("operator", "business_owner"),
    "release.mirrored": ("operator",),
    "release.retired": ("operator",),
    "alias.set": ("operator",),
    "key.changed": ("operator",),
    "model.tried": tuple(ROLES),
    "feedback.received": ("customer_success", "operator"),
    "feedback.triaged": ("customer_success",),
    "ledger.checkpointed": ("auditor", "operator", "admin"),
    "subject.erased": ("legal", "admin"),
}

READS: dict[str, tuple[str, ...]] = {
    "machine": ("admin", "operator", "architect", "auditor"),
    "accounts": ("admin",),
    "private projects": ("auditor",),
    "names of private projects": ("admin", "auditor"),
    "restricted documents": ("data_creator", "auditor"),
    "proposed rows": ("data_creator", "tester", "auditor"),
    "feedback": ("customer_success", "data_creator", "tester", "business_owner", "responsible_ai", "legal", "auditor"),
}
"""What not everybody may read, and who may; everybody reads the rest. One's own (session, token, proposal) one always sees.

machine: settings, folders, disk. accounts: others' sessions and tokens, whose name is locked. feedback: what consumers
wrote; how much there is of it is no secret.
"""


def reads(person: Person, what: str) -> bool:
    """Whether the person holds a role for reading this."""
    return bool(set(person.roles) & set(READS[what]))


def solo(name: str) -> Person:
    """The only person of a workspace: holds every role, and every event says so."""
    return Person(name=name, roles=tuple(ROLES), solo=True)


def check(person: Person, act: str) -> None:
    """Raise NotAllowedError where none of the person's roles permits the act."""
    if not set(person.roles) & set(ACTS[act]):
        raise NotAllowedError(
            f"{person.name} ({', '.join(person.roles) or 'no role'}) may not do {act!r}",
            next=f"ask somebody who is {' or '.join(ACTS[act])}",
        )


def current(people: list[Person], name: str) -> Person:
    """The person of that name: solo where the workspace knows nobody. The last record of a name counts."""
    if not people:
        return solo(name)
    known = {person.name: person for person in people}
    if name not in known:
        raise NotAllowedError(
            f"{name!r} is not a person of this workspace", next=f"set WHYTUNE_PERSON to one of: {', '.join(known)}"
        )
    return known[name]


def check_roles(roles: tuple[str, ...]) -> None:
    """Raise UsageError for a role that does not exist."""
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise UsageError(f"No role is named {', '.join(unknown)}", next=f"choose from: {', '.join(ROLES)}")
