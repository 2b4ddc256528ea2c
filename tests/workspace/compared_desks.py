"""Projects with several arms measured to the end without loading a model, and what was changed by whom."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.cli.living import change
from tests.workspace.desks import acting, staffed
from tests.workspace.desks import desk as handbook_desk
from tests.workspace.judged_desks import ROLES, Right, base_folder, policy, well

from whytune.jobs.progress import Silent
from whytune.records.candidate import Candidate
from whytune.records.data import Example
from whytune.records.evidence import Answer
from whytune.workspace import creating, deciding
from whytune.workspace.arms import Makings
from whytune.workspace.measuring import Bench
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

HOSTILE = '<script>alert(1)</script>\x1b[31m\u202ered <b>"bold"</b>'
"""What a model said: it must be shown, and do nothing."""


def often(number: int, row: Example) -> bool:
    """Three of five are answered rightly."""
    return number % 5 < 3


def desk(folder: Path) -> Project:
    """Tickets, the prompt alone and with examples, people and a policy; nothing signed."""
    project = acting(staffed(folder, **ROLES), "root")
    measure(project, folder, {"prompt": often, "few_shot": well})
    policy(project)
    return project


def documents(folder: Path) -> Project:
    """Questions over a handbook, the prompt alone and with search; one person alone."""
    made = handbook_desk(folder)
    change(made.folder, hybrid='"off"')  # by words alone: an embedder would have to be loaded
    made.workspace.store.close()
    project = Workspace.open(folder).project("desk")
    measure(project, folder, {"prompt": often, "rag": well})
    return project


def kept(place: Path) -> Path:
    """A folder with `desk`, built once below `place`; copy it, do not change it."""
    folder = place / "compared-desk"
    if not folder.exists():
        folder.mkdir()
        desk(folder).workspace.store.close()
    return folder


def measure(project: Project, folder: Path, arms: Mapping[str, Right]) -> None:
    """From the dataset to a decision about these arms, by dana and tess where there are people."""
    alone = not project.workspace.people()
    dana, tess, bea = (project, project, project) if alone else (acting(project, "dana"), acting(project, "tess"), acting(project, "bea"))
    quiet, made, store, base = Silent(), project.dataset, project.workspace.store, base_folder(folder)
    dana.once(base, "base.chosen")
    bea.once(bea.file.usecase, "usecase.fixed", beside=[bea.file.acceptance])
    creating.validate(dana, made, quiet)
    index = creating.index(dana, made, quiet) if "rag" in arms else ""
    makings = Makings(project.file, project.task, base, made, index)
    train = creating.examples_of(project, made, "train")
    candidates = {"prompt": makings.plain(), "few_shot": makings.few_shot(train)[0]} | ({"rag": makings.rag()} if index else {})
    candidates = {arm: candidates[arm] for arm in arms}
    for arm, candidate in candidates.items():
        for split in ("dev", "test"):
            rows = creating.examples_of(project, made, split)
            store.put_answers([_answer(project, candidate, row, arms[arm](number, row), index) for number, row in enumerate(rows)])
    if index:
        rows = creating.examples_of(project, made, "dev")
        store.put_answers([_answer(project, makings.oracle(), row, True, "") for row in rows])
    bench, official = Bench(dana, makings), Bench(tess, makings)
    triage = deciding.triage(dana, makings)
    deciding.power(dana, bench)
    deciding.attribute(dana, bench, ["prompt"], quiet)
    protocol = deciding.protocol(tess, official, candidates)
    trials = deciding.test(tess, official, protocol, candidates, quiet)
    deciding.decide(tess, official, protocol, trials, triage)


def _answer(project: Project, candidate: Candidate, row: Example, right: bool, index: str) -> Answer:
    labels = [label for label in project.dataset.labels if label != row.target_text]
    # Now and then it says something that is no label at all.
    wrong = labels[0] if labels and int(row.id[-1], 16) % 2 else HOSTILE
    found = [hit.passage.id for hit in project.workspace.store.passages.search(index, row.input_text, 2)] if index and candidate.retrieval else []
    return Answer(
        candidate=candidate.id, item=row.id, text=row.target_text if right else wrong, tokens_in=40, tokens_computed=10, tokens_out=2,
        seconds=0.01, passages=tuple(found),
    )  # fmt: skip
