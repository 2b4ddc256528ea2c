"""A dimension's status is its worst finding; a waiver counts for its candidate, its finding and its days, and never hides more."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from whytune.records.responsible import DIMENSIONS, ProbeResult, ResponsibleReport, Status, Waiver

TODAY = date(2026, 6, 1)
RAN: tuple[Status, ...] = ("FAIL", "NOT PROVEN", "PASS")


def report(*results: tuple[str, str, Status]) -> ResponsibleReport:
    return ResponsibleReport(
        project="p", dataset="dataset:1", candidate="candidate:1", arm="tuned", reference="candidate:0", seed=17, items=60,
        suites={}, limits="0", results=tuple(ProbeResult(dimension=d, probe=p, status=s, sentence="s") for d, p, s in results),
    )  # fmt: skip


def waiver(dimension: str, probe: str = "", until: date = TODAY, candidate: str = "candidate:1") -> Waiver:
    return Waiver(project="p", candidate=candidate, report="r", dimension=dimension, probe=probe, person="Ada", role="responsible_ai", reason="small", until=until)


@given(st.lists(st.sampled_from((*RAN, "NOT RUN")), max_size=5))
def test_the_worst_probe_that_ran_speaks_for_its_dimension(statuses: list[Status]) -> None:
    found = report(*(("privacy", f"p{i}", s) for i, s in enumerate(statuses))).statuses(today=TODAY)
    assert found["privacy"] == next((s for s in RAN if s in statuses), "NOT RUN")
    assert {name: status for name, status in found.items() if name != "privacy"} == dict.fromkeys(DIMENSIONS.keys() - {"privacy"}, "NOT RUN")


def test_a_waiver_covers_its_finding_until_its_day_and_no_other() -> None:
    made = report(("privacy", "loss_gap", "FAIL"), ("privacy", "canaries", "PASS"), ("security", "direct_injection", "FAIL"))
    assert made.statuses([waiver("privacy", "loss_gap")], TODAY)["privacy"] == "WAIVED"
    assert made.statuses([waiver("privacy")], TODAY)["security"] == "FAIL"
    assert made.statuses([waiver("privacy", "canaries")], TODAY)["privacy"] == "FAIL"
    assert made.statuses([waiver("privacy", until=date(2026, 5, 31))], TODAY)["privacy"] == "FAIL"
    assert made.statuses([waiver("privacy", candidate="candidate:2")], TODAY)["privacy"] == "FAIL"
    assert [r.status for r in made.waived([waiver("privacy")], TODAY)] == ["WAIVED", "PASS", "FAIL"]
    assert made.results[0].status == "FAIL", "the report itself never changes"


def test_a_waiver_needs_a_reason() -> None:
    with pytest.raises(ValidationError):
        Waiver(project="p", candidate="c", report="r", dimension="privacy", person="Ada", role="legal", reason="", until=TODAY)


def test_how_long_it_took_is_not_what_was_found() -> None:
    made = report(("privacy", "loss_gap", "FAIL"))
    assert made.id == made.model_copy(update={"seconds": 9.0}).id
