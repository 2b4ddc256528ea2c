"""The card says what records say, with n and interval; what was not done it says too; words from outside cannot act."""

from __future__ import annotations

import json
import re
from datetime import date

from tests.acceptance.cases import CANDIDATE, REPORT, TRIAL
from tests.release.abouts import about
from tests.sample_decision import usecase

from whytune.records.release import Approval
from whytune.records.responsible import Waiver
from whytune.release.about import NOT_COVERED_CARD
from whytune.release.card import card, markdown


def test_every_figure_has_its_n_and_interval() -> None:
    told = card(about())
    for figure in (told["evaluation"]["primary"], *told["evaluation"]["slices"], *told["evaluation"]["against"], told["human_evaluation"]["preference"]):
        assert {"value", "low", "high", "n"} <= figure.keys()
    assert told["evaluation"]["primary"]["value"] == TRIAL.primary.value
    assert json.loads(json.dumps(told)) == told
    page = markdown(told)
    assert f"| facts | {TRIAL.primary.value:.3f} | {TRIAL.primary.low:.3f} to {TRIAL.primary.high:.3f} | 300 |" in page
    assert "channel" in page
    assert "independently approved" in page
    for line in NOT_COVERED_CARD:
        assert line in page


def test_who_signed_and_what_was_waived_stands_on_it() -> None:
    waiver = Waiver(project="support", candidate=CANDIDATE.id, report=REPORT.id, dimension="security", person="rita", role="responsible_ai", reason="only inside", until=date(2027, 1, 1))
    poor = REPORT.model_copy(update={"results": tuple(r.model_copy(update={"status": "FAIL"}) if r.dimension == "security" else r for r in REPORT.results)})
    acceptance = about().acceptance
    with_waiver = acceptance.model_copy(update={"evidence": (*acceptance.evidence, waiver.id), "valid_until": "2027-01-01"})
    told = card(about(report=poor, waivers=(waiver,), acceptance=with_waiver))
    assert told["responsible_ai"]["statuses"]["security"] == "WAIVED"
    page = markdown(told)
    for word in ("bea", "rita", "tess", "only inside", "2027-01-01"):
        assert word in page


def test_what_was_not_done_is_said() -> None:
    told = card(about(trial=None, report=None, evaluation=None, adapter=None, decision=None))
    page = markdown(told)
    for words in ("Not measured.", "Not run.", "No human evaluation", "Nothing was trained."):
        assert words in page


def test_a_release_that_one_person_signed_alone_says_so() -> None:
    alone = about().acceptance.model_copy(update={"solo": True})
    assert markdown(card(about(acceptance=alone))).splitlines()[2].startswith("**not independently approved")


def test_hostile_words_stay_words() -> None:
    evil = '<img src=x onerror=alert(1)> ![x](http://evil.example/?q=1) | ``` \x1b[31m\u202e'
    signed = (Approval(project="support", number=1, candidate="c", dataset="d", policy="p", role="tester", person=evil, says="approve", reason=evil, subject=()),)
    page = markdown(card(about(usecase=usecase().model_copy(update={"purpose": evil, "name": evil}), approvals=signed)))
    assert not re.search(r"(?<!\\)[<>]", page)
    assert not re.search(r"(?<!\\)\[", page)
    assert "http://" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    heads = next(number for number, line in enumerate(page.splitlines()) if line.startswith("| role"))
    row = page.splitlines()[heads + 2]
    assert row.replace("\\|", "").count("|") == 4, "a bar in a reason makes no new column"
