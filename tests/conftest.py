"""What every room's tests may use: a real, tiny model of a few thousand weights, made on the spot in a second."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# No deadline a property: a busy machine is not a failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random two-layer Llama with a byte-pair tokenizer learned from text and a ChatML template."""
    from tests.tiny import build

    return build(tmp_path_factory.mktemp("tiny-model"))
