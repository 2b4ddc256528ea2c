"""A subject is found as a whole and in every spelling, and never in a longer word."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.errors import UsageError
from whytune.workspace.subjects import Sought


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("anna@example.org", "Write to ANNA@example.org."), ("anna@example.org", "<anna@example.org>"), ("anna@example.org", "anna@example.org, or call"),
        ("Anna Muster", "dear anna  MUSTER!"), ("Anna Muster", "Anna\nMuster's card"), ("José Núñez", unicodedata.normalize("NFD", "josé núñez")),
        ("customer-17", "(customer-17)"), ("O'Neil", "Mr. O'Neil"), ("+41 79 123 45 67", "call +41 79 123 45 67 now"), ("Müller", "MÜLLER"), ("Straße", "STRASSE"),
    ],
)  # fmt: skip
def test_found(subject: str, text: str) -> None:
    sought = Sought(subject)
    assert sought.in_text(text)
    for ascii in (True, False):
        assert sought.in_json(json.dumps({"rows": [{"text": text}]}, ensure_ascii=ascii))
        assert sought.in_json(json.dumps({"target": json.dumps({"name": text}, ensure_ascii=ascii)})), "JSON within JSON"
        assert sought.in_json(json.dumps([[text]], ensure_ascii=ascii))


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("anna@example.org", "joanna@example.org"), ("anna@example.org", "h.anna@example.org"), ("anna@example.org", "anna@example.org.uk"), ("anna@example.org", "anna@example.organic"),
        ("Anna Muster", "Anna Musterfrau"), ("Anna Muster", "Hanna Muster"), ("Anna Muster", "Anna and Muster"), ("customer-17", "customer-170"),
    ],
)  # fmt: skip
def test_not_found_in_something_longer(subject: str, text: str) -> None:
    assert not Sought(subject).in_text(text)
    assert not Sought(subject).in_json(json.dumps({"text": text}))


def test_who_acted_is_not_content_about_them() -> None:
    sought = Sought("anna muster")
    assert not sought.in_json('{"person":"Anna Muster","by":"Anna Muster","note":"fine"}')
    assert sought.in_json('{"person":"bea","note":"Anna Muster rang"}')


def test_numbers_and_names_of_fields_count() -> None:
    assert Sought("4711").in_json('{"customer":4711}')
    assert not Sought("4711").in_json('{"customer":47110}')
    assert not Sought("true").in_json('{"customer":true}')
    assert Sought("anna muster").in_json('{"anna muster":1}')
    assert Sought("anna muster").in_json("no JSON at all, but anna muster")
    assert not Sought("anna muster").in_json("")


@pytest.mark.parametrize("short", ["", "  ", "ab", "a b"])
def test_what_would_be_found_everywhere_is_refused(short: str) -> None:
    with pytest.raises(UsageError, match="too short"):
        Sought(short)


@given(st.text(min_size=3, max_size=12), st.text(max_size=20), st.text(max_size=20))
def test_a_subject_between_spaces_is_always_found(subject: str, before: str, after: str) -> None:
    try:
        sought = Sought(subject)
    except UsageError:
        return
    text = f"{before} {subject} {after}"
    assert sought.in_text(text) == sought.in_json(json.dumps({"a": text}))
    if "@" not in subject:
        assert sought.in_text(text)
