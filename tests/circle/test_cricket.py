"""The whole circle on the cricket table: document search is released and served with its sources, and rows made from the table make the next version."""

from __future__ import annotations

import json
from pathlib import Path

import openai
import pytest
from tests.circle.people import Circle, case

TEMPLATES = """title = "Name"
phrasings = 1

[[template]]
name = "hand"
ask = ["With which hand does {Name} bat?", "Is {Name} a left or a right handed batsman?"]
answer = "{Name} bats {Batting Style}."
tags = {topic = "batting"}
"""


@pytest.mark.deep
def test_cricket_goes_round(tmp_path: Path) -> None:
    questions, table = case("cricket/ipl20rowsoutput.jsonl"), case("cricket/IPL_Data.csv")
    circle = Circle(tmp_path)
    circle("admin", "init", "cricket", "--task", "qna", "--from", str(questions), "--documents", str(table), "--bar", "0.05", "--limit", "80", "--triage", "citations=yes", "--yes")
    circle.hire()
    folder = tmp_path / "cricket"
    circle.edit(folder / "whytune.toml", use='["prompt", "rag"]', hybrid='"off"', words="200", k="1", train="0.5", dev="0.15", test="0.35")
    circle("owner", "policy", "init", "cricket")
    circle.edit(folder / "policy.toml", evidence='["test", "row_review", "dataset_approval"]', smallest="20", double_rated="5", most_bad_rows="0.3")
    circle("owner", "policy", "fix", "cricket")
    walk(circle)
    assert circle.told("owner", "decide", "cricket")["verdict"]["code"] == "RAG_ENOUGH"

    # Nobody has read the rows and nobody has signed: no, with every reason at once.
    first = circle.told("owner", "accept", "cricket", code=3)["acceptance"]
    assert [objection["code"] for objection in first["objections"]] == ["missing", "missing", "unsigned", "unsigned", "unsigned"]

    circle("creator", "review", "open", "cricket", "--rows", "--sample", "20", "--overlap", "0.5", "--gold", "0", "--repeats", "0")
    for person in ("tester", "success", "legal"):
        circle(person, "review", "cricket", typed="y\n" * 40)
    circle("tester", "review", "close", "cricket", "--early")
    circle("tester", "data", "approve", "cricket", "--reason", "read 20 rows")
    for person, role in (("owner", "business_owner"), ("rai", "responsible_ai"), ("tester", "tester")):
        circle(person, "sign", "cricket", "--role", role, "--reason", "read the evidence")
    circle("owner", "accept", "cricket")
    release = circle.told("operator", "release", "make", "cricket")["id"]
    circle("operator", "alias", "set", "players", release, "--reason", "first release")
    bom = json.loads(circle("auditor", "release", "bom", release))
    assert bom["specVersion"] == "1.7"

    secret = circle.told("operator", "key", "add", "fans")["secret"]
    with circle.door("serve", "--alias", "players", ready="/readyz") as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key=secret, max_retries=0, timeout=120)
        said = client.chat.completions.create(model="players", messages=[{"role": "user", "content": "Which team does Kagiso Rabada play for?"}])
        citations = said.model_dump()["whytune"]["citations"]
        assert any("Rabada" in citation["title"] for citation in citations), citations

    # Rows made from the table, by one person and accepted by another, make the next version; its test set is the same.
    (tmp_path / "templates.toml").write_text(TEMPLATES, "utf-8")
    circle("creator", "data", "create", "cricket", "--table", str(table), "--template", "templates.toml")
    circle("creator", "data", "accept", "cricket", "--all", code=4)
    circle("second", "data", "accept", "cricket", "--all")
    circle("creator", "run", "cricket", "--until", "check")
    before, after = (each["counts"] for each in circle.told("auditor", "data", "versions", "cricket")["versions"])
    assert after["test"] == before["test"]
    assert after["train"] > before["train"] + 50


def walk(circle: Circle) -> None:
    """From files to verdict, each stage by whom it belongs to."""
    circle("owner", "run", "cricket", "--until", "usecase")
    circle("creator", "run", "cricket", "--until", "check")
    circle("scientist", "run", "cricket", "--until", "train")
    circle("tester", "run", "cricket")
