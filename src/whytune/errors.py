"""The one error tree: what happened, where, why, and what to do next.

Every error a user can meet is a `WhytuneError`. Several mistakes of one input are told at once, as `problems`.
The exit code belongs to the class, so that a script can act on it without reading the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class WhytuneError(Exception):
    """Something went wrong and the user can do something about it.

    what: what happened, with the value. where: file, line, field. next: what to do now, a command where there is one.
    problems: every mistake found in the same input, one line each.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, next: str, where: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.next = next
        self.where = where
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [f"{self.what}" + (f" ({self.where})" if self.where else "")]
        lines += [f"  - {problem}" for problem in self.problems]
        lines.append(f"next: {self.next}")
        return "\n".join(lines)


class UsageError(WhytuneError):
    """The command line or a call was not understood."""

    code = "usage"
    exit_code = 2


class TooLargeError(UsageError):
    """What was sent is more than is taken at once."""

    code = "too-large"


class SettingsError(UsageError):
    """A settings file, `whytune.toml` or an environment variable holds something that cannot be."""

    code = "settings"


class DataError(WhytuneError):
    """A source cannot be read, or what is in it cannot be used."""

    code = "data"


class ModelError(WhytuneError):
    """A model folder, file or adapter cannot be loaded or does not fit."""

    code = "model"


class TrainingError(WhytuneError):
    """Training refused to start, or stopped."""

    code = "training"


class StoppedError(TrainingError):
    """Training was asked to stop by a signal and has saved where it stands."""

    code = "stopped"
    exit_code = 130


class StoreError(WhytuneError):
    """The store cannot be opened, read or written."""

    code = "store"


class LockedError(StoreError):
    """Another process is working on this project."""

    code = "locked"


class TamperedError(StoreError):
    """What is stored is not what was written: a hash does not fit."""

    code = "tampered"


class RefusedError(WhytuneError):
    """The evidence says no: a gate is closed."""

    code = "refused"
    exit_code = 3


class NotAllowedError(WhytuneError):
    """This person's roles do not permit it."""

    code = "not-allowed"
    exit_code = 4


class NotSignedInError(NotAllowedError):
    """Nobody has said who they are, or not so that it can be believed."""


class WaitError(NotAllowedError):
    """Tried too often: it may be tried again after some time."""

    code = "wait"

    def __init__(self, what: str, *, next: str, seconds: int) -> None:
        super().__init__(what, next=next)
        self.seconds = seconds


class NotFoundError(WhytuneError):
    """There is nothing by that name."""

    code = "not-found"
    exit_code = 5


class NotProvenError(WhytuneError):
    """The evidence is too thin to say yes or no."""

    code = "not-proven"
    exit_code = 6


class UnavailableError(WhytuneError):
    """A backing service (an endpoint, a hub, a database) does not answer, or answers nonsense."""

    code = "unavailable"
    exit_code = 7
