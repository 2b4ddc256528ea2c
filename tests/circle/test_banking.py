"""The whole circle on the banking77 cut: refused, mended, accepted, served, corrected by its consumers, and the next version made."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import httpx
import openai
import pytest
from tests.circle.people import Circle, case

INTENTS = ("card_arrival", "exchange_rate", "lost_or_stolen_card", "pin_blocked")
FIRST, MORE = 25, 30
"""Rows of each intent: that the use case begins with, and that are found when the first candidate is refused."""


@pytest.mark.deep
def test_banking_goes_round(tmp_path: Path) -> None:
    right = files(tmp_path)
    circle = Circle(tmp_path)
    circle("admin", "init", "support", "--task", "categorization", "--from", "first.csv", "--bar", "0.7", "--triage", "may_train=yes", "--purpose", "Sort what customers write", "--yes")
    circle.hire()
    circle.own(tmp_path / "support")
    circle.edit(tmp_path / "support" / "whytune.toml", train="0.3", dev="0.2", test="0.5", use='["prompt", "tuned"]', epochs="2.0", checkpoints="1", hybrid='"off"')
    policy(circle, tmp_path / "support")

    # Too few rows to train on: the prompt alone goes before the gate, and is sent back.
    walk(circle)
    assert circle.told("owner", "decide", "support", code=3 if verdict(circle) in NO else 6)["gates"]
    first = circle.told("owner", "accept", "support", code=3)["acceptance"]
    assert not first["accepted"]
    assert first["collection_targets"], "a no says which rows to look for"
    assert "nothing to approve" in circle("tester", "sign", "support", "--role", "tester", "--reason", "read the table", code=3)

    # The data is mended: one person brings rows, another accepts them, and the next version follows from the refusal.
    circle("creator", "data", "propose", "support", "more.jsonl", "--reason", "rows that the refusal asked for")
    assert "creator" in circle("creator", "data", "accept", "support", "--all", code=4)
    circle("second", "data", "accept", "support", "--all")
    walk(circle)
    data = circle.told("auditor", "data", "versions", "support")["versions"]
    assert len(data) == 2
    decided = circle.told("owner", "decide", "support")
    assert decided["verdict"]["winner"] == "tuned", decided["verdict"]["sentence"]

    # People look at the rows and, blind, at the answers; nobody who made them is asked.
    circle("creator", "review", "open", "support", "--rows", "--sample", "30", "--overlap", "0.4", "--gold", "0", "--repeats", "0")
    for person in ("tester", "success", "legal"):
        circle(person, "review", "support", typed="y\n" * 60)
    assert circle.told("tester", "review", "close", "support", "--early")["outcome"]["bad"] == 0
    circle("creator", "data", "approve", "support", "--role", "data_creator", code=4)
    circle("tester", "data", "approve", "support", "--reason", "30 rows read, none bad")
    queue = circle.told("tester", "review", "open", "support", "--pairs", "prompt", "tuned", "--votes", "0", "--gold", "0", "--repeats", "0", "--overlap", "1.0", "--split", "test")["id"]
    with circle.door("web", ready="/healthz") as address:
        assert sum(circle.vote(address, person, queue, right) for person in ("success", "legal")) > 0
        blocked = httpx.post(f"{address}/api/v1/queues/{queue}/claim")
        assert blocked.status_code == 401
    # Whether people's preference is proven (exit 0 or 6) depends on the few pairs whose answers differ.
    people_say = circle.told("tester", "review", "close", "support", "--early", code=None)["outcome"]
    assert people_say["conclusion"] in ("better", "not_proven", "tie")
    circle("rai", "responsible", "run", "support", "--quick", code=None)
    asked = circle.told("owner", "accept", "support", "--dry-run", code=3)["acceptance"]["objections"]
    assert any("the probe canaries is asked for" in each["sentence"] for each in asked)
    circle("rai", "responsible", "canaries", "support", "--count", "4")
    circle("rai", "responsible", "run", "support", "--quick", code=None)
    for dimension in failed(circle):
        circle("legal", "responsible", "waive", "support", dimension, "--reason", "a cut of four intents, for staff only", "--until", "2099-01-01", code=2)
        circle("legal", "responsible", "waive", "support", dimension, "--reason", "a cut of four intents, for staff only", "--until", soon())

    # Three people who made no part of it sign; the scientist who trained it cannot.
    circle("scientist", "sign", "support", "--role", "tester", "--reason", "mine", code=4)
    for person, role in (("owner", "business_owner"), ("rai", "responsible_ai"), ("tester", "tester")):
        circle(person, "sign", "support", "--role", role, "--reason", "read the evidence")
    second = circle.told("owner", "accept", "support")["acceptance"]
    assert second["accepted"]
    assert not second["solo"]

    # Released, under an alias, and served to the official client.
    release = circle.told("operator", "release", "make", "support")["id"]
    circle("operator", "release", "verify", release)
    circle("operator", "alias", "set", "champion", release, "--reason", "first release")
    secret = circle.told("operator", "key", "add", "desk")["secret"]
    question = next(text for text, label in right.items() if label == "exchange_rate")
    with circle.door("serve", ready="/readyz") as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key=secret, max_retries=0, timeout=120)
        answers = {text: client.chat.completions.create(model="champion", messages=[{"role": "user", "content": text}]) for text in [*right][:12]}
        assert {answer.choices[0].message.content for answer in answers.values()} <= set(INTENTS)
        said = client.chat.completions.create(model="champion", messages=[{"role": "user", "content": f"{question} I asked before!"}], extra_body={"metadata": {"consent": "yes"}})
        assert json.loads(said.model_dump_json())["whytune"]["release"] == release
        given = {"response_id": said.id, "rating": "down", "correction": "exchange_rate", "consent": True, "question": f"{question} I asked before!"}
        httpx.post(f"{address}/v1/feedback", json=given, headers={"authorization": f"Bearer {secret}"}, timeout=60).raise_for_status()

    # What the consumer said becomes a row of the next version, and never one of the test set.
    (inbox,) = circle.told("success", "feedback", "list")["feedback"]
    circle("success", "feedback", "triage", inbox["id"], "--useful", "--reason", "a clear correction")
    circle("success", "feedback", "propose", "support", inbox["id"])
    circle("creator", "data", "accept", "support", "--all")
    circle("creator", "run", "support", "--until", "check")
    versions = circle.told("auditor", "data", "versions", "support")["versions"]
    assert len(versions) == 3
    came = circle.told("auditor", "data", "diff", "support", "2", "3")
    assert "I asked before!" in json.dumps(came)
    assert "champion" in circle("auditor", "alias", "history", "champion")
    circle("auditor", "audit", "checkpoint", "--anchor", str(tmp_path / "anchor.jsonl"))
    circle("auditor", "audit", "verify", "--anchor", str(tmp_path / "anchor.jsonl"))


NO = ("NONE_ACCEPTABLE", "CANNOT_PAY", "BLOCKED", "FIX_LABELS_FIRST", "FIX_FORMAT_FIRST")


def files(folder: Path) -> dict[str, str]:
    """`first.csv` and `more.jsonl`; gives the right answer to every question in them."""
    with case("banking77/train.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["category"] in INTENTS]
    count: Counter[str] = Counter()
    first, more = [], []
    for row in rows:
        count[row["category"]] += 1
        if count[row["category"]] <= FIRST + MORE:
            (first if count[row["category"]] <= FIRST else more).append(row)
    with (folder / "first.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("text", "category"))
        writer.writeheader()
        writer.writerows(first)
    lines = [json.dumps({"input": row["text"], "target": row["category"]}) for row in more]
    (folder / "more.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return {row["text"].strip(): row["category"] for row in (*first, *more)}


def policy(circle: Circle, folder: Path) -> None:
    """What is asked of any candidate here: all but the general skill, at sizes that fit a small case."""
    circle("owner", "policy", "init", "support")
    circle.edit(
        folder / "policy.toml", evidence='["test", "responsible", "human_evaluation", "row_review", "dataset_approval"]',
        smallest="40", double_rated="8", most_bad_rows="0.2",
        conclusions='["better", "tie", "not_proven"]', statuses='["PASS", "WAIVED", "NOT PROVEN", "NOT RUN"]',
    )  # fmt: skip
    circle("owner", "policy", "fix", "support")


def walk(circle: Circle) -> None:
    """From files to verdict, each stage by whom it belongs to."""
    circle("owner", "run", "support", "--until", "usecase")
    circle("creator", "run", "support", "--until", "check")
    circle("scientist", "run", "support", "--until", "train")
    circle("tester", "run", "support")


def verdict(circle: Circle) -> str:
    code: str = circle.told("owner", "run", "support")["verdict"]["code"]
    return code


def failed(circle: Circle) -> list[str]:
    statuses = circle.told("rai", "responsible", "show", "support", code=None)["statuses"]
    return sorted(dimension for dimension, status in statuses.items() if status == "FAIL")


def soon() -> str:
    import datetime

    return (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)).isoformat()
