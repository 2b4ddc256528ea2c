"""Where the gateway may listen."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from whytune.errors import UnavailableError, UsageError
from whytune.serve.running import Listening, check
from whytune.workspace.endpoints import listen

FILE = Path(__file__)


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        (Listening(), False), (Listening("localhost"), False), (Listening("::1"), False), (Listening("127.9.9.9"), True), (Listening("0.0.0.0", behind_proxy=True), True),
        (Listening("0.0.0.0", certificate=FILE, certificate_key=FILE), True),
    ],
)  # fmt: skip
def test_safe_places(place: Listening, keys: bool) -> None:
    check(place, keys=keys)


@pytest.mark.parametrize(
    ("place", "keys", "mistakes"),
    [
        (Listening("0.0.0.0"), False, 2), (Listening("0.0.0.0"), True, 1), (Listening("0.0.0.0", behind_proxy=True), False, 1), (Listening("example.org"), True, 1),
        (Listening("127.0.0.1", behind_proxy=True), False, 1), (Listening("::"), True, 1), (Listening("10.0.0.5", certificate=FILE), True, 1),
        (Listening(certificate=FILE / "no", certificate_key=FILE), True, 1),
    ],
)  # fmt: skip
def test_unsafe_places_are_refused_with_every_reason(place: Listening, keys: bool, mistakes: int) -> None:
    with pytest.raises(UsageError) as told:
        check(place, keys=keys)
    assert len(told.value.problems) == mistakes


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held, pytest.raises(UnavailableError, match="Cannot listen"):
        listen("127.0.0.1", held.getsockname()[1], next="another one")
