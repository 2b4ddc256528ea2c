"""Gates bind, priors inform, unanswered questions are named."""

from __future__ import annotations

import pytest
from tests.sample_decision import dataset, usecase

from whytune.acceptance.triage import ARMS, Facts, triage
from whytune.records.project import Circumstances


def closed(facts: Facts | None = None, train: int = 600, **said: bool) -> dict[str, set[str]]:
    found = triage(usecase(**said), dataset(300, train=train), facts or Facts())
    return {gate.name: set(gate.closes) for gate in found.gates}


def test_nothing_said_closes_nothing_and_is_listed() -> None:
    found = triage(usecase(), dataset(300), Facts())
    assert not found.gates
    assert set(found.unanswered) == set(Circumstances.model_fields)


def test_no_egress_closes_hosted_arms_only() -> None:
    assert closed(no_egress=True) == {}
    assert closed(Facts(endpoint=True), no_egress=True)["no_egress"] == set(ARMS)
    assert set(closed(Facts(endpoint=True, endpoint_local=True), no_egress=True)) == {"weights"}


@pytest.mark.parametrize("name", ["erasure", "per_user_rights", "facts_change"])
def test_closed_book_tuning_cannot_be_the_final_answer(name: str) -> None:
    assert closed(**{name: True}) == {name: {"tuned"}}
    assert closed(**{name: False}) == {}


def test_an_answer_from_memory_cites_nothing() -> None:
    assert closed(citations=True) == {"citations": {"prompt", "few_shot", "tuned"}}


def test_no_right_to_train_and_too_few_rows_close_training() -> None:
    assert closed(may_train=False) == {"may_train": {"tuned", "tuned_rag"}}
    assert closed(may_train=True) == {}
    assert closed(train=49) == {"few_rows": {"tuned", "tuned_rag"}}
    assert closed(train=50) == {}


def test_priors_fit_the_task_and_name_their_source() -> None:
    def leans(task: str, facts: Facts) -> set[str]:
        case = usecase().model_copy(update={"task": task})
        priors = triage(case, dataset(300), facts).priors
        assert all(prior.source and prior.reason for prior in priors)
        return {prior.leans for prior in priors}

    assert "rag" in leans("qna", Facts(documents=3))
    assert "rag" not in leans("categorization", Facts())
    assert "tuned" in leans("sentiment", Facts())
    assert "full_context" in leans("qna", Facts(documents=3, document_words=900, fits_context=True))
    assert "full_context" not in leans("qna", Facts(documents=3, document_words=900_000, fits_context=False))
    assert "full_context" not in leans("qna", Facts(documents=3, fits_context=None))
