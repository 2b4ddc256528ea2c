"""Long work as people follow it: what was asked, how far it is, what came out. Operational: no evidence rests on it."""

from __future__ import annotations

from typing import Any, Literal

from whytune.records.record import Value

JobState = Literal["waiting", "running", "stopping", "done", "failed", "stopped", "lost"]
LIVE: tuple[JobState, ...] = ("waiting", "running", "stopping")
"""States in which a process works on it. A job whose process is gone without a word is `lost`."""
KINDS = ("run", "train", "check", "responsible", "canaries", "forgetting", "release")
"""Work on a use case that anybody with the role may start. `import` begins with a draft or an upload, and is its sender's."""
DRAFT = "draft:"
"""What `project` begins with while a job works on a use case that is still a draft; no project can be named so."""
PointKind = Literal["phase", "progress", "curve", "log"]


class JobFailure(Value):
    """Why a job did not end as it should: the words of the error that ended it."""

    code: str
    what: str
    where: str = ""
    problems: tuple[str, ...] = ()
    next: str = ""


class Job(Value):
    """One piece of long work. Times are UTC; `ended` is empty while it goes on."""

    id: str
    project: str
    kind: str
    arguments: dict[str, str] = {}
    person: str
    state: JobState
    created: str
    started: str = ""
    ended: str = ""
    phase: str = ""
    done: int = 0
    total: int = 0
    """0: how much there is to do in this phase is not known."""
    unit: str = ""
    left: float | None = None
    """Seconds until the phase is done; None while nothing can be said."""
    note: str = ""
    said: str = ""
    """What came out, in a sentence."""
    next: str = ""
    """What to do now."""
    link: str = ""
    """Address of the page that shows what came out."""
    error: JobFailure | None = None

    @property
    def draft(self) -> str:
        """Id of the draft that it works on; empty where it works on a project."""
        return self.project.removeprefix(DRAFT) if self.project.startswith(DRAFT) else ""

    @property
    def place(self) -> str:
        """What people call what it works on."""
        return f"{self.arguments.get('name', '')} (draft)" if self.draft else self.project

    @property
    def live(self) -> bool:
        """Whether a process works on it, or is about to."""
        return self.state in LIVE


class JobPoint(Value):
    """One thing that happened in a job, in the order of `seq`, which begins at 1 and has no holes.

    phase: name, total, unit. progress: done, total, left, note. log: text. curve: part (which training of the job) and
    step with loss, seconds, total, epochs; or with dev_loss, dev_metric, train_loss, epoch, seconds for a look at dev.
    """

    seq: int
    when: str
    kind: PointKind
    values: dict[str, Any] = {}
