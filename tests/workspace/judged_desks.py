"""Projects that are measured to the end without loading a model: answers are put into the store, the rest is the real path.

People: root (admin, there before anything was made), carl (data creator, made the rows), dana (data scientist), tess (tester),
bea (business owner), rita (responsible AI), olga (operator).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.workspace.desks import acting, labelled, staffed

from whytune.answering.backends.folder import folder_digest
from whytune.jobs.progress import Silent
from whytune.records.candidate import Base, Candidate
from whytune.records.data import Example
from whytune.records.evidence import Answer
from whytune.records.release import Release
from whytune.settings import Settings
from whytune.workspace import accepting, creating, deciding, policies, registering
from whytune.workspace.arms import Makings
from whytune.workspace.measuring import Bench
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

ROLES = {
    "carl": ("data_creator",), "dana": ("data_scientist", "tester"), "tess": ("tester", "legal"), "bea": ("business_owner",),
    "rita": ("responsible_ai",), "olga": ("operator",),
}  # fmt: skip
SIGNERS = {"business_owner": "bea", "responsible_ai": "rita", "tester": "tess"}
Right = Callable[[int, Example], bool]


def well(number: int, row: Example) -> bool:
    """Nine of ten are answered rightly."""
    return number % 10 != 0


def badly(number: int, row: Example) -> bool:
    """Only what is about delays is answered rightly."""
    return row.target_text == "delay"


def base_folder(folder: Path) -> Base:
    """A base model of a few bytes: enough to be hashed, never loaded."""
    place = folder / "base"
    place.mkdir(exist_ok=True)
    (place / "config.json").write_text('{"model_type": "llama"}', "utf-8")
    (place / "model.safetensors").write_bytes(b"weights")
    (place / "tokenizer.json").write_text('{"version": "1.0"}', "utf-8")
    (place / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}), "utf-8")
    return Base(name="small-instruct", source="folder", location=str(place), digest=folder_digest(place), parameters=135_000_000, licence="apache-2.0")


def measure(project: Project, base: Base, right: Right = well) -> Candidate:
    """From the dataset to a decision about the prompt arm, by dana and tess where there are people."""
    alone = not project.workspace.people()
    dana, tess = (project, project) if alone else (acting(project, "dana"), acting(project, "tess"))
    quiet, made = Silent(), project.dataset
    dana.once(base, "base.chosen")
    bea = project if alone else acting(project, "bea")
    bea.once(bea.file.usecase, "usecase.fixed", beside=[bea.file.acceptance])
    creating.validate(dana, made, quiet)
    makings = Makings(project.file, project.task, base, made, "")
    candidate = makings.plain()
    for split in ("dev", "test"):
        rows = creating.examples_of(project, made, split)
        project.workspace.store.put_answers([_answer(candidate, row, made.labels, right(number, row)) for number, row in enumerate(rows)])
    bench = Bench(dana, makings)
    triage = deciding.triage(dana, makings)
    deciding.power(dana, bench)
    deciding.attribute(dana, bench, ["prompt"], quiet)
    official = Bench(tess, makings)
    protocol = deciding.protocol(tess, official, {"prompt": candidate})
    trials = deciding.test(tess, official, protocol, {"prompt": candidate}, quiet)
    deciding.decide(tess, official, protocol, trials, triage)
    return candidate


def _answer(candidate: Candidate, row: Example, labels: tuple[str, ...], right: bool) -> Answer:
    text = row.target_text if right else next(label for label in labels if label != row.target_text)
    return Answer(candidate=candidate.id, item=row.id, text=text, tokens_in=40, tokens_computed=10, tokens_out=2, seconds=0.01)


def policy(project: Project, **changes: str) -> None:
    """Write and fix a policy that asks for the test alone, unless told otherwise."""
    values = {"evidence": '["test"]', "smallest": "10", **changes}
    path = project.folder / policies.FILE
    if not path.exists():
        policies.init(project, solo=not project.workspace.people())
    text = path.read_text("utf-8")
    for key, value in values.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} = ") else line for line in text.splitlines()]
        assert lines != text.splitlines() or f"{key} = {value}" in text, key
        text = "\n".join(lines) + "\n"
    path.write_text(text, "utf-8")
    policies.fix(project if not project.workspace.people() else acting(project, "bea"))


def desk(folder: Path, right: Right = well) -> Project:
    """A measured project with people and a policy, nothing signed."""
    project = acting(staffed(folder, **ROLES), "root")
    measure(project, base_folder(folder), right)
    policy(project)
    return project


def kept(place: Path) -> Path:
    """A folder with `desk`, built once below `place`; copy it, do not change it."""
    folder = place / "judged-desk"
    if not folder.exists():
        folder.mkdir()
        desk(folder).workspace.store.close()
    return folder


def alone(folder: Path) -> Project:
    """The same, with one person only."""
    project = labelled(folder)
    measure(project, base_folder(folder))
    policy(project)
    return project


def signed(project: Project) -> None:
    """Everybody who must sign does; dtype is said, so that no model library is loaded to choose one."""
    for role, name in SIGNERS.items():
        accepting.sign(acting(project, name), role, "approve", "looked at every figure")


def released(project: Project) -> Release:
    """Signed, accepted by bea, released by olga."""
    signed(project)
    accepting.accept(acting(project, "bea"))
    return registering.make(operator(project))


def operator(project: Project) -> Project:
    """The project as olga works on it."""
    room = project.workspace
    return Workspace(room.root, room.store, Settings(person="olga", dtype="float32", cache=str(room.root / "cache"))).project(str(project.folder))
