"""Every word a user can meet has an explanation."""

from __future__ import annotations

import inspect
from typing import get_args

import pytest

from whytune import errors
from whytune.checks.registry import CHECKS
from whytune.errors import NotFoundError, WhytuneError
from whytune.evaluation.scorers import SCORERS
from whytune.records.candidate import ARM_TITLES
from whytune.records.decision import VerdictCode
from whytune.records.ledger import ROLES
from whytune.tasks import TASKS
from whytune.workspace.explain import meaning

CODES = [error.code for error in vars(errors).values() if inspect.isclass(error) and issubclass(error, WhytuneError)]


@pytest.mark.parametrize("word", [*get_args(VerdictCode), *CHECKS, *SCORERS, *TASKS, *ARM_TITLES, *ROLES, *CODES])
def test_every_word_has_a_meaning(word: str) -> None:
    title, _, text = meaning(word).partition("\n")
    assert word in title
    assert len(text) > 5


def test_an_unknown_word_names_the_nearest() -> None:
    with pytest.raises(NotFoundError) as caught:
        meaning("PROMT_ENOUGH")
    assert "prompt_enough" in caught.value.next
