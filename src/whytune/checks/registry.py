"""Every check by name, and running those of a task."""

from __future__ import annotations

from collections.abc import Callable

from whytune.checks import (
    exposure,
    grounding,
    labelling,
    presence,
    quality,
    repetition,
    slicing,
    suspects,
    tokens,
)
from whytune.checks.subject import Subject
from whytune.jobs.progress import Progress, Silent
from whytune.records.data import Finding

CHECKS: dict[str, Callable[[Subject], Finding]] = {
    "empty": presence.empty,
    "exact_duplicates": repetition.exact_duplicates,
    "near_duplicates": repetition.near_duplicates,
    "conflicts": repetition.conflicts,
    "leakage": repetition.leakage,
    "template_leakage": presence.template_leakage,
    "copies_input": repetition.copies_input,
    "length": presence.length,
    "label_set": labelling.label_set,
    "balance": labelling.balance,
    "refusals": presence.refusals,
    "truncated": presence.truncated,
    "unsupported": grounding.unsupported,
    "schema": grounding.schema,
    "ungrounded_fields": grounding.ungrounded_fields,
    "token_length": tokens.token_length,
    "language": quality.language,
    "repeated_text": quality.repeated_text,
    "label_errors": suspects.label_errors,
    "slices": slicing.slices,
    "sensitive_terms": slicing.sensitive_terms,
    "personal_data": exposure.personal_data,
    "secrets": exposure.secrets,
}
ALWAYS = ("personal_data", "secrets")
"""Run for every task, after its own."""


def run(subject: Subject, progress: Progress | None = None) -> list[Finding]:
    """The findings of the task's checks, in the order of its table entry."""
    progress = progress or Silent()
    names = [*subject.task.checks, *(name for name in ALWAYS if name not in subject.task.checks)]
    progress.phase("checking", len(names), "checks")
    findings = []
    for name in names:
        findings.append(CHECKS[name](subject))
        progress.advance(note=name)
    return findings
