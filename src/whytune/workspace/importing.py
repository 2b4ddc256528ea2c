"""Work that brings uploaded files in: a draft that becomes a project, after every row of its files was read.

    at_work = DraftImport(workspace, job)
    at_work.run(progress)          # DataError with every mistake of the files: then it is still a draft
    at_work.outcome()              # what came out, in words, with the page that shows it

Nothing is a project before its data could be read. Where whoever uploaded may also fix the use case and make datasets,
the first version is made of what was just read; else it waits for whoever may.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

from whytune.records.data import SPLITS
from whytune.workspace import creating, drafting, flow
from whytune.workspace.permissions import may

if TYPE_CHECKING:
    from whytune.jobs.progress import Progress
    from whytune.records.job import Job
    from whytune.workspace.creating import Prepared
    from whytune.workspace.permissions import Permission
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

AGAIN = "open the draft and create it again: everything typed and uploaded is kept"
STEPS = ("usecase.fixed", "dataset.created")
"""What a first version takes, besides a project."""


class DraftImport:
    """One import of a draft: what it works on, and what it has come to so far."""

    def __init__(self, workspace: Workspace, job: Job) -> None:
        self._workspace = workspace
        self._job = job
        self._prepared: Prepared | None = None
        self._project: Project | None = None

    def run(self, progress: Progress) -> None:
        """Read everything, make the project, and its first version where that is this person's to make."""
        self._project = project = drafting.create(self._workspace, self._job.draft, lambda draft: self._read(draft, progress))
        self._workspace.store.jobs.move(self._job.id, project.key)
        if self._lacking() is None:
            with self._workspace.store.lock(project.key):
                flow.FlowRun(project, progress, prepared=self._prepared).to("data")

    def outcome(self) -> dict[str, str]:
        """said, next and link, once it is done."""
        project, lacking = self._made(), self._lacking()
        said = f"{project.name} is created. " + (_version(project) if lacking is None else f"{self._looked()} The first version is for somebody else to make: {lacking.reason}.")
        then = f"whytune data check {project.name}" if lacking is None else f"whytune run {project.name} --until data, by {' or '.join(lacking.who) or 'somebody with the role for it'}"
        return {"said": said, "next": then, "link": self.back}

    @property
    def back(self) -> str:
        """The page to go on from, however it ended."""
        return f"/projects/{quote(self._project.name, safe='')}/data" if self._project else f"/drafts/{self._job.draft}"

    def _read(self, project: Project, progress: Progress) -> None:
        self._prepared = creating.prepare(project, progress)

    def _made(self) -> Project:
        assert self._project is not None  # asked for only after run()
        return self._project

    def _lacking(self) -> Permission | None:
        return next((found for act in STEPS if not (found := may(self._workspace, act)).allowed), None)

    def _looked(self) -> str:
        ready = self._prepared
        assert ready is not None  # asked for only after run()
        gone = Counter(one.reason for one in [*(ready.read.problems if ready.read else ()), *(ready.built.removals if ready.built else ())])
        return f"Its files were read: {sum(ready.counts.values()):,} rows fit{_left(dict(gone))}."


def _version(project: Project) -> str:
    made = project.dataset
    return f"Version {made.number}: " + ", ".join(f"{split} {made.counts.get(split, 0):,}" for split in SPLITS) + f"{_left(made.removed)}."


def _left(removed: dict[str, int]) -> str:
    told = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in sorted(removed.items()))
    return f"; {sum(removed.values()):,} left out: {told}" if told else ""
