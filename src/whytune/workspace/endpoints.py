"""Running `whytune serve` processes: each says where it listens and goes on saying it; what falls silent is shown as gone.

    with announced(gateway, Spot("http://127.0.0.1:8000/v1"), tell):   # in the process that serves
        ...
    [each.state for each in known(workspace)]                          # "serving", "stopped" or "gone"
    serving(workspace, "champion")                                     # the one to ask, or None
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import psutil

from whytune.errors import UnavailableError
from whytune.records.served import Announced
from whytune.workspace import releasing

if TYPE_CHECKING:
    from whytune.workspace.serving import Gateway
    from whytune.workspace.workspace import Workspace

BEAT = 5.0
SILENT = timedelta(seconds=30)
"""Without a word for so long a process counts as gone: six beats, so that a busy moment is no funeral."""
REMEMBERED = timedelta(days=7)

State = Literal["serving", "stopped", "gone"]


@dataclass(frozen=True)
class Endpoint:
    """A process and how it is."""

    process: Announced
    state: State

    @property
    def serves(self) -> dict[str, str]:
        """Alias to release, while it answers."""
        return dict(self.process.served) if self.state == "serving" else {}


def listen(host: str, port: int, *, next: str) -> socket.socket:
    """A socket that listens there. Raises UnavailableError, with what to do `next`, where it cannot: the port is taken, or no address of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: only then are small answers sent at once instead of being held back for others.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(1024)
    except (OSError, OverflowError) as error:
        bound.close()
        raise UnavailableError(f"Cannot listen on {host}:{port}: {error}", next=next) from None
    return bound


@contextmanager
def announced(gateway: Gateway, address: str, tell: Callable[[BaseException], None]) -> Iterator[None]:
    """While the block runs, this process is known to serve there. tell: hears of a beat that could not be written.

    A store that cannot be written must not stop answers, so the operator is told and the next beat tries again.
    """
    endpoints = gateway.workspace.store.endpoints
    id, over = secrets.token_hex(8), threading.Event()

    def served() -> dict[str, str]:
        return {each.name: each.release for each in gateway.served()}

    def noted(note: Callable[[], None]) -> bool:
        try:
            note()
        except Exception as error:
            tell(error)
            return False
        return True

    def enter() -> None:
        now = _now()
        made = Announced(
            id=id, address=address, machine=socket.gethostname(), pid=os.getpid(), person=gateway.workspace.person.name,
            asks_key=not gateway.open, aliases=gateway.aliases, served=served(), started=_spelled(now), beat=_spelled(now),
        )  # fmt: skip
        endpoints.announce(made, _spelled(now - REMEMBERED))

    def beat(entered: bool) -> None:
        while not over.wait(BEAT):
            entered = noted(lambda: endpoints.beat(id, _spelled(_now()), served(), not gateway.open)) if entered else noted(enter)

    # The first word before the first answer: whoever finds it answering finds it here too.
    thread = threading.Thread(target=beat, args=(noted(enter),), name="whytune-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        noted(lambda: endpoints.end(id, _spelled(_now())))


def known(workspace: Workspace) -> list[Endpoint]:
    """Every process of the last days, the newest first; aliases of projects that whoever asks does not see are left out."""
    now, here, unseen = _now(), socket.gethostname(), _unseen(workspace)
    found = []
    for each in workspace.store.endpoints.all():
        aliases = tuple(name for name in each.aliases if name not in unseen)
        served = {name: release for name, release in each.served.items() if name not in unseen}
        found.append(Endpoint(each.model_copy(update={"aliases": aliases, "served": served}), _state(each, now, here)))
    return found


def serving(workspace: Workspace, alias: str) -> Announced | None:
    """The newest running process that serves this alias; None where there is none."""
    return next((each.process for each in known(workspace) if alias in each.serves), None)


def _unseen(workspace: Workspace) -> set[str]:
    return set(releasing.aliases(workspace.whole())) - set(releasing.aliases(workspace)) if workspace.hidden else set()


def _state(process: Announced, now: datetime, here: str) -> State:
    if process.ended:
        return "stopped"
    if now - datetime.fromisoformat(process.beat) > SILENT:
        return "gone"
    # On this machine one need not wait to know that a process was killed.
    return "gone" if process.machine == here and not psutil.pid_exists(process.pid) else "serving"


def _now() -> datetime:
    return datetime.now(UTC)


def _spelled(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
