"""The JSON twin is the record, it fits the published schema, and the published schema is current."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.sample_decision import evidence, imprint, typical, usecase

from whytune.acceptance.decision import decide
from whytune.records.decision import Decision
from whytune.report.twin import json_text, schema_text

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "decision.schema.json"


def test_the_published_schema_is_current() -> None:
    again = "python -m whytune.report.twin > docs/reference/decision.schema.json"
    assert PUBLISHED.read_text("utf-8") == schema_text(), f"write it anew: {again}"


def test_decisions_fit_the_schema() -> None:
    import jsonschema  # takes seconds, and every process of the tests reads this file

    schema = json.loads(PUBLISHED.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for decision in (typical(), decide(evidence({}, usecase()), imprint())):
        content = json.loads(json_text(decision))
        jsonschema.validate(content, schema)
        assert Decision.model_validate_json(json_text(decision)) == decision
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"verdict": content["verdict"] | {"code": "MAYBE"}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"more": 1}, schema)


def test_no_character_of_it_acts_on_a_terminal() -> None:
    text = json_text(typical().model_copy(update={"title": "\x1b[31m\u202e"}))
    assert text.isascii()
    assert "\x1b" not in text
