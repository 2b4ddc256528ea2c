"""What every room's tests may use: a real, tiny model of a few thousand weights, made on the spot in a second."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# No deadline a property: a busy machine is not a failure.
settings.register_profile("patient", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=10)
settings.load_profile("patient")


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell that starts this in the background has interrupts ignored; tests that send one need it heard, here and in children.
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = ("tests/circle/test_banking.py", "tests/cli/test_faults.py", "tests/training/test_methods.py", "tests/training/test_resume.py", "tests/cli/test_whole_flow.py")
"""Files that take minutes, longest first: begun first, they do not run on alone at the end beside an idle process."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, the rest in their order."""
    items.sort(key=lambda item: next((at for at, name in enumerate(LONGEST) if item.nodeid.startswith(name)), len(LONGEST)))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random two-layer Llama with a byte-pair tokenizer learned from text and a ChatML template."""
    from tests.tiny import build

    return build(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real browser, opened once for a test process."""
    from tests.chromium import opened

    yield from opened()
