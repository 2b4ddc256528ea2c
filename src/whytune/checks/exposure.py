"""What should perhaps not be in training data: personal data and secrets, by their form; a first pass, not a proof.

E-mail addresses, phone numbers, IBANs (check digits verified), card numbers (Luhn verified), keys and passwords.
Reserved example domains are not counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from whytune.checks.subject import Limits, Subject, finding
from whytune.records.data import Example, Finding

_EMAIL = re.compile(r"[\w.+-]{1,64}@(?!(?:[\w-]+\.)*example\.)[\w-]{1,63}(?:\.[\w-]{2,63})+")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")
_PHONE = re.compile(
    r"(?<!\w)\+\d{1,3}(?:[ ./-]?\(?\d{2,8}\)?){1,4}(?!\w)|(?<![\w.,/-])\(?\d{3,5}\)?(?:[ ./-]\d{2,5}){2,4}(?![\w,-])"
)
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?!\d)")
_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("AWS key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("GitHub token", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b")),
    ("API key", re.compile(r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{20,}\b")),
    ("Google key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("Slack token", re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,}\b")),
    ("web token", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}\b")),
    ("password", re.compile(r"\b(?:password|passwort|passwd|pwd)\s*[:=]\s*[^\s,;]{6,}", re.IGNORECASE)),
)
_MAY_HOLD_SECRET = re.compile(
    r"-----BEGIN|AKIA|ASIA|gh[pousr]_|[spr]k[-_]|AIza|xox|eyJ|passw|pwd", re.IGNORECASE
)


def personal_data(subject: Subject) -> Finding:
    """Rows with e-mail addresses, phone numbers, IBANs or card numbers."""
    return _report(
        subject,
        "personal_data",
        _personal,
        "personal data",
        "decide whether you may train on them; mask them in the source if not",
    )


def secrets(subject: Subject) -> Finding:
    """Rows with keys, tokens or passwords."""
    made = _report(
        subject,
        "secrets",
        _secret,
        "a secret",
        "revoke them and remove the rows: a model may repeat what it was trained on",
    )
    return made.model_copy(update={"status": "fail"}) if made.count else made


def _report(subject: Subject, check: str, kinds_in: object, what: str, next: str) -> Finding:
    bad = []
    kinds: Counter[str] = Counter()
    for example in subject.examples:
        found = {kind for text in _texts(example) for kind in kinds_in(text)}  # type: ignore[operator]
        if found:
            bad.append(example.id)
            kinds.update(found)
    listed = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
    told = f"{len(bad):,} rows seem to hold {what}: {listed}." if bad else f"No row seems to hold {what}."
    return finding(check, bad, len(subject.examples), told, next=next, limits=Limits(0.0, 1.0))


def _texts(example: Example) -> Iterable[str]:
    yield from (message.text for message in example.messages)
    yield example.target_text


def _personal(text: str) -> Iterable[str]:
    if "@" in text and _EMAIL.search(text):
        yield "e-mail"
    if sum(map(text.count, "0123456789")) < 7:
        return
    if any(iban_fits(match) for match in _IBAN.findall(text)):
        yield "IBAN"
    cards = [match for match in _CARD.findall(text) if luhn_fits(match)]
    if cards:
        yield "card number"
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if (
            8 <= len(digits) <= 15
            and not _DATE.match(match.group())
            and not any(match.group() in card for card in cards)
        ):
            yield "phone number"
            return


def _secret(text: str) -> Iterable[str]:
    if _MAY_HOLD_SECRET.search(text):
        for kind, pattern in _SECRETS:
            if pattern.search(text):
                yield kind


def iban_fits(text: str) -> bool:
    """Whether the check digits of an IBAN are right."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def luhn_fits(text: str) -> bool:
    """Whether a card number's check digit is right; a run of one digit is no card."""
    digits = [int(character) for character in text if character.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    total = sum(
        digit if place % 2 == 0 else (digit * 2 - 9 if digit > 4 else digit * 2)
        for place, digit in enumerate(reversed(digits))
    )
    return total % 10 == 0
