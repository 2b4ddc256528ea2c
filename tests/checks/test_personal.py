"""Personal data and secrets by their form: what is found, what is not, and that no text takes for ever."""

from __future__ import annotations

import time

import pytest
from tests.checks.test_registry import good, subject

from whytune.checks.personal import entropy, scan
from whytune.checks.registry import run

FOUND = [
    ("e-mail", "write to anna.smith+news@firm.co.uk, please"),
    ("phone number", "call +49 170 1234567 now"),
    ("IBAN", "pay to DE89 3704 0044 0532 0130 00"),
    ("card number", "my card is 4111-1111-1111-1111"),
    ("IP address", "it came from 8.8.4.4 at night"),
    ("IP address", "it came from 2001:4860:4860::8888 at night"),
    ("private key", "-----BEGIN RSA PRIVATE KEY-----"),
    ("AWS key", "AKIAIOSFODNN7EXAMPLE"),
    ("GitHub token", "ghp_" + "a1B2" * 9),
    ("API key", "sk-proj-" + "Ab3_" * 8),
    ("hub token", "hf_" + "aB3d" * 9),
    ("web token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkw.abcdefghijkl"),
    ("password", "password: hunter2hunter2"),
    ("key", 'api_key = "q8Zr2LmX0vTn5KpW7sYd"'),
]
CLEAN = [
    "mail a@example.com or b@mail.example.org", "order 1234 5678 on 2018/04/24 01:00", "version 1.2.3.4 and v10.20.30.40", "host 192.168.0.1 or 127.0.0.1 or 300.1.2.3",
    "at 12:30:45 or 1:2:3", "the secret of a longhappyandwelllivedlife is sleep", "a token of appreciation", "0000 0000 0000 0000", "the ratio was 3.14159265358979",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), FOUND, ids=[f"{kind} {n}" for n, (kind, _) in enumerate(FOUND)])
def test_a_kind_is_found(kind: str, text: str) -> None:
    assert kind in scan(text)


@pytest.mark.parametrize("text", CLEAN)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert scan(text) == []


HOSTILE = ["a" * 60_000 + "@", "a@" * 30_000, "a.a" * 20_000, "1 " * 30_000, "1-" * 30_000, "eyJ" * 20_000, "a:" * 30_000, "token " * 10_000, "AA00 " * 12_000, "(123) " * 10_000, "sk-" * 20_000, "password:" * 7_000, "1.1." * 15_000]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:8] for text in HOSTILE])
def test_no_text_takes_for_ever(text: str) -> None:
    start = time.process_time()
    scan(text)
    assert time.process_time() - start < 1.5


def test_findings_never_show_the_value() -> None:
    rows = [(f"row {n}: {text}", "Done.") for n, (_, text) in enumerate(FOUND)]
    findings = {finding.check: finding for finding in run(subject("qna", [*good("qna"), *rows]))}
    assert findings["secrets"].status == "fail"
    for finding in (findings["personal_data"], findings["secrets"]):
        assert finding.count > 0
        said = finding.model_dump_json()
        for _, text in FOUND:
            assert not [word for word in text.split() if len(word) > 9 and any(c.isdigit() for c in word) and word in said]


def test_entropy_parts_random_strings_from_words() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abcd") == pytest.approx(2)
    assert entropy("thequickbrownfoxes") < entropy("q8Zr2LmX0vTn5KpW7sYd")
