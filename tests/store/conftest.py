"""A store for each test, and records to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from whytune.records.ledger import Person
from whytune.records.project import AcceptanceRule
from whytune.store.store import Store


def rule(metric: str = "accuracy", bar: float = 0.75) -> AcceptanceRule:
    """A small record."""
    return AcceptanceRule(metric=metric, bar=bar, margin=0.05)


ANNA = Person(name="anna", roles=("business_owner",), solo=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".whytune"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.open(folder, create=True) as opened:
        yield opened
