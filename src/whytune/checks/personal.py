"""What a text seems to hold of personal data and secrets, by form alone: the kinds, never the values.

E-mail addresses, phone numbers, IBANs (check digits verified), card numbers (Luhn verified), public IP addresses; private
keys, keys and tokens of known services, passwords, and long random strings that are called a key. A first pass, not a
proof. Every pattern is bounded, so that no text takes more than a time proportional to its length. Reserved example
domains and addresses are not counted. Example: `scan("mail anna.smith@firm.org")` is `["e-mail"]`.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Iterator

PERSONAL = ("e-mail", "IBAN", "card number", "IP address", "phone number")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})")
_EXAMPLE = re.compile(r"(?:^|\.)(?:example|test|invalid|localhost)(?:\.(?:com|org|net))?$", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")
_PHONE = re.compile(
    r"(?<!\w)\+\d{1,3}(?:[ ./-]?\(?\d{2,8}\)?){1,4}(?!\w)|(?<![\w.,/-])\(?\d{3,5}\)?(?:[ ./-]\d{2,5}){2,4}(?![\w,-])"
)
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?!\d)")
_IPV4 = re.compile(r"(?<![\w.])(?<!version )(?<!v)\d{1,3}(?:\.\d{1,3}){3}(?![\w.]\d|\w)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){2,7}:?(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6})(?![\w:])")
_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("private key", re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")),
    ("AWS key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b")),
    ("API key", re.compile(r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{20,255}\b")),
    ("Google key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("Slack token", re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,255}\b")),
    ("hub token", re.compile(r"\bhf_[A-Za-z0-9]{30,60}\b")),
    ("web token", re.compile(r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,2000}\.[\w-]{10,2000}\b")),
    ("password", re.compile(r"\b(?:password|passwort|passwd|pwd)\s{0,5}[:=]\s{0,5}[^\s,;]{6,}", re.IGNORECASE)),
)
_CALLED_KEY = re.compile(r"(?:api[_ -]?key|secret|token|bearer|credential)\w{0,10}[\"']?\s{0,3}[:= ]\s{0,3}[\"']?([A-Za-z0-9_+/=.-]{20,200})", re.IGNORECASE)
_MAY_HOLD_SECRET = re.compile(
    r"-----BEGIN|AKIA|ASIA|gh[pousr]_|github_pat_|[spr]k[-_]|AIza|xox|hf_|eyJ|passw|pwd|api.?key|secret|token|bearer|credential", re.IGNORECASE
)
_RANDOM = 3.5
"""Bits a character from which a string of letters and digits is taken for random; English words have less than 3.2."""


def scan(text: str) -> list[str]:
    """The kinds of personal data and secrets that a text seems to hold, each once."""
    return [*dict.fromkeys((*personal_kinds(text), *secret_kinds(text)))]


def personal_kinds(text: str) -> Iterator[str]:
    """Kinds of personal data."""
    if "@" in text and any(not _EXAMPLE.search(match.group(1)) for match in _EMAIL.finditer(text)):
        yield "e-mail"
    if text.count(":") > 1 and any(_public(match.group()) for match in _IPV6.finditer(text)):
        yield "IP address"
    digits = sum(map(text.count, "0123456789"))
    if digits < 4:
        return
    if text.count(".") > 2 and any(_public(match.group()) for match in _IPV4.finditer(text)):
        yield "IP address"
    if digits < 7:
        return
    if any(iban_fits(match) for match in _IBAN.findall(text)):
        yield "IBAN"
    cards = [match for match in _CARD.findall(text) if luhn_fits(match)]
    if cards:
        yield "card number"
    for match in _PHONE.finditer(text):
        found = re.sub(r"\D", "", match.group())
        if 8 <= len(found) <= 15 and not _DATE.match(match.group()) and not any(match.group() in card for card in cards):
            yield "phone number"
            return


def secret_kinds(text: str) -> Iterator[str]:
    """Kinds of secrets."""
    if not _MAY_HOLD_SECRET.search(text):
        return
    for kind, pattern in _SECRETS:
        if pattern.search(text):
            yield kind
    for match in _CALLED_KEY.finditer(text):
        value = match.group(1)
        if any(c.isdigit() for c in value) and any(c.isalpha() for c in value) and entropy(value) >= _RANDOM:
            yield "key"
            return


def entropy(text: str) -> float:
    """Bits a character, from how often each character stands in the text."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values()) if size else 0.0


def _public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


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
