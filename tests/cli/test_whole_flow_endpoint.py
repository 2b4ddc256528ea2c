"""The arms that need no training, over real sockets: an endpoint that works, goes away, comes back, and talks nonsense."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.answering.endpoint_server import serving
from tests.cli.living import change, start, tickets, told, whytune
from tests.cli.test_whole_flow import answers, ledger, proven


@pytest.mark.deep
def test_an_endpoint_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    with serving(modes=["ok"] * 20, always="reset") as (url, service):
        start(tmp_path, f"endpoint:{url}", "--model-name", "tiny", "--from", str(tickets(tmp_path / "rows.csv")), "--bar", "0.2")
        change(tmp_path / "desk", base=f'"endpoint:{url}"\nconcurrency = 4\ntimeout = 2.0')
        started = time.monotonic()
        done = whytune("run", "desk", cwd=tmp_path, code=7)
        assert time.monotonic() - started < 60
        assert url.removesuffix("/v1") in done.stderr
        assert "next: " in done.stderr
        given, acts = answers(tmp_path), [event["act"] for event in ledger(tmp_path)]
        assert len(given) == 20, "every answer that came is kept"
        assert "test.opened" not in acts
        service.always = "ok"
        asked = len(service.requests)
        whytune("run", "desk", cwd=tmp_path)
        assert given < answers(tmp_path)
        assert len(service.requests) - asked == len(answers(tmp_path) - given), "only what was missing was asked for"
        assert [event["act"] for event in ledger(tmp_path)][: len(acts)] == acts
        decision = proven(tmp_path)
        assert [arm["arm"] for arm in decision["arms"] if arm["trial"]] == ["prompt", "few_shot"]
        steps = {step["name"]: step for step in told("status", "desk", cwd=tmp_path)["projects"][0]["steps"]}
        assert "weights" in steps["triage"]["detail"]
        assert steps["train"]["state"] == "skipped"
        asked = len(service.requests)
        whytune("run", "desk", cwd=tmp_path)
        assert len(service.requests) == asked
    # The service is gone for good: the verdict that there is needs it no more.
    whytune("run", "desk", cwd=tmp_path)
