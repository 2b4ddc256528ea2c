"""What should perhaps not be in training data: rows with personal data and secrets, counted by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from whytune.checks.personal import personal_kinds, secret_kinds
from whytune.checks.subject import Limits, Subject, finding
from whytune.records.data import Example, Finding


def personal_data(subject: Subject) -> Finding:
    """Rows with e-mail addresses, phone numbers, IBANs, card numbers or public IP addresses."""
    return _report(
        subject,
        "personal_data",
        personal_kinds,
        "personal data",
        "decide whether you may train on them; mask them in the source if not",
    )


def secrets(subject: Subject) -> Finding:
    """Rows with keys, tokens or passwords."""
    made = _report(
        subject,
        "secrets",
        secret_kinds,
        "a secret",
        "revoke them and remove the rows: a model may repeat what it was trained on",
    )
    return made.model_copy(update={"status": "fail"}) if made.count else made


def _report(subject: Subject, check: str, kinds_in: Callable[[str], Iterable[str]], what: str, next: str) -> Finding:
    bad = []
    kinds: Counter[str] = Counter()
    for example in subject.examples:
        found = {kind for text in _texts(example) for kind in kinds_in(text)}
        if found:
            bad.append(example.id)
            kinds.update(found)
    listed = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
    told = f"{len(bad):,} rows seem to hold {what}: {listed}." if bad else f"No row seems to hold {what}."
    return finding(check, bad, len(subject.examples), told, next=next, limits=Limits(0.0, 1.0))


def _texts(example: Example) -> Iterable[str]:
    yield from (message.text for message in example.messages)
    yield example.target_text
