"""The forgetting probe: the same general questions to the base model and to the tuned one, once each, and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whytune.errors import NotFoundError
from whytune.evaluation import forgetting as probe
from whytune.jobs.progress import Progress, Silent
from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.choice import Forgetting
from whytune.records.data import Dataset
from whytune.records.evidence import Trial
from whytune.workspace import bases

if TYPE_CHECKING:
    from whytune.workspace.project import Project


def measure(project: Project, arm: str = "tuned", progress: Progress | None = None) -> Forgetting:
    """Ask base and tuned model what they can do besides; what was asked already is not asked again."""
    from whytune.workspace.arms import Makings
    from whytune.workspace.measuring import Bench

    progress = progress or Silent()
    store = project.workspace.store
    candidate = tuned_candidate(project, arm)
    adapter = store.get(Adapter, candidate.adapter)
    known = [made for made in project.records(Forgetting) if (made.candidate, made.suite) == (candidate.id, probe.suite_digest())]
    if known:
        return known[-1]
    base = bases.found_again(store.get(Base, adapter.base), project.workspace.settings)
    bench = Bench(project, Makings(project.file, project.task, base, store.get(Dataset, adapter.dataset), ""))
    rows = [item.example for item in probe.items()]
    said = []
    try:
        for asked in (Candidate(base=base.id, prompt=probe.PROMPT), Candidate(base=base.id, prompt=probe.PROMPT, adapter=adapter.id)):
            answers = bench.answers(asked, rows, progress)
            said.append({item: answer.text for item, answer in answers.items()})
    finally:
        bench.close()
    about = probe.Asked(project.key, candidate.id, adapter.id, base.id)
    made = probe.forgetting(about, said[0], said[1], project.file.acceptance.confidence)
    with project.act("forgetting.measured", read=[candidate.id, adapter.id, base.id]) as act:
        act.facts.update(before=f"{made.before.value:.3f}", after=f"{made.after.value:.3f}", conclusion=made.conclusion)
        return act.write(made)


def tuned_candidate(project: Project, arm: str) -> Candidate:
    """The newest candidate of that arm that was measured and has an adapter. Raises NotFoundError where there is none."""
    made = project.latest_dataset
    for trial in reversed(project.records(Trial)):
        if made and trial.dataset == made.id and trial.arm == arm:
            candidate = project.workspace.store.get(Candidate, trial.candidate)
            if candidate.adapter:
                return candidate
    raise NotFoundError(f"{project.name} has no measured candidate of the arm {arm!r} with trained weights", next=f"whytune run {project.name}")
