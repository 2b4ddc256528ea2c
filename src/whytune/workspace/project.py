"""A project: one use case with its data, its arms and its decision; one method for each box of the flowchart.

Where it stands is read from its records, never kept beside them. `run` walks the flow as far as evidence and people
permit; each step finds what is already there and does only what is missing.

    project = Workspace.open().project("support")
    project.run()
    print(project.decision.verdict.sentence)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from whytune.errors import NotFoundError, UsageError
from whytune.jobs.progress import Progress, Silent
from whytune.records.candidate import Adapter
from whytune.records.choice import Forgetting, ModelChoice
from whytune.records.data import Dataset, Example, Removal, SplitName, Validation
from whytune.records.decision import Decision
from whytune.records.evidence import Comparison, Look, Trial
from whytune.records.ledger import Event
from whytune.records.record import Record
from whytune.tasks import Task, task_named
from whytune.workspace import config
from whytune.workspace.config import ProjectFile

if TYPE_CHECKING:
    from whytune.workspace.flow import Status
    from whytune.workspace.workspace import Act, Workspace

R = TypeVar("R", bound=Record)


class Project:
    """One project of a workspace, known by its folder."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.workspace = workspace
        self.folder = folder
        self.ending_file: Path | None = None
        """A file whose being there asks training to end and keep the best; set while a job works on the project."""

    @cached_property
    def file(self) -> ProjectFile:
        """`whytune.toml`, as it was when first asked for."""
        return config.read(self.folder)

    @property
    def name(self) -> str:
        """What people call it on the command line."""
        return self.file.name

    @property
    def key(self) -> str:
        """The name under which its records are kept."""
        return self.file.name

    @property
    def task(self) -> Task:
        """What the task means."""
        return task_named(self.file.task)

    # Records

    def records(self, kind: type[R]) -> list[R]:
        """All records of a kind, oldest first."""
        return self.workspace.store.list(kind, self.key)

    def newest(self, kind: type[R]) -> R | None:
        """The newest record of a kind, if there is one."""
        return self.workspace.store.latest(kind, self.key)

    def latest(self, kind: type[R]) -> R:
        """The newest record of a kind. Raises NotFoundError where there is none."""
        found = self.newest(kind)
        if found is None:
            raise NotFoundError(f"{self.name} has no {kind.KIND} yet", next=f"whytune run {self.name}")
        return found

    def act(self, name: str, read: Sequence[str] = ()) -> AbstractContextManager[Act]:
        """An act of this project."""
        return self.workspace.act(name, project=self.key, read=read)

    def once(self, record: R, act: str, read: Sequence[str] = (), beside: Sequence[Record] = ()) -> R:
        """Write a record as one act, unless the newest of its kind is the same; `beside` is written with it."""
        known = self.workspace.store.latest(type(record), self.key)
        if known is None or known.id != record.id:
            with self.act(act, read=read) as doing:
                for other in beside:
                    doing.write(other)
                doing.write(record)
        return record

    def events(self) -> list[Event]:
        """This project's part of the ledger."""
        return self.workspace.events(self.key)

    # What there is

    @property
    def latest_dataset(self) -> Dataset | None:
        """The newest version, if there is one."""
        return self.newest(Dataset)

    @property
    def dataset(self) -> Dataset:
        """The newest version. Raises NotFoundError where there is none."""
        return self.latest(Dataset)

    @property
    def validation(self) -> Validation:
        """The findings about the newest version."""
        return self.latest(Validation)

    @property
    def decision(self) -> Decision | None:
        """The newest decision, if there is one."""
        return self.newest(Decision)

    @property
    def adapters(self) -> list[Adapter]:
        """Everything trained on the newest version."""
        made = self.latest_dataset
        return [adapter for adapter in self.records(Adapter) if made and adapter.dataset == made.id]

    def trials(self, split: SplitName | str) -> list[Trial]:
        """The newest trial of each candidate on a split of the newest version."""
        made = self.latest_dataset
        found = {t.candidate: t for t in self.records(Trial) if made and t.dataset == made.id and t.split == split}
        return list(found.values())

    @property
    def choice(self) -> ModelChoice | None:
        """Which of the candidates was taken for the newest version, if one was chosen."""
        from whytune.workspace.candidates import standing_choice

        made = self.latest_dataset
        return standing_choice(self, made.id) if made else None

    @property
    def comparisons(self) -> list[Comparison]:
        """The comparisons that the newest decision stands on."""
        return list(self.decision.comparisons) if self.decision else []

    @property
    def looks(self) -> int:
        """How often the sealed test set of the newest version was opened."""
        made = self.latest_dataset
        return len(self.looks_at(made)) if made else 0

    def looks_at(self, made: Dataset) -> list[Look]:
        """Every opening of this version's test set, under whatever version it was opened: new versions keep the old test rows."""
        since = {one.id for one in self.records(Dataset) if one.test_since == made.test_since}
        return [look for look in self.records(Look) if look.dataset in since]

    @property
    def erased(self) -> int:
        """Rows of the newest version that were erased since it was made."""
        made = self.latest_dataset
        return self.workspace.store.erased_rows(made.rows) if made else 0

    def sample(self, count: int) -> list[tuple[SplitName, Example]]:
        """Some rows of train and dev; rows of test are not shown."""
        from whytune.workspace.creating import SplitRow

        shown: list[tuple[SplitName, Example]] = []
        for row in self.workspace.store.read_pack(self.dataset.rows, SplitRow):
            if row.split != "test" and len(shown) < count:
                shown.append((row.split, row.example))
        return shown

    def removals(self) -> Iterator[Removal]:
        """What the newest version left out, and why."""
        return self.workspace.store.read_pack(self.dataset.removals, Removal)

    # The flow

    def run(self, progress: Progress | None = None, *, until: str = "", stop_at_gate: bool = True, how: str = "") -> None:
        """Walk the flow, up to and including step `until` where one is named. One process at a time.

        how: `all` trains every candidate, `ladder` climbs from the smallest; without it as [training_run] order says.
        """
        from whytune.workspace import flow

        if until and until not in flow.STEPS:
            raise UsageError(f"There is no step {until!r}", next=f"choose one of: {', '.join(flow.STEPS)}")
        with self.workspace.store.lock(self.key):
            flow.FlowRun(self, progress or Silent(), stop_at_gate=stop_at_gate, how=how).to(until or flow.STEPS[-1])

    def status(self) -> Status:
        """Where each step stands and what to do next; reads records only."""
        from whytune.workspace.flow import status

        return status(self)

    def estimate(self) -> dict[str, Any]:
        """What a run would take: steps, seconds, money, disk."""
        from whytune.workspace.estimating import estimate

        return estimate(self)

    def forgetting(self, arm: str = "tuned", progress: Progress | None = None) -> Forgetting:
        """What tuning took away: general questions to the base model and to this arm's; asked once."""
        from whytune.workspace import forgetting

        with self.workspace.store.lock(self.key):
            return forgetting.measure(self, arm, progress)

    def training_estimate(self) -> dict[str, Any]:
        """What training would take, from the rows as they are tokenised."""
        from whytune.workspace import estimating, flow

        with self.workspace.store.lock(self.key):
            walk = flow.FlowRun(self, Silent())
            walk.to("triage")
            return estimating.training(walk.bench)

    # The report

    def report(self, kind: str = "html") -> str:
        """The decision page as html, md or json; without examples that an open blind round holds back from whoever acts."""
        from whytune.report import html, markdown
        from whytune.report.twin import json_text
        from whytune.workspace import blindness

        decision = blindness.decision(self)
        if decision is None:
            raise NotFoundError(f"{self.name} has no decision yet", next=f"whytune run {self.name}")
        writers = {"html": html.html, "md": markdown.markdown, "json": json_text}
        if kind not in writers:
            raise UsageError(f"There is no report as {kind!r}", next="choose html, md or json")
        return writers[kind](decision)

    def write_report(self) -> Path:
        """The HTML page in the project's folder."""
        from whytune.workspace.writing import write_whole

        page = self.folder / "report.html"
        write_whole(page, self.report("html"))
        return page

    def _repr_html_(self) -> str:
        """In a notebook: the chart of the arms, once there is a decision."""
        from whytune.report.charts import arms_svg

        decision = self.decision
        if decision is None:
            return f"<p>{self.status().headline}</p>"
        return f"<p><strong>{decision.verdict.headline}</strong></p>{arms_svg(decision)}"
