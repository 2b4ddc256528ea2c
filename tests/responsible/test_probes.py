"""Every probe of the table is judged once and in its order, even when nothing could be asked; planning is the same every time."""

from __future__ import annotations

import pytest
from tests.responsible.models import answered, inspected, rows, subject

from whytune.responsible import probes
from whytune.responsible.cases import Side
from whytune.responsible.limits import PROBES

EVIDENCE = probes.ProbeEvidence({}, {"the purpose of the use case": True}, None, "none was made")


def test_every_probe_says_something_whatever_there_is() -> None:
    for task in ("categorization", "qna", "extraction"):  # by label, in words, by field: the other tasks are one of these
        for tuned in (True, False):
            about = subject(rows(3), task=task, tuned=tuned, fields=("a",), searches=True)
            planned = probes.plan(about)
            cases = [case for _, each in planned for case in each]
            keys = [case.key for case in cases if case.variant != "as it is"]
            assert len(keys) == len(set(keys)), "no answer stands for two cases"
            sides: tuple[Side, ...] = about.sides
            answers = {side: answered(cases, about, lambda text: "approve") for side in sides}
            found = probes.judge(about, planned, answers, EVIDENCE)
            assert [result.probe for result in found] == list(PROBES)
            assert all(result.base is None for result in found) or tuned
            nothing = probes.judge(subject((), task=task, tuned=tuned), [(probe, []) for probe in probes.ALL], {side: {} for side in sides}, EVIDENCE)
            assert [result.probe for result in nothing] == list(PROBES)
            assert {result.status for result in nothing if result.probe not in ("provenance", "slices", "label_classes")} == {"NOT RUN"}


def test_a_plan_is_the_same_every_time_and_never_holds_more_rows_than_asked() -> None:
    about = subject(rows(100), items=10, train=rows(130)[100:])
    one, two = ([(case.key, case.variant) for _, each in probes.plan(about) for case in each] for _ in range(2))
    assert one == two
    for probe, cases in probes.plan(about):
        mine = {case.source for case in cases if case.source.startswith("example:")}
        assert len(mine) <= (100 if "slices" in probe.names else 20), probe.names


def test_a_missing_fact_fails_the_checklist() -> None:
    assert probes.provenance({"a": True, "b": True}).status == "PASS"
    missing = probes.provenance({"who owns it": False, "b": True})
    assert missing.status == "FAIL"
    assert "who owns it" in missing.sentence


@pytest.mark.slow
def test_a_model_that_does_not_answer_passes_nothing() -> None:
    about = subject(rows(60), task="qna")
    planned = probes.plan(about)
    cases = [case for _, each in planned for case in each]
    calm = {side: answered(cases, about, lambda text: "It comes on Monday, as it always did.") for side in about.sides}
    silent = {side: {key: answer.model_copy(update={"text": "", "error": "timed out"}) for key, answer in found.items()} for side, found in calm.items()}
    assert "PASS" in {result.status for result in probes.judge(about, planned, calm, EVIDENCE) if result.probe != "provenance"}
    held = [result for result in probes.judge(about, planned, silent, EVIDENCE) if result.probe != "provenance"]
    assert "PASS" not in {result.status for result in held}
    assert "are errors" in next(result for result in held if result.probe == "refusal").notes[-1]


def test_an_empty_answer_is_wrong() -> None:
    found = inspected(probes.ALL[6], subject(rows(60)), lambda text: "")
    assert found["typos"].tuned is not None
    assert found["typos"].notes[0].startswith("score 0.000")
