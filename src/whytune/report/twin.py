"""The decision's JSON twin and its published schema, `docs/reference/decision.schema.json`.

Nothing is rounded, clipped or made plain here: a program reads the record as it is, and escapes for where it shows it.
Write the schema anew after changing the record: `python -m whytune.report.twin > docs/reference/decision.schema.json`.
"""

from __future__ import annotations

import json
import sys

from whytune.records.decision import Decision


def json_text(decision: Decision) -> str:
    """`decision.json`: the record, indented, in ASCII so that no character of it acts on a terminal."""
    return json.dumps(decision.model_dump(mode="json"), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def schema_text() -> str:
    """The JSON schema of `decision.json`, made from the record itself."""
    schema = Decision.model_json_schema(mode="serialization")
    schema |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "whytune.decision/1"}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
